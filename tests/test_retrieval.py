"""What a cache forgets: the prompt and its facts, a reading replayed, the record, the table of levers."""

import hashlib
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from kvlib.cache import make_cache
from kvlib.cli import main
from kvlib.layouts import CacheLayout
from kvlib.measure import command, levers, quality, record, retrieval
from kvlib.measure.random_model import random_decoder

LAYOUT = CacheLayout.uniform(2, 2, 32, n_heads=4, max_context=512)
SMOLLM2 = CacheLayout.uniform(30, 3, 64, n_heads=9)
RECORD = Path(__file__).parents[1] / "book" / "measurements" / "retrieval.json"


@pytest.fixture(scope="module")
def tiny():
    return random_decoder(LAYOUT, hidden=48, ffn=64, vocab=50, seed=3)


@pytest.fixture(scope="module")
def tokens():
    return torch.randint(0, 50, (200,), generator=torch.Generator().manual_seed(1)).tolist()


def test_the_text_is_the_one_that_was_measured():
    text = retrieval.text()
    assert text.isascii() and len(text.split()) > 5000
    assert hashlib.sha256(text.encode()).hexdigest() == (
        "58b7a4febe047aa141c3b5cffb6cd2ab1b7af7f5bcc0e19be7c1864ed0dfa623"
    )


def test_facts_differ_and_stay_the_same():
    facts = retrieval.facts()
    assert len({start for start, _ in facts}) == len({number for _, number in facts}) == len(facts) == 10
    assert all(len(number) == 5 and number.isdigit() for _, number in facts)
    assert facts == retrieval.facts() and facts[0][0] == " The number of the green boat is "


def test_facts_stand_at_even_distances_behind_a_sentences_end():
    text = [n % 10 for n in range(300)]
    sentences = [[90, 91], [92], [93, 94, 95]]
    prompt, tail = retrieval.planted(text, sentences, prompt=126, tail=40, stops={7})
    assert len(prompt) == 126 and len(tail) == 40
    assert [t for t in prompt if t < 90] + tail == text[:160]
    places = [prompt.index(sentence[0]) for sentence in sentences]
    assert [prompt[place - 1] for place in places] == [7, 7, 7]
    text_before = [sum(t < 90 for t in prompt[:place]) for place in places]
    assert all(0 <= found - (i + 0.5) * 40 < 10 for i, found in enumerate(text_before))
    with pytest.raises(ValueError, match="text must have at least 160 tokens beside the facts, not 159"):
        retrieval.planted(text[:159], sentences, prompt=126, tail=40)


@pytest.mark.parametrize(
    "kind, options",
    [("contiguous", {}), ("fp8", {}), ("sliding", dict(window=20, sinks=2)), ("h2o", dict(budget=30)),
     ("snapkv", dict(budget=60)), ("quantized", dict(codes="int4", keys="channel"))],
)  # fmt: skip
def test_a_replayed_cache_holds_what_it_would_have_of_the_first_layer(tiny, tokens, kind, options):
    """Later layers differ: a token of a window has seen less there than in the full reading."""
    reading = retrieval.read(tiny, tokens[:96], room=40)
    found = reading.replay(make_cache(kind, LAYOUT, capacity=136, **options))
    fed = make_cache(kind, LAYOUT, capacity=136, **options)
    tiny(torch.tensor([tokens[:96]]), fed)
    assert found.length == fed.length == 96 and found.nbytes == fed.nbytes
    for a, b in zip(found.view(0).gather(), fed.view(0).gather(), strict=True):
        torch.testing.assert_close(a, b)


def test_a_reading_goes_on_and_back(tiny, tokens):
    reading = retrieval.read(tiny, tokens[:40], room=40)
    tiny(torch.tensor([tokens[40:50]]), reading)
    longer = reading.replay(make_cache("contiguous", LAYOUT, capacity=80))
    reading.back(40)
    assert reading.length == 40 and [q.shape[2] for (q,) in reading.queries] == [40, 40]
    fed = make_cache("contiguous", LAYOUT, capacity=80)
    tiny(torch.tensor([tokens[:50]]), fed)
    for a, b in zip(longer.view(1).gather(), fed.view(1).gather(), strict=True):
        torch.testing.assert_close(a, b)


def test_an_answer_is_right_when_each_of_its_tokens_is_the_likeliest(tiny, tokens):
    question, cache = tokens[40:50], make_cache("contiguous", LAYOUT, capacity=80)
    tiny(torch.tensor([tokens[:40]]), cache)
    said = []
    for _ in range(3):
        said.append(int(tiny(torch.tensor([tokens[:50] + said])).argmax()))
    right, nats = retrieval.answered(tiny, cache, question, said)
    logits = tiny(torch.tensor([tokens[:50] + said[:-1]]), logits_to_keep=3)[0].double().log_softmax(-1)
    assert right and nats == pytest.approx(
        -sum(logits[i, t].item() for i, t in enumerate(said)) / 3, rel=1e-4
    )
    for wrong in range(3):
        cache.crop(40)
        other = [(t + (i == wrong)) % 50 for i, t in enumerate(said)]
        assert not retrieval.answered(tiny, cache, question, other)[0]


