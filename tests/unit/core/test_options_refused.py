"""Options of a check that cannot mean anything are refused before the search, by name."""

import sys
from contextlib import nullcontext

import pytest

from pytest_supercache import Assume, SupercacheError, check
from pytest_supercache.core.settings import Exploration, refuse_unavailable

REFUSED = {
    "a mapping for assume": ({"assume": {"pause": 0.5}}, "expected Assume(pause=2.0), in seconds"),
    "a pause that is a text": ({"assume": Assume(pause="1")}, "assume=Assume(pause='1')"),
    "a pause of no time": ({"assume": Assume(pause=0)}, "more than 0"),
    "a mapping for faults": ({"faults": {"max": 1}}, "expected Faults(max=1, kinds=(...))"),
    "executions as a text": ({"executions": "5"}, "executions='5': expected a whole number from 1"),
    "no executions": ({"executions": 0}, "executions=0"),
    "time as a flag": ({"time": True}, "time=True: expected seconds"),
    "time as a text": ({"time": "5"}, "time='5': expected seconds"),
    "time that is no number": ({"time": float("nan")}, "time=nan"),
    "preemptions as a text": ({"preemptions": "2"}, "preemptions='2': expected a whole number"),
    "polls below zero": ({"polls": -1}, "polls=-1: expected a whole number from 0"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_an_option_is_refused_by_name(case):
    options, message = case
    with pytest.raises(SupercacheError) as refused:
        check(lambda world: world.run(), **options)
    assert message in str(refused.value)


def test_options_at_their_least_are_taken():
    def body(world):
        world.actor("alice", int)
        world.run()

    check(body, executions=1, polls=0, preemptions=0, assume=Assume(pause=0.1))


@pytest.mark.parametrize(("version", "is_refused"), [((3, 13, 9), False), ((3, 14, 0), True)])
def test_a_python_whose_bytecode_is_another_is_refused(monkeypatch, version, is_refused):
    monkeypatch.setattr(sys, "version_info", version)
    refused = pytest.raises(SupercacheError, match=r"Python 3\.14 is not supported")
    with refused if is_refused else nullcontext():
        refuse_unavailable(Exploration())
