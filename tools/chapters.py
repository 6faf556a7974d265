"""The book's pages as the tools read them: their order, their cells, what each asks, and Markdown as HTML.

The head of a page, the slides, the deck and the instructors' table are made from these.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml
from latex2mathml.converter import convert
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

from .notebooks import ROOT, picture

BOOK = ROOT / "book"
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
ASKED = re.compile(
    r"^\*\*(?P<question>[^\n]+)\*\*\n\n(?P<choices>(?:- [^\n]+\n)*)\n?"
    r"<details><summary>The answer</summary>\n\n(?P<answer>.+?)\n\n</details>",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Recall:
    """A question of "Pause and recall", in Markdown; no choices where a word is the answer."""

    question: str
    choices: tuple[str, ...]
    answer: str


def pages() -> list[str]:
    """The names of the book's pages in the order of its contents, the index first."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    files = [toc["root"], *(page["file"] for part in toc["parts"] for page in part["chapters"])]
    return [file.removeprefix("book/") for file in files]


def chapters() -> list[str]:
    """The numbered pages among them."""
    return [name for name in pages() if re.match(r"\d\d-", name)]


def cells(name: str) -> list[dict]:
    """A notebook's cells, `source` a text and free of what no reader sees."""
    notebook = json.loads((BOOK / f"{name}.ipynb").read_text(encoding="utf-8"))
    return [cell | {"source": COMMENT.sub("", "".join(cell["source"]))} for cell in notebook["cells"]]


def markdown(name: str) -> str:
    """A page's text, without its code."""
    page = BOOK / f"{name}.md"
    if page.exists():
        return COMMENT.sub("", page.read_text(encoding="utf-8"))
    return "\n\n".join(cell["source"] for cell in cells(name) if cell["cell_type"] == "markdown")


def title(name: str) -> str:
    return re.search(r"^# (.+)$", markdown(name), re.MULTILINE)[1]


def lead(name: str) -> str:
    """A page's first paragraph of prose, as plain text: a chapter's is its question."""
    for paragraph in re.split(r"\n{2,}", markdown(name)):
        if paragraph[:1] not in "#|-<>`$" and not paragraph.startswith("Open in Colab"):
            return plain(paragraph)
    raise ValueError(f"book/{name} has no paragraph to describe it by")


def plain(text: str) -> str:
    """Markdown of one paragraph without its marks."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return " ".join(re.sub(r"[*`]", "", text).split())


def recalls(name: str) -> list[Recall]:
    """What a chapter asks at "Pause and recall"."""
    [text] = [cell["source"] for cell in cells(name) if cell["id"] == "recall"]
    return [
        Recall(m["question"], tuple(re.findall(r"^- (.+)$", m["choices"], re.MULTILINE)), m["answer"])
        for m in ASKED.finditer(text)
    ]


def mathml(formula: str, options: dict) -> str:
    return convert(formula, display="block" if options["display_mode"] else "inline")


def html(text: str, math: Callable[[str, dict], str] = mathml) -> str:
    """Markdown as HTML that stands alone: a link that leads nowhere without the book is its words."""
    reader = MarkdownIt("commonmark", {"html": True}).enable("table")
    reader.use(dollarmath_plugin, renderer=math, double_inline=True)
    return reader.render(re.sub(r"\[([^\]]*)\]\((?!https?:)[^)]*\)", r"\1", COMMENT.sub("", text)))


def sections(name: str) -> Iterator[tuple[str, str, list[str]]]:
    """(heading, Markdown under it, the ids of the cells of code in it) of a chapter, in order."""
    heading, text, code = title(name), "", []
    for cell in cells(name)[3:]:  # behind its title, its links and its setup
        if cell["cell_type"] == "code":
            code.append(cell["id"])
            continue
        begin, *parts = re.split(r"^##+ (.+)$", cell["source"], flags=re.MULTILINE)
        text += begin + "\n\n"
        for found, under in zip(parts[::2], parts[1::2], strict=True):
            yield heading, text.strip(), code
            heading, text, code = found, under + "\n\n", []
    yield heading, text.strip(), code


def pictures(name: str) -> list[Path]:
    """The still pictures of a page's figures and drawings, in the order of its cells."""
    path = BOOK / f"{name}.ipynb"
    if not path.exists():
        return []
    return [still for cell in cells(name) if (still := picture(path, cell["id"])).exists()]
