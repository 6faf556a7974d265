"""The scripts of the pages that ask kvlib: run.js, and what each element with `data-run` names.

`<div data-run="ask"></div>` in a page has it load run.js, then ask.js and ask.css where book/_static/run has
them. `<div data-run="panel"></div>` asks for no more than run.js, which draws its panel there. An element
with `data-run-later` gets what run.js is to be told, for a script that loads it when the reader asks.
"""

import hashlib
import json
import re
from pathlib import Path

from .place import here, left_out, place

ASKS = re.compile(r'<[^>]+ data-run="([\w-]+)"')


class Runtime:
    """The runtime of the book in `folder`, its _static/run, where Sphinx has put the scripts."""

    def __init__(self, folder: Path, kvlib: dict[str, bytes] | None = None):
        self.folder = folder
        self.attributes = ""
        if here() and not left_out():
            listed = place(folder, kvlib)
            size = sum(json.loads((folder / listed).read_text(encoding="utf-8"))["files"].values())
            self.attributes = f' data-list="{listed}" data-bytes="{size}"'

    def link(self, html: str, run: str) -> str:
        """`html` with the scripts and sheets it asks for; `run` is the folder as the page addresses it."""
        html = html.replace(" data-run-later", self.attributes)
        names = list(dict.fromkeys(ASKS.findall(html)))
        if not names:
            return html
        # worker.js is loaded by run.js, under the same hash.
        tags = [self._tag(run, "run.css"), self._tag(run, "run.js", self.attributes, "worker.js")]
        for name in names:
            tags += [
                self._tag(run, f"{name}.{kind}") for kind in ("css", "js") if self._has(f"{name}.{kind}")
            ]
        return html.replace("</head>", "\n".join([*tags, "</head>"]), 1)

    def _has(self, name: str) -> bool:
        return (self.folder / name).exists()

    def _tag(self, run: str, name: str, attributes: str = "", *along: str) -> str:
        held = b"".join((self.folder / n).read_bytes() for n in (name, *along))
        address = f"{run}/{name}?v={hashlib.sha256(held).hexdigest()[:8]}"
        if name.endswith(".css"):
            return f'<link rel="stylesheet" href="{address}"/>'
        return f'<script defer src="{address}"{attributes}></script>'
