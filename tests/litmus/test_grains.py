"""Finer grains than commands: races in plain code that only `line` or `await` can see.

Each race has a twin: the same code at grain `command`, and the fixed code at the finer grain.
"""

import sys
import threading

import pytest

from pytest_supercache import SupercacheError, Verdict, check, watch
from pytest_supercache.checking import check_on
from pytest_supercache.core.schedule import read_token
from pytest_supercache.core.settings import Exploration
from pytest_supercache.core.verdict import Label
from pytest_supercache.layers.servers import start_server
from pytest_supercache.registry import REGISTRY


@pytest.fixture(autouse=True)
def _own_watches():
    before = REGISTRY.copy()
    yield
    REGISTRY.become(before)


class Near:
    """A cache in the process that nobody has declared: look first, load if it is missing."""

    def __init__(self):
        self.entries = {}
        self.loads = 0
        self.lock = threading.Lock()

    def get(self, key):
        if key not in self.entries:
            self.loads += 1
            self.entries[key] = "loaded"
        return self.entries[key]

    def get_locked(self, key):
        with self.lock:
            if key not in self.entries:
                self.loads += 1
                self.entries[key] = "loaded"
            return self.entries[key]

    def clear(self):
        self.entries.clear()


def loads_once(method):
    """Two users ask for one key that is missing; it shall be loaded once."""

    def body(world):
        near = Near()
        for name in ("alice", "bob"):
            world.actor(name, getattr(near, method), "k")
        world.run()
        assert near.loads == 1

    return body


def test_check_then_act_on_a_dict_is_found_at_grain_line():
    watch(f"{__name__}:Near.get", lines=True)
    found = check(loads_once("get"), grain="line")
    assert found.verdict is Verdict.VIOLATED
    assert found.label is Label.CONFLICT
    assert found.counterexample.replays == "10/10"
    assert found.counterexample.preemptions == 1
    assert found.counterexample.token.endswith(";grain=line")
    assert all(
        "test_grains.py" in step.label
        for step in found.counterexample.execution.race
        if step.kind == "line"
    )


def test_check_then_act_on_a_dict_is_not_found_at_grain_command():
    watch(f"{__name__}:Near.get", lines=True)
    result = check(loads_once("get"))
    assert result.verdict is Verdict.HOLDS, result.reasons
    assert "code between cache commands" in result.coverage


@pytest.mark.parametrize("search", ["auto", "all-schedules"])
def test_the_same_under_a_lock_holds_at_grain_line(search):
    watch(f"{__name__}:Near.get_locked", lines=True)
    result = check(loads_once("get_locked"), grain="line", search=search)
    assert result.verdict is Verdict.HOLDS, result.reasons
    assert "functions whose lines are steps" in result.coverage


async def load(value):
    return value


@pytest.mark.parametrize(
    ("target", "what"),
    [
        (None, "needs functions whose lines"),
        (f"{__name__}:load", "use grain='await'"),
        ("math:sqrt", "not a function written in Python"),
    ],
)
def test_functions_without_lines_that_could_part_are_refused(target, what):
    if target:
        watch(target, lines=True)
    with pytest.raises(SupercacheError, match=what):
        check(loads_once("get"), grain="line")


def test_lines_are_not_declared_together_with_keys():
    with pytest.raises(SupercacheError, match="leave reads"):
        watch(f"{__name__}:Near.get", reads="key", lines=True)


def test_nobody_hears_of_lines_after_a_check():
    watch(f"{__name__}:Near.get", lines=True)
    check(loads_once("get"), grain="line")
    if sys.version_info < (3, 12):
        from pytest_supercache.runtime import calling

        assert not calling.tracers
    else:
        assert sys.monitoring.get_tool(4) is None
        assert not sys.monitoring.get_local_events(4, Near.get.__code__)


def test_a_token_says_its_grain_and_is_replayed_at_it():
    watch(f"{__name__}:Near.get", lines=True)
    token = check(loads_once("get"), grain="line").counterexample.token
    _, schedule = read_token(token)
    assert (schedule.grain, schedule.token("check")) == ("line", token)
    again = check_on(start_server("fakeredis"), loads_once("get"), Exploration(), replay=schedule)
    assert again.verdict is Verdict.VIOLATED
    assert again.counterexample.token == token


@pytest.mark.parametrize("grain", ["lines", "command", ""])
def test_a_token_of_another_grain_is_refused(grain):
    with pytest.raises(SupercacheError, match="expected wire, await, line"):
        read_token(f"sc1:check:alice,bob;grain={grain}")
