"""The kinds of answer: what each accepts, refuses and says."""

import decimal
import fractions
import random
import re
import signal
import time

import numpy as np
import pytest
import torch

import kvlib
from kvlib.checks import Choice, Each, Function, Number, Several, Slip, Words, calls, mark
from kvlib.checks.calls import Call, Result
from kvlib.units import GiB


def cache(layers, batch, tokens):
    return 4 * layers * batch * tokens * 512


BATCH, LAYERS = Slip("No batch.", batch=1), Slip("One layer.", layers=1)
HALF = Slip("Half.", then=lambda v: v / 2)
BYTES = Number(
    cache, {"layers": 24, "batch": 3, "tokens": 2048}, (BATCH, LAYERS, HALF), "MiB", idea="Multiply."
)


def test_a_right_number_is_right_in_any_sensible_form():
    right = BYTES.right
    forms = [
        right,
        f"{right} MiB",
        f"{right / 1024} GiB",
        f" {right:,.1f} ",
        decimal.Decimal(right),
        right * 1.009,
    ]
    forms += [
        fractions.Fraction(right),
        np.float32(right),
        np.array(right),
        torch.tensor(right),
        np.int64(right),
    ]
    for form in forms:
        assert mark(BYTES, form) == (1, "Right."), form


def test_a_number_names_one_mistake_or_two():
    assert mark(BYTES, BYTES.right / 3)[1] == "Not yet. No batch."
    assert mark(BYTES, BYTES.right / 6)[1] == "Not yet. Two things, perhaps. No batch. And: Half."
    assert mark(BYTES, BYTES.right * 1.048576)[1] == "Not yet. You answer in MB; the question asks for MiB."
    assert mark(BYTES, BYTES.right * 1.2)[1] == "Not yet. Your number is too large. Multiply."


def test_what_is_no_number_is_told_what_is_wanted():
    said = {
        "x": "Give a number of MiB.", "3 tokens": "Give the number in MiB.",
        True: "Give one number, not a bool.",
        (1, 2): "Give one number, not a tuple.", 1j: "Give one number, not a complex.",
        blocks: "Give one number, not a function.",
        float("nan"): "Give a finite number.", 10**5000: "Give a finite number.",
    }  # fmt: skip
    for answer, words in said.items():
        assert mark(BYTES, answer) == (0, f"Not yet. {words}")


def test_a_rounded_number_is_asked_for_more_digits_and_a_count_is_exact():
    assert mark(Number(3.22), 3)[1] == "Not yet. Nearly: give three digits."
    assert mark(Number(3.22), 3.2)[0] == 1
    assert mark(Number(16), 20)[1] == "Not yet. Your number is too large."
    assert mark(Number(62, tol=0), 62.0)[0] == 1
    assert mark(Number(62, tol=0), 62.5)[1] == "Not yet. The answer is a whole number."
    assert mark(Number(1, tol=0), True)[0] == mark(Number(0, tol=0), False)[0] == 0


def test_a_mistake_within_the_tolerance_is_named_where_it_is_met_exactly():
    def kept(window):
        return 131072 * window

    question = Number(kept, {"window": 4096}, (Slip("A window of W tokens.", window=4097, near=True),), "MiB")
    assert mark(question, kept(4097) / 2**20)[1] == "Not yet. A window of W tokens."
    assert mark(question, kept(4096) / 2**20)[0] == mark(question, 512)[0] == mark(question, 513)[0] == 1


def test_times_and_shares_know_their_units():
    assert mark(Number(4.4, unit="ms"), 0.0044)[1] == "Not yet. You answer in s; the question asks for ms."
    assert mark(Number(4.4, unit="ms"), "4400 µs")[0] == 1
    assert (
        mark(Number(25, unit="%"), 0.25)[1] == "Not yet. You answer in a fraction; the question asks for %."
    )


def test_two_mistakes_with_one_number_are_both_named():
    question = Number(8, {}, (Slip("First.", 4), Slip("Second.", 4)))
    assert mark(question, 4)[1] == "Not yet. First. Or: Second."


