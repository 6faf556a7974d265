"""`make deck`: an Anki deck of what the chapters ask at "Pause and recall", as _build/kv-cache.apkg.

A question keeps its note when the deck is imported again: a note's id is made of chapter and question.
"""

import re
import sys
from html import escape
from pathlib import Path

import genanki

from . import chapters
from .notebooks import ROOT

NAME = "The KV cache, to the byte"
# Drawn once; a deck with other ids would stand beside the reader's own and not take its place.
MODEL, DECK = 1594817041, 2047316809
FRONT = '<div class="from">{{Chapter}}</div><p><b>{{Question}}</b></p>{{Choices}}'
STYLE = """.card { font: 18px/1.5 system-ui; max-width: 36em; margin: 0 auto; text-align: left }
.from { opacity: 0.7; font-size: 0.8em }"""


def model() -> genanki.Model:
    return genanki.Model(
        MODEL,
        f"{NAME}: recall",
        fields=[{"name": name} for name in ("Chapter", "Question", "Choices", "Answer")],
        templates=[{"name": "Recall", "qfmt": FRONT, "afmt": "{{FrontSide}}<hr id=answer>{{Answer}}"}],
        css=STYLE,
    )


def side(text: str) -> str:
    """Markdown as a card shows it: Anki draws the formulas itself."""
    return chapters.html(text, lambda formula, options: rf"\({escape(formula)}\)").strip()


def inline(text: str) -> str:
    return re.fullmatch(r"<p>(.*)</p>", side(text), re.DOTALL)[1]


def deck() -> genanki.Deck:
    """A note for each question of each chapter."""
    made, kind = genanki.Deck(DECK, NAME), model()
    for name in chapters.chapters():
        place = f"{int(name[:2])}. {chapters.title(name)}"
        for asked in chapters.recalls(name):
            made.add_note(
                genanki.Note(
                    kind,
                    [
                        place,
                        inline(asked.question),
                        side("\n".join(f"- {choice}" for choice in asked.choices)),
                        side(asked.answer),
                    ],
                    guid=genanki.guid_for(name, asked.question),
                    tags=[f"chapter-{name[:2]}"],
                )
            )
    return made


def write(file: Path) -> int:
    """Write the deck to `file`; returns how many cards it has."""
    made = deck()
    file.parent.mkdir(parents=True, exist_ok=True)
    genanki.Package(made).write_to_file(str(file))
    return len(made.notes)


def main() -> int:
    file = ROOT / "_build" / "kv-cache.apkg"
    print(f"{file}: {write(file)} cards")
    return 0


if __name__ == "__main__":
    sys.exit(main())
