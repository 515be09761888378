"""Programs of coroutines on the real stack: the counts of their twins, and what asyncio does.

The uncontrolled thing to compare with is always the same program written for threads.
"""

import asyncio
import contextvars
import gc
import time
import warnings
import weakref
from asyncio import create_task
from concurrent.futures import ThreadPoolExecutor
from math import comb
from pathlib import Path

import pytest

from pytest_supercache import COHERENT_WHEN_SETTLED, SupercacheError, Verdict, check
from pytest_supercache.checking.check import check_on
from pytest_supercache.core.settings import Exploration
from pytest_supercache.layers.clock import EPOCH
from pytest_supercache.layers.servers import start_server
from pytest_supercache.reference import FixedShop, NaiveShop
from pytest_supercache.runtime.kernel.baton import SPARE_MAX
from tests import async_shops
from tests.searched import few_random_schedules
from tests.selection import few

KEY = "product:42"
BACKENDS = [
    "fakeredis",
    pytest.param("redis-server", marks=pytest.mark.redis_server),
    pytest.param("valkey-server", marks=pytest.mark.valkey_server),
]


def every(body, **options):
    """Run every schedule of ``body``; return the result."""
    return check(body, search="all-schedules", stop_at_first=False, **options)


def summary(result):
    """Return what a violation says."""
    assert result.verdict is Verdict.VIOLATED, (result.verdict, result.reasons)
    return result.counterexample.violation.summary


def gets(world, count, key):
    client = world.existing_cache.aclient()

    async def flow():
        for _ in range(count):
            await client.get(key)

    return flow


def blocking_gets(world, count, key):
    client = world.existing_cache.client()

    def flow():
        for _ in range(count):
            client.get(key)

    return flow


# -- counts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("a", "b"), few([(1, 1), (2, 3), (1, 4), (4, 4)], 2))
def test_two_straight_coroutines_take_all_their_merges_and_are_one_interleaving(a, b):
    async def body(world):
        world.actor("a", gets(world, a, "x"))
        world.actor("b", gets(world, b, "y"))
        await world.run()

    result = every(body)
    assert (result.verdict, result.executions) == (Verdict.HOLDS, comb(a + b, a))
    assert check(body, search="exhaustive").executions == 1


def test_coroutines_and_threads_take_their_merges_in_a_plain_body_too():
    def body(world):
        world.actor("a", gets(world, 2, "x"))
        world.actor("b", blocking_gets(world, 3, "y"))
        world.run()

    assert every(body).executions == comb(5, 2)


@pytest.mark.parametrize("backend", few(BACKENDS, 2))
def test_a_lost_update_is_found_in_the_same_four_of_six_schedules_on_every_backend(backend):
    async def body(world):
        client = world.existing_cache.aclient()

        async def increment():
            value = int(await client.get("n") or 0)
            await client.set("n", value + 1)

        world.actor("a", increment)
        world.actor("b", increment)
        await world.run()
        assert await client.get("n") == b"2"

    server = start_server(backend)
    try:
        settings = Exploration(search="all-schedules", stop_at_first=False)
        result = check_on(server, body, settings, guarantees=())
    finally:
        server.close()
    assert (result.executions, result.violating) == (6, 4)
    assert result.counterexample.replays == "10/10"


def price_change(make, nodes, run):
    """One reader and one writer of one key."""

    def setup(world):
        world.origin.set(KEY, {"price": 100})
        shops = {node: make(world.node(node)) for node in dict.fromkeys(nodes)}
        reader, writer = nodes
        world.actor("alice", shops[reader].get, KEY, node=reader)
        world.actor("bob", shops[writer].set, KEY, {"price": 120}, node=writer)

    async def awaited(world):
        setup(world)
        await world.run()
        world.settle()

    def called(world):
        setup(world)
        world.run()
        world.settle()

    return awaited if run == "awaited" else called


