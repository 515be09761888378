"""Finer grains than commands: races in plain code that only `line` or `await` can see.

Each race has a twin: the same code at grain `command`, and the fixed code at the finer grain.
"""

import asyncio
import contextlib
import sys
import threading

import pytest

from pytest_supercache import COHERENT_WHEN_SETTLED, Faults, SupercacheError, Verdict, check, watch
from pytest_supercache.checking.check import check_on
from pytest_supercache.core.schedule import read_token
from pytest_supercache.core.settings import Exploration
from pytest_supercache.core.verdict import Label
from pytest_supercache.declare.registry import REGISTRY
from pytest_supercache.layers.servers import start_server
from pytest_supercache.reference import NaiveShop
from tests.selection import few

BACKENDS = ["fakeredis", pytest.param("redis-server", marks=pytest.mark.redis_server)]


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
    found = check(loads_once("get"), grain="line", preemptions=1)
    assert found.verdict is Verdict.VIOLATED
    assert found.label is Label.CONFLICT
    assert found.counterexample.replays == "10/10"
    assert found.counterexample.preemptions == 1
    assert (
        found.counterexample.token.partition(";memory=")[0]
        .partition(";memory=")[0]
        .endswith(";grain=line")
    )
    assert all(
        "test_grains.py" in step.label
        for step in found.counterexample.execution.race
        if step.kind == "line"
    )


def test_check_then_act_on_a_dict_is_found_at_grain_command_too():
    found = check(loads_once("get"))
    assert found.verdict is Verdict.VIOLATED
    assert "Near.entries/" in found.counterexample.token


def test_it_is_not_found_where_memory_is_declared():
    watch(f"{__name__}:Near.get", lines=True)
    result = check(loads_once("get"), memory="declared")
    assert result.verdict is Verdict.HOLDS, result.reasons
    assert "context switches only at cache commands" in result.coverage


@pytest.mark.parametrize("search", few(["auto", "all-schedules"], 1))
def test_the_same_under_a_lock_holds_at_grain_line(search):
    watch(f"{__name__}:Near.get_locked", lines=True)
    result = check(loads_once("get_locked"), grain="line", search=search)
    assert result.verdict is Verdict.HOLDS, result.reasons
    assert "the lines of the functions that are named" in result.coverage


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
    check(loads_once("get"), grain="line", preemptions=1)
    if sys.version_info < (3, 12):
        from pytest_supercache.runtime.kernel import calling

        assert not calling.tracers
    else:
        assert sys.monitoring.get_tool(4) is None
        assert not sys.monitoring.get_local_events(4, Near.get.__code__)


def test_a_token_says_its_grain_and_is_replayed_at_it():
    watch(f"{__name__}:Near.get", lines=True)
    token = check(loads_once("get"), grain="line", preemptions=1).counterexample.token
    _, schedule = read_token(token)
    assert (schedule.grain, schedule.token("check")) == ("line", token)
    again = check_on(start_server("fakeredis"), loads_once("get"), Exploration(), replay=schedule)
    assert again.verdict is Verdict.VIOLATED
    assert again.counterexample.token == token


@pytest.mark.parametrize("grain", ["lines", "command", ""])
def test_a_token_of_another_grain_is_refused(grain):
    with pytest.raises(SupercacheError, match="expected wire, await, line"):
        read_token(f"sc1:check:alice,bob;grain={grain}")


class AsyncNear:
    """The same cache for coroutines: what it awaits is no layer that anybody has declared."""

    def __init__(self):
        self.entries = {}
        self.loads = 0
        self.lock = asyncio.Lock()

    async def get(self, key):
        if key not in self.entries:
            self.entries[key] = await self.load()
        return self.entries[key]

    async def get_locked(self, key):
        async with self.lock:
            return await self.get(key)

    async def load(self):
        self.loads += 1
        answer = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(answer.set_result, "loaded")
        return await answer


def awaited_once(method):
    async def body(world):
        near = AsyncNear()
        for name in ("alice", "bob"):
            world.actor(name, getattr(near, method), "k")
        await world.run()
        assert near.loads == 1

    return body


@pytest.mark.parametrize("memory", ["auto", "declared"])
def test_check_then_act_around_an_await_is_found_at_grain_await(memory):
    found = check(awaited_once("get"), grain="await", memory=memory)
    assert found.verdict is Verdict.VIOLATED
    assert found.label is Label.CONFLICT
    assert found.counterexample.replays == "10/10"
    assert (
        found.counterexample.token.partition(";memory=")[0]
        .partition(";memory=")[0]
        .endswith(";grain=await")
    )
    race = found.counterexample.execution.race
    labels = [s.label for s in race if s.kind == "await" and s.label != "start"]
    assert labels
    assert all("in load" in label for label in labels)


