"""Sphinx extension: what a page of the book holds beyond its chapter, and what it leaves out.

Formulas become MathML when the book is built: every current browser draws it, so the page
needs no script for it. The theme's live-code client, which would load from another host, is left out;
theme.py mends the theme's HTML, assets.py moves what is inline into files, exercises_page.py puts each
chapter's exercises at its end, ask_page.py the forms that ask about a reader's own model or log where a
chapter wants them, head.py describes each page to others, and runtime/ adds the Python that pages run.
"""

import os
import re
from pathlib import Path

from docutils.nodes import SkipNode
from latex2mathml.converter import convert

from .assets import Assets
from .runtime.link import Runtime
from .theme import mend

# The kernel's copy of each figure's state, and comments, as the claims that a test reads in the chapter.
UNSEEN = re.compile(
    r'<script type="application/vnd\.jupyter\.widget-(?:state|view)\+json">.*?</script>|<!--.*?-->', re.DOTALL
)
APART = "\\qquad"  # between two equations of one formula
# Where a wide formula may be broken: before a relation, and between two equations.
BREAK = re.compile(r"\\qquad|(?=(?<![\\\w])=|\\le\b|\\ge\b|\\approx\b)")


def visit_inline(translator, node):
    translator.body.append(convert(node.astext(), display="inline"))
    raise SkipNode


def pieces(formula: str) -> list[str]:
    """`formula`, in LaTeX, cut where a line may break: never inside braces, parentheses or an environment.

    A piece that begins with \\qquad stands apart from the one before it.
    """
    cuts, depth = [0], 0
    for token in re.finditer(r"\\left|\\right|\\begin|\\end|[{}]|" + BREAK.pattern, formula):
        if token[0] in ("{", "\\left", "\\begin"):
            depth += 1
        elif token[0] in ("}", "\\right", "\\end"):
            depth -= 1
        elif depth == 0:
            cuts.append(token.start())
    texts = [formula[a:b].strip() for a, b in zip(cuts, [*cuts[1:], None], strict=True)]
    return [text for text in texts if text]


def visit_block(translator, node):
    # Line by line where the page is narrow; what is too wide even so scrolls in its own box.
    equations: list[str] = []
    for piece in pieces(node.astext()):
        drawn = f"<span>{convert(piece.removeprefix(APART), display='block')}</span>"
        if equations and not piece.startswith(APART):
            equations[-1] += drawn
        else:
            equations.append(drawn)
    drawn = "".join(f'<span class="kv-equation">{equation}</span>' for equation in equations)
    translator.body.append(f'<div class="math kv-wide" role="group" aria-label="Formula">{drawn}</div>')
    raise SkipNode


def drop_thebe(app, config):
    for event, listeners in app.events.listeners.items():
        app.events.listeners[event] = [
            x for x in listeners if not x.handler.__module__.startswith("sphinx_thebe")
        ]
    app.registry.css_files = [x for x in app.registry.css_files if "thebe" not in x[0]]


def finish(app, exception):
    """Mend every page, take out what nobody sees of it, and add the scripts it asks for."""
    if exception or app.builder.format != "html":
        return
    out = Path(app.outdir)
    assets = Assets(out / "_static" / "kv")
    runtime = Runtime(out / "_static" / "run")
    repository = app.config.html_theme_options["repository_url"]
    for page in out.rglob("*.html"):
        if "_static" in page.relative_to(out).parts:
            continue
        html = mend(UNSEEN.sub("", page.read_text(encoding="utf-8")), repository)
        here = os.path.relpath(assets.folder, page.parent).replace(os.sep, "/")
        html = runtime.link(assets.move(html, here), here.removesuffix("kv") + "run")
        page.write_text(html, encoding="utf-8")


def setup(app):
    app.setup_extension("tools.exercises_page")
    app.setup_extension("tools.ask_page")
    app.setup_extension("tools.head")
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    app.connect("config-inited", drop_thebe, priority=900)
    app.connect("build-finished", finish)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