def test_the_reference_conflict_written_with_coroutines_is_the_same_conflict():
    found = []
    for make, run in ((async_shops.NaiveShop, "awaited"), (NaiveShop, "called")):
        body = price_change(make, "ab", run)
        options = {"guarantees": [COHERENT_WHEN_SETTLED], "stop_at_first": False}
        result = check(body, search="exhaustive", **options)
        counterexample = result.counterexample
        found.append(
            (result.verdict, result.executions, result.schedules, result.violating,
             result.label, counterexample.token, counterexample.replays)
        )  # fmt: skip
    assert found[0] == found[1]
    assert found[0][0] is Verdict.VIOLATED
    assert found[0][2] == 504
    assert found[0][-1] == "10/10"


def test_the_reference_fix_written_with_coroutines_holds_in_as_many_interleavings():
    executions = []
    for make, run in ((async_shops.FixedShop, "awaited"), (FixedShop, "called")):
        body = price_change(make, "aa", run)
        result = check(body, search="exhaustive", guarantees=[COHERENT_WHEN_SETTLED])
        assert result.verdict is Verdict.HOLDS, result.reasons
        executions.append(result.executions)
    assert executions[0] == executions[1]


# -- what asyncio does -------------------------------------------------------------------------


def crossing(order):
    """Two coroutines that take two locks, the second one in ``order``."""

    async def body(world):
        client = world.existing_cache.aclient()
        locks = {"one": asyncio.Lock(), "two": asyncio.Lock()}

        async def flow(first, second, key):
            async with locks[first]:
                await client.get(key)
                async with locks[second]:
                    await client.get(key)

        world.actor("a", flow, "one", "two", "x")
        world.actor("b", flow, *order, "y")
        await world.run()

    return body


def test_coroutines_that_wait_for_each_others_lock_are_found_and_the_lines_are_named():
    result = check(crossing(("two", "one")))
    text = summary(result)
    assert text.startswith("nobody can go on: a waits at 'await test_async_programs.py:")
    assert "b waits at" in text
    assert result.counterexample.replays == "10/10"


def test_coroutines_that_take_their_locks_in_one_order_never_wait_for_ever():
    assert every(crossing(("one", "two"))).verdict is Verdict.HOLDS


async def _set(event):
    event.set()


async def _notify(condition):
    async with condition:
        condition.told = True
        condition.notify()


async def _hear(condition):
    async with condition:
        await condition.wait_for(lambda: hasattr(condition, "told"))


async def _fill(future):
    future.set_result("filled")


async def _take(future):
    assert await future == "filled"


async def _get(queue):
    assert await queue.get() == "sent"


async def _enter(semaphore):
    async with semaphore:
        assert not hasattr(semaphore, "inside")
        semaphore.inside = True
        await asyncio.sleep(0)
        del semaphore.inside


MEETINGS = {
    "event": (asyncio.Event, _set, lambda event: event.wait()),
    "queue": (lambda: asyncio.Queue(1), lambda queue: queue.put("sent"), _get),
    "barrier": (lambda: asyncio.Barrier(2), lambda it: it.wait(), lambda it: it.wait()),
    "semaphore": (lambda: asyncio.Semaphore(1), _enter, _enter),
    "condition": (asyncio.Condition, _notify, _hear),
    "future": (lambda: asyncio.get_running_loop().create_future(), _fill, _take),
}


INTERLEAVINGS = {"event": 2, "queue": 2, "barrier": 2, "semaphore": 4, "condition": 2}
"""Of two who read keys of their own and then meet; the first answer is to come in each order."""


def meeting(make, first, second, *, at_one):
    """Two coroutines read keys of their own, and then use one tool, or two."""

    async def body(world):
        client, one, other = world.existing_cache.aclient(), make(), make()

        async def meet(side, key, tool):
            await client.get(key)
            await side(tool)

        world.actor("first", meet, first, "x", one)
        world.actor("second", meet, second, "y", one if at_one else other)
        await world.run()

    return check(body)


@pytest.mark.parametrize("name", INTERLEAVINGS)
def test_what_tasks_meet_at_works_and_orders_them(name):
    result = meeting(*MEETINGS[name], at_one=True)
    assert result.verdict is Verdict.HOLDS, (result.reasons, result.counterexample)
    assert (result.interleavings, result.notes) == (INTERLEAVINGS[name], ())


