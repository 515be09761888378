"""The first run of a check fills what a library looks up once in a process; it does not count.

What these libraries fill is given back by nobody: no module of the code under test leads to it.
"""

import json
import logging
import os
import sys
import threading
import types
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import cache, partial
from itertools import product
from typing import Any

import pytest

from pytest_supercache import Verdict, check
from pytest_supercache.checking import serial_runs
from pytest_supercache.checking.check import check_on
from pytest_supercache.core.errors import ReplayDivergedError
from pytest_supercache.core.odds import Simulation
from pytest_supercache.core.result import CheckResult
from pytest_supercache.core.schedule import Schedule, read_token
from pytest_supercache.core.settings import Exploration
from pytest_supercache.layers.servers import start_server
from tests.selection import few

_server = cache(partial(start_server, "fakeredis"))
_lock = threading.Lock()
_NAME = "supercache_first_runs"
_FILLED = "SUPERCACHE_FIRST_RUNS"

Memo = tuple[Callable[[], bool], Callable[[], Any], Callable[[], Any]]


def _kinds() -> dict[str, Memo]:
    """Name places outside of the code under test: is it filled, fill it, empty it."""

    loggers = logging.root.manager.loggerDict
    return {
        "environment": (
            lambda: _NAME in os.environ,
            lambda: os.environ.update({_NAME: "1"}),
            lambda: os.environ.pop(_NAME, None),
        ),
        "imported modules": (
            lambda: _NAME in sys.modules,
            lambda: sys.modules.update({_NAME: types.ModuleType(_NAME)}),
            lambda: sys.modules.pop(_NAME, None),
        ),
        "class of the standard library": (
            lambda: hasattr(json.JSONEncoder, _NAME),
            lambda: setattr(json.JSONEncoder, _NAME, 1),
            lambda: hasattr(json.JSONEncoder, _NAME) and delattr(json.JSONEncoder, _NAME),
        ),
        "loggers": (
            lambda: _NAME in loggers,
            lambda: logging.getLogger(_NAME),
            lambda: loggers.pop(_NAME, None),
        ),
    }


@pytest.fixture
def memo(request: pytest.FixtureRequest) -> Iterator[Memo]:
    kept = _kinds()[request.param]
    yield kept
    kept[2]()


def flow(memo: Memo, *, is_locked: bool, stores: bool) -> Callable[[Any], None]:
    """Return a body whose users fill the memo; a reader that stores what it has read is broken."""
    section = _lock if is_locked else nullcontext()

    def body(world: Any) -> None:
        client = world.existing_cache.client()
        world.origin.set("k", "old")

        def read() -> None:
            use(client, memo, section)
            value = world.origin.get("k")
            if stores:
                client.set("k", value)

        def write() -> None:
            use(client, memo, section)
            world.origin.set("k", "new")
            client.delete("k")

        world.actor("reader", read)
        world.actor("writer", write)
        world.run()
        world.settle()
        assert client.get("k") in {None, b"new"}

    return body


def use(client: Any, memo: Memo, section: AbstractContextManager[Any]) -> None:
    """Look something up, once in a process."""
    is_filled, fill, _ = memo
    with section:
        if not is_filled():
            client.get("configuration")
            fill()


def replay(body: Callable[[Any], None], schedule: Schedule) -> CheckResult:
    settings = Exploration(odds=Simulation(runs=0))
    return check_on(_server(), body, settings, guarantees=(), replay=schedule)


def schedule_of(result: CheckResult) -> Schedule:
    assert result.counterexample is not None
    return read_token(result.counterexample.token)[1]


BROKEN_FIRST, BROKEN_LAST = (True, False), (False, True)
IN_A_ROW = [
    ("environment", True, BROKEN_FIRST), ("environment", False, BROKEN_LAST),
    *((kind, False, BROKEN_FIRST) for kind in _kinds() if kind != "environment"),
]  # fmt: skip
REST = list(product(_kinds(), (False, True), (BROKEN_FIRST, BROKEN_LAST)))


@pytest.mark.parametrize(
    ("memo", "locked", "order"),
    few(dict.fromkeys([*IN_A_ROW, *REST]), len(IN_A_ROW)),
    indirect=["memo"],
)
def test_two_flows_in_a_row_are_as_they_are_alone_and_the_token_replays_where_nothing_is_filled(
    memo: Memo, order: tuple[bool, bool], *, locked: bool
) -> None:
    for stores in order:
        body = flow(memo, is_locked=locked, stores=stores)
        result = check(body)
        assert result.verdict is (Verdict.VIOLATED if stores else Verdict.HOLDS), result.reasons
        if stores:
            schedule = schedule_of(result)
            memo[2]()  # as in a new process
            assert replay(body, schedule).verdict is Verdict.VIOLATED


