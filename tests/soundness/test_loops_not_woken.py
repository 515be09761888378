"""Objects of asyncio that a thread uses without call_soon_threadsafe: it does not wake the loop."""

import asyncio
import threading

import pytest

from tests.soundness.truth import broken, right, systems_of

HANGS = "the loop sleeps when the thread schedules the callback, and nothing else wakes it"
WOKEN = "call_soon_threadsafe wakes the loop"
HAND_OVER = "hand over the call"


async def _woken_by_a_thread(world, prepare):
    """A flow waits for what a thread does to an object of asyncio."""

    async def flow():
        waiting, act = prepare(asyncio.get_running_loop())
        threading.Thread(target=act).start()
        await waiting

    world.actor("flow", flow)
    await world.run()


def _an_event(*, wakes):
    def prepare(loop):
        event = asyncio.Event()
        wake = (lambda: loop.call_soon_threadsafe(event.set)) if wakes else event.set
        return event.wait(), wake

    return prepare


@broken(HANGS)
async def an_event_set_by_a_thread(world):
    await _woken_by_a_thread(world, _an_event(wakes=False))


@right(WOKEN)
async def an_event_that_a_thread_lets_the_loop_set(world):
    await _woken_by_a_thread(world, _an_event(wakes=True))


def _a_future(*, wakes):
    def prepare(loop):
        future = loop.create_future()
        by_hand = loop.call_soon_threadsafe if wakes else lambda act, *values: act(*values)
        return future, lambda: by_hand(future.set_result, 1)

    return prepare


@broken(HANGS)
async def a_future_ended_by_a_thread(world):
    await _woken_by_a_thread(world, _a_future(wakes=False))


@right(WOKEN)
async def a_future_that_a_thread_lets_the_loop_end(world):
    await _woken_by_a_thread(world, _a_future(wakes=True))


def _a_task(*, wakes):
    def prepare(loop):
        event = asyncio.Event()

        async def end():
            event.set()

        def start():
            if wakes:
                asyncio.run_coroutine_threadsafe(end(), loop)
            else:
                loop.create_task(end())

        return event.wait(), start

    return prepare


@broken(HANGS)
async def a_task_made_by_a_thread(world):
    await _woken_by_a_thread(world, _a_task(wakes=False))


@right(WOKEN)
async def a_coroutine_that_a_thread_hands_over(world):
    await _woken_by_a_thread(world, _a_task(wakes=True))


async def _beside_a_user(world, *, wakes):
    """Another flow asks the cache meanwhile; its answer may be there before the thread acts."""
    event, loop, far = asyncio.Event(), asyncio.get_running_loop(), world.existing_cache.aclient()

    def act():
        if wakes:
            loop.call_soon_threadsafe(event.set)
        else:
            event.set()

    world.actor("waits", event.wait)
    world.actor("asks", far.get, "k")
    world.actor("acts", act)
    await world.run()


@broken(HANGS)
async def a_user_beside_whose_answer_may_come_too_early(world):
    await _beside_a_user(world, wakes=False)


@right(WOKEN)
async def a_user_beside_whose_answer_does_not_matter(world):
    await _beside_a_user(world, wakes=True)


async def _woken_in_any_case(world, *, wakes):
    """The job of to_thread wakes the loop when it ends."""
    event, loop = asyncio.Event(), asyncio.get_running_loop()

    def act():
        if wakes:
            loop.call_soon_threadsafe(event.set)
        else:
            event.set()

    async def flow():
        await asyncio.gather(event.wait(), asyncio.to_thread(act))

    world.actor("flow", flow)
    await world.run()


@right("the end of the job wakes the loop", unknown=HAND_OVER)
async def an_event_set_by_a_job_that_the_loop_awaits(world):
    await _woken_in_any_case(world, wakes=False)


@right(WOKEN)
async def an_event_that_a_job_lets_the_loop_set(world):
    await _woken_in_any_case(world, wakes=True)


async def _in_debug_mode(world, *, wakes):
    """asyncio has more to do for a callback then."""
    asyncio.get_running_loop().set_debug(True)
    await _woken_by_a_thread(world, _an_event(wakes=wakes))


@broken(HANGS)
async def an_event_set_by_a_thread_in_debug_mode(world):
    await _in_debug_mode(world, wakes=False)


@right(WOKEN)
async def an_event_that_a_thread_lets_the_loop_set_in_debug_mode(world):
    await _in_debug_mode(world, wakes=True)


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_a_verdict_is_the_truth(system):
    system.must_be_told()
