"""The tiny language model: its file, what it remembers, and a damaged cache beside kvlib's own."""

from random import Random

import pytest
import torch
import torch.nn.functional as F

from kvlib.cache import make_cache
from kvlib.measure.tiny import DamagedCache, load_tiny, written
from kvlib.widgets.tiny import tiny, tiny_layout, unpacked
from tools import tiny_model, tiny_recall, tiny_stories


@pytest.fixture(scope="module")
def model():
    return load_tiny()


def prompt(model, story=0):
    return [model.tokenizer.token_to_id(word) for word in tiny()["stories"][story]["prompt"].split()]


def test_the_file_holds_about_a_hundred_thousand_weights_of_four_bits():
    data = tiny()
    count = sum(rows * columns for _, rows, columns, _ in unpacked(data))
    assert count == len(data["codes"]) == data["about"]["parameters"] == 99_200
    assert set(data["codes"]) <= set("abcdefghijklmno") and data["levels"] == 15
    assert data["vocabulary"].split() == tiny_stories.vocabulary()
    exact = torch.tensor(data["scales"], dtype=torch.float64)
    assert torch.equal(exact, exact.half().double())


def test_a_file_cut_short_is_refused():
    data = tiny() | {"codes": tiny()["codes"][:-1]}
    with pytest.raises(ValueError, match="codes must be 99,200, one for each weight, not 99,199"):
        unpacked(data)


def test_the_decoder_is_the_net_that_was_trained():
    torch.manual_seed(0)
    net = tiny_model.Net(tiny_stories.vocabulary())
    net.rounds = True
    data = tiny_model.packed(net, 0, 0, 0)
    tokens = torch.randint(0, len(net.words), (2, 40))
    with torch.no_grad():
        expected = net(tokens)
    torch.testing.assert_close(load_tiny(data).decoder(tokens, logits_to_keep=0), expected, rtol=0, atol=2e-4)


def test_it_ends_every_story_that_is_shown(model):
    """As text, with a cache of kvlib's own: so a reader can run it too."""
    for story in tiny()["stories"]:
        told = model.generate(story["prompt"].replace(" .", ".").replace(" ,", ","), max_new_tokens=60)
        assert told.text == story["end"].removesuffix(" <end>").replace(" .", ".")


def own_cache(model, bits=16, window=None, sinks=0):
    options = dict(batch=1, capacity=140)
    if bits != 16:
        group = model.layout.head_dim
        return make_cache("quantized", model.layout, codes=f"int{bits}", group=group, **options)
    if window:
        return make_cache("sliding", model.layout, window=window, sinks=sinks, dtype="fp16", **options)
    return make_cache("contiguous", model.layout, dtype="fp16", **options)


OWN = [
    {}, {"bits": 8}, {"bits": 4}, {"bits": 2},
    {"window": 48}, {"window": 32, "sinks": 4}, {"window": 16, "sinks": 1},
]  # fmt: skip


@pytest.mark.parametrize("damage", OWN, ids=str)
def test_a_damaged_cache_is_what_kvlib_has(model, damage):
    """Beside the contiguous, sliding and quantized caches: logits, tokens and bytes."""
    for story in range(3):
        asked = prompt(model, story)
        tokens, logits, damaged = written(model, [asked], 50, **damage)
        cache = own_cache(model, **damage)
        fed = [model.decoder(torch.tensor([asked]), cache)]
        for token in tokens[0, :-1]:
            fed.append(model.decoder(token.view(1, 1), cache))
        torch.testing.assert_close(torch.cat(fed), logits[0], rtol=0, atol=2e-2)
        assert [one.argmax().item() for one in fed] == tokens[0].tolist()
        assert cache.nbytes == damaged.nbytes == cache.predicted_bytes


def step(model, cache, tokens):
    for token in tokens:
        logits = model.decoder(torch.tensor([[token]]), cache)
    return logits


