"""A faulty function: half of the points for an input that shows the fault, half for the function mended."""

import pytest

from kvlib.checks import Bug, Function, mark


def right(numbers, n):
    return sum(numbers[:n])


def faulty(numbers, n):
    return sum(numbers)


def cases(rng):
    for _ in range(10):
        yield [rng.randint(1, 9) for _ in range(4)], rng.randint(0, 4)


def fits(numbers, n):
    return "" if 0 <= n <= len(numbers) else "n is at most as many as there are numbers."


BUG = Bug(faulty, Function(right, cases), fits, "When does n matter?")
SHOWS = ([1, 2], 1)


@pytest.mark.parametrize("given", [SHOWS, [[1, 2], 1], {"numbers": [1, 2], "n": 1}])
def test_an_input_and_a_fix_earn_half_each(given):
    assert mark(BUG, {"input": given, "fix": right}) == (1, "Right.")
    assert mark(BUG, {"input": given, "fix": None})[0] == mark(BUG, {"fix": right})[0] == 0.5
    assert mark(BUG, BUG.example())[0] == 1


@pytest.mark.parametrize(
    "given, said",
    [
        (([1, 2], 2), "On this input the faulty function is right. When does n matter?"),
        (([1, 2], 3), "n is at most as many as there are numbers."),
        (([1, 2],), "Your input has 1 values, not 2. Give its arguments in a tuple: (numbers, n)."),
        ("when n is small", "Give its arguments in a tuple: (numbers, n)."),
        ((3, 1), "Give its arguments in a tuple: (numbers, n)."),
    ],
)
def test_an_input_that_shows_nothing_is_told_why(given, said):
    share, told = mark(BUG, {"input": given, "fix": right})
    assert share == 0.5 and f"input: Not yet. {said}" in told


def test_the_faulty_function_is_known_and_no_fix():
    share, told = mark(BUG, {"input": SHOWS, "fix": faulty})
    assert share == 0.5 and "fix: Not yet. This is still the faulty function" in told


def test_a_fix_is_tried_on_its_own_input_too():
    def all_but_one(numbers, n):
        return right(numbers, n) if len(numbers) == 4 else 0

    assert mark(BUG.fix, all_but_one)[0] == 1, "the drawn cases do not notice"
    share, told = mark(BUG, {"input": SHOWS, "fix": all_but_one})
    assert share == 0.5 and "For numbers = [1, 2], n = 1 it gives 0" in told


@pytest.mark.parametrize("nothing", [None, {}, {"input": None, "fix": None}, {"fix": lambda *a: None}])
def test_nothing_is_no_answer_yet(nothing):
    assert mark(BUG, nothing) == (0, "Not answered yet.")


@pytest.mark.parametrize("other", [3, "a fix", right, [SHOWS, right]])
def test_another_answer_is_told_the_form(other):
    assert mark(BUG, other) == (0, 'Not yet. Give a dict with the keys "input" and "fix".')