def test_slips_that_change_nothing_or_the_unknown_are_refused():
    with pytest.raises(ValueError, match="changes nothing"):
        Slip("Nothing.")
    with pytest.raises(ValueError, match="'heads', which is not among layers, batch, tokens"):
        BYTES.value(Slip("?", heads=1))


def test_choices_are_read_with_brackets_blanks_and_synonyms():
    question = Choice("c", {"a": "No.", "MHA": "Not that."}, {"multi-head attention": "MHA"})
    for form in ("c", "C", " c) ", "(c)", "c.", "c) it holds", ["c"], {"c"}, np.str_("c")):
        assert mark(question, form)[0] == 1, form
    assert mark(question, "Multi-Head Attention")[1] == "Not yet. Not that."
    assert mark(question, "z")[1] == "Not yet. Answer with one of: a, c, MHA."
    assert mark(question, 3)[1] == "Not yet. Answer in quotes with one of: a, c, MHA."


def test_several_name_what_is_left_out_and_what_is_too_many():
    question = Several({"a": "A is left out.", "c": "C is left out."}, {"b": "B does not hold."})
    assert mark(question, {"a", "c"})[0] == mark(question, "c, a")[0] == mark(question, ["(a)", "C"])[0] == 1
    assert mark(question, ["a", "b"])[1] == "Not yet. B does not hold. C is left out."
    assert mark(question, {"a", "x"})[1] == "Not yet. Choose among: a, b, c."
    assert mark(question, 3)[1].startswith("Not yet. Give a set")


STEPS = Each(
    {
        "layer": Number(lambda batch, tokens: batch * tokens, {"batch": 3, "tokens": 100}, (BATCH,), tol=0),
        "bytes": Number(600, tol=0, follows=("layer", lambda n: 2 * n)),
        "all": Number(6000, tol=0, follows=("bytes", lambda n: 10 * n)),
    }
)


def test_who_slips_once_and_calculates_on_loses_one_part():
    share, said = mark(STEPS, {"layer": 100, "bytes": 200, "all": 2000})
    assert share == pytest.approx(2 / 3)
    assert "No batch." in said and 'Right, as it follows from your answer to "layer".' in said
    assert mark(STEPS, {"layer": 100, "bytes": 600, "all": 6000})[0] == pytest.approx(2 / 3)


def test_what_follows_from_no_known_mistake_earns_nothing():
    for layer in (0, 7, "x", None):
        answer = {"layer": layer, "bytes": 14, "all": 140}
        assert mark(STEPS, answer)[0] == 0


def test_each_counts_its_parts():
    question = Each({"a": Number(2, tol=0, idea="Half of 4."), "b": Choice("x", {"y": "No."})})
    assert mark(question, {"a": 2, "b": "y"}) == (0.5, "Partly right:\n  a: Right.\n  b: Not yet. No.")
    said = "Not yet:\n  a: Not yet. Your number is too large. Half of 4.\n  b: Not answered yet."
    assert mark(question, {"a": 3}) == (0, said)


