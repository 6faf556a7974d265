"""Mutants of an exercise's solution: its source with one thing wrong, each held to the exercise's check.

    python -m tools.solution_mutants 02-formula …     every mutant, and what the check says of it

A mutant is one change of the syntax tree: another comparison, another operation, a factor or a statement left
out, a bound one off, two arguments swapped, another constant. A check should accept none that differs
from the solution. Those that do not differ, as far as a reader can tell, stand in EQUIVALENT with the reason.
"""

import ast
import contextlib
import copy
import io
import json
import re
import sys
from dataclasses import dataclass

import kvlib
from kvlib.checks import Each, Function, calls, mark
from kvlib.checks.questions import QUESTIONS

from .notebooks import notebooks

CHECK = re.compile(r'kvlib\.check\("([\w-]+)", (\w+)(?:, "\w+")?\)')
SECONDS = 2.0  # for all cases of a mutant: a loop without an end is caught by the clock

SEEN = "self.keys, self.values, self.seen = ([], [], {})"
# question -> {mutant, as `Mutant.what`: why nobody can tell it from the solution}
EQUIVALENT: dict[str, dict[str, str]] = {
    "01-rotary": dict.fromkeys(
        (
            f"line 6: {SEEN.format(0)} → {SEEN.format(1)}",
            f"line 6: {SEEN.format(0)} → {SEEN.format(-1)}",
        ),
        "scores depend on how far apart two tokens are, wherever positions begin",
    ),
    "03-longest": {"line 11: tokens = 0 → tokens = -1": "no token takes no room, so the loop runs once more"},
}


@dataclass(frozen=True)
class Mutant:
    """A spoilt solution. `what` says the change: "line 4: a < b → a <= b"."""

    what: str
    source: str


@dataclass(frozen=True)
class Verdict:
    """What the check made of a mutant: accepted or not, and whether it named a known mistake."""

    mutant: Mutant
    accepted: bool
    named: bool
    said: str


def answers() -> dict[str, tuple]:
    """{a question of code: (its solution's cell, what stands before it in its notebook, the variable)}."""
    found = {}
    for path in notebooks("solutions"):
        before = []
        cells = _code(path)
        for cell, following in zip(cells, [*cells[1:], ""], strict=True):
            match = CHECK.fullmatch(following.strip())
            if match and match[1] in QUESTIONS and functions(QUESTIONS[match[1]]):
                found[match[1]] = cell, tuple(before), match[2]
            if not CHECK.fullmatch(cell.strip()):
                before.append(cell)
    return found


def _code(path) -> list[str]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(c["source"]) for c in cells if c["cell_type"] == "code" and c["id"] != "setup"]


def functions(question) -> list[Function]:
    """The functions that a question asks for; [] where it asks for none."""
    return _functions(question.build())


def _functions(marker) -> list[Function]:
    if isinstance(marker, Function):
        return [marker]
    parts = marker.parts.values() if isinstance(marker, Each) else vars(marker).values()
    return [found for part in parts if hasattr(part, "mark") for found in _functions(part)]


def verdicts(name: str) -> list[Verdict]:
    """What the check of the question `name` makes of each mutant that can be told from the solution."""
    cell, before, variable = answers()[name]
    question = QUESTIONS[name].build()
    space = _run(before)
    known = {slip.said for part in functions(QUESTIONS[name]) for slip in part.slips}
    found = []
    for mutant in mutants(cell):
        if mutant.what in EQUIVALENT.get(name, {}):
            continue
        share, said = _marked(question, mutant, variable, space)
        named = any(sentence in said for sentence in known)
        found.append(Verdict(mutant, share == 1, named, said))
    return found


def _marked(question, mutant, variable, space) -> tuple[float, str]:
    names = dict(space)
    try:
        with _quiet(), calls.limit(SECONDS):
            exec(compile(mutant.source, "<mutant>", "exec"), names)
    except (Exception, calls.TooLong) as error:  # a cell that fails leaves no answer to check
        return 0, f"The cell fails: {error!r}"
    whole, calls.SECONDS = calls.SECONDS, SECONDS
    try:
        with _quiet():
            return mark(question, names.get(variable))
    finally:
        calls.SECONDS = whole


def _run(cells) -> dict:
    names = {"kvlib": kvlib}
    with _quiet():
        for cell in cells:
            exec(cell, names)
    return names


@contextlib.contextmanager
def _quiet():
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def mutants(source: str) -> list[Mutant]:
    """Every mutant of the functions and classes in `source`, none twice."""
    tree = ast.parse(source)
    plain = ast.unparse(tree)
    kinds = (ast.FunctionDef, ast.ClassDef, ast.Lambda)
    inside = {id(n) for outer in ast.walk(tree) if isinstance(outer, kinds) for n in ast.walk(outer)}
    found = {}
    for number, node in enumerate(ast.walk(tree)):
        if id(node) not in inside:
            continue
        for spoil in RULES:
            for choice in range(2):  # a rule has two changes of a node at most
                spoilt = copy.deepcopy(tree)
                target = _nth(spoilt, number)
                if not spoil(target, spoilt, choice):
                    break
                text = ast.unparse(ast.fix_missing_locations(spoilt))
                if text != plain and text not in found:
                    found[text] = _difference(plain, text)
    return [Mutant(what, text) for text, what in found.items()]