def test_check_then_act_around_an_await_is_not_found_at_grain_command():
    result = check(awaited_once("get"), memory="declared")
    assert result.verdict is Verdict.HOLDS, result.reasons


@pytest.mark.parametrize("memory", ["auto", "declared"])
def test_the_same_under_a_lock_of_asyncio_holds_at_grain_await(memory):
    result = check(awaited_once("get_locked"), grain="await", memory=memory)
    assert result.verdict is Verdict.HOLDS, result.reasons
    assert "awaits" in result.coverage


class Counted:
    """Says how many are inside; whoever is cancelled there must not be counted for ever."""

    def __init__(self, *, is_fixed):
        self.inside = 0
        self.is_fixed = is_fixed

    async def visit(self):
        self.inside += 1
        if not self.is_fixed:
            await self.pause()
            self.inside -= 1
            return
        try:
            await self.pause()
        finally:
            self.inside -= 1

    async def pause(self):
        answer = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(answer.set_result, None)
        await answer


@pytest.mark.parametrize("is_fixed", [False, True])
def test_a_task_can_be_cancelled_at_an_await(is_fixed):
    async def body(world):
        counted = Counted(is_fixed=is_fixed)
        world.actor("alice", counted.visit)
        await world.run()
        assert counted.inside == 0

    faults = Faults(max=1, kinds=({"cancel": "asyncio.CancelledError"},))
    result = check(body, grain="await", faults=faults)
    assert result.verdict is (Verdict.HOLDS if is_fixed else Verdict.VIOLATED), result.reasons
    if not is_fixed:
        assert result.label is Label.FAULT_BUG
        assert "go on after await" in result.counterexample.faults[0]


def test_a_task_that_is_cancelled_before_it_begins_is_no_forgotten_coroutine():
    async def body(world):
        async def parent():
            child = asyncio.get_running_loop().create_task(asyncio.sleep(1))
            child.cancel()
            await asyncio.wait([child])

        world.actor("alice", parent)
        await world.run()

    result = check(body, grain="await")
    assert result.verdict is Verdict.HOLDS, (result.reasons, result.counterexample)


def test_where_a_task_waits_for_ever_is_still_named_at_grain_await():
    async def body(world):
        async def waits():
            await asyncio.Event().wait()

        world.actor("alice", waits)
        await world.run()

    result = check(body, grain="await")
    assert result.verdict is Verdict.VIOLATED
    assert "in waits" in result.counterexample.violation.summary


class OneConnection:
    """A tiny client: all of its users share one connection, in turn or not."""

    def __init__(self, layers, *, is_fixed):
        client = layers.client(decode_responses=True)
        self.connection = client.connection_pool.get_connection()
        self.lock = threading.Lock() if is_fixed else contextlib.nullcontext()

    def get(self, key):
        with self.lock:
            self.connection.send_command("GET", key)
            return self.connection.read_response()


def own_replies(*, is_fixed):
    def body(world):
        for key in ("alice", "bob"):
            world.existing_cache.client().set(key, f"{key}-secret")
        client = OneConnection(world.existing_cache, is_fixed=is_fixed)
        for key in ("alice", "bob"):
            world.actor(key, client.get, key)
        assert world.run() == {"alice": "alice-secret", "bob": "bob-secret"}

    return body


@pytest.mark.parametrize("is_fixed", [False, True])
def test_replies_that_are_mixed_up_are_found_at_grain_wire(is_fixed):
    result = check(own_replies(is_fixed=is_fixed), grain="wire")
    assert result.verdict is (Verdict.HOLDS if is_fixed else Verdict.VIOLATED), result.reasons
    if not is_fixed:
        assert result.label is Label.CONFLICT
        assert result.counterexample.replays == "10/10"
        assert "bob-secret" in result.counterexample.violation.summary


def test_replies_are_not_mixed_up_where_a_command_is_one_step():
    assert check(own_replies(is_fixed=False)).verdict is Verdict.HOLDS


@pytest.mark.parametrize("backend", few(BACKENDS, 1))
@pytest.mark.parametrize(("grain", "schedules"), [("command", 2), ("wire", 6)])
def test_at_grain_wire_a_reply_is_a_step_of_its_own(backend, grain, schedules):
    seen = set()

    def body(world):
        client = world.existing_cache.client(decode_responses=True)
        for name in ("alice", "bob"):
            world.actor(name, client.incr, "visits")
        seen.add(tuple(world.run().values()))

    server = start_server(backend)
    settings = Exploration(grain=grain, memory="declared", search="all-schedules")
    try:
        result = check_on(server, body, settings, guarantees=())
    finally:
        server.close()
    assert (result.verdict, result.schedules) == (Verdict.HOLDS, schedules)
    assert seen == {(1, 2), (2, 1)}


