"""Checked prose: every number a reader is told was computed.

A number with a unit is followed by a claim, which no reader sees:

    A token costs 128 KiB<!-- = fmt(layout("llama-3-8b").bytes_per_token()) --> of cache.

`python -m tools.prose` evaluates each claim and exits 1 where the text says otherwise. Other marks:
`<!-- given -->` for a premise, a fact of hardware or a citation; `<!-- quoted -->` for somebody's mistake;
`<!-- drawn NAME -->` for a number that an exercise's variants draw (`kvlib.checks.variants`).
"""

import json
import math
import re
import sys

from .notebooks import ROOT, notebooks

MARK = re.compile(r"<!--\s*(=.*?|given|quoted|drawn \w+)\s*-->", re.DOTALL)
# A single digit of bits, bytes or times is a word of the language, not a result.
NUMBER = re.compile(
    r"(?<![\w.])(?:\d(?:[\d,.\u202f]*\d)?[\s\u00a0]?(?:[KMGT]i?B/s|[KMGT]iB|[kMGT]B|%|ms|µs|ns|tokens/s)"
    r"|\d(?:[\d,.\u202f]*\d)[\s\u00a0](?:bytes?|bits?|seconds?|s|times))(?!\w)"
)
QUOTED = re.compile(r"“[^”]*”<!--\s*quoted\s*-->")
WRONG_UNIT = re.compile(r"(?<![\w.])\d[\d,.]*\s?(?:KB|Kb|kb|Gb|gb|mb)\b")
CODE = re.compile(r"```.*?```|~~~.*?~~~|`[^`\n]+`|\$\$.*?\$\$|\$[^$\n]+\$", re.DOTALL)
ENDING = "*_`”\"'"


def namespace() -> dict:
    """What a claim may use: kvlib's public names, math, and what three kinds of files hold.

    `record(name)` is a measurement's, `recording(name)` a recording's, `tiny()` the tiny model's.
    """
    import kvlib
    from kvlib.measure.records import record
    from kvlib.widgets.recorded import recording
    from kvlib.widgets.tiny import tiny

    names = {name: getattr(kvlib, name) for name in kvlib.__all__}
    names |= {"math": math, "kvlib": kvlib, "record": record, "recording": recording, "tiny": tiny}
    return names


def check(text: str, where: str, names: dict) -> list[str]:
    """What is wrong with the numbers of one Markdown text."""
    found = []
    for mark in MARK.finditer(text):
        if not mark[1].startswith("="):
            continue
        said = text[: mark.start()].rstrip(ENDING)
        try:
            value = eval(mark[1][1:].strip(), dict(names))
        except Exception as error:
            found.append(f"{where}: the claim {mark[1]} fails: {error!r}")
            continue
        true = str(value)
        if not isinstance(value, str):
            said = re.sub(r"\s(bytes?|bits?)$", "", said)
            true = f"{value:,}" if isinstance(value, int) else true
        if not said.endswith(true) or re.search(r"[\d.,]$", said[: -len(true)]):
            found.append(f"{where}: {mark[1]} is {true}, the text says …{said[-30:]!r}")
    blank = QUOTED.sub(_blank, CODE.sub(_blank, text))
    for number in NUMBER.finditer(blank):
        rest = text[number.end() :].lstrip(ENDING)
        if not MARK.match(rest):
            found.append(f"{where}: {number[0]!r} has no claim")
    for number in WRONG_UNIT.finditer(blank):
        found.append(f"{where}: {number[0]!r}: write KiB for 1024 bytes, kB for 1000")
    return found


def _blank(match) -> str:
    return " " * len(match[0])


def texts():
    """(where, Markdown) of every text a reader sees."""
    for path in notebooks():
        for cell in json.loads(path.read_text())["cells"]:
            if cell["cell_type"] == "markdown":
                yield f"{path.parent.name}/{path.name} cell {cell['id']!r}", "".join(cell["source"])
    for path in [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "book").glob("*.md"))]:
        yield path.name, path.read_text()


def main() -> int:
    names = namespace()
    wrong = [fault for where, text in texts() for fault in check(text, where, names)]
    if wrong:
        print("\n".join(wrong), file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
