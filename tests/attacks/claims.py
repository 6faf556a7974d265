"""A notebook that says itself what it is worth, or replaces what marks it."""

from .attack import attack, runs

# The notebook's own words on its marks


@attack("saved outputs that say Right")
def _(sheet):
    notebook = sheet.blank()
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["execution_count"] = 1
            cell["outputs"] = [
                {"output_type": "stream", "name": "stdout", "text": "Right. 9 of 9 points.\n"},
                {
                    "output_type": "execute_result",
                    "execution_count": 1,
                    "metadata": {},
                    "data": {"text/plain": "9"},
                },
            ]
    return notebook


@attack("checks edited to a number")
def _(sheet):
    return edited_checks(sheet, lambda e: "999")


@attack("checks edited to print Right")
def _(sheet):
    return edited_checks(sheet, lambda e: 'print("Right. 9 of 9 points.")\n9')


@attack("checks edited to hand over something else")
def _(sheet):
    return edited_checks(sheet, lambda e: f'kvlib.check("{sheet.exercises[0].question}", "b")')


def edited_checks(sheet, source):
    notebook = sheet.blank()
    for cell in notebook["cells"]:
        exercise = next((e for e in sheet.exercises if e.check == cell["id"]), None)
        cell["source"] = source(exercise) if exercise else cell["source"]
    return notebook


@attack("points raised and locks opened in the metadata")
def _(sheet):
    notebook = sheet.blank()
    for cell in notebook["cells"]:
        if marks := cell["metadata"].get("nbgrader"):
            marks |= {"points": 1000, "locked": False, "grade": True, "solution": True}
    return notebook


@attack("checks deleted and points claimed in the text")
def _(sheet):
    notebook = sheet.blank()
    gone = {e.check for e in sheet.exercises}
    notebook["cells"] = [c for c in notebook["cells"] if c["id"] not in gone]
    notebook["metadata"]["points"] = 1000
    return notebook


@attack("answers given in the checks' cells as feedback")
def _(sheet):
    return edited_checks(sheet, lambda e: f"points = max_points = {e.question!r}\npoints")


# The check, and what marks


runs("kvlib.check replaced by a number", "import kvlib\nkvlib.check = lambda *a, **k: 99")
runs(
    "kvlib.check that prints Right",
    "import kvlib\nkvlib.check = lambda *a: print('Right. 1 of 1 point.') or 1",
)
runs("marking replaced", """
import kvlib.checks.answers.marking as marking, kvlib.checks as checks, kvlib.checks.feedback as feedback
for module in (marking, checks, feedback, checks.answers):
    module.mark = module.mark_plain = lambda *a: (1, "Right.")
""")  # fmt: skip
runs("every answer's kind marks itself right", """
import kvlib.checks.answers as answers
for kind in (answers.Number, answers.Choice, answers.Each, answers.Function):
    kind.mark = lambda self, answer: (1, "Right.")
""")  # fmt: skip
runs("comparison replaced", "import kvlib.checks.calls as c\nc.same = lambda *a, **k: True")
runs("calls replaced", """
import kvlib.checks.calls as c
c.call = lambda *a, **k: c.Outcome("gives", None)
""")  # fmt: skip
runs("the wire replaced", """
import kvlib.checks.wire as wire, kvlib.checks.grading.child.answers as answers
wire.encode = answers.encode = lambda *a, **k: {"points": 1000, "right": True}
""")  # fmt: skip
runs("json replaced", """
json.dumps = lambda *a, **k: '{"points": 1000, "share": 1, "value": true, "outcome": ["gives", true]}'
""")  # fmt: skip
runs("questions registered anew", """
import sys, types
fake = types.ModuleType("kvlib.checks.questions")
fake.QUESTIONS = {}
sys.modules["kvlib.checks.questions"] = fake
""")  # fmt: skip
runs("an input transformer", """
def cheat(lines):
    return ["99\\n"] if any("kvlib.check" in line for line in lines) else lines
get_ipython().input_transformers_post.append(cheat)
""")  # fmt: skip
runs("a display formatter", """
get_ipython().display_formatter.formatters["text/plain"].for_type(int, lambda v, p, c: p.text("99"))
""")  # fmt: skip
