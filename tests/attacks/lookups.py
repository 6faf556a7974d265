"""Looking up what is right, where it might lie."""

from kvlib.checks import Function
from kvlib.checks.calls import Here
from kvlib.checks.questions import QUESTIONS

from .attack import attack, steals

RIGHT_OF = """
def right_of(marker):
    if hasattr(marker, "parts"):
        return {name: right_of(part) for name, part in marker.parts.items()}
    if hasattr(marker, "reference"):
        return marker.reference
    return marker.right if hasattr(marker, "right") else set(marker.holds)
"""
FILES = """
import json, os
def files(end):
    found, tried = [], 0
    starts = [os.path.dirname(os.path.dirname(os.path.abspath(__import__("kvlib").__file__))), os.getcwd()]
    starts += [os.path.dirname(s) for s in starts] + ["/work", "/home", "/srv", "/root", "/tmp", "/"]
    for start in dict.fromkeys(starts):
        for folder, below, names in os.walk(start):
            below[:] = [b for b in below if b not in ("proc", "sys", "dev", "site-packages", ".pyenv")]
            tried += 1
            found += [os.path.join(folder, name) for name in names if name.endswith(end)]
            if found or tried > 3000:
                return found
    return found
def answers_in(paths, variable):
    for path in paths:
        for cell in json.load(open(path))["cells"]:
            source = "".join(cell["source"])
            if "BEGIN SOLUTION" in source:
                names = {}
                try:
                    exec(source, names)
                except Exception:
                    continue
                if names.get(variable) is not None:
                    return names[variable]
"""


def looks_up(name, source, armed=False, needs=""):
    """An attack whose `source` gives the answer in an expression of `question` and `variable`, or raises."""
    *before, last = source.strip().split("\n")
    body = f"def found(question, variable):\n    return {last}\n"
    body += "def steal(question, variable):\n    try:\n        return found(question, variable)\n"
    body += "    except BaseException:\n        return None\n"
    steals(name, "\n".join([*before, body]), armed, needs)


looks_up("reads the questions", RIGHT_OF + """
right_of(__import__("kvlib.checks.questions", fromlist=["*"]).QUESTIONS[question].build())
""", armed=True)  # fmt: skip
looks_up("runs the questions from their files", RIGHT_OF + """
import importlib.util, os, sys
def load():
    import kvlib
    path = os.path.join(os.path.dirname(kvlib.__file__), "checks", "questions", "__init__.py")
    spec = importlib.util.spec_from_file_location("kvlib.checks.questions", path)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
right_of(load().QUESTIONS[question].build())
""", armed=True)  # fmt: skip
looks_up("finds an installed kvlib among the packages", RIGHT_OF + """
import sys, os, importlib
def load():
    own = sys.modules.pop("kvlib")
    sys.path[:] = [p for p in sys.path if not os.path.exists(os.path.join(p, "kvlib", "checks", "wire.py"))]
    for name in [n for n in sys.modules if n.startswith("kvlib.")]:
        del sys.modules[name]
    return importlib.import_module("kvlib.checks.questions")
right_of(load().QUESTIONS[question].build())
""")  # fmt: skip
looks_up("reads the solutions beside kvlib", FILES + """
import kvlib, glob
answers_in(glob.glob(os.path.dirname(kvlib.__file__) + "/../solutions/*.ipynb"), variable)
""", armed=True)  # fmt: skip
looks_up("reads any notebook that it finds", FILES + "answers_in(files('.ipynb'), variable)", needs="files")
looks_up("reads the repository's objects", """
import subprocess, json, kvlib, os
def show(name):
    where = os.path.dirname(os.path.dirname(kvlib.__file__))
    text = subprocess.run(["git", "-C", where, "show", "HEAD:solutions/" + name], capture_output=True).stdout
    names = {}
    for cell in json.loads(text)["cells"]:
        if "BEGIN SOLUTION" in "".join(cell["source"]):
            exec("".join(cell["source"]), names)
    return names
show("02-the-formula.ipynb").get(variable) or show("05-paging.ipynb")[variable]
""", armed=True)  # fmt: skip
looks_up("the grader's frames", """
import sys
def frames():
    frame = sys._getframe()
    while frame:
        yield from list(frame.f_locals.values()) + list(frame.f_globals.values())
        frame = frame.f_back
next(x for x in frames() if hasattr(x, "right") or hasattr(x, "reference")).right
""")  # fmt: skip
looks_up("the grader's objects", RIGHT_OF + """
import gc
right_of(next(o for o in gc.get_objects() if type(o).__name__ == "Question" and o.name == question).build())
""")  # fmt: skip
looks_up("the memory of the process that started it", """
import os
open(f"/proc/{os.getppid()}/mem", "rb").read(1) and 1
""", needs="processes")  # fmt: skip
looks_up("the environment of the process that started it", """
import os
open(f"/proc/{os.getppid()}/environ", "rb").read().decode() or None
""", needs="processes")  # fmt: skip
looks_up("the network", """
import urllib.request
urllib.request.urlopen("http://127.0.0.1:9/answers.json", timeout=1).read() or None
""")  # fmt: skip


@attack("the cases of the self-check in a table")
def _(sheet):
    """The cases that `kvlib.check` draws are always the same; those of a grade are not."""

    def source(exercise):
        marker = QUESTIONS[exercise.question].build()
        if not isinstance(marker, Function) or isinstance(marker.draw()[0], list):
            return f"{exercise.variable} = None"
        table = {}
        for case in marker.draw():
            [outcome] = Here(marker.reference).run([case])
            table[repr(case)] = outcome.value
        return f"def {exercise.variable}(*args):\n    return {table!r}.get(repr(args))"

    return sheet.answered(source)
