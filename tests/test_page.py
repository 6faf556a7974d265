"""What a page asks of kvlib: whatever it is asked and whatever that does, JSON comes back."""

import json
import sys
import types

import pytest

import kvlib
from kvlib import page


def asked(name="trial", given=None):
    return json.loads(page.answer(name, json.dumps(given or {})))


@pytest.fixture
def trial(monkeypatch):
    """Lets `asked()` run a function of the test's."""
    module = types.ModuleType("trial")
    monkeypatch.setitem(sys.modules, "trial", module)
    monkeypatch.setitem(page.ASKED, "trial", "trial:run")

    def put(function):
        module.run = function

    return put


def raising(error):
    def run(given):
        raise error

    return run


def test_it_says_what_runs():
    assert asked("about") == {"kvlib": kvlib.__version__, "python": ".".join(map(str, sys.version_info[:3]))}


def test_the_payload_is_given_and_what_it_returns_is_the_answer(trial):
    trial(lambda given: {"twice": 2 * given["number"]})
    assert asked(given={"number": 21}) == {"twice": 42}


@pytest.mark.parametrize(
    "error", [ValueError("no such model"), OSError("no file"), ModuleNotFoundError("torch is needed")]
)
def test_a_mistake_of_the_readers_is_a_sentence(trial, error):
    trial(raising(error))
    assert asked() == {"error": str(error)}


def test_a_lack_of_memory_is_a_sentence(trial):
    trial(raising(MemoryError()))
    assert asked() == {"error": "This needs more memory than there is."}


@pytest.mark.parametrize("error", [KeyError("layers"), SystemExit(3), KeyboardInterrupt()])
def test_a_mistake_of_ours_is_its_traceback(trial, error):
    trial(raising(error))
    said = asked()
    assert list(said) == ["bug"] and "in run" in said["bug"] and type(error).__name__ in said["bug"]


@pytest.mark.parametrize(("name", "payload"), [("nothing", "{}"), ("about", "{"), ("about", "")])
def test_what_cannot_be_asked_is_a_bug(name, payload):
    assert list(json.loads(page.answer(name, payload))) == ["bug"]


@pytest.mark.parametrize("value", [float("nan"), object(), {1, 2}])
def test_what_json_cannot_say_is_a_bug(trial, value):
    trial(lambda given: {"value": value})
    assert list(asked()) == ["bug"]


def test_warnings_are_told_once_each_and_not_without_end(trial):
    import warnings

    def run(given):
        for i in range(100):
            warnings.warn(f"number {i // 2}", stacklevel=1)
        return {"value": 1}

    trial(run)
    assert asked() == {"value": 1, "warnings": [f"number {i}" for i in range(page.WARNED)]}


def test_what_is_printed_is_kept_up_to_a_bound(trial, capsys):
    trial(lambda given: [print("x" * 700) for _ in range(100)] and {})
    printed = asked()["printed"]
    assert printed.startswith("x" * 700 + "\n")
    assert len(printed) < page.PRINTED + 100 and printed.endswith("… and 60,100 characters more")
    assert capsys.readouterr() == ("", "")


def test_an_answer_too_long_for_a_page_is_not_sent(trial):
    trial(lambda given: {"value": "x" * 2 * page.MOST})
    assert "at most 1,000,000" in asked()["error"]