@pytest.mark.parametrize("name", ["event", "semaphore"])
def test_tasks_that_use_a_tool_each_have_one_order(name):
    make, first, _ = MEETINGS[name]
    result = meeting(make, first, first, at_one=False)
    assert (result.verdict, result.interleavings) == (Verdict.HOLDS, 1)


def test_a_bare_future_of_two_makes_memory_shared():
    result = meeting(*MEETINGS["future"], at_one=True)
    assert result.verdict is Verdict.HOLDS, (result.reasons, result.counterexample)
    assert any(note.startswith("memory is treated as shared") for note in result.notes)


def test_awaiting_a_task_of_another_orders_the_two():
    def single_flight(is_shared):
        async def body(world):
            client, flights = world.existing_cache.aclient(), {}

            async def read(name):
                key = "k" if is_shared else name
                if key not in flights:
                    flights[key] = asyncio.create_task(client.get("k"))
                return await flights[key]

            world.actor("a", read, "a")
            world.actor("b", read, "b")
            assert await world.run() == {"a": None, "b": None}

        return body

    with few_random_schedules():
        found = {shared: check(single_flight(shared)) for shared in (True, False)}
    assert {result.verdict for result in found.values()} == {Verdict.HOLDS}
    assert [found[shared].interleavings for shared in (True, False)] == [4, 1]
    assert not any(result.notes for result in found.values())


def gathering(keys):
    """Each of two coroutines gathers two reads, and a task of its own writes one of the keys."""

    async def body(world):
        origin = world.origin.aio

        async def copy(key, other):
            number, _ = await asyncio.gather(origin.get(key), origin.get(other))
            await asyncio.create_task(origin.set(key, number))

        for name, key in keys.items():
            world.actor(name, copy, key, "other")
        await world.run()

    with few_random_schedules():
        return check(body)


def test_who_gathers_and_writes_what_another_one_reads_is_ordered_with_that_one_only():
    assert gathering({"a": "k", "b": "k"}).interleavings == 16
    assert gathering({"a": "k", "b": "l"}).interleavings == 4  # each has two orders of answers


def test_a_tool_that_only_one_coroutine_uses_does_not_make_memory_shared():
    async def body(world):
        client = world.existing_cache.aclient()

        async def flow():
            event, lock = asyncio.Event(), asyncio.Lock()
            async with lock:
                await client.get("x")
            event.set()
            await event.wait()

        world.actor("a", flow)
        world.actor("b", flow)
        await world.run()

    assert check(body).notes == ()


def test_a_wait_between_answer_and_next_command_is_seen_only_because_memory_is_shared():
    """The answer of `a` and what it does next may part: then `b` can come in between."""

    async def body(world):
        client = world.existing_cache.aclient()
        lock, seen = asyncio.Lock(), []

        async def a():
            await client.get("x")
            seen.append(lock.locked())

        async def b():
            async with lock:
                await client.get("y")

        world.actor("a", a)
        world.actor("b", b)
        await world.run()
        assert seen == [False]

    assert check(body).verdict is Verdict.VIOLATED


# -- time --------------------------------------------------------------------------------------


def test_coroutines_that_sleep_as_long_wake_in_their_order_and_threads_in_any():
    async def awaited(world):
        client = world.existing_cache.aclient()

        async def flow(key):
            await client.get(key)
            await asyncio.sleep(1)
            await client.get(key)

        world.actor("a", flow, "x")
        world.actor("b", flow, "y")
        await world.run()
        assert asyncio.get_running_loop().time() - EPOCH.timestamp() in {1.0, 2.0}

    def called(world):
        client = world.existing_cache.client()

        def flow(key):
            client.get(key)
            time.sleep(1)  # noqa: TID251 - the twin
            client.get(key)

        world.actor("a", flow, "x")
        world.actor("b", flow, "y")
        world.run()

    assert [every(body, ticks=0).executions for body in (awaited, called)] == [6, 12]


