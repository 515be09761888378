"""A guarantee about real time is found by a search that runs each interleaving once."""

import asyncio
import threading
import time

import pytest

from pytest_supercache import (
    COHERENT_WHEN_SETTLED,
    ISOLATED_USERS,
    LINEARIZABLE,
    NO_RESURRECTION,
    Guarantee,
    Label,
    SupercacheError,
    Verdict,
    Violation,
    check,
)
from pytest_supercache.oracle.guarantee import NeverJudgedError
from pytest_supercache.oracle.real_time import Pattern
from tests.selection import few


def deleted_meanwhile(read):
    """Alice raises a flag and reads; Bob deletes if he sees the flag.

    When they take turns nobody reads after the delete. Alice's look into her near cache depends on
    nothing that Bob does, so that both of its places are one interleaving.
    """

    def body(world):
        world.origin.set("x", 0)
        world.super_cache.put("x", 0)

        def alice():
            world.origin.set("flag", 1)
            with world.operation("read", "x") as reading:
                reading.answer = read(world)

        def bob():
            if world.origin.get("flag"):
                with world.operation("delete", "x"):
                    world.origin.delete("x")

        world.actor("alice", alice)
        world.actor("bob", bob, node="b")
        world.run()

    return body


def near(world):
    return world.super_cache.get("x")


def far(world):
    return world.origin.get("x")


@pytest.mark.parametrize("search", ["exhaustive", "all-schedules"])
def test_an_order_of_independent_steps_that_breaks_it_is_found_and_replays(search):
    found = check(deleted_meanwhile(near), guarantees=[NO_RESURRECTION], search=search)
    assert found.verdict is Verdict.VIOLATED
    assert found.counterexample.violation.guarantee == "no_resurrection"
    assert found.counterexample.replays == "10/10"
    assert found.counterexample.preemptions == 1
    assert found.counterexample.schedule.choices == ("alice", "bob", "bob", "alice")


@pytest.mark.parametrize("search", ["exhaustive", "all-schedules"])
def test_where_every_read_asks_the_origin_it_holds(search):
    result = check(deleted_meanwhile(far), guarantees=[NO_RESURRECTION], search=search)
    assert result.verdict is Verdict.HOLDS


def test_without_a_second_user_it_holds_though_the_near_cache_is_never_told():
    def body(world):
        world.super_cache.put("x", 0)

        def alice():
            with world.operation("read", "x") as reading:
                reading.answer = near(world)

        world.actor("alice", alice)
        world.run()
        world.origin.set("x", 0)

    assert check(body, guarantees=[NO_RESURRECTION]).verdict is Verdict.HOLDS


def reads_last(execution):
    """Find a read that was called when somebody else had deleted: of the order, not the trace."""
    operations = execution.history.operations
    for delete in operations:
        for read in operations:
            if (delete.kind, read.kind) == ("delete", "read") and delete.precedes(read):
                return Violation(guarantee="reads_last", summary="read after the delete")
    return None


def test_a_real_time_guarantee_that_names_no_orders_switches_the_reduction_off():
    guarantee = Guarantee("reads_last", reads_last, real_time=True)
    found = check(deleted_meanwhile(near), guarantees=[guarantee], search="exhaustive")
    assert found.verdict is Verdict.VIOLATED
    assert "reduction is off: reads_last is about real time" in found.notes[0]


def test_one_that_is_declared_of_kind_trace_is_judged_once_for_each_interleaving():
    guarantee = Guarantee("reads_last", lambda execution: None)
    result = check(deleted_meanwhile(near), guarantees=[guarantee], search="exhaustive")
    assert (result.verdict, result.executions, result.notes) == (Verdict.HOLDS, 2, ())


def test_a_guarantee_that_no_execution_can_be_judged_by_is_refused_before_the_search():
    executed = []

    def body(world):
        executed.append(world)
        deleted_meanwhile(far)(world)

    with pytest.raises(SupercacheError, match=r"coherent_when_settled cannot be judged: .*settle"):
        check(body, guarantees=[COHERENT_WHEN_SETTLED], search="exhaustive")
    with pytest.raises(SupercacheError, match="isolated_users cannot be judged: no key belongs"):
        check(body, guarantees=[ISOLATED_USERS], search="exhaustive")
    refused = len(executed) / 2

    del executed[:]
    result = check(body, guarantees=[], search="exhaustive")
    assert refused <= len(executed) - result.executions


