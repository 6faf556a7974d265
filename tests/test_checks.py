"""A check gives points to right answers only, names each known mistake, and never raises."""

import math
import random
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import kvlib
from kvlib.checks import Choice, Each, Function, Number, answers, check, mark
from kvlib.checks.questions import QUESTIONS, scaling_limits, sharing_heads, the_formula, worked_7b


def leaves(question, path=()):
    """(path of part names, question that is not an Each) for every leaf."""
    if isinstance(question, Each):
        for name, part in question.parts.items():
            yield from leaves(part, (*path, name))
    else:
        yield path, question


LEAVES = [
    pytest.param(leaf, id="/".join([name, *path]))
    for name, q in QUESTIONS.items()
    for path, leaf in leaves(q.build())
]


def right_answer(question):
    if isinstance(question, Each):
        return {name: right_answer(part) for name, part in question.parts.items()}
    return question.reference if isinstance(question, Function) else question.right


def mistakes(question):
    """(wrong answer, what must be said of it) for every known mistake of a leaf."""
    if isinstance(question, Choice):
        return list(question.wrong.items())
    return [(wrong, said) for said, wrong in question.slips.items()]


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_right_answer_earns_all_points(name, capsys):
    points = check(name, right_answer(QUESTIONS[name].build()))
    said = capsys.readouterr().out
    assert points == QUESTIONS[name].points and said.startswith("Right. ") and "\n" not in said.strip()
    assert type(points) is int, "nbgrader reads it from the cell's output"


@pytest.mark.parametrize("question", LEAVES)
def test_each_known_mistake_is_reached_and_named(question):
    pairs = mistakes(question)
    assert pairs, "a question without a known mistake teaches nothing when it is wrong"
    for wrong, said in pairs:
        share, feedback = mark(question, wrong)
        assert share == 0 and said in feedback, (wrong, feedback)


@pytest.mark.parametrize("question", [p for p in LEAVES if isinstance(p.values[0], Number)])
def test_feedback_on_a_wrong_number_does_not_tell_the_right_one(question):
    right = question.right
    forms = {f"{right:,.10g}", f"{right:.10g}", f"{right:.3g}", f"{right:.4g}", f"{right:.2f}"}
    for wrong in [*question.slips.values(), right * 1.3 + 1, right * 0.7 - 1, -right, "x", True]:
        words = mark(question, wrong)[1].replace(", ", " ").split()
        assert not forms & {word.strip(".;:,()") for word in words}, (wrong, words)


@pytest.mark.parametrize("question", [p for p in LEAVES if isinstance(p.values[0], Number)])
def test_a_slip_is_not_within_reach_of_the_right_number(question):
    for said, slip in question.slips.items():
        assert mark(question, slip * (1 + question.tol / 2))[0] == 0, said
    if question.tol:
        assert mark(question, float(f"{question.right:.3g}"))[0] == 1, "three digits are enough"


@pytest.mark.parametrize("question", [p for p in LEAVES if isinstance(p.values[0], Function)])
def test_mistakes_of_a_function_give_messages_of_their_own(question):
    for said, slip in question.slips.items():
        others = [s for s in question.slips if s != said and s in mark(question, slip)[1]]
        assert not others
    cases = list(question.cases(random.Random(0)))
    assert repr(cases) == repr(list(question.cases(random.Random(0)))), "cases never change"


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


class Untouched:
    """A class to write, as it is handed out: methods without a body."""

    def __init__(self, num_blocks):
        pass

    def allocate(self, n):
        pass

    def free(self, blocks):
        pass


@pytest.mark.parametrize("name", QUESTIONS)
def test_no_answer_is_no_answer_yet(name, capsys):
    empty = [None, ...]
    if isinstance(QUESTIONS[name].build(), Function):
        empty.append(Untouched if QUESTIONS[name].build().drive else lambda *a: None)
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
def test_hostile_answers_earn_nothing_and_raise_nothing(name, capsys):
    for number, answer in enumerate(in_parts(name, HOSTILE)):
        assert check(name, answer) == 0, number
        out, err = capsys.readouterr()
        assert out.count("\n") < 12 and len(out) < 3000
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


def test_two_mistakes_with_one_number_are_both_named():
    said = mark(Number(8, {"First.": 4, "Second.": 4}), 4)[1]
    assert said == "Not yet. First. Or: Second."


