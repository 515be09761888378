"""What is written as a file is read as the same scenario."""

import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from pytest_supercache.scenario.expectations import read_matcher
from pytest_supercache.scenario.nodes import compose, decode, plain
from pytest_supercache.scenario.problems import ScenarioProblems
from pytest_supercache.scenario.scope import Scope
from pytest_supercache.scenario.writing import _data_of, _flow, written
from tests.selection import either
from tests.unit.scenario.mistakes import ALL, said

TWINS = {given.values[0].twin: given.values[0] for given in ALL if given.values[0].twin}


@pytest.mark.parametrize("given", TWINS.values(), ids=lambda given: given.claim)
def test_a_scenario_is_read_as_it_was_written(read, good, given):
    scenario = read(good.replace(given.at, given.twin, 1))
    assert said(read(written(scenario, ["a story"]))) == said(scenario)


DATA = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6)
    | st.sampled_from(
        ["missing", "any", "$x", "no", "012", "a: b", "- a", "~", "a #b", "0x1F", "'"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=4)
            | st.sampled_from(["not", "one_of", "at_least", "raises", "exactly"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@settings(max_examples=either(66, 200), deadline=None, derandomize=True)
@drawn(data=DATA)
def test_any_data_are_read_as_they_were_written(data):
    text = f"k: {_flow(data)}\n"
    assert plain(compose(*decode("x", text))) == {"k": data}


@settings(max_examples=either(66, 200), deadline=None, derandomize=True)
@drawn(data=DATA)
def test_any_matcher_is_read_as_it_was_written(data):
    text, findings = decode("x", _flow(data))
    try:
        matcher = read_matcher(compose(text, findings), Scope(known={"x"}), findings)
        findings.raise_if_any()
    except ScenarioProblems:
        return
    text, findings = decode("x", _flow(_data_of(matcher)))
    assert read_matcher(compose(text, findings), Scope(known={"x"}), findings) == matcher
    findings.raise_if_any()


@pytest.mark.parametrize("severity", [None, "normal", "critical"])
def test_a_severity_is_written_when_somebody_said_it(read, good, severity):
    line = f"severity: {severity}\n" if severity else ""
    scenario = read(good.replace("severity: critical\n", line))
    assert scenario.severity == severity
    assert line in written(scenario)
    assert ("severity" in written(scenario)) == (severity is not None)
