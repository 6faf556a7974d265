"""A page's inline scripts and styles, moved into files: loaded once for all pages, and under any policy.

A page without an inline script, handler or style works where the server says
`Content-Security-Policy: default-src 'self'; img-src 'self' data:`; for its Python, a page needs
`script-src 'self' 'wasm-unsafe-eval'` too. The figures' shared parts, which every figure carries along in a
notebook, become one file.
"""

import hashlib
import re
from pathlib import Path

from kvlib.widgets import base

STYLE = re.compile(r"<style[^>]*>(.*?)</style>", re.DOTALL)
SCRIPT = re.compile(r"<script(?: data-cfasync=\"false\")?>(.*?)</script>", re.DOTALL)
FIGURE = re.compile(r'<script type="module">\n(.*?)\nmount\("(kv-\w+)", render\);\n</script>', re.DOTALL)
LOOK = re.compile(r'<([\w-]+)((?:\s+[\w:-]+(?:="[^"]*")?)*?)\s+style="([^"]*)"([^>]*?)(/?)>')
NAMES = re.compile(r"^(?:const|function|class) (\w+)", re.MULTILINE)


class Assets:
    """Files in `folder`, named by what they hold, as pages ask for them."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def file(self, text: str, kind: str) -> str:
        """The name of the file that holds `text`; written if it is not there."""
        name = f"{hashlib.sha256(text.encode()).hexdigest()[:12]}.{kind}"
        path = self.folder / name
        if not path.exists():
            path.write_text(text, encoding="utf-8")
        return name

    def move(self, html: str, here: str) -> str:
        """`html` without inline scripts and styles; `here` is the folder as the page addresses it."""
        links, shared = [], base.shared()
        names = ", ".join(NAMES.findall(shared))
        parts = f"const kvParts = (() => {{\n{shared}\nreturn {{ {names} }};\n}})();\n"

        def link(text):
            tag = f'<link rel="stylesheet" href="{here}/{self.file(text, "css")}"/>'
            if tag not in links:
                links.append(tag)

        def style(match):
            # A figure's sheet begins with that of all.
            common = base.style()
            if match[1].startswith(common):
                link(common)
                if own := match[1].removeprefix(common).strip():
                    link(own)
            else:
                link(match[1])
            return ""

        def figure(match):
            # What a cell printed with an older kvlib keeps its own shared parts.
            parts_of = f"const {{ {names} }} = kvParts;" if match[1].startswith(shared) else ""
            text = match[1].removeprefix(shared)
            start = "mount(document.currentScript.dataset.figure, render);"
            own = f"(() => {{\n{parts_of}{text}\n{start}\n}})();\n"
            return f'<script defer src="{here}/{self.file(own, "js")}" data-figure="{match[2]}"></script>'

        def script(match):
            return f'<script src="{here}/{self.file(match[1], "js")}"></script>'

        looks = {}

        def look(match):
            tag, before, css, after, end = match.groups()
            name = looks.setdefault(css, f"s-{hashlib.sha256(css.encode()).hexdigest()[:6]}")
            rest = before + after
            if ' class="' in rest:
                rest = rest.replace(' class="', f' class="{name} ', 1)
            else:
                rest += f' class="{name}"'
            return f"<{tag}{rest}{end}>"

        html = FIGURE.sub(figure, html)
        if "data-figure=" in html:
            links.append(f'<script defer src="{here}/{self.file(parts, "js")}"></script>')
        html = STYLE.sub(style, html)
        html = LOOK.sub(look, html)
        if looks:
            # Three times its class: as strong as what a style attribute outdoes here.
            link("\n".join(f".{name}.{name}.{name} {{ {css} }}" for css, name in looks.items()))
        html = SCRIPT.sub(script, html)
        return html.replace("</head>", "\n".join([*links, "</head>"]), 1)
