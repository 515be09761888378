"""When two executions end alike: what users and the oracle saw of them, and nothing else."""

from dataclasses import replace

import pytest

from pytest_supercache.checking.reduction_check import outcome_of
from pytest_supercache.core.execution import Execution, Settled
from pytest_supercache.core.footprint import NOTHING
from pytest_supercache.core.schedule import Schedule
from pytest_supercache.core.trace import Pending, Step
from pytest_supercache.core.verdict import Violation
from tests.histories import history

LAYERS = {"existing_cache": {"x": 1, "y": 2}}
PROBES = {("a", "x"): 1, ("b", "x"): 1}
ENDED = Execution(
    schedule=Schedule(),
    steps=[],
    history=history("one 0-1 get x=1\n other 0-1 get x=1"),
    settled=Settled(layers=LAYERS, probes=PROBES),
    results={"one": 1},
)
WAITS = Pending("one", "acquire", NOTHING, enabled=False)


def answered(text):
    return {"history": history(text)}


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(answered("one 0-1 get x=0\n other 0-1 get x=1"), id="an answer"),
        pytest.param(answered("one 0-1 get x raises OSError\n other 0-1 get x=1"), id="an error"),
        pytest.param({"settled": Settled(layers={}, probes=PROBES)}, id="a layer"),
        pytest.param(
            {"settled": Settled(layers=LAYERS, probes={**PROBES, ("b", "x"): 0})}, id="a node"
        ),
        pytest.param({"results": {"one": 0}}, id="what an actor returned"),
        pytest.param({"blocked": (WAITS,)}, id="actors that wait for ever"),
    ],
)
def test_they_do_not_if_somebody_sees_a_difference(other):
    assert outcome_of(replace(ENDED, **other), ()) != outcome_of(ENDED, ())


def test_they_do_not_if_one_breaks_a_guarantee_that_the_other_keeps():
    broken = Violation(guarantee="answers", summary="one was not answered")
    assert outcome_of(ENDED, [broken]) != outcome_of(ENDED, ())


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(answered("other 0-1 get x=1\n one 0-1 get x=1"), id="operations"),
        pytest.param(
            {"settled": Settled(layers={"existing_cache": {"y": 2, "x": 1}}, probes=PROBES)},
            id="entries",
        ),
        pytest.param({"steps": [Step("one", 0, "GET x", "command", NOTHING)]}, id="steps"),
    ],
)
def test_they_do_if_only_the_order_is_another_one(other):
    assert outcome_of(replace(ENDED, **other), ()) == outcome_of(ENDED, ())


def test_they_do_if_only_an_address_is_another_one():
    one, other = object(), object()
    assert outcome_of(replace(ENDED, results={"one": one}), ()) == outcome_of(
        replace(ENDED, results={"one": other}), ()
    )
