"""Tasks that outlive, shield, race and await each other, and what they share meanwhile."""

import asyncio
from collections import defaultdict
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest

from tests.soundness.truth import broken, right, systems_of


def _far(of):
    return of.existing_cache.aclient(decode_responses=True)


async def _shielded(world, *, is_shielded):
    far, near = _far(world), {"k": "old"}
    await far.set("k", "old")

    async def change():
        await far.set("k", "new")
        await far.get("slow")
        near["k"] = "new"

    async def serve():
        inner = asyncio.create_task(change())
        outer = asyncio.shield(inner) if is_shielded else inner
        await far.get("x")
        outer.cancel()
        with suppress(asyncio.CancelledError):
            await outer
        if is_shielded:
            await inner

    world.actor("server", serve)
    await world.run()
    assert await far.get("k") == near["k"]


@broken("the change is cancelled after its SET, before it stores in the near cache")
async def a_change_that_is_cancelled(world):
    await _shielded(world, is_shielded=False)


@right("only the shield is cancelled, and the change is awaited to its end")
async def a_change_that_is_shielded(world):
    await _shielded(world, is_shielded=True)


async def _first(world, *, cancels_the_rest):
    far, won = _far(world), []

    async def ask(key):
        await far.get(key)
        won.append(key)

    async def serve():
        tasks = [asyncio.create_task(ask(key)) for key in ("x", "y")]
        _, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if not cancels_the_rest:
            await asyncio.gather(*rest)
            return
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        assert len(won) <= 2

    world.actor("server", serve)
    await world.run()
    assert len(won) == 1 or cancels_the_rest


@broken("the loser is awaited as well and notes itself too")
async def both_are_awaited_to_their_end(world):
    await _first(world, cancels_the_rest=False)


@right("at most two note themselves, whatever was cancelled")
async def the_loser_is_cancelled(world):
    await _first(world, cancels_the_rest=True)


async def _in_background(world, *, is_flushed):
    far, tasks, log = _far(world), set(), []

    async def write(text):
        await far.get("disk")
        log.append(text)

    async def serve(text):
        task = asyncio.create_task(write(text))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        await far.get(text)
        if is_flushed:
            await asyncio.gather(*tasks)
        assert text in log

    world.actor("a", serve, "one")
    await world.run()


@broken("the answer of the GET may come before the background task has written")
async def a_background_task_that_nobody_awaits(world):
    await _in_background(world, is_flushed=False)


@right("every task that is not done is awaited before the look")
async def background_tasks_that_are_gathered(world):
    await _in_background(world, is_flushed=True)


async def _errors(world, *, rolls_back):
    far, near = _far(world), {}
    await far.set("text", "x")

    async def put(key, command):
        near[key] = "new"
        try:
            await command("text")
        except BaseException:
            if rolls_back:
                near.pop(key)
            raise

    async def serve():
        with suppress(ExceptionGroup):
            async with asyncio.TaskGroup() as group:
                group.create_task(put("good", far.get))
                group.create_task(put("bad", far.incr))

    async def look():
        if len(near) == 1:
            await far.get("z")

    world.actor("server", serve)
    world.actor("looker", look)
    await world.run()
    assert "bad" not in near


@broken("the failed task leaves its entry")
async def a_group_whose_failed_child_cleans_nothing(world):
    await _errors(world, rolls_back=False)


@right("the failed task takes its entry back")
async def a_group_whose_failed_child_cleans_up(world):
    await _errors(world, rolls_back=True)


async def _entered(world, *, is_counted):
    far, open_files = _far(world), defaultdict(int)

    @asynccontextmanager
    async def opened(key):
        if is_counted:
            open_files[key] += 1
        else:
            open_files[key] = 1
        await far.get(key)
        try:
            yield
        finally:
            open_files[key] -= 1

    async def use():
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(opened("k"))
            await far.get("x")
            assert open_files["k"] > 0

    world.actor("a", use)
    world.actor("b", use)
    await world.run()


@broken("both set one, the first to leave makes it zero while the other is inside")
async def an_open_mark_for_all(world):
    await _entered(world, is_counted=False)


@right("each adds one and takes one away, in one turn each")
async def an_open_count(world):
    await _entered(world, is_counted=True)


async def _waited(world, *, by_wait_for):
    far, near = _far(world), {"busy": False}

    async def load():
        near["busy"] = True
        await asyncio.sleep(5)
        near["busy"] = False

    async def load_safely():
        near["busy"] = True
        try:
            await asyncio.sleep(5)
        finally:
            near["busy"] = False

    async def serve():
        with suppress(TimeoutError):
            await asyncio.wait_for(load() if by_wait_for else load_safely(), 1)
        await far.get("x")

    world.actor("server", serve)
    await world.run()
    assert not near["busy"]


@broken("wait_for cancels the load, which stays busy")
async def a_load_that_wait_for_cancels(world):
    await _waited(world, by_wait_for=True)


@right("finally takes the mark away")
async def a_load_that_wait_for_cancels_with_finally(world):
    await _waited(world, by_wait_for=False)


async def _both_arrive(world, *, has_barrier):
    far, seen, barrier = _far(world), set(), asyncio.Barrier(2)

    async def come(name):
        await far.get(name)
        seen.add(name)
        if has_barrier:
            await barrier.wait()
        assert seen == {"a", "b"}

    world.actor("a", come, "a")
    world.actor("b", come, "b")
    await world.run()


@broken("the first to come does not see the other")
async def two_who_do_not_wait(world):
    await _both_arrive(world, has_barrier=False)


@right("both have come when the barrier opens")
async def two_who_meet_at_a_barrier(world):
    await _both_arrive(world, has_barrier=True)


async def _awaited_by_other(world, *, asks_done):
    far, tasks, near = _far(world), {}, {}

    async def load():
        near["k"] = await far.get("k")

    async def begin():
        tasks["load"] = asyncio.create_task(load())
        await far.get("x")
        await tasks["load"]

    async def use():
        await far.get("y")
        task = tasks.get("load")
        if task is not None and (not asks_done or task.done()):
            assert "k" in near

    world.actor("beginner", begin)
    world.actor("user", use)
    await world.run()


@broken("the user finds the task that is still loading")
async def a_task_that_is_there_is_taken_for_done(world):
    await _awaited_by_other(world, asks_done=False)


@right("a task that is done has stored")
async def a_task_that_is_asked_whether_it_is_done(world):
    await _awaited_by_other(world, asks_done=True)


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
