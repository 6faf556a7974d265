"""A sealed prediction is held to its seal, whatever the machine that measured it."""

import json
import random
import statistics
from pathlib import Path

import pytest

from kvlib.checks import mark
from kvlib.checks.questions import QUESTIONS
from kvlib.checks.questions.common import apart
from kvlib.checks.questions.measure_it.sealed import UNIT, seal

QUESTION = QUESTIONS["08-predict"]
NOTEBOOK = Path(__file__).resolve().parent.parent / "solutions" / "08-measure-it.ipynb"


def given(name) -> dict:
    """The names that the notebook's cell `name` defines."""
    cells = {cell["id"]: "".join(cell["source"]) for cell in json.loads(NOTEBOOK.read_text())["cells"]}
    names = {}
    exec(cells["given-seal"], names)
    exec(cells[name], names)
    return names


def trial(marker, speed, noise):
    """An answer as some machine gives it, `speed` seconds for the short step."""
    rng = random.Random(speed)
    times = {
        name: [speed * size * rng.uniform(1, 1 + noise) for _ in range(12)]
        for name, size in (("short", 1.0), ("long", 1.7))
    }
    medians = {name: statistics.median(took[1:]) for name, took in times.items()}
    predicted = marker.predicted.right
    return {
        "predicted": predicted,
        "record": {"sealed": seal(predicted, UNIT), "seconds": times},
        "ratio": medians["long"] / medians["short"],
    }


@pytest.mark.parametrize("noise", [0, 0.1, 3])
@pytest.mark.parametrize("speed", [1e-7, 1e-3, 5.0])
def test_any_machines_times_earn_the_points(speed, noise):
    marker = QUESTION.build()
    assert mark(marker, trial(marker, speed, noise)) == (1, "Right.")


def test_the_notebook_seals_as_the_check_does():
    sealing = given("given-seal")["seal"]
    for value in (2.7386, 0.5, 12.0, 1e6):
        assert sealing(value, UNIT) == seal(value, UNIT)
        assert sealing(value, "%") != seal(value, UNIT)
    assert sealing(2.7386, UNIT) != seal(2.74, UNIT), "a prediction is sealed with four digits"


def test_the_notebook_measures_what_the_check_reads():
    marker = QUESTION.build()
    record = given("given-measure")["measure"](seal(marker.predicted.right, UNIT), 1000, 2000.0)
    answer = {"predicted": marker.predicted.right, "record": record, "ratio": None}
    share, said = mark(marker, answer)
    assert round(3 * share) == 2 and "ratio: Not answered yet." in said


def test_a_prediction_changed_after_the_measurement_breaks_the_seal():
    marker = QUESTION.build()
    answer = trial(marker, 1e-3, 0.1)
    answer["record"]["sealed"] = seal(3.3, UNIT)  # what was predicted before the measurement
    share, said = mark(marker, answer)
    assert round(3 * share) == 2 and "it was changed after the measurement" in said


def test_every_variants_prediction_lies_apart_from_its_mistakes():
    for number in range(200):
        predicted = QUESTION.build(f"{number:08x}").predicted
        assert apart(predicted)
        for slip in predicted.known:
            share, said = mark(predicted, predicted.value(slip))
            assert share == 0 and slip.said in said