def test_a_guarantee_that_is_not_judged_in_some_executions_only_is_searched_for():
    def find_violation(execution):
        if execution.race[0].actor == "alice":
            raise NeverJudgedError("alice came first")

    guarantee = Guarantee("asked", find_violation)
    result = check(deleted_meanwhile(near), guarantees=[guarantee], search="exhaustive")
    assert (result.verdict, result.reasons) == (
        Verdict.UNKNOWN, ("asked was not judged: alice came first",),
    )  # fmt: skip


def last_steps(execution):
    """Return where bob deleted, where alice looked, and where the clock moved; if they did."""
    last = {(s.actor, s.index): at for at, s in enumerate(execution.steps) if s.phase == "race"}
    return [last.get(step) for step in (("bob", 1), ("alice", 1), ("@clock", 0))]


def waited_then(execution):
    """Alice read after the delete, and somebody waited for a lock already when the clock moved."""
    deleted, read, tick = last_steps(execution)
    if deleted is not None and deleted < read < tick and execution.results["waits"] == (0, 1):
        return Violation(guarantee="waited_then", summary="read after the delete")
    return None


def deletes_first(execution):
    deleted, read, _ = last_steps(execution)
    if deleted is not None:
        yield Pattern(((deleted, read),))


@pytest.mark.parametrize("search", few(["exhaustive", "all-schedules"], 1))
def test_in_another_order_the_same_users_have_begun_when_the_clock_moves(monkeypatch, search):
    monkeypatch.setattr(
        "pytest_supercache.checking.reduction_check.ReductionCheck.are_few",
        property(lambda _reduction_check: False),
    )

    def body(world):
        started, lock = time.monotonic(), threading.Lock()

        def holds():
            with lock:
                time.sleep(1)  # noqa: TID251 - what code under test does

        def waits():
            looked = round(time.monotonic() - started)
            with lock:
                return looked, round(time.monotonic() - started)

        def alice():
            world.origin.set("flag", 1)
            near(world)

        def bob():
            if world.origin.get("flag"):
                world.origin.delete("x")

        world.actor("alice", alice)
        world.actor("bob", bob)
        world.actor("holds", holds)
        world.actor("waits", waits)
        world.run()

    guarantee = Guarantee("waited_then", waited_then, real_time=True, find_patterns=deletes_first)
    found = check(body, guarantees=[guarantee], search=search, ticks=1, memory="declared")
    assert (found.verdict, found.label, found.notes) == (Verdict.VIOLATED, Label.CONFLICT, ())


class SingleFlight:
    """Readers of one key share a task that loads it; a writer ends the flight, or forgets to."""

    def __init__(self, origin, *, ends_flights):
        self.origin, self.ends_flights = origin, ends_flights
        self.flights = {}

    async def _load(self, key):
        value = await self.origin.get(key)
        if self.flights.get(key) is asyncio.current_task():
            del self.flights[key]
        return value

    async def get(self, key):
        if key not in self.flights:
            self.flights[key] = asyncio.create_task(self._load(key))
        return await self.flights[key]

    async def set(self, key, value):
        await self.origin.set(key, value)
        if self.ends_flights:
            self.flights.pop(key, None)


@pytest.mark.parametrize("search", few(["exhaustive", "all-schedules"], 1))
@pytest.mark.parametrize(
    ("ends_flights", "verdict"), [(True, Verdict.HOLDS), (False, Verdict.VIOLATED)]
)
def test_a_read_that_waits_for_the_flight_of_another_began_when_it_was_called(
    search, ends_flights, verdict
):
    async def body(world):
        shop = SingleFlight(world.origin.aio, ends_flights=ends_flights)
        users = {name: world.user(name, shop) for name in "abc"}
        await users["c"].write("k", 1)
        world.actor("a", users["a"].read, "k")
        world.actor("b", users["b"].read, "k")
        world.actor("c", users["c"].write, "k", 2)
        await world.run()

    result = check(body, guarantees=[LINEARIZABLE], search=search)
    assert result.verdict is verdict, (result.reasons, result.counterexample)
