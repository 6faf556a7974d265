"""Source with one thing wrong: one change of its syntax tree, in turn for each that there is.

Another comparison, another operation, a factor or a statement left out, a bound one off, two arguments
swapped, another constant; inside functions and classes alone.
"""

import ast
import copy
from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """A spoilt solution. `what` says the change: "line 4: a < b → a <= b"."""

    what: str
    source: str


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
    """A number one more or one less, a large one twice or half; True for False; no text."""
    if not isinstance(node, ast.Constant) or not isinstance(node.value, (int, float, bool)):
        return False
    if isinstance(node.value, bool):
        node.value = not node.value
        return choice == 0
    if abs(node.value) < 1000:
        node.value += -1 if choice else 1
    else:  # one more of 10**12 lies within any tolerance
        node.value = node.value / 2 if choice else node.value * 2
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