def test_a_number_in_another_unit_is_named():
    question = Number.of_bytes(2 * kvlib.GiB, "GB")
    assert mark(question, 2.147)[0] == 1
    assert "in GiB; the question asks for GB" in mark(question, 2)[1]
    assert "in MiB; the question asks for GB" in mark(question, 2048)[1]


def test_true_is_not_one():
    assert mark(Number(1), True)[0] == 0 and mark(Number(0), False)[0] == 0
    assert mark(Number(1), 1)[0] == mark(Number(1), np.int64(1))[0] == 1


def test_each_counts_its_parts(capsys):
    question = Each({"a": Number(2, idea="Half of 4."), "b": Choice("x", {"y": "No."})})
    assert mark(question, {"a": 2, "b": "y"}) == (0.5, "Partly right:\n  a: Right.\n  b: Not yet. No.")
    assert mark(question, {"a": 3}) == (
        0,
        "Not yet:\n  a: Not yet. Your number is too large. Half of 4.\n  b: Not answered yet.",
    )


def test_choices_are_read_with_blanks_and_in_any_case():
    question = Choice("T", {"B": "No."})
    assert mark(question, " t ")[0] == 1 and mark(question, "b")[1] == "Not yet. No."
    assert "one of: B, T" in mark(question, "z")[1]


def test_functions_are_tried_on_arguments_of_their_own():
    def cases(rng):
        yield ([1, 2],)
        yield ([3],)

    question = Function(sum, cases, {})
    assert mark(question, lambda v: sum(v.pop() for _ in range(len(v))))[0] == 1
    assert "For iterable = [1, 2] yours raises ZeroDivisionError" in mark(question, lambda v: 1 / 0)[1]
    assert "runs without an end" in mark(question, endless)[1]
    assert "yours gives 0" in mark(question, lambda v: 0)[1]
    assert "without brackets" in mark(question, 3)[1]


def test_a_debugger_keeps_its_trace():
    import sys

    def tracer(frame, event, argument):
        return None

    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        mark(QUESTIONS["02-formula"].build(), endless)
        assert sys.gettrace() is tracer
    finally:
        sys.settrace(before)


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
print(kvlib.check("05-blocks", 62))
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.split("\n")[:2] == ["01-attend", "01-step"]
    assert said.split("\n")[2].startswith("Not yet. You round down") and said.endswith("\n0\n")


def test_an_unknown_question_is_refused():
    with pytest.raises(ValueError, match="unknown question '02-totl'"):
        check("02-totl", 1)


def test_interrupting_a_check_is_no_error():
    def interrupted(*args):
        raise KeyboardInterrupt

    assert mark(QUESTIONS["02-formula"].build(), interrupted) == (0, "Interrupted.")


def test_a_function_may_run_for_a_while():
    def slow(n):
        total = 0
        for i in range(n):
            total += i
        return total

    def cases(rng):
        yield (answers.STEPS // 4,)

    assert mark(Function(lambda n: n * (n - 1) // 2, cases), slow)[0] == 1


@pytest.mark.parametrize(
    "model, geometry",
    [
        ("llama-2-7b", worked_7b.LLAMA_7B),
        ("llama-3-8b", scaling_limits.LLAMA_8B),
        ("llama-3.2-3b", sharing_heads.SMALL["Llama 3.2 3B"][1]),
        ("qwen-2.5-3b", sharing_heads.SMALL["Qwen 2.5 3B"][1]),
        ("gemma-2-9b", sharing_heads.GEMMA_9B),
        ("llama-3.1-405b", sharing_heads.LLAMA_405B),
        ("llama-3-70b", the_formula.LLAMA_70B),
        ("llama-2-13b", worked_7b.LLAMA_13B),
    ],
)
def test_a_named_model_has_its_real_geometry(model, geometry):
    layout = kvlib.layout(model)
    assert layout.n_layers == geometry["n_layers"]
    assert {(layer.n_kv_heads, layer.head_dim) for layer in layout.layers} == {
        (geometry["n_kv_heads"], geometry["head_dim"])
    }


def test_the_layers_24_problem():
    steps = QUESTIONS["02-steps"].build().parts
    assert steps["bytes of all layers"].right == 402_653_184
