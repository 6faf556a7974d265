"""What is done to a built page: icons, names, boxes; scripts and styles into files; formulas in pieces."""

import re

import pytest

from kvlib.widgets import FormulaBox, base
from tools.assets import Assets
from tools.page import pieces
from tools.theme import ICONS, icon, mend

URL = "https://github.com/a/b"


def test_an_icon_of_the_theme_s_font_is_drawn_and_the_font_left_out():
    font = '<link href="../_static/vendor/fontawesome/6.5.2/css/all.min.css" rel="stylesheet" />'
    moon = '<i class="theme-switch fa-solid fa-moon fa-lg" data-mode="dark"></i>'
    html = mend(f"<head>{font}</head><b>{moon}</b>", URL)
    assert "fontawesome" not in html and "fa-" not in html
    assert re.search(
        r'<svg class="kv-icon theme-switch" data-mode="dark"[^>]* aria-hidden="true"><path', html
    )


def test_colab_s_mark_is_drawn_too():
    html = mend('<a><img alt="Colab logo" src="../_static/images/logo_colab.png"> Colab</a>', URL)
    assert "<img" not in html and ICONS["colab"] in html


def test_an_icon_that_is_not_drawn_stops_the_build():
    with pytest.raises(ValueError, match="fa-hippo"):
        mend('<i class="fa-solid fa-hippo"></i>', URL)
    assert all(re.fullmatch(r"[MLHVAZmlhvazCcSs0-9 .,-]+", path) for path in ICONS.values())
    assert icon("moon").startswith('<svg class="kv-icon"')


def test_what_a_script_would_write_stands_in_the_page():
    html = mend("<p><script>\ndocument.write(`\n  <button title='x'>y</button>\n`);\n</script></p>", URL)
    assert "<script" not in html and "<button title='x'>y</button>" in html


def test_handlers_become_marks_for_the_book_s_own_script():
    html = mend(
        '<button onclick="window.print()">a</button><button onclick="toggleFullScreen()">b</button>', URL
    )
    assert html == '<button data-does="print">a</button><button data-does="fullscreen">b</button>'


def test_a_table_gets_a_box_and_a_figure_s_own_none():
    table = '<table border="1" class="dataframe"><tr><td>1</td></tr></table>'
    assert mend(table, URL) == f'<div class="kv-wide" data-name="Table">{table}</div>'
    assert mend("<table><tr><td>1</td></tr></table>", URL).startswith("<table>")
    boxed = mend(f'<div class="pst-scrollable-table-container">{table}</div>', URL)
    assert boxed == f'<div class="pst-scrollable-table-container kv-wide" data-name="Table">{table}</div>'


def test_a_block_of_code_says_how_long_its_longest_line_is():
    html = mend('<div class="highlight"><pre><span>a &lt; b</span>\nlonger line\n</pre></div>', URL)
    assert '<pre style="--n: 11">' in html
    long = mend(f'<div class="highlight"><pre>{"word " * 30}</pre></div>', URL)
    assert '<pre class="kv-prose" style="--n: 150">' in long


def test_an_exercise_is_linked_in_the_repository():
    code = '<code class="docutils literal notranslate"><span class="pre">exercises/01-x.ipynb</span></code>'
    assert f'<a class="reference external" href="{URL}/blob/main/exercises/01-x.ipynb">{code}</a>' == mend(
        code, URL
    )


def test_what_is_inline_moves_into_files(tmp_path):
    figures = FormulaBox().html() + FormulaBox().html()
    page = (
        f'<head></head><body><p class="a" style="color: red">x</p>'
        '<svg><path d="M0 0" style="fill: blue"/></svg>'
        f"<style>b {{ }}</style><script>let x = 1;</script>{figures}</body>"
    )
    moved = Assets(tmp_path / "kv").move(page, "../kv")
    assert re.findall(r"<style| style=|<script>|type=\"module\"", moved) == []
    files = {name: (tmp_path / "kv" / name).read_text() for name in re.findall(r'"\.\./kv/([^"]+)"', moved)}
    texts = list(files.values())
    assert "let x = 1;" in texts and "b { }" in texts and base.style() in texts
    # Both figures load the same two scripts, the shared one first.
    scripts = re.findall(r'<script defer src="\.\./kv/([^"]+)"', moved)
    assert len(scripts) == 3 and scripts[1] == scripts[2] and "const kvParts" in files[scripts[0]]
    assert moved.index(scripts[0]) < moved.index(scripts[1])
    names = re.findall(r'data-figure="(kv-\w+)"', moved)
    assert len(set(names)) == 2 and all(f'id="{name}-state"' in moved for name in names)
    looks = next(text for text in texts if "color: red" in text)
    red, blue = re.findall(r"\.(s-\w+)\.\1\.\1 \{", looks)
    assert f'<p class="{red} a">' in moved and f'<path d="M0 0" class="{blue}"/>' in moved


def test_a_figure_of_an_older_kvlib_keeps_its_own_shared_parts(tmp_path):
    old = '<head></head><script type="module">\nconst old = 1;\nmount("kv-1", render);\n</script>'
    moved = Assets(tmp_path).move(old, "kv")
    name = re.search(r'src="kv/([^"]+)" data-figure="kv-1"', moved).group(1)
    assert (tmp_path / name).read_text().startswith("(() => {\nconst old = 1;\nmount(")


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        (r"a = b \times c = d", ["a", r"= b \times c", "= d"]),
        (r"t = \frac{x = 1}{y} \qquad u \le v", ["t", r"= \frac{x = 1}{y}", r"\qquad u", r"\le v"]),
        (r"\left( a = b \right) \leq c", [r"\left( a = b \right) \leq c"]),
        (r"x \ge 0", ["x", r"\ge 0"]),
    ],
)
def test_a_formula_is_cut_where_a_line_may_end(formula, expected):
    assert pieces(formula) == expected
