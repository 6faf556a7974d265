"""`make slides`: slides of each chapter, one file that needs nothing beside it, in _build/slides.

A slide is a heading with the sentences that open it, its formula, and the still picture of its figure or
drawing; each question of "Pause and recall" is one, with its answer folded away; "What stays" is the last.
There is no script: a slide fills the window, the next is a screen further down, and printed, each is a page.
"""

import base64
import re
import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path

from latex2mathml.converter import convert

from . import chapters
from .notebooks import ROOT, picture
from .page import pieces

OUT = ROOT / "_build" / "slides"
BOOK = "The KV cache, to the byte"
FORMULA = re.compile(r"^\$\$.+?\$\$$", re.DOTALL | re.MULTILINE)
MOST = 300  # characters of prose on a slide
HTML = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}: slides</title><style>{style}</style></head>
<body><main>
{body}
</main></body></html>
"""
OWN = {"Pause and recall", "The exercise", "What stays"}  # headings that are not made as the others are
STYLE = """
:root { color-scheme: light dark; --ink: #14181e; --paper: #fff; --quiet: #48566b; --line: #b9c1cc; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8ebf0; --paper: #14181e; --quiet: #a9b4c4; --line: #48566b; }
}
html { scroll-snap-type: y proximity; font: clamp(1rem, 0.6rem + 1.1vw, 1.7rem)/1.45 system-ui, sans-serif; }
body { margin: 0; color: var(--ink); background: var(--paper); }
section { box-sizing: border-box; min-height: 100vh; padding: 2rem clamp(1rem, 6vw, 6rem) 3rem;
  position: relative; display: flex; flex-direction: column; justify-content: center;
  scroll-snap-align: start; border-bottom: 1px solid var(--line); }
section > * { max-width: 48rem; }
h1 { font-size: 2.2em; line-height: 1.15; margin: 0 0 0.5em; }
h2 { font-size: 1.5em; line-height: 1.2; margin: 0 0 0.6em; }
p, ul, ol { margin: 0 0 0.7em; }
.beside { max-width: none; display: grid; gap: 2rem; align-items: center;
  grid-template-columns: repeat(auto-fit, minmax(min(22rem, 100%), 1fr)); }
.beside img { max-width: 100%; max-height: 84vh; background: #fff; }
.math.block { overflow-x: auto; margin: 0.6em 0; }
.math.block math { font-size: 1.1em; }
pre, table { font-size: 0.75em; overflow-x: auto; display: block; }
td, th { padding: 0.1em 0.6em; text-align: left; border-bottom: 1px solid var(--line); }
summary { cursor: pointer; }
footer { position: absolute; bottom: 1rem; font-size: 0.6em; color: var(--quiet); }
@page { size: 297mm 167mm; margin: 0; }
@media print {
  :root { --ink: #14181e; --paper: #fff; --quiet: #48566b; --line: #fff; }
  html { font-size: 15pt; }
  section { min-height: 166mm; break-after: page; break-inside: avoid; }
  details::details-content { content-visibility: visible; }
  .beside { grid-template-columns: 1fr 1fr; }
  .beside img { max-height: 135mm; }
}
"""


def image(file: Path, of: str) -> str:
    packed = base64.b64encode(file.read_bytes()).decode()
    return f'<img alt="The figure or drawing of “{escape(of)}”" src="data:image/png;base64,{packed}">'


def short(text: str, most: int) -> str:
    """A paragraph's first sentence, and those that fit `most` characters with it."""
    first, *rest = re.split(r"(?<=[.!?:])\s+(?=[A-Z*`“(])", text)
    for sentence in rest:
        if len(first) + len(sentence) > most:
            break
        first += f" {sentence}"
    return first


def opening(text: str) -> str:
    """How a section begins, in a few sentences, and the list that follows at once."""
    parts = re.split(r"\n{2,}", FORMULA.sub("", text).strip())
    said = [short(parts[0], MOST)] if parts[0][:1] not in set("|<`>") else []
    for part in parts[1:2]:
        if re.match(r"- |\d+\. ", part):
            said.append("\n".join(short(line, MOST // 3) for line in part.splitlines()))
    return "\n\n".join(said)


def formulas(text: str) -> str:
    """The formulas of a section, each in the lines that a narrow page of the book breaks it into."""
    found = []
    for formula in FORMULA.findall(text):
        lines = "".join(f"<div>{convert(p, display='block')}</div>" for p in pieces(formula.strip("$")))
        found.append(f'<div class="math block">{lines}</div>')
    return "".join(found)


def slides(name: str) -> Iterator[str]:
    """The inside of each slide of a chapter."""
    first, *rest = chapters.sections(name)
    yield f"<h1>{escape(first[0])}</h1><p>{escape(chapters.lead(name))}</p>"
    for heading, text, code in rest:
        if heading in OWN or heading == "The question":
            continue
        said = f"<h2>{escape(heading)}</h2>{chapters.html(opening(text))}"
        said += formulas(text)
        files = [file for cell in code if (file := picture(chapters.BOOK / f"{name}.ipynb", cell)).exists()]
        if not files:
            yield said
        for file in files:
            yield f'<div class="beside"><div>{said}</div>{image(file, heading)}</div>'
            said = f"<h2>{escape(heading)}</h2>"
    for asked in chapters.recalls(name):
        choices = "\n".join(f"- {choice}" for choice in asked.choices)
        answer = f"<details><summary>The answer</summary>{chapters.html(asked.answer)}</details>"
        yield f"<h2>{chapters.html(asked.question)[3:-5]}</h2>{chapters.html(choices)}{answer}"
    [stays] = [text for heading, text, _ in rest if heading == "What stays"]
    yield f"<h2>What stays</h2>{chapters.html(stays)}"


def document(name: str) -> str:
    """The slides of a chapter as one page of HTML."""
    title, made = chapters.title(name), list(slides(name))
    body = "\n".join(
        f'<section id="s{n}">{inside}<footer>{escape(title)} · {n} of {len(made)} · {BOOK}, CC BY 4.0'
        "</footer></section>"
        for n, inside in enumerate(made, 1)
    )
    return HTML.format(title=escape(title), style=STYLE, body=body)


def main() -> int:
    OUT.mkdir(parents=True, exist_ok=True)
    for name in chapters.chapters():
        (OUT / f"{name}.html").write_text(document(name), encoding="utf-8")
    print(f"{OUT}: {len(chapters.chapters())} files, one a chapter")
    return 0


if __name__ == "__main__":
    sys.exit(main())
