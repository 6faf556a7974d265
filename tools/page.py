"""Sphinx extension: what a page of the book holds beyond its chapter, and what it leaves out.

Formulas become MathML when the book is built: every current browser draws it, so the page
needs no script for it. The theme's live-code client, which would load from another host, and its
icons as a script, which stand in a font as well, are left out.
"""

import re
from pathlib import Path

from docutils.nodes import SkipNode
from latex2mathml.converter import convert

ICON_SCRIPT = re.compile(r"\s*<(?:script|link)[^>]*fontawesome/[\d.]+/js/all\.min\.js[^>]*>(?:</script>)?")
WIDGET_STATE = re.compile(
    r'<script type="application/vnd\.jupyter\.widget-(?:state|view)\+json">.*?</script>', re.DOTALL
)


def visit_inline(translator, node):
    translator.body.append(convert(node.astext(), display="inline"))
    raise SkipNode


def visit_block(translator, node):
    # A wide formula scrolls in its own box, by keyboard too.
    formula = convert(node.astext(), display="block")
    translator.body.append(
        f'<div class="math" role="group" aria-label="Formula" tabindex="0">{formula}</div>'
    )
    raise SkipNode


def drop_thebe(app, config):
    for event, listeners in app.events.listeners.items():
        app.events.listeners[event] = [
            x for x in listeners if not x.handler.__module__.startswith("sphinx_thebe")
        ]
    app.registry.css_files = [x for x in app.registry.css_files if "thebe" not in x[0]]


def lighten(app, exception):
    """Take out of every page the second set of icons and the kernel's copy of each figure's state."""
    if exception or app.builder.format != "html":
        return
    for page in Path(app.outdir).rglob("*.html"):
        html = page.read_text(encoding="utf-8")
        light = WIDGET_STATE.sub("", ICON_SCRIPT.sub("", html))
        if light != html:
            page.write_text(light, encoding="utf-8")


def setup(app):
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    app.connect("config-inited", drop_thebe, priority=900)
    app.connect("build-finished", lighten)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
