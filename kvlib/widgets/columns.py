"""Texts side by side while they are written: a column each, drawn anew as they grow.

columns = Columns(["without a cache", "with a cache"])
columns.show([("…", "3 tokens in 0.9 s"), …])
"""

import html
import time

from . import palette

EVERY = 0.1  # seconds between two drawings: a notebook need not draw every token

STYLE = """
.kv-columns { display: grid; gap: 0.8em 1.6em; grid-template-columns: repeat(auto-fit, minmax(13em, 1fr));
  margin: 0.5em 0; padding: 0; border: 0; max-width: none; color: var(--kv-ink); }
.kv-columns section { border-top: 3px solid var(--kv-rule); padding-top: 0.4em; min-height: 9em; }
.kv-columns .kv-name { margin: 0; font-weight: bold; }
.kv-columns .kv-said { margin: 0; color: var(--kv-quiet); font-variant-numeric: tabular-nums; }
.kv-columns .kv-text { margin: 0.4em 0 0; white-space: pre-wrap; }
.cell_output .text_html:has(.kv-columns) { background: none !important; padding: 0 !important; }
"""


class Columns:
    """A column for each of `names`, with a line of figures and a text.

    In a notebook `show` draws over what it drew before; the last state stays, in the page too.
    """

    def __init__(self, names):
        self.names = list(names)
        self.columns = [("", "")] * len(self.names)
        self._handle, self._drawn = None, float("-inf")

    def show(self, columns, last=False) -> None:
        """Draw `columns`, a (line, text) for each name; of calls close together only some, and the last.

        Raises ValueError for another number of columns than of names.
        """
        columns = list(columns)
        if len(columns) != len(self.names):
            raise ValueError(f"columns must be {len(self.names)}, one for each name, not {len(columns)}")
        self.columns = columns
        if not last and time.monotonic() - self._drawn < EVERY:
            return
        from IPython.display import display

        if self._handle is None:
            self._handle = display(self, display_id=True)
        else:
            self._handle.update(self)
        self._drawn = time.monotonic()

    def _repr_mimebundle_(self, include=None, exclude=None):
        parts = []
        for name, (said, text) in zip(self.names, self.columns, strict=True):
            name, said, text = map(html.escape, (name, said, text))
            parts.append(
                f'<section><p class="kv-name">{name}</p><p class="kv-said">{said}</p>'
                f'<p class="kv-text">{text}</p></section>'
            )
        page = f'<div class="kv-figure kv-columns">{"".join(parts)}</div>'
        lines = (f"{n}: {s}\n{t}" for n, (s, t) in zip(self.names, self.columns, strict=True))
        return {"text/html": f"{page}<style>{palette.css()}{STYLE}</style>", "text/plain": "\n\n".join(lines)}