def test_a_dropped_token_is_gone_once_the_prompt_is_read(model):
    asked = prompt(model)
    options = dict(capacity=140, prompt=len(asked))
    whole, damaged = (DamagedCache(model.layout, dropped=gone, **options) for gone in ((), (3, 17)))
    assert torch.equal(step(model, whole, asked), step(model, damaged, asked))
    assert damaged.nbytes == whole.nbytes - 2 * model.layout.bytes_per_token("fp16")
    step(model, damaged, [5])
    assert damaged.seen() == [i for i in range(len(asked) + 1) if i not in (3, 17)]
    k, _ = damaged.view(1).gather()
    assert torch.equal(k, damaged.layers[1].k[:, :, damaged.seen()])


def test_keys_without_rotation_are_those_that_the_layer_projects(model):
    asked = prompt(model)[:9]
    turned = model.decoder.cos, model.decoder.sin
    cache = DamagedCache(model.layout, capacity=140, turned=turned, bits=16)
    step(model, cache, asked)
    decoder, layer = model.decoder, model.decoder.layers[0]
    x = F.rms_norm(decoder.embedding[:, asked].t(), layer.norm.shape, layer.norm, decoder.eps)
    k = (x @ layer.qkv)[:, 64:96].view(9, 2, 16).transpose(0, 1)
    torch.testing.assert_close(cache.layers[0].k[0, :, :9].float(), k, rtol=2e-3, atol=1e-3)


def test_the_stories_that_are_shown_are_by_the_grammar():
    for shown in tiny()["stories"]:
        story = tiny_stories.story(Random(shown["seed"]), people=4, events=1)
        assert (" ".join(story.prompt), " ".join(story.end)) == (shown["prompt"], shown["end"])
        assert [*map(list, story.facts.items())] == shown["facts"]
        assert all(story.end[at] == story.prompt[source] for at, source in shown["facts"])


def test_what_was_measured_is_measured_again():
    """Of two words that are as likely, another machine's rounding may choose the other."""
    old = tiny()["measured"]
    first = tiny_stories.story(Random(tiny()["stories"][0]["seed"]), people=4, events=1)
    again = tiny_recall.measured(tiny(), first, old["stories"])
    for row, recorded in zip(again["rows"], old["rows"], strict=True):
        assert row["right"] == pytest.approx(recorded["right"], abs=0.01)
        assert row["first"] == pytest.approx(recorded["first"], abs=1)
        for same in ("name", "damage", "bytes"):
            assert row[same] == recorded[same]
    for name in ("lost", "others"):
        assert again[name] == pytest.approx(old[name], abs=0.01)


def test_the_damages_cost_what_the_figure_is_there_to_show():
    measured = tiny()["measured"]
    right = {row["name"]: row["right"] for row in measured["rows"]}
    assert right["the whole cache"] > 0.99 and right["8 bits a number"] > 0.99
    assert right["4 bits a number"] > 0.99 > 0.98 > right["2 bits a number"]
    assert right["the last 16 tokens"] < 0.1 and right["keys without rotation"] < 0.1
    assert measured["lost"] > 0.85 and measured["others"] > 0.98


def test_no_story_that_is_shown_or_measured_was_trained_on():
    data = tiny()
    asked = {one["prompt"] for one in data["stories"]}
    asked |= {" ".join(one.prompt) for one in tiny_recall.held_out(data["measured"]["stories"])}
    rng = Random(data["about"]["seed"])
    trained = {" ".join(tiny_stories.story(rng).prompt) for _ in range(data["about"]["stories"])}
    assert not asked & trained


def test_a_layout_says_what_a_token_takes():
    layout = tiny_layout(tiny())
    assert layout.bytes_per_token("fp16") == 2 * 3 * 2 * 16 * 2 == 384
    assert [layout.bytes_per_token(f"int{bits}-g16") for bits in (8, 4, 2)] == [240, 144, 96]
