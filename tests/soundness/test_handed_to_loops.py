"""Threads that hand callbacks and coroutines to an event loop, and wait for the answers or not."""

import asyncio
import contextlib
import threading
from dataclasses import dataclass

import pytest

from tests.soundness.truth import broken, right, systems_of

LOOP = "the loop runs each of them in one turn"
LATE = "the loop may be busy, and take what it was handed when the thread has gone on"
NOT_RACED = "Let the user be a coroutine"
NOT_CONTROLLED = "hand over to the loop that runs it"


@dataclass
class Hits:
    """A count that belongs to the loop."""

    n: int = 0

    async def add(self):
        self.n += 1

    async def look(self):
        return self.n

    async def store(self, n):
        self.n = n


def _ask(loop, coroutine, timeout=None):
    return asyncio.run_coroutine_threadsafe(coroutine, loop).result(timeout)


async def _from_two_threads(world, work):
    async def serve():
        return await asyncio.to_thread(work, asyncio.get_running_loop())

    world.actor("a", serve)
    world.actor("b", serve)
    return await world.run()


async def _beside_a_user(world, *, in_one_turn):
    hits, far, loop = Hits(), world.existing_cache.aclient(), asyncio.get_running_loop()

    def by_thread():
        if in_one_turn:
            _ask(loop, hits.add())
        else:
            _ask(loop, hits.store(_ask(loop, hits.look()) + 1))

    async def by_loop():
        await far.get("x")
        hits.n += 1

    world.actor("thread", by_thread)
    world.actor("loop", by_loop)
    await world.run()
    assert hits.n == 2


@right(LOOP)
async def a_thread_that_lets_the_loop_count_beside_a_coroutine(world):
    await _beside_a_user(world, in_one_turn=True)


@broken("the coroutine counts between the two answers")
async def a_thread_that_counts_by_two_answers_beside_a_coroutine(world):
    await _beside_a_user(world, in_one_turn=False)


async def _far(world, *, is_one_command):
    far = world.existing_cache.aclient()

    async def add():
        if is_one_command:
            await far.incr("n")
        else:
            await far.set("n", int(await far.get("n") or 0) + 1)

    await _from_two_threads(world, lambda loop: _ask(loop, add()))
    assert int(await far.get("n")) == 2


@right("INCR is one command")
async def a_far_count_of_coroutines_that_threads_hand_over(world):
    await _far(world, is_one_command=True)


@broken("both coroutines read before either writes")
async def a_far_count_of_two_commands_that_threads_hand_over(world):
    await _far(world, is_one_command=False)


@right(LOOP)
async def a_count_that_threads_let_the_loop_make(world):
    hits = Hits()
    await _from_two_threads(world, lambda loop: _ask(loop, hits.add()))
    assert hits.n == 2


@broken("both threads are told the old count before either stores its own")
async def a_count_that_threads_make_of_two_answers_of_the_loop(world):
    hits = Hits()

    def work(loop):
        _ask(loop, hits.store(_ask(loop, hits.look()) + 1))

    await _from_two_threads(world, work)
    assert hits.n == 2


async def _sent_and_gone_on(world, send, *, waits):
    far, box = world.existing_cache.client(), {}

    def work(loop):
        future = send(loop, box)
        if waits:
            future.result()
        far.get("y")
        box["x"] = "thread"
        future.result()

    async def serve():
        await asyncio.to_thread(work, asyncio.get_running_loop())

    world.actor("a", serve)
    await world.run()
    assert box["x"] == "thread"


def _a_coroutine(loop, box):
    async def store():
        box["x"] = "loop"

    return asyncio.run_coroutine_threadsafe(store(), loop)


@right("it waits for the answer first")
async def a_coroutine_that_a_thread_waits_for(world):
    await _sent_and_gone_on(world, _a_coroutine, waits=True)


@broken(LATE)
async def a_coroutine_that_a_thread_does_not_wait_for(world):
    await _sent_and_gone_on(world, _a_coroutine, waits=False)


async def _called(world, *, by_callbacks):
    far, seen = world.existing_cache.client(), []

    def work(loop):
        loop.call_soon_threadsafe(seen.append, 1)
        far.get("y")
        if by_callbacks:
            loop.call_soon_threadsafe(seen.append, 2)
        else:
            seen.append(2)

    async def serve():
        await asyncio.to_thread(work, asyncio.get_running_loop())

    world.actor("a", serve)
    await world.run()
    assert seen == [1, 2]


@right("a loop takes callbacks in the order in which they came")
async def two_callbacks_of_a_thread(world):
    await _called(world, by_callbacks=True)


