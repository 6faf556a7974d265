"""The house's rules for its rooms: how long a file is, what an import needs, what a name may be."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# The beginnings of the dotted names of modules that do import torch or numpy.
HEAVY = (
    "kvlib.attention", "kvlib.cache", "kvlib.decoder", "kvlib.generate", "kvlib.kernels", "kvlib.smollm2",
    "kvlib.speculative", "kvlib.measure.", "kvlib.parallel",
)  # fmt: skip


def name(path):
    return path.relative_to(ROOT).as_posix()


FILES = sorted(
    path
    for folder in ("kvlib", "tests")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in (".py", ".js", ".css")
)
PYTHON = [path for path in FILES if path.suffix == ".py" and name(path).startswith("kvlib")]
MODULES = [path for path in PYTHON if path.stem != "__main__"]  # importing that one runs the command


def lines(path):
    return path.read_text(encoding="utf-8").count("\n")


def test_a_file_has_at_most_300_lines_and_a_test_file_400():
    assert len(PYTHON) > 20 and len(FILES) > len(PYTHON) + 20
    most = {"kvlib": 300, "tests": 400}
    assert {name(p): lines(p) for p in FILES if lines(p) > most[name(p).split("/")[0]]} == {}


def test_no_import_needs_numpy_torch_or_matplotlib():
    """What needs one of them imports it when called: a page and the command line start without."""
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in MODULES
    ]
    modules = [module for module in modules if not module.startswith(HEAVY)]
    program = """
import importlib, sys

for heavy in ("numpy", "torch", "matplotlib", "numba", "transformers"):
    sys.modules[heavy] = None  # importing it raises ImportError
for module in sys.argv[1:]:
    importlib.import_module(module)
print(len(sys.argv) - 1)
"""
    run = subprocess.run([sys.executable, "-c", program, *modules], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout == f"{len(modules)}\n"


def late_imports(path):
    """The lines on which a function imports kvlib itself."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    imports = [n for function in functions for n in ast.walk(function) if isinstance(n, ast.ImportFrom)]
    return [node.lineno for node in imports if node.level or node.module.startswith("kvlib")]


@pytest.mark.parametrize("path", PYTHON, ids=name)
def test_kvlib_is_imported_at_the_top(path):
    """A late import of kvlib's own is how a circle hides."""
    assert late_imports(path) == []


def test_no_name_of_a_package_hides_a_module_of_it():
    """`import kvlib.serving.stream` must give that module, not something of the same name."""
    hidden = []
    for path in MODULES:
        package = ".".join(path.parent.relative_to(ROOT).parts)
        if path.stem != "__init__":
            module = importlib.import_module(f"{package}.{path.stem}")
            if getattr(sys.modules[package], path.stem) is not module:
                hidden.append(module.__name__)
    assert hidden == []


def identifiers(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for field in ("id", "attr", "arg", "name"):
            if isinstance(word := getattr(node, field, None), str):
                yield word


BRITISH = ("colour", "quantis", "utilis", "centre", "normalis", "initialis", "serialis", "behaviour")


@pytest.mark.parametrize("path", PYTHON, ids=name)
def test_names_in_code_have_the_fields_spelling(path):
    """Prose is British; names in code are spelt as the field spells them (quantized, utilization)."""
    assert [word for word in identifiers(path) if any(b in word.lower() for b in BRITISH)] == []
