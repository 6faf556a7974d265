"""A progress bar, and a table of rows."""

import sys
import time


class Progress:
    """`total` steps on stderr, where that is a terminal: a bar, what runs now, time gone by."""

    WIDTH = 24

    def __init__(self, total, stream=None):
        self.total, self.done, self.stream = total, 0, stream or sys.stderr
        self.start, self.shown = time.monotonic(), self.stream.isatty()

    def step(self, label) -> None:
        """One more step is done; `label` says what it was."""
        self.done += 1
        if not self.shown:
            return
        full = self.WIDTH * self.done // self.total
        bar = "█" * full + "·" * (self.WIDTH - full)
        gone = time.monotonic() - self.start
        end = "\n" if self.done >= self.total else ""
        self.stream.write(f"\r\033[K{bar} {self.done}/{self.total}  {gone:.0f} s  {label}{end}")
        self.stream.flush()


def table(rows, columns) -> str:
    """`rows` (dictionaries) as text; columns {heading: function from row to text}, numbers to the right."""
    cells = [list(columns)] + [[str(show(row)) for show in columns.values()] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)
