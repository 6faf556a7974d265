"""Where a page asks kvlib of a reader's model or log: `<!-- ask: config -->`, `<!-- ask: explain -->`.

In a chapter's notebook the marker is not seen, and its cell says how the same is asked at the command line.
In the page stands there, before Sphinx reads the chapter, a button that the reader presses to have the form;
what the form needs is loaded then, by begin.js.
"""

import hashlib
import json
import re
from pathlib import Path

from .exercises_page import notebook

BOOK = Path(__file__).resolve().parent.parent / "book"
STATIC = BOOK / "_static" / "run"
MARKER = re.compile(r"^<!-- ask: (\w+) -->$", re.MULTILINE)
PRESS = {"config": "Read a model here", "explain": "Explain a log here"}
BAR = """<div class="kv-ask" id="ask-{what}" data-ask="{what}" data-version="{version}" data-run-later>
<p hidden><button type="button">{press}</button>
In your browser, by the same code as at the command line; nothing is uploaded.</p>
</div>"""


def version() -> str:
    """Changes with anything that the page loads for a form."""
    held = b"".join(path.read_bytes() for path in sorted(STATIC.glob("*.*s")))
    return hashlib.sha256(held).hexdigest()[:12]


def bar(what: str) -> str:
    """What stands in the page for a marker. ValueError for one that no form answers."""
    if what not in PRESS:
        raise ValueError(f"<!-- ask: {what} -->: a page can ask {' or '.join(PRESS)}")
    return BAR.format(what=what, version=version(), press=PRESS[what])


def with_forms(text: str) -> str:
    """A notebook's text with the forms in place of its markers; each may stand in it once."""
    if not text.startswith("{"):
        return text
    made, found = json.loads(text), []
    for cell in made["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown" and (here := MARKER.findall(source)):
            found += here
            cell["source"] = MARKER.sub(lambda match: bar(match[1]), source)
    if len(set(found)) < len(found):
        raise ValueError(f"a form stands more than once in a page: {', '.join(found)}")
    return json.dumps(made) if found else text


def read(app, docname, text):
    text[0] = with_forms(text[0])


def begin(app, pagename, templatename, context, doctree):
    chapter = BOOK / f"{pagename.removeprefix('book/')}.ipynb"
    # A page with exercises has the script from them.
    if chapter.is_file() and notebook(chapter.stem) is None and MARKER.search(_markdown(chapter)):
        app.add_js_file("run/begin.js", loading_method="defer")


def _markdown(chapter: Path) -> str:
    cells = json.loads(chapter.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def setup(app):
    app.connect("source-read", read)
    app.connect("html-page-context", begin)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
