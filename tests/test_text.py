"""What the book says holds together: contexts, promises, sources and spelling."""

import ast
import json
import re
import warnings
from pathlib import Path

import pytest

from kvlib import ContextWarning, layout, models
from tools import prose
from tools.notebooks import notebooks

ROOT = Path(__file__).resolve().parent.parent
BOOK = ROOT / "book"
NOTEBOOKS = notebooks("book", "solutions")
CHAPTERS = sorted(BOOK.glob("[0-9]*.ipynb"))
REFERENCES = (BOOK / "references.md").read_text()
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
# What needs a model that speaks, or minutes.
SLOW = re.compile(r"load_smollm2|\blm\b|\btorch\b|kvlib\.measure|\brecord\(|\bquality\b|%pip|kvlib\.check\(")


def cells(path, kind):
    return [
        (c["id"], "".join(c["source"]))
        for c in json.loads(path.read_text())["cells"]
        if c["cell_type"] == kind
    ]


def texts():
    """(where, Markdown) of the book and the exercises."""
    for path in NOTEBOOKS:
        yield from (
            (f"{path.parent.name}/{path.stem} {name}", text) for name, text in cells(path, "markdown")
        )
    for path in sorted(BOOK.glob("*.md")):
        yield path.name, path.read_text()


# No example is beyond what its model was made for.


def test_no_claim_is_beyond_its_model():
    names = prose.namespace()
    with warnings.catch_warnings():
        warnings.simplefilter("error", ContextWarning)
        wrong = [fault for where, text in texts() for fault in prose.check(text, where, names)]
    assert wrong == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_no_code_is_beyond_its_model(path, capsys):
    """The cells that need no model that speaks, run in order with the warning made an error."""
    pytest.importorskip("matplotlib").use("agg")
    written = cells(path, "code")
    slow = [name for name, code in written if SLOW.search(code)]
    names, ran = {}, 0
    with warnings.catch_warnings():
        for name, code in written:
            if name in slow:
                continue
            warnings.simplefilter("error", ContextWarning)
            try:
                exec(compile(code, f"{path.name} {name}", "exec"), names)
                ran += 1
            except ContextWarning:
                raise
            except Exception:  # it needs what a slow cell would have made
                assert slow != ["setup"], name
    assert ran, "no cell was tried"


def figures():
    """(where, model, context) of every call that names both, a figure above all."""
    for path in NOTEBOOKS:
        for name, code in cells(path, "code"):
            if "%pip" in code:
                continue
            for call in (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)):
                given = {k.arg: k.value.value for k in call.keywords if isinstance(k.value, ast.Constant)}
                if "model" in given and "context" in given:
                    yield f"{path.stem} {name}", given["model"], given["context"]


def test_no_figure_opens_beyond_its_model():
    found = list(figures())
    assert len(found) >= 4
    assert [f for f in found if f[2] > (layout(f[1]).max_context or f[2])] == []


def shown(name):
    """How prose writes a model's name: llama-3.1-8b is Llama 3.1 8B; a version may follow it."""
    words = "[- ]".join(map(re.escape, name.split("-")))
    return re.compile(rf"(?<![\w.]){words}(?![\w.])", re.IGNORECASE)


ENDS = [(shown(name), layout(name).max_context) for name in models() if layout(name).max_context]
TOKENS = re.compile(r"(\d[\d,\u202f]*)(K?)[ -]tokens?\b")


def beyond(text):
    """The counts of tokens in `text` beyond every model that the same sentence names."""
    found = []
    for sentence in re.split(r"(?<=[.!?:;|])\s", COMMENT.sub("", text)):
        ends = [end for name, end in ENDS if name.search(sentence)]
        for number, kilo in TOKENS.findall(sentence):
            tokens = int(re.sub(r"\D", "", number)) * (1024 if kilo else 1)
            if ends and tokens > max(ends):
                found.append(sentence)
    return found


def test_no_sentence_is_beyond_its_model():
    assert [f"{where}: {found}" for where, text in texts() for found in beyond(text)] == []


@pytest.mark.parametrize(
    "text, is_beyond",
    [
        ("Llama 3 8B reads 130,000 tokens.", True),
        ("Llama 3.1 8B reads 130,000 tokens.", False),
        ("Gemma 2 27B<!-- given --> at 128K tokens.", True),
        ("Llama 2 7B ends. Then come 8,192 tokens of another.", False),
    ],
)
def test_a_sentence_beyond_its_model_is_found(text, is_beyond):
    assert bool(beyond(text)) == is_beyond


# What is promised is there.