def test_timeouts_run_by_virtual_time():
    async def body(world):
        client = world.existing_cache.aclient()

        async def first():
            try:
                async with asyncio.timeout(1):
                    await asyncio.sleep(3600)
            except TimeoutError:
                return await client.get("x") or "late"

        async def second():
            try:
                await asyncio.wait_for(asyncio.sleep(3600), 2)
            except TimeoutError:
                return await client.get("y") or "later"

        async def third():
            async with asyncio.timeout(3600):
                await asyncio.sleep(3)
            loop = asyncio.get_running_loop()
            fired = loop.create_future()
            loop.call_later(1, fired.set_result, "called")
            return await fired

        for flow in (first, second, third):
            world.actor(flow.__name__, flow)
        assert await world.run() == {"first": "late", "second": "later", "third": "called"}
        assert world.clock.now() == 4.0

    result = every(body, ticks=0)
    assert result.verdict is Verdict.HOLDS, summary(result)


def test_a_timeout_may_come_early_as_an_explored_choice():
    """A slow command: the timer fires although its task could have gone on."""

    async def body(world):
        client = world.existing_cache.aclient()

        async def flow():
            async with asyncio.timeout(1):
                await client.get("x")

        world.actor("a", flow)
        await world.run()

    assert every(body, ticks=0).verdict is Verdict.HOLDS
    assert "TimeoutError" in summary(every(body))


# -- tasks that code spawns --------------------------------------------------------------------


def test_spawned_tasks_are_actors_named_after_who_spawned_them_and_count_to_its_operation():
    seen = set()

    async def body(world):
        client = world.existing_cache.aclient()

        async def read(_key):
            async with asyncio.TaskGroup() as group:
                group.create_task(client.get("x"))
                group.create_task(client.get("y"))
            return await client.get("z")

        system = type("System", (), {"get": staticmethod(read)})
        world.actor("alice", world.user("alice", system).read, "k")
        await world.run()
        race = [step for step in world.context.record.steps if step.phase == "race"]
        seen.add(tuple((step.actor, step.label, step.operation) for step in race))

    result = every(body, memory="declared")
    assert result.verdict is Verdict.HOLDS, summary(result)
    x, y, z = ("alice/1", "GET x", 0), ("alice/2", "GET y", 0), ("alice", "GET z", 0)
    assert seen == {(x, y, z), (y, x, z)}


def test_a_task_gets_its_chance_before_the_first_command_of_who_spawned_it():
    async def body(world):
        client = world.existing_cache.aclient()

        async def alice():
            task = asyncio.create_task(client.set("x", "task"))
            found = await client.get("x")
            await task
            return found

        world.actor("alice", alice)
        outcomes.append((await world.run())["alice"])

    outcomes = []
    assert every(body).verdict is Verdict.HOLDS
    assert set(outcomes) == {None, b"task"}


def test_the_content_after_the_last_step_of_a_task_is_recorded():
    async def body(world):
        client = world.existing_cache.aclient(decode_responses=True)

        async def alice():
            await asyncio.gather(client.set("x", "1"), client.set("y", "1"))
            await client.get("x")
            raise ValueError("stop")

        world.actor("alice", alice)
        await world.run()

    steps = check(body).counterexample.trace
    content = [step.layers["existing_cache"] for step in steps if step.kind == "command"]
    assert content == [{"x": "1"}, {"x": "1", "y": "1"}, {"x": "1", "y": "1"}]


def test_a_cancelled_task_leaves_a_record_in_which_its_cleanup_is_a_step():
    labels = set()

    async def body(world):
        client = world.existing_cache.aclient()

        async def work():
            try:
                await client.get("a")
                await client.get("b")
            except asyncio.CancelledError:
                await client.set("cleaned", 1)
                raise

        async def alice():
            task = asyncio.create_task(work())
            await client.get("x")
            task.cancel()
            await asyncio.wait([task])

        world.actor("alice", alice)
        await world.run()
        steps = [step for step in world.context.record.steps if step.actor == "alice/1"]
        assert [step.index for step in steps] == list(range(len(steps)))
        labels.add(tuple(step.label for step in steps if step.kind == "command"))

    assert every(body).verdict is Verdict.HOLDS
    assert labels == {
        ("SET cleaned",),
        ("GET a", "SET cleaned"),
        ("GET a", "GET b"),
        ("GET a", "GET b", "SET cleaned"),  # cancelled before the answer
    }