def test_a_pipeline_is_received_in_one_step():
    def body(world):
        pipeline = world.existing_cache.client().pipeline()
        for key in ("a", "b", "c"):
            pipeline.get(key)
        world.actor("alice", pipeline.execute)
        world.actor("bob", world.existing_cache.client().get, "a")
        world.run()

    result = check(body, grain="wire", memory="declared", search="all-schedules")
    assert (result.verdict, result.schedules) == (Verdict.HOLDS, 6)


def test_commands_of_a_pipeline_without_a_transaction_are_sent_one_by_one_and_received_together():
    labels = []

    def body(world):
        pipeline = world.existing_cache.client().pipeline(transaction=False)
        pipeline.get("a").get("b")
        world.actor("alice", pipeline.execute)
        world.actor("bob", world.existing_cache.client().get, "a")
        world.run()
        labels.append([step.label for step in world.context.record.steps if step.actor == "alice"])

    result = check(body, grain="wire", memory="declared", search="all-schedules")
    assert (result.verdict, result.schedules) == (Verdict.HOLDS, 10)
    assert labels[0] == ["GET a", "GET b", "receive the reply to GET b"]


def test_a_client_that_caches_on_its_side_needs_a_server_that_tells_of_changes():
    from redis.cache import CacheConfig

    def body(world):
        client = world.existing_cache.client(protocol=3, cache_config=CacheConfig())
        world.actor("alice", client.get, "k")
        world.run()

    with pytest.raises(SupercacheError, match="redis-server"):
        check(body)


def _readers_of_one_key(count):
    from redis.cache import CacheConfig

    def body(world):
        client = world.existing_cache.client(protocol=3, cache_config=CacheConfig())
        plain = world.existing_cache.client()
        plain.set("k", "old")
        for number in range(count):
            world.actor(f"reader {number}", client.get, "k")
        world.actor("writer", plain.set, "k", "new")
        world.run()
        assert client.get("k") == b"new"

    return body


@pytest.mark.redis_server
@pytest.mark.parametrize(
    ("grain", "readers", "verdict"),
    few(
        [
            ("command", 1, Verdict.UNKNOWN),
            ("wire", 1, Verdict.HOLDS),
            ("command", 2, Verdict.UNKNOWN),
            # The smallest failing schedule is looked for in hundreds, each with its connections.
            ("wire", 2, Verdict.VIOLATED),
        ],
        2,
    ),
)
def test_a_client_that_caches_on_its_side_proves_something_at_grain_wire_only(
    grain, readers, verdict
):
    settings = Exploration(grain=grain, memory="declared", step_timeout=2)
    server = start_server("redis-server")
    try:
        result = check_on(server, _readers_of_one_key(readers), settings, guarantees=())
    finally:
        server.close()
    assert result.verdict is verdict, result.reasons
    assert ["grain: wire" in reason for reason in result.reasons] == [True] * (grain == "command")


@pytest.mark.redis_server
@pytest.mark.parametrize("sender", few(["nobody", "the reader", "another user"], 2))
def test_a_pushed_message_is_no_reply_to_a_reader(sender):
    from redis.cache import CacheConfig

    def body(world):
        caching = world.existing_cache.client(
            protocol=3, cache_config=CacheConfig(), socket_timeout=None
        )
        caching.get("k")
        connection = caching.connection_pool.get_connection()

        def read():
            if sender == "the reader":
                connection.send_command("PING")
            assert connection.read_response() == b"PONG"

        world.actor("reader", read)
        world.actor("writer", world.existing_cache.client().set, "k", "new")
        if sender == "another user":
            world.actor("other", connection.send_command, "PING")
        world.run()

    settings = Exploration(grain="wire", memory="declared", step_timeout=2)
    server = start_server("redis-server")
    try:
        result = check_on(server, body, settings, guarantees=())
    finally:
        server.close()
    expected = Verdict.VIOLATED if sender == "nobody" else Verdict.HOLDS
    assert result.verdict is expected, result.reasons
    if sender == "nobody":
        assert result.counterexample.conflict_class == "lost-wakeup"


@pytest.mark.parametrize("grain", ["command", "wire"])
def test_a_conflict_of_layers_has_the_same_class_at_grain_wire(grain):
    def body(world):
        world.origin.set("k", "old")
        shop = NaiveShop(world.node("a"))
        world.actor("alice", shop.get, "k")
        world.actor("bob", shop.set, "k", "new")
        world.run()
        world.settle()

    found = check(body, grain=grain, guarantees=[COHERENT_WHEN_SETTLED], memory="declared")
    assert found.verdict is Verdict.VIOLATED, found.reasons
    assert found.counterexample.conflict_class == "stale-set"
