"""Every question gives all points to its right answer, names each known mistake, and tells no answer."""

import math

import pytest

import kvlib
from kvlib.checks import Each, Function, Number, mark
from kvlib.checks.questions import QUESTIONS, common
from kvlib.checks.questions.common import KINDS, apart
from tests.questions import leaves, mistakes, right_answer

LEAVES = [
    pytest.param(leaf, id="/".join([name, *path]))
    for name, q in QUESTIONS.items()
    for path, leaf in leaves(q.build())
]
NUMBERS = [p for p in LEAVES if isinstance(p.values[0], Number)]
FUNCTIONS = [p for p in LEAVES if isinstance(p.values[0], Function)]
DRAWN = [name for name, q in QUESTIONS.items() if q.drawn]


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_right_answer_earns_all_points(name, capsys):
    points = kvlib.check(name, right_answer(QUESTIONS[name].build()))
    said = capsys.readouterr().out
    assert points == QUESTIONS[name].points and said.startswith("Right. ") and "\n" not in said.strip()
    assert type(points) is int, "nbgrader reads it from the cell's output"


@pytest.mark.parametrize("leaf", LEAVES)
def test_each_known_mistake_is_named(leaf):
    for wrong, said in mistakes(leaf):
        share, feedback = mark(leaf, wrong)
        assert share == 0 and said in feedback, (wrong, feedback)


@pytest.mark.parametrize("leaf", NUMBERS)
def test_feedback_on_a_wrong_number_does_not_tell_the_right_one(leaf):
    right = leaf.right
    forms = {f"{right:,.10g}", f"{right:.10g}", f"{right:.3g}", f"{right:.4g}", f"{right:.2f}"}
    wrong = [leaf.value(slip) for slip in leaf.known] + [right * 1.3 + 1, right * 0.7 - 1, -right, "x", True]
    for answer in wrong:
        words = mark(leaf, answer)[1].replace(", ", " ").split()
        assert not forms & {word.strip(".;:,()") for word in words}, (answer, words)


@pytest.mark.parametrize("leaf", NUMBERS)
def test_three_digits_are_enough_and_a_slip_is_out_of_reach(leaf):
    for slip in leaf.known:
        assert mark(leaf, leaf.value(slip) * (1 + leaf.tol / 2))[0] == 0, slip
    if leaf.tol:
        assert mark(leaf, float(f"{leaf.right:.3g}"))[0] == 1


@pytest.mark.parametrize("leaf", FUNCTIONS)
def test_mistakes_of_a_function_are_told_apart(leaf):
    for wrong, said in mistakes(leaf):
        feedback = mark(leaf, wrong)[1]
        assert not [s.said for s in leaf.slips if s.said != said and s.said in feedback]
    assert repr(leaf.draw(3)) == repr(leaf.draw(3)), "cases follow the seed"
    assert mark(leaf, leaf.reference)[0] == 1


@pytest.mark.parametrize("name", DRAWN)
def test_variants_keep_right_and_wrong_apart(name):
    question = QUESTIONS[name]
    for number in range(40):
        numbers = question.numbers(f"{number:08x}")
        marker = question.make(**numbers)
        assert apart(marker) and mark(marker, right_answer(marker))[0] == 1
        for _, leaf in leaves(marker):
            for wrong, said in mistakes(leaf):
                share, feedback = mark(leaf, wrong)
                assert share == 0 and said in feedback, (number, numbers, wrong, feedback)


@pytest.mark.parametrize("name", DRAWN)
def test_another_variants_answer_is_not_right(name):
    question = QUESTIONS[name]
    book, other = (question.build(seed) for seed in ("", "00c0ffee"))
    assert question.numbers("00c0ffee") != question.numbers()
    if right_answer(book) != right_answer(other):
        assert mark(other, right_answer(book))[0] < 1


def test_draws_that_cannot_be_kept_apart_are_refused():
    def make(a=3):
        return Number(a, {}, (common.Slip("The same.", a * 1.01),))

    question = common.Question("99-x", 1, make, {"a": (4, 5)}, "by hand", 1)
    with pytest.raises(ValueError, match="99-x: no draw of a keeps its numbers apart"):
        question.numbers("seed")


def test_kinds_are_known_and_estimates_sane():
    for name, q in QUESTIONS.items():
        assert q.kind in KINDS and 1 <= q.minutes <= 40 and 1 <= q.points <= 8, name
    with pytest.raises(ValueError, match="unknown kind 'riddle'"):
        common.question("99-x", kind="riddle")


@pytest.mark.parametrize("leaf", NUMBERS)
def test_a_wild_number_earns_nothing(leaf):
    for wild in (0, -1, 1e300, -leaf.right, leaf.right * math.pi, math.nan, math.inf):
        assert mark(leaf, wild)[0] == 0


def test_only_an_each_has_parts_and_each_part_counts():
    for name, q in QUESTIONS.items():
        if isinstance(q.build(), Each):
            assert q.points % len(q.build().parts) == 0 or q.points >= 2, name
