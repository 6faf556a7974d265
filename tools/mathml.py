"""Sphinx extension: formulas become MathML when the book is built.

Every current browser draws MathML itself, so the page needs no script and asks no other host.
"""

from docutils.nodes import SkipNode
from latex2mathml.converter import convert


def visit_inline(translator, node):
    translator.body.append(convert(node.astext(), display="inline"))
    raise SkipNode


def visit_block(translator, node):
    # A wide formula scrolls in its own box, by keyboard too.
    formula = convert(node.astext(), display="block")
    translator.body.append(f'<div class="math" role="group" aria-label="Formula" tabindex="0">{formula}</div>')
    raise SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