async def boom(client):
    await client.get("x")
    raise ValueError("lost")


def fail():
    raise ValueError("lost")


def job(pool=None):
    return asyncio.get_running_loop().run_in_executor(pool, fail)


async def endless(_client):
    await asyncio.get_running_loop().create_future()


async def until_told(client):
    told = asyncio.Event()
    while not told.is_set():
        await told.wait()
        await client.get("z")


async def until_it_ends(_client):
    async def listen():
        yield 1
        await asyncio.get_running_loop().create_future()

    async for _ in listen():
        pass


async def until_it_fails(_client):
    try:
        while True:
            await asyncio.get_running_loop().create_future()
    except ValueError:
        return


@pytest.mark.parametrize(
    ("leave", "expected"),
    few(
        [
            (lambda client: create_task(until_it_ends(client)), "alice/1 waits at 'await test_as"),
            (lambda client: create_task(boom(client)), "alice/1 raised ValueError: lost"),
            (lambda _client: job(), "alice/1 raised ValueError: lost"),
            (lambda client: create_task(endless(client)), "alice/1 waits at 'await test_async"),
            (lambda client: [boom(client)].clear(), "the coroutine 'boom' was never awaited"),
            (lambda client: create_task(until_it_fails(client)), "alice/1 waits at 'await test_as"),
            (lambda _client: job(ThreadPoolExecutor(1)), "alice/1 raised ValueError: lost"),
            (lambda _client: create_task(asyncio.wait([job()])), "alice/1 raised ValueError"),
            (lambda client: create_task(until_told(client)), "alice/1 waits at 'await test_as"),
        ],
        5,
    ),
)
def test_what_a_user_leaves_behind_is_not_an_answer(leave, expected):
    async def body(world):
        client = world.existing_cache.aclient()

        async def alice():
            left = leave(client)
            await client.get("y")
            return left is None

        world.actor("alice", alice)
        await world.run()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert expected in summary(check(body))


async def caught():
    with pytest.raises(ValueError, match="lost"):
        await job()


async def given_up():
    job().cancel()


async def looked_at():
    job().add_done_callback(asyncio.Future.exception)


async def gathered():
    await asyncio.gather(job(), job(), return_exceptions=True)


@pytest.mark.parametrize("use", [caught, given_up, looked_at, gathered])
def test_the_exception_of_a_job_that_somebody_looks_at_is_not_lost(use):
    async def body(world):
        world.actor("alice", use)
        world.actor("bob", world.existing_cache.aclient().get, "x")
        await world.run()

    assert check(body).verdict is Verdict.HOLDS


def test_the_exception_of_a_job_before_the_race_is_lost_as_well():
    async def body(world):
        job()
        world.actor("alice", world.existing_cache.aclient().get, "x")
        await world.run()

    assert "body raised ValueError: lost" in summary(check(body))


def test_users_inherit_the_context_of_the_body_and_share_none():
    variable = contextvars.ContextVar("variable")
    seen = set()

    async def body(world):
        client = world.existing_cache.aclient()
        variable.set("body")

        async def flow(name):
            inherited = variable.get()
            variable.set(name)
            await client.get(name)
            return inherited, variable.get()

        for name in ("alice", "bob"):
            world.actor(name, flow, name)
        seen.add(tuple(sorted((await world.run()).items())))
        assert variable.get() == "body"

    assert every(body).verdict is Verdict.HOLDS
    assert seen == {(("alice", ("body", "alice")), ("bob", ("body", "bob")))}


