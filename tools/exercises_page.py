"""A chapter's exercises in its page: their text from the notebook of exercises/, and what answers need.

The text goes into the chapter's source before Sphinx reads it, so it is set, searched and printed like the
rest, and read without a script. What a form needs (fields, the notebook to be filled in) is a script of its
own beside the page, which the page asks for when the reader wants to answer.
"""

import hashlib
import json
import re
from pathlib import Path

from kvlib.checks.grading.released import CHECKOUT
from kvlib.checks.questions import QUESTIONS
from kvlib.checks.variants import CHECK

from .exercise_forms import form
from .notebooks import links_source, repository

AFTER = "exercise"  # the chapter's cell that speaks of its exercises
LEFT_OUT = {"title", "links", "setup", "how"}  # of the notebook, which the page says otherwise
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
STATIC = Path(__file__).resolve().parent.parent / "book" / "_static" / "run"
BAR = """<div class="kv-exercises" data-notebook="{name}" data-version="{version}" data-run-later>
<p hidden><button type="button" class="kv-answer-here">Answer them here</button>
Checked by the same code as in the notebook, in your browser; nothing is sent anywhere.</p>
</div>"""


def notebook(name: str) -> dict | None:
    """The exercises of the chapter `name` as they are handed out, or None where it has none."""
    path = CHECKOUT / f"{name}.ipynb"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def source(cell: dict) -> str:
    return "".join(cell["source"])


def uses_answer(cell: dict) -> bool:
    """Whether a given cell runs what the reader wrote; then it stands in the notebook alone."""
    return "uses-answer" in cell["metadata"].get("tags", [])


def exercises(of: dict) -> list[dict]:
    """What the page must know of each exercise beside the notebook itself."""
    cells = {cell["id"]: cell for cell in of["cells"]}
    found, before = [], []
    for cell in of["cells"]:
        text = source(cell)
        if match := CHECK.fullmatch(text.strip()):
            name = match["question"]
            short = name.partition("-")[2]
            asked, answer = source(cells[f"ask-{short}"]), f"answer-{short}"
            question = QUESTIONS[name]
            found.append(
                {
                    "question": name,
                    "title": re.match(r"## (.+)", asked)[1],
                    "points": question.points,
                    "needs": list(question.needs),
                    "manual": question.manual,
                    "answer": answer,
                    "variable": match["answer"],
                    "before": list(before),
                    "form": form(source(cells[answer]), match["answer"], question.build(), asked),
                }
            )
        elif cell["cell_type"] == "code" and cell["id"] != "setup" and "nbgrader" not in cell["metadata"]:
            if not uses_answer(cell):
                before.append(cell["id"])
    return found


def markdown(of: dict, name: str) -> list[str]:
    """The exercises as cells of Markdown: what is asked, the given cells, and those to be filled in."""
    questions = {exercise["answer"]: exercise["question"] for exercise in exercises(of)}
    texts = [BAR.format(name=name, version=version(of, name))]
    for cell in of["cells"]:
        text = COMMENT.sub("", source(cell))
        if cell["id"] in LEFT_OUT or CHECK.fullmatch(text.strip()) or uses_answer(cell):
            continue
        if cell["cell_type"] == "markdown":
            texts.append(re.sub(r"^## ", "### ", text, flags=re.MULTILINE))
            continue
        code = f"```python\n{text}\n```"
        if cell["id"] in questions:
            code = f'<div class="kv-asked" data-question="{questions[cell["id"]]}">\n\n{code}\n\n</div>'
        texts.append("\n\n".join([code, *(f"```text\n{printed}\n```" for printed in outputs(cell))]))
    return texts


def outputs(cell: dict) -> list[str]:
    """What a given cell printed and gave, as texts."""
    texts = [output.get("text") or output.get("data", {}).get("text/plain", []) for output in cell["outputs"]]
    return ["".join(text).rstrip() for text in texts if text]


def with_exercises(text: str, name: str) -> str:
    """The chapter's notebook `text` with its exercises behind the cell that speaks of them."""
    of = notebook(name)
    if of is None:
        return text
    chapter = json.loads(text)
    places = [n for n, cell in enumerate(chapter["cells"]) if cell["id"] == AFTER]
    if len(places) != 1:
        raise ValueError(f"book/{name}.ipynb needs one cell with the id {AFTER!r}: its exercises follow it")
    made = [
        {"cell_type": "markdown", "id": f"exercise-{n}", "metadata": {}, "source": part}
        for n, part in enumerate(markdown(of, name))
    ]
    chapter["cells"][places[0] + 1 : places[0] + 1] = made
    return json.dumps(chapter)


def data(of: dict, name: str) -> str:
    """The script that holds what the forms of a chapter need."""
    colab = re.search(r"\[these exercises\]\((.*?)\)", links_source(repository(), CHECKOUT / f"{name}.ipynb"))
    held = {"name": name, "colab": colab[1], "exercises": exercises(of), "notebook": of}
    return f"globalThis.kvExercises = {json.dumps(held, ensure_ascii=False)};\n"


def version(of: dict, name: str) -> str:
    """Changes with anything that the page loads to have its exercises answered."""
    parts = [data(of, name), *(path.read_text(encoding="utf-8") for path in sorted(STATIC.glob("*.*s")))]
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:12]


def read(app, docname, text):
    text[0] = with_exercises(text[0], docname.removeprefix("book/"))


def begin(app, pagename, templatename, context, doctree):
    if notebook(pagename.removeprefix("book/")) is not None:
        app.add_js_file("run/quiz.js", loading_method="defer")
        app.add_js_file("run/begin.js", loading_method="defer")


def write(app, exception):
    if exception or app.builder.format != "html":
        return
    folder = Path(app.outdir) / "_static" / "run"
    folder.mkdir(parents=True, exist_ok=True)
    for path in CHECKOUT.glob("*.ipynb"):
        (folder / f"{path.stem}.js").write_text(data(notebook(path.stem), path.stem), encoding="utf-8")


def setup(app):
    app.connect("source-read", read)
    app.connect("html-page-context", begin)
    app.connect("build-finished", write)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