def _nth(tree, number):
    for i, node in enumerate(ast.walk(tree)):
        if i == number:
            return node
    raise AssertionError


def _difference(plain: str, text: str) -> str:
    """The first line that differs, before and after."""
    old, new = plain.splitlines(), text.splitlines()
    same = (i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b)
    line = next(same, min(len(old), len(new)) - 1)
    after = "(left out)" if len(new) < len(old) else new[line].strip()
    return f"line {line + 1}: {old[line].strip()} → {after}"


# Each rule changes `node` of `tree` in place; it returns whether it had a change number `choice` to make.


def _statement(node, tree, choice) -> bool:
    """A statement left out: a block that loses its last one passes."""
    if (
        choice
        or not isinstance(node, ast.stmt)
        or isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Pass))
    ):
        return False
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return False  # a docstring does nothing
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return False
    for owner in ast.walk(tree):
        for field in ("body", "orelse", "finalbody"):
            block = getattr(owner, field, None)
            if isinstance(block, list) and any(one is node for one in block):
                place = next(i for i, one in enumerate(block) if one is node)
                if len(block) == 1 and field == "body":
                    block[place] = ast.Pass()
                else:
                    del block[place]
                return True
    return False


COMPARED = {
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt), ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,),
}  # fmt: skip
OPERATED = {
    ast.Add: (ast.Sub,), ast.Sub: (ast.Add,), ast.Mult: (ast.FloorDiv, ast.Add), ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Div, ast.Mult), ast.Mod: (ast.FloorDiv,), ast.Pow: (ast.Mult,),
    ast.MatMult: (ast.Mult,), ast.LShift: (ast.RShift,), ast.RShift: (ast.LShift,),
    ast.BitAnd: (ast.BitOr,), ast.BitOr: (ast.BitAnd,), ast.BitXor: (ast.BitOr,),
}  # fmt: skip


def _comparison(node, tree, choice) -> bool:
    if not isinstance(node, ast.Compare):
        return False
    others = COMPARED[type(node.ops[0])]
    if choice >= len(others):
        return False
    node.ops[0] = others[choice]()
    return True


def _operation(node, tree, choice) -> bool:
    if not isinstance(node, (ast.BinOp, ast.AugAssign)):
        return False
    others = OPERATED[type(node.op)]
    if choice >= len(others):
        return False
    node.op = others[choice]()
    return True


def _arguments(node, tree, choice) -> bool:
    """The first two arguments of a call, swapped, where their order matters."""
    if choice or not isinstance(node, ast.Call) or len(node.args) < 2:
        return False
    if isinstance(node.func, ast.Name) and node.func.id in ("max", "min"):
        return False
    node.args[:2] = node.args[1::-1]
    return True


def _bound(node, tree, choice) -> bool:
    """A bound of a range or a slice, or an index, one more or one less."""
    one = ast.Constant(1)
    op = ast.Sub() if choice else ast.Add()
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range":
        place = min(1, len(node.args) - 1)
        node.args[place] = ast.BinOp(node.args[place], op, one)
        return True
    if isinstance(node, ast.Slice) and (node.upper or node.lower):
        field = "upper" if node.upper else "lower"
        setattr(node, field, ast.BinOp(getattr(node, field), op, one))
        return True
    return False


def _constant(node, tree, choice) -> bool:
    """A number one more or one less; True for False. Text names things and stays."""
    if not isinstance(node, ast.Constant) or not isinstance(node.value, (int, float, bool)):
        return False
    if isinstance(node.value, bool):
        node.value = not node.value
        return choice == 0
    node.value += -1 if choice else 1
    return True


def _logic(node, tree, choice) -> bool:
    """`and` for `or`; a condition turned round."""
    if choice:
        return False
    if isinstance(node, ast.BoolOp):
        node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        return True
    if isinstance(node, (ast.If, ast.While, ast.IfExp)):
        node.test = ast.UnaryOp(ast.Not(), node.test)
        return True
    return False


def _operand(node, tree, choice) -> bool:
    """A factor or a summand left out: one side of an operation stands for the whole."""
    if not isinstance(node, ast.BinOp):
        return False
    kept = node.right if choice else node.left
    for owner in ast.walk(tree):
        for field, value in ast.iter_fields(owner):
            if value is node:
                setattr(owner, field, kept)
                return True
            if isinstance(value, list) and any(one is node for one in value):
                value[:] = [kept if one is node else one for one in value]
                return True
    return False


RULES = (_statement, _comparison, _operation, _operand, _arguments, _bound, _constant, _logic)


def main(argv=None) -> int:
    for name in sys.argv[1:] if argv is None else argv:
        for verdict in verdicts(name):
            word = "ACCEPTED" if verdict.accepted else "named" if verdict.named else "caught"
            print(f"{name}  {word:8}  {verdict.mutant.what}\n    {verdict.said.splitlines()[0]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