def blocks(tokens, size):
    return -(-tokens // size)


def cases(rng):
    yield from ((0, 16), (15, 16), (16, 16), (17, 16))
    for _ in range(10):
        yield rng.randint(100, 900), rng.choice([16, 32])


NEEDED = Function(
    blocks,
    cases,
    (Slip("Down.", lambda t, s: t // s), Slip("One size.", size=16), Slip("Bytes.", then=lambda v: 2 * v)),
    {"Only for full blocks.": lambda tokens, size: tokens % size == 0 and tokens > 0},
    idea="Try by hand.",
)


def test_a_function_names_one_mistake_or_two_or_where_it_fails():
    assert mark(NEEDED, blocks) == (1, "Right.")
    assert mark(NEEDED, lambda t, s: t // s)[1] == "Not yet. Down."
    assert (
        mark(NEEDED, lambda t, s: 2 * blocks(t, 16))[1]
        == "Not yet. Two things, perhaps. One size. And: Bytes."
    )
    said = mark(NEEDED, lambda t, s: blocks(t, s) + (t % s == 0 and t > 0))[1]
    assert said.startswith(
        "Not yet. Only for full blocks. For tokens = 16, size = 16 it gives 2; right is 1."
    )


def test_a_wrong_function_shows_its_smallest_case_and_what_it_is_like():
    assert "It is always 3 too many." in mark(NEEDED, lambda t, s: blocks(t, s) + 3)[1]
    with_zero = Function(lambda n: 2 * n, lambda rng: [(n,) for n in range(7)])
    assert "It is always 2 times too small" in mark(with_zero, lambda n: n)[1]
    assert "It is always 5 times as large" in mark(NEEDED, lambda t, s: blocks(t, s) * 5)[1]
    assert "It gives a str where an int is wanted." in mark(NEEDED, lambda t, s: str(blocks(t, s)))[1]
    assert "ends without a return" in mark(NEEDED, lambda t, s: blocks(t, s) if t < 17 else None)[1]
    assert "For tokens = 0, size = 16 it raises ZeroDivisionError (" in mark(NEEDED, lambda t, s: 1 / 0)[1]
    assert mark(NEEDED, lambda t, s: print(blocks(t, s)))[1].startswith("Not yet. It prints; hand the result")
    assert "It uses a name that is not defined." in mark(NEEDED, lambda t, s: blocks(t, size))[1]  # noqa: F821
    assert "without brackets" in mark(NEEDED, blocks(3, 4))[1]
    assert mark(NEEDED, lambda t, s: None) == (0, "Not answered yet.")


def test_of_several_values_the_wrong_one_is_told():
    question = Function(lambda t, s: (blocks(t, s), t % s, "MHA"), cases)
    for wrong, said in (
        (lambda t, s: (blocks(t, s), t % s + 1, "MHA"), "Of its 3 values only number 2 is wrong."),
        (lambda t, s: (blocks(t, s), t % s, "mha"), "Of its 3 values only number 3 is wrong: its capitals."),
        (lambda t, s: ("MHA", blocks(t, s), t % s), "Its values are right, but in another order."),
        (lambda t, s: {"n": 3}, "It gives a dict where a tuple is wanted."),
    ):
        assert said in mark(question, wrong)[1]


def test_a_refusal_that_does_not_come_is_named():
    def strict(n):
        if n < 0:
            raise ValueError
        return n + 1

    question = Function(strict, lambda rng: [(n,) for n in range(-3, 4)])
    assert "It is wrong only where it should raise ValueError." in mark(question, lambda n: n + 1)[1]


def test_infinity_is_near_no_number():
    for infinite in (float("inf"), float("-inf")):
        assert mark(NEEDED, lambda t, s, infinite=infinite: infinite)[0] == 0
        assert not calls.same(infinite, 5.0, 0.01) and not calls.same(5, infinite, 0.01)
        assert calls.same(infinite, infinite)
    assert not calls.same(np.array([3.0, 7.0]), np.array([3.0, np.inf]))
    assert not calls.same(np.array([4.0, np.inf]), np.array([3.0, np.inf]), 0.01)


def test_functions_get_arguments_of_their_own():
    def one(rng):
        yield ([1, 2],)
        yield ([3],)

    assert mark(Function(sum, one), lambda v: sum(v.pop() for _ in range(len(v))))[0] == 1
    clears = mark(Function(sum, one), lambda v: v.clear() or sum(v))[1]
    assert "It changes what it was given: work on a copy." in clears


def test_float32_and_tuples_are_as_right_as_float64_and_lists():
    def rows(rng):
        yield (np.linspace(0, 1, 7),)

    question = Function(lambda x: (np.cumsum(x), [1, 2]), rows)
    assert mark(question, lambda x: [np.cumsum(x.astype(np.float32)), (1, 2)])[0] == 1
    codes = Function(lambda x: np.arange(7), rows)
    assert mark(codes, lambda x: np.arange(7) + 1e-6)[0] == 0, "codes have no tolerance"


class Stack:
    def __init__(self):
        self.items = []

    def push(self, items):
        self.items += items
        return len(self.items)


class Aliasing(Stack):
    def push(self, items):
        self.items = items + self.items if not self.items else self.items + items
        self.items = items if len(self.items) == len(items) else self.items
        return len(self.items)


def scripts(rng):
    yield [Call(""), Call("push", ([1],), spoil=True), Call("push", ([2, 3],))]
    yield [Call(""), Call("push", ([1],)), Call("push", ([Result(1)],))]


def test_a_class_is_driven_by_a_script_and_shown_as_one():
    question = Function(Stack, scripts, (Slip("It keeps the caller's list.", Aliasing),))
    assert mark(question, Stack) == (1, "Right.")
    assert mark(question, Aliasing)[1] == "Not yet. It keeps the caller's list."

    class Broken(Stack):
        def push(self, items):
            return self.item

    said = mark(question, Broken)[1]
    assert "After making one(), push([1]) raises AttributeError (" in said


def test_memory_beyond_what_is_enough_is_refused():
    def one(rng):
        yield (np.ones((64, 1024)),)

    question = Function(lambda x: x.sum(), one, peak=lambda x: x.nbytes // 2)
    assert mark(question, lambda x: x.sum())[0] == 1
    assert re.search(
        "it took 51[23].* KiB where 256 KiB are enough", mark(question, lambda x: (x * 1).sum())[1]
    )


def test_what_never_ends_is_stopped_even_on_one_line(monkeypatch):
    monkeypatch.setattr(calls, "SECONDS", 0.3)

    made = {}
    exec("def endless(t, s):\n    while True: pass", made)

    def stubborn(t, s):
        until = time.monotonic() + 1
        while time.monotonic() < until:
            try:
                while True:
                    pass
            except BaseException:
                continue

    for function in (made["endless"], stubborn):
        assert "does not end" in mark(NEEDED, function)[1]
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_function_may_run_long_in_many_lines():
    def slow(n):
        total = 0
        for i in range(n):
            total += i
        return total

    assert mark(Function(lambda n: n * (n - 1) // 2, lambda rng: [(300_000,)]), slow)[0] == 1


def test_words_are_rated_by_their_writer():
    question = Words({"tp": "It divides by the GPUs.", "MLA": "It names the latent."}, least=3, most=5)
    assert mark(question, {"text": ""})[1] == "Not answered yet."
    assert mark(question, "one two")[1] == "Not yet. Your text has 2 words; write 3 to 5."
    assert "tp: It divides" in mark(question, "one two three")[1]
    rated = {"text": "one two three", "tp": True, "MLA": False}
    assert mark(question, rated) == (
        0.5,
        "By your own reading it meets 1 of 2 rows.\n  MLA: It names the latent.",
    )
    assert mark(question, rated | {"MLA": True})[0] == 1


def test_feedback_is_one_line_without_control_characters():
    def nasty(t, s):
        raise ValueError("\x1b[31mRight.\n\x00 3 of 3 points.\ud800")

    said = mark(NEEDED, nasty)[1]
    assert said.isprintable() and "\x1b" not in said and said.startswith("Not yet. For tokens = 0")
    assert mark(NEEDED, lambda t, s: "\ud800\x1b")[1].isprintable()


def test_cases_follow_the_seed_of_the_callee():
    here = calls.Here(blocks)
    here.seed = 5
    assert NEEDED.draw(5) != NEEDED.draw(0) == list(cases(random.Random(0)))
    assert NEEDED.mark(here) == (1, "Right.")


def test_units_are_of_kvlib():
    assert mark(Number(2 * GiB, unit="GB"), 2.147)[0] == 1
    assert kvlib.checks.answers.number.UNITS["GiB"] == GiB