def test_a_callback_of_a_task_runs_in_the_context_of_the_code_that_adds_it():
    name = contextvars.ContextVar("name", default="")
    seen = []

    async def body(world):
        async def work():
            name.set("of the task")

        async def flow():
            task = asyncio.create_task(work())
            name.set("of the flow")
            task.add_done_callback(lambda _task: seen.append(name.get()))
            await task

        world.actor("a", flow)
        await world.run()

    assert check(body).verdict is Verdict.HOLDS
    assert set(seen) == {"of the flow"}


async def keep_alive(client):
    while True:
        await asyncio.sleep(15)
        await client.ping()


@pytest.mark.parametrize(
    ("keeps_alive", "ticks"), few([(False, "auto"), (True, 0), (True, "auto")], 2)
)
def test_a_task_that_serves_for_ever_may_wait_when_everybody_has_ended(keeps_alive, ticks):
    async def body(world):
        client, questions = world.existing_cache.aclient(), asyncio.Queue()

        async def serve():
            try:
                while True:
                    (await questions.get()).set_result(await client.get("x"))
            except asyncio.CancelledError:
                return

        async def ask():
            answer = asyncio.get_running_loop().create_future()
            questions.put_nowait(answer)
            return await answer

        async def alice():
            asyncio.get_running_loop().create_task(serve())
            if keeps_alive:
                asyncio.get_running_loop().create_task(keep_alive(client))
            return await ask()

        world.actor("alice", alice)
        await world.run()
        assert await ask() is None  # the body is served, too

    assert check(body, ticks=ticks).verdict is Verdict.HOLDS


def test_a_user_who_waits_for_a_task_that_serves_for_ever_has_no_answer():
    async def body(world):
        client = world.existing_cache.aclient()

        async def serve():
            while True:
                await asyncio.Event().wait()

        async def alice():
            await client.get("x")
            await asyncio.create_task(serve())

        world.actor("alice", alice)
        await world.run()

    assert "alice waits at 'await test_async" in summary(check(body))


def test_what_a_user_looks_after_is_no_violation():
    async def body(world):
        client = world.existing_cache.aclient()

        async def alice():
            tasks = [asyncio.create_task(boom(client)), asyncio.create_task(endless(client))]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            assert isinstance(tasks[0].exception(), ValueError)
            tasks[1].cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        world.actor("alice", alice)
        await world.run()

    result = every(body)
    assert result.verdict is Verdict.HOLDS, summary(result)


def test_functions_on_threads_of_an_executor_are_actors_too():
    async def body(world):
        blocking, client = world.existing_cache.client(), world.existing_cache.aclient()

        async def alice():
            value = int(await asyncio.to_thread(blocking.get, "n") or 0)
            await client.set("n", value + 1)

        async def bob():
            await client.incr("n")

        world.actor("alice", alice)
        world.actor("bob", bob)
        await world.run()
        assert await client.get("n") == b"2"

    result = every(body)
    assert result.violating >= 1
    assert "alice/1" in result.counterexample.token


def test_a_background_task_of_the_system_may_still_wait_at_the_end_and_hears_messages():
    delays = set()

    async def body(world):
        client = world.existing_cache.aclient()
        heard = []

        async def listen():
            subscription = client.pubsub()
            await subscription.subscribe("news")
            async for message in subscription.listen():
                heard.append(message["data"])  # noqa: PERF401 - one at a time

        async def publish():
            await client.publish("news", "new")
            await client.get("x")
            delays.add(len(heard))

        task = asyncio.create_task(listen())
        await world.settle()
        world.actor("alice", publish)
        await world.run()
        assert heard == [1, b"new"]
        assert not task.done()

    result = every(body, memory="declared")
    assert result.verdict is Verdict.HOLDS, summary(result)
    assert delays == {1, 2}


def test_a_blocking_command_waits_for_the_one_that_feeds_it():
    async def body(world):
        client = world.existing_cache.aclient()

        async def feed():
            await client.get("x")
            await client.rpush("queue", "v")

        world.actor("pop", client.blpop, "queue", 0)
        world.actor("feed", feed)
        assert (await world.run())["pop"] == (b"queue", b"v")

    assert every(body).verdict is Verdict.HOLDS


