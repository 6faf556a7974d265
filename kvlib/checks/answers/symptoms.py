"""What is seen of a wrong function whose mistake is not known."""

from ..calls import SECONDS, Call, Outcome, Result
from ..plain import kind, short

ERRORS = {
    "NameError": "It uses a name that is not defined.",
    "UnboundLocalError": "It reads a variable before anything is put into it.",
    "RecursionError": "It calls itself without an end.",
    "ZeroDivisionError": "It divides by 0.",
    "KeyError": "It asks for a key that is not there.",
    "IndexError": "It reaches beyond the end of a list.",
    "AttributeError": "It asks an object for what that does not have.",
    "ImportError": "It imports what is not there.",
    "ModuleNotFoundError": "It imports what is not there.",
    "SystemExit": "It ends the whole program: give the result back with return.",
}


def symptom(failed: list[tuple[Outcome, Outcome]], passed: list[Outcome]) -> str:
    """What all the failed ones, (what came out, what is right), have in common; "" if nothing has a name."""
    errors = {got.error[0] if got.how == "raises" else "" for got, _ in failed}
    if len(errors) == 1 and "" not in errors:
        return ERRORS.get(errors.pop(), "")
    values = [(got.value, want.value) for got, want in failed if got.how == want.how == "gives"]
    if len(values) < len(failed):
        if values and all(got.how == "gives" for got, _ in failed):
            return _shape(values)  # of a wrong kind everywhere, also where it should raise
        return "" if values or not any(want.how == "raises" for _, want in failed) else _unraised(failed)
    return _shape(values) or _place(values) or _pattern(values, passed)


def _unraised(failed) -> str:
    """Where a refusal is wanted and none, or another, comes."""
    [*kinds] = {want.error[0] for got, want in failed if want.how == "raises"}
    if len(kinds) == 1 and all(want.how == "raises" for _, want in failed):
        return f"It is wrong only where it should raise {kinds[0]}."
    return ""


def _shape(values) -> str:
    """What is wrong with the kind of the value, rather than with the value."""
    if any(_like(g, w) for g, w in values):
        return ""
    if all(g is None for g, _ in values):
        return "Some way through it ends without a return."
    g, w = next((g, w) for g, w in values if g is not None)
    return f"It gives {_kind(g)} where {_kind(w)} is wanted." if _kind(g) != _kind(w) else ""


def _place(values) -> str:
    """Where in a short tuple or list it is wrong, or that only the order or the capitals are."""
    if all(isinstance(g, str) and isinstance(w, str) and g.lower() == w.lower() for g, w in values):
        return "Only its capitals are wrong."
    if not all(isinstance(g, (list, tuple)) and isinstance(w, (list, tuple)) for g, w in values):
        return ""
    if len({len(w) for _, w in values} | {len(g) for g, _ in values}) != 1 or any(
        map(_deep, sum(values, ()))
    ):
        return ""
    if all(sorted(map(repr, g)) == sorted(map(repr, w)) for g, w in values):
        return "Its values are right, but in another order."
    places = {i for g, w in values for i, (a, b) in enumerate(zip(g, w, strict=True)) if a != b}
    length = len(values[0][1])
    if len(places) == 1 and 1 < length <= 8:
        [place] = places
        same = all(str(g[place]).lower() == str(w[place]).lower() for g, w in values)
        return f"Of its {length} values only number {place + 1} is wrong" + (
            ": its capitals." if same else "."
        )
    return ""


def _deep(value) -> bool:
    return any(hasattr(item, "shape") or isinstance(item, (list, tuple, dict)) for item in value)


def _pattern(values, passed) -> str:
    """A constant difference or factor between what it gives and what is right."""
    if len(values) < 5 or not all(map(_finite, sum(values, ()))):
        return ""
    offs, passed = {g - w for g, w in values}, [o.value for o in passed if o.how == "gives"]
    if not passed and len(offs) == 1 and (off := offs.pop()) == int(off) and 0 < abs(off) < 100:
        return f"It is always {abs(int(off))} too {'many' if off > 0 else 'few'}."
    ratios = [g / w for g, w in values if w]
    if any(passed) or not ratios or not ratios[0]:
        return ""  # what is right by chance, as 0 is, tells nothing of a factor
    if max(ratios) - min(ratios) <= 1e-9 * abs(ratios[0]):
        if abs(ratios[0]) > 1:
            return f"It is always {ratios[0]:.4g} times as large as it should be."
        return f"It is always {1 / ratios[0]:.4g} times too small."
    return ""


def _finite(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e300


def _kind(value) -> str:
    return f"an array of shape {list(value.shape)}" if hasattr(value, "shape") else kind(value)


def _like(got, want) -> bool:
    """Whether two values are of one kind and length."""
    if hasattr(got, "shape") or hasattr(want, "shape"):
        return getattr(got, "shape", None) == getattr(want, "shape", None)
    numbers = (int, float)
    if isinstance(want, numbers) and not isinstance(want, bool):
        return isinstance(got, numbers) and not isinstance(got, bool)
    if isinstance(want, (list, tuple)):
        return isinstance(got, (list, tuple)) and len(got) == len(want)
    return type(got) is type(want)


def shown(case, got: Outcome, want: Outcome, names: list[str]) -> str:
    """One case, what came out and what is right; `names` are the arguments'."""
    if isinstance(case, list):
        return _steps(case, got)
    given = ", ".join(f"{n} = {short(v)}" for n, v in zip(names, case, strict=False))
    if got.how == "runs":
        return f"For {given} it does not end within {SECONDS:g} seconds."
    if got.how == "raises":
        return f"For {given} it raises {_error(got)}."
    right = short(want.value) if want.how == "gives" else f"to raise {want.error[0]}"
    return f"For {given} it gives {short(got.value)}; right is {right}."


def _steps(case, got: Outcome) -> str:
    values = got.value if isinstance(got.value, list) else []
    done = [
        _call(step) + (f" → {short(v)}" if step.name else "") for step, v in zip(case, values, strict=False)
    ]
    if got.how == "gives":
        return f"After {'; '.join(done[-6:])}, it is wrong."
    failed = _call(case[len(values)]) if len(values) < len(case) else "the end"
    how = f"raises {_error(got)}" if got.how == "raises" else "does not end"
    return f"After {'; '.join(done[-6:]) or 'nothing'}, {failed} {how}."


def _error(outcome: Outcome) -> str:
    name, message = outcome.error
    return f"{name} ({message})" if message else name


def _call(step: Call) -> str:
    args = ", ".join(f"[what step {a.step} gave]" if isinstance(a, Result) else short(a) for a in step.args)
    return f"{step.name or 'making one'}({args})"


def size(case) -> tuple:
    """How large a case is to a reader: the smallest shows a mistake best."""
    text = repr(case)
    total = sum(abs(v) for v in case if isinstance(v, (int, float)) and not isinstance(v, bool))
    return len(text) // 12, total, text