def test_rows_are_of_every_cache_and_no_question_helps_the_next(tiny, tokens):
    prompt, tail = tokens[:96], tokens[96:140]
    questions = [
        (tokens[10:14], tokens[14:17]),
        (tokens[50:54], tokens[54:57]),
        (tokens[10:14], tokens[14:17]),
    ]
    which = [row for row in retrieval.CACHES if "2,048" not in row[0]]
    small = [(name, kind, {n: min(v, 64) if n in ("window", "budget") else v for n, v in options.items()})
             for name, kind, options in which]  # fmt: skip
    rows = list(retrieval.rows(tiny, prompt, tail, questions, small))
    assert [row["name"] for row in rows] == [name for name, *_ in which]
    exact = make_cache("contiguous", LAYOUT, capacity=140)
    tiny(torch.tensor([prompt]), exact)
    assert rows[0]["perplexity"] == pytest.approx(quality.perplexity(tiny, tail, exact), abs=2e-3)
    for row in rows:
        assert row["found"][0] == row["found"][2] and len(row["found"]) == 3
        assert ("found_asked_first" in row) == (row["kind"] == "snapkv")


def test_the_command_writes_each_row_as_it_comes(tiny, tokens, monkeypatch, tmp_path, capsys):
    material = tokens[:96], tokens[96:140], [(tokens[10:14], tokens[14:17])]
    monkeypatch.setattr(
        command, "load_smollm2", lambda device, dtype: SimpleNamespace(decoder=tiny, tokenizer=None)
    )
    monkeypatch.setattr(retrieval, "material", lambda tokenizer: material)
    written, write = [], record.write
    monkeypatch.setattr(
        record, "write", lambda path, kept: written.append(len(kept["rows"])) or write(path, kept)
    )
    kept = tmp_path / "kept.json"
    assert main(["measure", "--retrieval", "--device", "cpu", "--json", str(kept)]) == 0
    n = len(retrieval.CACHES)
    assert written == [*range(1, n + 1), n]
    found = json.loads(kept.read_text())
    assert [row["name"] for row in found["rows"]] == [name for name, *_ in retrieval.CACHES]
    assert found["prompt_tokens"] == 96 and found["scored_tokens"] == 43 and found["facts"] == 1
    assert "behind a prompt of 96 tokens" in capsys.readouterr().out


# the record and the table


@pytest.fixture(scope="module")
def kept():
    return json.loads(RECORD.read_text(encoding="utf-8"))


def test_the_record_has_what_a_reader_needs(kept):
    for name in ("model", "device", "versions", "date", "command", "commit", "text"):
        assert kept[name]
    assert kept["command"].startswith("kvlib measure --retrieval") and kept["text"] == retrieval.NAMED
    assert kept["prompt_tokens"] == retrieval.PROMPT and kept["scored_tokens"] == retrieval.TAIL - 1
    assert kept["prompt_tokens"] + retrieval.TAIL > 8000 and kept["facts"] == len(retrieval.THINGS)
    known = {name: (kind, options) for name, kind, options in retrieval.CACHES}
    for row in kept["rows"]:
        kind, options = known[row["name"]]
        assert row["kind"] == kind and {name: row[name] for name in options} == options
        assert len(row["found"]) == kept["facts"] and row["perplexity"] > 1


def test_what_the_table_says_is_kept_is_what_the_caches_took(kept):
    full = kept["rows"][0]
    assert full["bytes"] == SMOLLM2.bytes(kept["prompt_tokens"], 1, "fp32")
    for row in kept["rows"][1:]:
        share = levers.kept(row, SMOLLM2, kept["prompt_tokens"])
        if row["kind"] in ("quantized", "fp8"):
            assert row["bytes"] == pytest.approx(share * full["bytes"] / 2)
        elif row["kind"] == "h2o":  # its sums are float32 beside keys of fp32 too
            assert row["bytes"] == row["budget"] * (SMOLLM2.bytes_per_token("fp32") + 4 * 90)
        else:
            assert row["bytes"] == pytest.approx(share * full["bytes"])


def test_the_table_has_every_lever(kept):
    rows = levers.rows(kept)
    assert {tuple(row) for row in rows} == {levers.COLUMNS}
    assert {row["factor"] for row in rows} == {"bytes", "tokens", "numbers", "layers", "none"}
    assert [row["lever"] for row in rows][-4:] == [
        "low rank, half", "cross-layer sharing", "sparse reading", "offloading",
    ]  # fmt: skip
    text = levers.table(kept)
    assert text.count("\n") == len(rows) + 1 and max(map(len, text.splitlines())) < 110