# A chapter may be written after its exercises.
WRITTEN = [path for path in notebooks("exercises") if (BOOK / path.name).exists()]


def test_the_index_promises_the_exercises_that_exist():
    index = dict(cells(BOOK / "index.ipynb", "markdown"))["how"]
    first, last = re.search(r"chapters (\d+) to (\d+) have a notebook of exercises each", index).groups()
    promised = [path.name for path in CHAPTERS if int(first) <= int(path.name[:2]) <= int(last)]
    assert promised == [path.name for path in WRITTEN]
    assert re.findall(r"^\| \[\d+\. [^\]]*\]\(([^)]*)\)", index, re.MULTILINE) == [p.name for p in CHAPTERS]


@pytest.mark.parametrize("path", WRITTEN, ids=lambda p: p.stem)
def test_a_chapter_promises_the_exercises_that_exist(path):
    """After the colon each thing that is promised bears the name of the exercise which asks it."""
    text = dict(cells(BOOK / path.name, "markdown"))["exercise"]
    promise = re.search(r"`exercises/([\w.-]+)`: (.*?)\.(?:\s|$)", text, re.DOTALL)
    assert promise[1] == path.name
    there = {name.removeprefix("ask-") for name, _ in cells(path, "markdown") if name.startswith("ask-")}
    for part in re.split(r",\s+(?:and\s+)?", promise[2]):
        mark = re.fullmatch(r"[^<]+<!-- asks: ([\w-]+) -->", part)
        assert mark, f"{part!r} names no exercise: write <!-- asks: NAME --> behind it"
        assert mark[1] in there


@pytest.mark.parametrize("path", notebooks("solutions"), ids=lambda p: p.stem)
def test_a_notebook_of_exercises_counts_the_claims_to_repair(path):
    texts = dict(cells(path, "markdown"))
    said = re.search(r"repair (a|two|three) (?:\w+ )?claims?", texts["how"])
    there = sum(bool(re.search(r"^## \d\. Repair a claim", text, re.MULTILINE)) for text in texts.values())
    assert (["a", "two", "three"].index(said[1]) + 1 if said else 0) == there


# What is claimed has its source.

ENTRY = re.compile(
    r"^- (.+?), \*(.+?)\*, (\d{4})\.(?: \[arXiv:(\d{4}\.\d{5})\]\(https://arxiv\.org/abs/\4\)\.)?",
    re.MULTILINE,
)
CITED = re.compile(r"\[([^\]]+), (\d{4})\]\(references\.md\)")


def entries():
    """(authors without initials, year) of each reference, as a chapter cites it."""
    plain = [re.sub(r"(?:\b[A-Z]\.[ -]?)+", "", entry[0]).strip() for entry in ENTRY.findall(REFERENCES)]
    return list(zip(plain, [entry[2] for entry in ENTRY.findall(REFERENCES)], strict=True))


def test_references_are_cited_and_citations_are_references():
    cited = {found for where, text in texts() if where != "references.md" for found in CITED.findall(text)}
    assert REFERENCES.count("\n- ") == len(entries()), "an entry is: authors, *title*, year. arXiv:id."
    assert cited - set(entries()) == set(), "cited, and no reference"
    assert set(entries()) - cited == set(), "a reference, and never cited"


def test_arxiv_ids_stand_in_the_references():
    known = [entry[3] for entry in ENTRY.findall(REFERENCES) if entry[3]]
    assert len(known) == len(set(known))
    found = {i for _, text in texts() for i in re.findall(r"(?i)arxiv[:. /]*(?:abs/)?(\d{4}\.\d{5})", text)}
    assert found <= set(known)


# Prose is British, code writes as the field does.

AMERICAN = re.compile(
    r"\w*(?:quanti|utili|optimi|normali|recogni|initiali|generali|organi|summari)z\w*"
    r"|\b\w*(?:colors?|behavior|neighbor|center|favor)\w*", re.IGNORECASE
)  # fmt: skip
BRITISH = re.compile(r"\w*(?:quantis|utilis)\w*", re.IGNORECASE)
CODE = re.compile(r"```.*?```|`[^`\n]+`|\]\([^)]*\)|\$[^$]+\$|\*[^*\n]+\*(?=, \d{4})", re.DOTALL)


def test_prose_is_british():
    found = {where: AMERICAN.findall(CODE.sub("", COMMENT.sub("", text))) for where, text in texts()}
    assert {where: words for where, words in found.items() if words} == {}


@pytest.mark.parametrize("path", notebooks(), ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_code_writes_as_the_field_does(path):
    assert [(name, BRITISH.findall(code)) for name, code in cells(path, "code") if BRITISH.search(code)] == []