def test_a_blocking_command_that_nobody_feeds_is_found():
    async def body(world):
        world.actor("pop", world.existing_cache.aclient().blpop, "queue", 0)
        await world.run()

    assert "nobody can go on: pop" in summary(check(body))


def test_an_awaited_transaction_is_one_commit_and_an_error_takes_it_back():
    async def body(world):
        async def rolled_back():
            async with world.origin.aio.transaction() as transaction:
                await transaction.set("x", 3)
                raise KeyError("x")

        async def flow():
            async with world.origin.aio.transaction() as transaction:
                await transaction.set("x", 1)
                await transaction.set("y", 2)
            with pytest.raises(KeyError):
                await rolled_back()
            return await world.origin.aio.get("x"), await world.origin.aio.version("x")

        world.actor("a", flow)
        assert (await world.run())["a"] == (1, 1)
        assert [write.committed for write in world.origin.uncommitted] == [True, True, False]
        assert [load.key for load in world.origin.loads] == ["x"]

    result = every(body)
    assert (result.verdict, result.executions) == (Verdict.HOLDS, 1), result.counterexample


# -- misuse, and what is left behind -----------------------------------------------------------


def test_a_blocking_call_inside_a_coroutine_is_said_to_part_nothing():
    async def body(world):
        client, blocking = world.existing_cache.aclient(), world.existing_cache.client()

        async def flow():
            await client.get("x")
            blocking.get("y")

        world.actor("a", flow)
        world.actor("b", flow)
        await world.run()

    result = check(body)
    assert result.verdict is Verdict.HOLDS
    assert "blocking calls inside coroutines" in result.coverage


def test_a_body_that_waits_for_ever_says_so():
    async def body(world):
        world.actor("a", gets(world, 1, "x"))
        await world.run()
        await asyncio.Event().wait()

    assert "the body waits for ever" in summary(check(body))


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (lambda world: None, "await world.run"),
        (lambda world: world.actor("b", lambda: gets(world, 1, "x")()), "returned a coroutine"),
    ],
)
def test_misuse_is_an_error_that_says_what_to_write(run, message):
    async def body(world):
        world.actor("a", gets(world, 1, "x"))
        if run(world) is None and len(world._actors) > 1:
            await world.run()

    with pytest.raises(SupercacheError, match=message):
        check(body)


def test_a_check_inside_a_running_loop_works():
    async def body(world):
        world.actor("a", gets(world, 1, "x"))
        world.actor("b", gets(world, 1, "x"))
        await world.run()

    async def outside():
        return every(body).executions

    assert asyncio.run(outside()) == 2


def test_a_lock_made_once_serves_every_execution():
    lock = asyncio.Lock()

    async def body(world):
        client = world.existing_cache.aclient()

        async def flow():
            async with lock:
                await client.get("x")

        world.actor("a", flow)
        world.actor("b", flow)
        await world.run()

    assert every(body).verdict is Verdict.HOLDS


def test_nothing_of_an_execution_is_left_behind():
    loops = []
    before = (asyncio.sleep, asyncio.wait_for, asyncio.Lock.acquire, asyncio.Queue.put)

    async def body(world):
        world.actor("a", gets(world, 1, "x"))
        await world.run()
        loops.append(weakref.ref(asyncio.get_running_loop()))

    check(body)
    gc.collect()
    assert len(loops) > 1
    assert [loop for loop in loops if loop() is not None] == []
    assert before == (asyncio.sleep, asyncio.wait_for, asyncio.Lock.acquire, asyncio.Queue.put)


def test_executions_close_their_descriptors_without_the_collector():
    async def body(world):
        client = world.existing_cache.aclient()

        async def flow():
            await asyncio.gather(client.get("x"), client.get("y"))

        world.actor("a", flow)
        world.actor("b", client.get, "x")
        await world.run()

    check(body, executions=1)
    gc.collect()
    gc.disable()
    try:
        before = len(list(Path("/proc/self/fd").iterdir()))
        assert every(body).executions > SPARE_MAX + 10
        assert len(list(Path("/proc/self/fd").iterdir())) <= before + SPARE_MAX
    finally:
        gc.enable()
