"""A check gives points to right answers only, names what went wrong, and never raises."""

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from kvlib.checks import Each, Function, calls, check, mark
from kvlib.checks.questions import QUESTIONS


def in_parts(name, answers):
    """The answers, and for an Each also dicts that give one of them to every part."""
    question = QUESTIONS[name].build()
    yield from answers
    if isinstance(question, Each):
        yield from (dict.fromkeys(question.parts, answer) for answer in answers)


CHEAP = [
    True,
    False,
    0,
    1,
    -1,
    0.0,
    1.0,
    "",
    " ",
    "None",
    [],
    {},
    (),
    b"",
    {"": 0},
    set(),
    [None],
    1j,
    int,
    print,
]
CHEAP += [
    lambda *a: None,
    lambda *a: 0,
    lambda *a: a,
    lambda *a: True,
    lambda: 1,
    object,
    range(3),
    dict.fromkeys("ab"),
]


@pytest.mark.parametrize("name", QUESTIONS)
def test_cheap_answers_earn_nothing(name):
    for answer in in_parts(name, CHEAP):
        assert check(name, answer) == 0, answer


def untouched(question):
    """What a function or a class is as it is handed out, without a body."""
    if isinstance(question.draw()[0], tuple):
        return lambda *a: None

    class Untouched:
        def __init__(self, *args):
            pass

        def __getattr__(self, name):
            return lambda *a: None

    return Untouched


@pytest.mark.parametrize("name", QUESTIONS)
def test_no_answer_is_no_answer_yet(name, capsys):
    empty = [None, ...]
    if isinstance(QUESTIONS[name].build(), Function):
        empty.append(untouched(QUESTIONS[name].build()))
    for nothing in in_parts(name, empty):
        assert check(name, nothing) == 0
        assert capsys.readouterr().out.startswith("Not answered yet. 0 of ")


class Hostile:
    """Every question asked of it raises."""

    def _no(self, *args, **kwargs):
        raise SystemExit("no")

    __eq__ = __float__ = __str__ = __repr__ = __len__ = __iter__ = __getattr__ = __hash__ = __bool__ = _no
    __call__ = __index__ = __getitem__ = __array__ = _no


class Sly:
    """Says it equals everything."""

    def __eq__(self, other):
        return True

    __hash__ = None


class HostileMeta(type):
    def __instancecheck__(cls, other):
        raise RuntimeError

    @property
    def __name__(cls):
        raise RuntimeError


class HostileDict(dict):
    def get(self, *args):
        raise KeyError


def endless(*args):
    while True:
        pass


def deep(*args):
    return deep(*args)


def noisy(*args):
    import sys
    import warnings

    print("noise")
    print("noise", file=sys.stderr)
    warnings.warn("noise", stacklevel=1)
    return 3


HOSTILE = [
    Hostile(), Sly(), HostileMeta("X", (), {})(), HostileMeta("X", (), {}), HostileDict(a=1),
    endless, deep, noisy, math.nan, math.inf, -math.inf, 10**400, np.nan, np.float32(-7), np.bool_(True),
    np.arange(10**6), np.array(5), np.array([]), "x" * 10**6, list(range(10**6)),
    lambda *a: Hostile(), lambda *a: Sly(), lambda *a: 1 / 0, lambda *a: exec("raise SystemExit"),
    lambda *a: a[0].clear(), lambda *a: 10**400, lambda *a: np.zeros(3), lambda *a: [None] * 10**5,
    lambda *a: iter(int, 1), (i for i in range(3)), Ellipsis.__class__, NotImplemented,
]  # fmt: skip


@pytest.mark.parametrize("name", QUESTIONS)
def test_hostile_answers_earn_nothing_and_raise_nothing(name, capsys, monkeypatch):
    monkeypatch.setattr(calls, "SECONDS", 0.2)
    for number, answer in enumerate(in_parts(name, HOSTILE)):
        assert check(name, answer) == 0, number
        out, err = capsys.readouterr()
        assert out.count("\n") < 12 and len(out) < 3000
        assert "cannot be read" not in out, "a fault of the check's own"
        assert err == "" and "noise" not in out, "nbgrader gives 0 to a cell that writes to stderr"


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.complex_numbers() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(QUESTIONS)), anything)
def test_any_answer_gives_points_within_bounds(name, answer):
    question = QUESTIONS[name].build()
    for given_answer in (answer, lambda *a: answer):
        share, said = mark(question, given_answer)
        assert 0 <= share <= 1 and isinstance(said, str)
    if isinstance(question, Each):
        share, said = mark(question, dict.fromkeys(question.parts, answer))
        assert 0 <= share <= 1


def test_only_questions_about_arrays_need_numpy():
    """The checks also run where numpy is not installed; a question whose answer uses it may need it."""
    program = """
import sys
sys.modules["numpy"] = sys.modules["torch"] = None  # importing either raises ImportError
import kvlib
from kvlib.checks.questions import QUESTIONS

for name, question in QUESTIONS.items():
    try:
        question.build()
    except ImportError:
        print(name)
print(kvlib.check("05-blocks", 6))
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    *needing, told, points, _ = said.split("\n")
    assert set(needing) == {"01-step", "01-rotary", "04-grouped"}
    assert told.startswith("Not yet. You round down") and points == "0"


def test_an_unknown_question_is_refused():
    with pytest.raises(ValueError, match="unknown question '02-totl'"):
        check("02-totl", 1)


def test_interrupting_a_check_is_no_error():
    def interrupted(*args):
        raise KeyboardInterrupt

    assert mark(QUESTIONS["02-forgotten"].build(), interrupted) == (0, "Interrupted.")