@broken(LATE)
async def a_callback_that_a_thread_relies_on_too_early(world):
    await _called(world, by_callbacks=False)


async def _raised(world, *, caught):
    async def fail():
        raise KeyError("k")

    def work(loop):
        with contextlib.suppress(KeyError if caught else ()):
            _ask(loop, fail())

    await _from_two_threads(world, work)


@right("the error of the coroutine is raised where its result is asked for, and caught there")
async def an_error_that_comes_back(world):
    await _raised(world, caught=True)


@broken("the error of the coroutine is raised where its result is asked for")
async def an_error_that_comes_back_uncaught(world):
    await _raised(world, caught=False)


async def _given_up(world, *, cancels):
    ended = []

    async def work_on():
        await asyncio.sleep(5)
        ended.append("loop")

    def work(loop):
        future = asyncio.run_coroutine_threadsafe(work_on(), loop)
        try:
            future.result(1)
        except TimeoutError:
            ended.append("thread")
            if cancels:
                assert future.cancel()

    async def serve():
        await asyncio.to_thread(work, asyncio.get_running_loop())

    world.actor("a", serve)
    await world.run()
    assert ended == ["thread"]


@right("a coroutine that was cancelled does not go on, if nobody is slow for seconds", ticks=0)
async def a_coroutine_that_a_thread_cancels(world):
    await _given_up(world, cancels=True)


@broken("the coroutine goes on when the thread has given up", ticks=0)
async def a_coroutine_that_a_thread_gives_up(world):
    await _given_up(world, cancels=False)


async def _on_its_own_loop(world, *, awaits):
    hits = Hits()

    async def serve():
        future = asyncio.run_coroutine_threadsafe(hits.add(), asyncio.get_running_loop())
        if awaits:
            await asyncio.wrap_future(future)
        else:
            future.result()

    world.actor("a", serve)
    world.actor("b", serve)
    await world.run()
    assert hits.n == 2


@right("it awaits the future, so that the loop goes on")
async def a_coroutine_that_awaits_what_it_has_handed_over(world):
    await _on_its_own_loop(world, awaits=True)


@broken("it blocks the loop that would run what it waits for")
async def a_coroutine_that_blocks_its_loop_by_what_it_has_handed_over(world):
    await _on_its_own_loop(world, awaits=False)


def _by_asyncio_run(world, *, at_once):
    client = world.existing_cache.client()

    async def add():
        far = world.existing_cache.aclient()
        await far.set("n", int(await far.get("n") or 0) + 1)

    async def add_twice():
        if at_once:
            await asyncio.gather(add(), add())
        else:
            await add()
            await add()

    world.actor("a", lambda: asyncio.run(add_twice()))
    world.run()
    assert client.get("n") == b"2"


@right("one task after the other, on a loop of the thread's own")
def a_count_of_one_task_of_a_loop_of_a_thread(world):
    _by_asyncio_run(world, at_once=False)


@broken("both tasks read before either writes", unknown=NOT_RACED)
def a_count_of_two_tasks_of_a_loop_of_a_thread(world):
    _by_asyncio_run(world, at_once=True)


def _to_another_loop(world, *, is_kept):
    loop, hits = asyncio.new_event_loop(), Hits()
    thread = threading.Thread(target=lambda: loop.run_until_complete(hits.add()))

    def hand_over():
        if is_kept:
            thread.start()
            thread.join()
        else:
            asyncio.run_coroutine_threadsafe(hits.add(), loop)

    world.actor("a", hand_over)
    world.run()
    loop.close()
    assert hits.n == 1


@right("a thread runs the one coroutine of its loop to its end")
def a_coroutine_that_a_thread_runs(world):
    _to_another_loop(world, is_kept=True)


@broken("nobody runs the loop", unknown=NOT_CONTROLLED)
def a_coroutine_for_a_loop_that_is_not_under_control(world):
    _to_another_loop(world, is_kept=False)


def _what_is_no_coroutine(world, *, is_expected):
    loop, refused = asyncio.new_event_loop(), []

    def hand_over():
        with contextlib.suppress(TypeError if is_expected else ValueError):
            asyncio.run_coroutine_threadsafe(loop.create_future(), loop)
        refused.append(True)

    world.actor("a", hand_over)
    world.run()
    loop.close()
    assert refused


@right("asyncio refuses a future before it asks whose loop that is")
def a_future_in_the_place_of_a_coroutine(world):
    _what_is_no_coroutine(world, is_expected=True)


@broken("nobody expects the TypeError")
def a_future_in_the_place_of_a_coroutine_that_nobody_expects(world):
    _what_is_no_coroutine(world, is_expected=False)


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
