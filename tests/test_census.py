"""kvlib against every model type that transformers knows: exact, or refused, and never wrong."""

from collections import Counter

import pytest

from kvlib.configs import UnsupportedConfig, layout, parameters

from . import census
from .depth import FULL
from .test_oracle import computed
from .test_parameters import uncounted

RECORD = census.recorded()


def state(model_type: str, measured: census.Measured) -> tuple[str, str]:
    """exact, refused, wrong, unknown (kvlib answers, and transformers does not say) or unbuilt; and why."""
    try:
        of = layout(census.default(model_type))
    except UnsupportedConfig as refusal:
        told = "; ".join(str(refusal).split("\n"))
        return ("unbuilt", f"{measured.why} | {told}") if measured.kept is None else ("refused", told)
    except Exception as impossible:  # transformers does not build its own default
        return "unbuilt", f"{type(impossible).__name__}: {impossible}".split("\n")[0]
    if measured.kept is None:
        return "unknown", measured.why
    mine = computed(of, census.CONTEXT, census.BATCH, census.SOURCE_LEN.get(model_type, census.SOURCE))
    return ("exact", "") if mine == measured.kept else ("wrong", f"{mine}, not {measured.kept}")


@pytest.fixture(scope="module")
def states():
    return {model_type: state(model_type, measured) for model_type, measured in RECORD.items()}


def test_every_type_of_transformers_is_recorded():
    assert list(RECORD) == census.types()


def test_none_is_wrong_and_most_are_exact(states):
    reasons = census.refused()
    print()
    for model_type, (found, why) in states.items():
        print(f"{model_type:26} {found:8} {reasons.get(model_type, why)}")
    counts = Counter(found for found, _ in states.values())
    print(f"{len(states)} model types: {dict(counts)}")
    assert counts["wrong"] == 0, [name for name, (found, _) in states.items() if found == "wrong"]
    assert counts["unknown"] == 0, [name for name, (found, _) in states.items() if found == "unknown"]
    assert counts["exact"] >= 276


def test_every_refusal_has_its_reason(states):
    refused = {name for name, (found, _) in states.items() if found in ("refused", "unbuilt")}
    assert refused == census.refused().keys()


@pytest.mark.skipif(not FULL, reason="minutes: make oracle")
@pytest.mark.parametrize("model_type", RECORD)
def test_the_record_is_what_transformers_keeps(model_type):
    assert census.measure(model_type) == RECORD[model_type]


def test_parameters_are_counted_or_refused(states):
    counted = 0
    for model_type, measured in RECORD.items():
        if measured.kept is None or not measured.parameters:
            continue
        try:
            found = parameters(census.default(model_type)).total
        except UnsupportedConfig as refusal:
            assert uncounted(refusal) or states[model_type][0] == "refused", model_type
            continue
        counted += 1
        assert found == pytest.approx(measured.parameters, rel=0.005), model_type
    assert counted >= 60
