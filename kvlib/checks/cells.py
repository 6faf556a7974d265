"""A notebook's cells, run one by one in one namespace, without IPython."""

import ast
import re

from . import calls
from .plain import clean, kind, plain

# Cell magics whose text is Python; under any other ("%%bash", "%%html") it is not, and is left out.
PYTHON_MAGICS = {"time", "timeit", "capture", "prun", "python", "python3"}
MAGIC = re.compile(r"^(\s*)(?:[%!?]|[\w.]+\?{1,2}\s*$)(.*)$")
TIMED = re.compile(r"^(\s*)%(?:time|timeit|prun)\b((?:\s+-\w+(?:\s*\d+)?)*)\s+(.+)$")
ASSIGNED = re.compile(r"^(\s*[\w., ]+?=\s*)[%!].*$")


def python(source: str) -> str:
    """`source` as Python: where it is none as it stands, without IPython's magics and shell lines.

    They are left out, since what they do (install, plot, list files) earns no points; the statement that
    %time or %%time measures is kept.
    """
    if compiles(source):
        return source
    lines = source.split("\n")
    first = next((line for line in lines if line.strip()), "")
    if first.startswith("%%"):
        name = re.match(r"%%(\w*)", first)[1]
        if name not in PYTHON_MAGICS:
            return ""
        lines[lines.index(first)] = ""
    return "\n".join(map(_line, lines))


def compiles(source: str) -> bool:
    try:
        ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _line(line: str) -> str:
    if match := TIMED.match(line):
        return match[1] + match[3]
    if match := MAGIC.match(line):
        return match[1] + "pass"
    match = ASSIGNED.match(line)
    return match[1] + "None" if match else line


def assigned(source: str) -> set[str]:
    """The names that a cell gives a value to."""
    source = python(source)
    if not compiles(source):
        found = re.findall(r"^(?:(?:async )?def|class)\s+(\w+)|^(\w+)\s*(?::[^=]+)?=(?!=)", source, re.M)
        return {name for pair in found for name in pair if name}
    names: set[str] = set()
    _collect(ast.parse(source).body, names)
    return names


def _collect(statements, names):
    for node in statements:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
            continue
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names.update((alias.asname or alias.name).partition(".")[0] for alias in node.names)
            continue
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                names.add(inner.id)
            elif isinstance(inner, (ast.FunctionDef, ast.ClassDef)):
                names.add(inner.name)


class NoIPython:
    """Stands for IPython's shell: whatever it is asked to do, it does nothing."""

    def __getattr__(self, name):
        return lambda *args, **options: None


def namespace() -> dict:
    """The names that a notebook's cells begin with."""
    return {
        "__name__": "__main__",
        "__builtins__": __builtins__,
        "display": lambda *args, **options: None,
        "get_ipython": NoIPython,
    }


def run(source: str, name: str, names: dict) -> tuple[str, str, int | None] | None:
    """Run a cell in the namespace `names`; None, or (class, message, line of the cell) of what it raises.

    It raises nothing but `calls.TooLong`, which belongs to whoever limits its time.
    """
    try:
        exec(compile(ast.parse(python(source), f"<{name}>"), f"<{name}>", "exec"), names)
    except calls.TooLong:
        raise
    except BaseException as error:  # whatever a cell can raise, SystemExit too
        return kind(error).partition(" ")[2], _message(error), _line_of(error, f"<{name}>")
    return None


def raised(kind, message, line) -> str:
    """What an error of a cell says to whoever wrote it, run here or sent by another process."""
    kind, message = (clean(text) if isinstance(text, str) else "" for text in (kind, message))
    where = f" on line {line} of its cell" if isinstance(line, int) else ""
    return f"Your code for this exercise stops with {kind}{where}{f': {message}' if message else ''}."


def _message(raised) -> str:
    if isinstance(raised, SyntaxError):
        return clean(str(raised.msg)) if isinstance(raised.msg, str) else ""
    parts = plain(raised.args)
    return clean(" ".join(str(a) for a in parts if isinstance(a, (str, int, float))))


def _line_of(raised, name) -> int | None:
    """The line of the cell on which it was raised."""
    if isinstance(raised, SyntaxError):
        return raised.lineno if isinstance(raised.lineno, int) else None
    line, trace = None, raised.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == name:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
