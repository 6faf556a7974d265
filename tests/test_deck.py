"""The Anki deck: a card a question, which keeps its id, and nothing that Anki cannot show."""

import re
import sqlite3
import zipfile

from tools import chapters, deck

SEPARATOR = "\x1f"


def notes(folder) -> list[tuple[str, list[str]]]:
    """(id, fields) of each note, read from the file as Anki reads it."""
    file = folder / "deck.apkg"
    deck.write(file)
    with zipfile.ZipFile(file) as packed:
        packed.extract("collection.anki2", folder)
    database = sqlite3.connect(folder / "collection.anki2")
    with database:
        rows = database.execute("select guid, flds from notes").fetchall()
        assert database.execute("select count(*) from cards").fetchone() == (len(rows),)
    database.close()
    return [(guid, fields.split(SEPARATOR)) for guid, fields in rows]


def test_each_question_is_a_card_and_keeps_its_id(tmp_path):
    found = notes(tmp_path)
    assert len(found) == sum(chapters.markdown(name).count("<details>") for name in chapters.chapters())
    ids = {guid for guid, _ in found}
    assert len(ids) == len(found)
    assert {guid for guid, _ in notes(tmp_path)} == ids
    # A reader's deck finds its notes again by these.
    assert deck.deck().deck_id == 2047316809 and deck.model().model_id == 1594817041
    first = chapters.recalls("02-the-formula")[0]
    assert deck.genanki.guid_for("02-the-formula", first.question) in ids


def test_a_card_asks_in_bold_with_its_choices_and_answers_on_the_other_side(tmp_path):
    for _, (chapter, question, choices, answer) in notes(tmp_path):
        assert re.match(r"\d+\. \w", chapter) and question
        assert choices == "" or choices.count("<li>") >= 2
        assert answer.startswith("<p><strong>")
    [template] = deck.model().templates
    assert "<b>{{Question}}</b>" in template["qfmt"] and "{{Answer}}" not in template["qfmt"]
    assert "{{Answer}}" in template["afmt"]


def test_a_card_needs_nothing_beside_it(tmp_path):
    for _, fields in notes(tmp_path):
        text = "".join(fields)
        assert not re.search(r'<img|<script|<details|<!--|\$|href="(?!https?://)', text)


def test_a_formula_is_left_to_anki():
    assert deck.inline("so $2 T$ of them") == r"so <span class=" '"math inline">' r"\(2 T\)</span> of them"