@pytest.mark.parametrize("kind", ["loggers", "environment"])
def test_that_a_first_run_was_thrown_away_is_told_in_later_checks_of_the_same_code_too(
    kind: str,
) -> None:
    """The environment is given back when a check is over. The twin: a check of other code."""
    memo = _kinds()[kind]
    try:
        body = flow(memo, is_locked=True, stores=False)
        (note,) = check(body, memory="declared").notes
        assert note.startswith("the first run took 6 steps and then 5: "), note
        again = check(body, memory="declared")
        assert again.scope["first run"] == "not searched"
        first = "the first run of an earlier check took other steps" if kind == "loggers" else note
        assert len(again.notes) == 1
        assert again.notes[0].startswith(first)
        assert check(reading("k"), memory="declared").notes == ()
    finally:
        memo[2]()


@pytest.mark.parametrize("is_filled_once", [True, False])
def test_it_is_told_where_the_search_starts_over_for_the_memory_that_users_share(
    monkeypatch: pytest.MonkeyPatch, *, is_filled_once: bool
) -> None:
    """What the first run has taught, and what it has filled, are two reasons for another run."""
    monkeypatch.setenv(_FILLED, "")

    def body(world: Any) -> None:
        cache, last = world.existing_cache.client(), list[str]()
        if not is_filled_once:
            os.environ[_FILLED] = ""

        def load(name: str) -> None:
            last[:] = [name]
            if not os.environ[_FILLED]:
                cache.get("rates")
                os.environ[_FILLED] = "yes"

        for name in ("alice", "bob"):
            world.actor(name, load, name)
        world.run()

    result = check(body)
    assert result.verdict is Verdict.HOLDS, result.reasons
    told = [
        note for note in result.notes if note.startswith("the first run took 1 command and then 0")
    ]
    assert len(told) == is_filled_once


def test_what_is_filled_in_many_steps_is_waited_for() -> None:
    runs: list[int] = []
    result = check(growing(runs, until=serial_runs.WARM_UPS_MAX))
    assert result.verdict is Verdict.HOLDS
    assert len(runs) > serial_runs.WARM_UPS_MAX


def test_code_whose_every_run_differs_from_the_one_before_is_not_deterministic() -> None:
    result = check(growing([], until=10_000))
    assert result.verdict is Verdict.UNKNOWN
    assert "not deterministic" in result.reasons[0]


def reading(key: str) -> Callable[[Any], None]:
    """Return a body of which nothing is filled."""

    def body(world: Any) -> None:
        client = world.existing_cache.client()
        world.actor("reader", client.get, key)
        world.run()

    return body


def ask(client: Any, times: int) -> None:
    for _ in range(times):
        client.get("k")


def growing(runs: list[int], *, until: int) -> Callable[[Any], None]:
    """Return a body that takes one more step in each run, up to a limit."""

    def body(world: Any) -> None:
        client = world.existing_cache.client()
        number = min(len(runs), until)
        runs.append(1)
        world.actor("reader", partial(ask, client, number + 1))
        world.run()

    return body


def test_a_schedule_that_itself_fills_what_is_filled_once_is_tried_again() -> None:
    memo = _kinds()["environment"]
    is_filled, fill, empty = memo

    def body(world: Any) -> None:
        client = world.existing_cache.client()

        def read() -> None:
            if client.get("k") is None:
                return
            if not is_filled():  # only where the writer comes first
                fill()
                client.get("configuration")
            assert client.get("other") is not None

        def write() -> None:
            client.set("k", 1)
            client.set("other", 1)

        world.actor("a reader", read)
        world.actor("writer", write)
        world.run()

    try:
        fill()
        found = check(body)
        assert found.verdict is Verdict.VIOLATED
        empty()
        assert replay(body, schedule_of(found)).verdict is Verdict.VIOLATED
    finally:
        empty()


def test_a_schedule_that_never_fits_is_still_an_error() -> None:
    memo = _kinds()["environment"]
    try:
        body = flow(memo, is_locked=False, stores=True)
        with pytest.raises(ReplayDivergedError):
            replay(body, Schedule(choices=("reader",) * 20))
    finally:
        memo[2]()


def test_a_schedule_that_shows_nothing_any_more_is_unknown_in_its_first_run() -> None:
    memo = _kinds()["environment"]
    try:
        schedule = schedule_of(check(flow(memo, is_locked=False, stores=True)))
        body = flow(memo, is_locked=False, stores=False)
        with pytest.raises(ReplayDivergedError):
            replay(body, schedule)
    finally:
        memo[2]()
