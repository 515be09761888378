"""Attributes that code sets on objects of libraries which are otherwise left alone."""

import asyncio
import logging
import queue
import threading
from contextlib import nullcontext

import pytest
from cachetools import TTLCache
from numpy.random import default_rng, ranf
from rich.console import Console
from starlette.applications import Starlette

from tests.soundness.truth import broken, right, systems_of

APPLICATION = Starlette()


def _count(holder):
    holder.hits = holder.hits + 1


def _counted(world, mine, yours):
    mine.hits = yours.hits = 0
    world.actor("one", _count, mine)
    world.actor("two", _count, yours)
    world.run()
    assert mine.hits == yours.hits == (2 if mine is yours else 1)


@broken("both read the same number of the application before either writes it")
def hits_of_an_application(world):
    _counted(world, APPLICATION, APPLICATION)


@right("each user counts on an object of its own")
def hits_of_two_consoles(world):
    _counted(world, Console(), Console())


@broken("both read the same number of the cache before either writes it")
def hits_of_a_cache(world):
    cache = TTLCache(9, ttl=9)
    _counted(world, cache, cache)


@right("each user counts on a cache of its own")
def hits_of_two_caches(world):
    _counted(world, TTLCache(9, ttl=9), TTLCache(9, ttl=9))


@broken("both read the same number of the function before either writes it")
def hits_of_a_function_of_cython(world):
    _counted(world, default_rng, default_rng)


@right("each user counts on a function of its own")
def hits_of_two_functions_of_cython(world):
    _counted(world, default_rng, ranf)


@broken("both read the same number of the state before either writes it")
def hits_of_the_state_of_an_application(world):
    _counted(world, APPLICATION.state, APPLICATION.state)


@right("each user counts in a state of its own")
def hits_of_two_states(world):
    _counted(world, Starlette().state, Starlette().state)


def _begin(holder, lock):
    with lock:
        if hasattr(holder, "begun"):
            return False
        holder.begun = True
        return True


def _begun_once(world, lock):
    logger = logging.Logger("shop")
    world.actor("one", _begin, logger, lock)
    world.actor("two", _begin, logger, lock)
    assert sorted(world.run().values()) == [False, True]


@broken("both find no mark on the logger before either sets it")
def a_mark_on_a_logger(world):
    _begun_once(world, threading.Semaphore(2))


@right("both hold one lock")
def a_mark_on_a_logger_under_a_lock(world):
    _begun_once(world, threading.Lock())


@broken("the thread reads the flag, and goes on after it was set")
def a_flag_set_on_a_thread(world):
    _stopped(world, lambda thread: setattr(thread, "is_wanted", False))


@right("the thread is joined before anybody looks at what it has done")
def a_thread_that_is_joined(world):
    _stopped(world, threading.Thread.join)


def _stopped(world, stop):
    done = []

    def work():
        if getattr(threading.current_thread(), "is_wanted", True):
            done.append(1)

    def main():
        thread = threading.Thread(target=work)
        thread.start()
        stop(thread)
        before = len(done)
        thread.join()
        assert len(done) == before

    world.actor("main", main)
    world.run()


@broken("both read the same number of the queue before either writes it")
def hits_of_a_queue(world):
    jobs = queue.Queue()
    _counted(world, jobs, jobs)


@right("each user counts on a queue of its own")
def hits_of_two_queues(world):
    _counted(world, queue.Queue(), queue.Queue())


@broken("both read the same number of the thread before either writes it")
def hits_of_a_thread(world):
    thread = threading.Thread(target=len)
    _counted(world, thread, thread)


@right("each user counts on a thread of its own")
def hits_of_two_threads(world):
    _counted(world, threading.Thread(target=len), threading.Thread(target=len))


@broken("both look before either puts", unknown="looks into `queue` of a Queue")
def a_queue_that_is_looked_into(world):
    jobs = queue.Queue()

    def offer():
        if 1 not in jobs.queue:
            jobs.put(1)

    world.actor("one", offer)
    world.actor("two", offer)
    world.run()
    assert jobs.qsize() == 1


@right("one lock holds around the look and the put")
def a_queue_that_is_asked_under_a_lock(world):
    jobs, lock = queue.Queue(), threading.Lock()

    def offer():
        with lock:
            if jobs.empty():
                jobs.put(1)

    world.actor("one", offer)
    world.actor("two", offer)
    world.run()
    assert jobs.qsize() == 1


def _handled_once(world, lock):
    logger = logging.Logger("shop")

    def set_up():
        with lock:
            if not logger.handlers:
                logger.addHandler(logging.NullHandler())

    world.actor("one", set_up)
    world.actor("two", set_up)
    world.run()
    assert len(logger.handlers) == 1


@broken("both find no handler before either adds one")
def a_handler_of_a_logger(world):
    _handled_once(world, nullcontext())


@right("both hold one lock")
def a_handler_of_a_logger_under_a_lock(world):
    _handled_once(world, threading.Lock())


def _family(level):
    """Return a logger of this level, and one below it; the root of these two is their own."""
    loggers = logging.Manager(logging.RootLogger(logging.WARNING))
    above, logger = loggers.getLogger("shop"), loggers.getLogger("shop.cart")
    above.setLevel(level)
    return above, logger


def _handled_above(world, lock):
    above, logger = _family(logging.NOTSET)

    def begin():
        with lock:
            if not logger.hasHandlers():
                above.addHandler(logging.NullHandler())

    world.actor("one", begin)
    world.actor("two", begin)
    world.run()
    assert len(above.handlers) == 1


def _lowered_once(world, is_low, lock):
    above, logger = _family(logging.WARNING)
    lowered = []

    def begin():
        with lock:
            if not is_low(logger):
                above.setLevel(logging.DEBUG)
                lowered.append(1)

    world.actor("one", begin)
    world.actor("two", begin)
    world.run()
    assert lowered == [1]


def _has_low_level(logger):
    return logger.getEffectiveLevel() <= logging.DEBUG


def _debugs(logger):
    return logger.isEnabledFor(logging.DEBUG)


@broken("both hear that there is no handler before either adds one above")
def a_logger_that_is_asked_for_handlers(world):
    _handled_above(world, nullcontext())


@right("both hold one lock")
def a_logger_that_is_asked_for_handlers_under_a_lock(world):
    _handled_above(world, threading.Lock())


@broken("both hear the old level before either sets the new one above")
def a_logger_that_is_asked_for_its_level(world):
    _lowered_once(world, _has_low_level, nullcontext())


@right("both hold one lock")
def a_logger_that_is_asked_for_its_level_under_a_lock(world):
    _lowered_once(world, _has_low_level, threading.Lock())


@broken("both hear that debugging is off before either turns it on above")
def a_logger_that_is_asked_whether_it_debugs(world):
    _lowered_once(world, _debugs, nullcontext())


@right("both hold one lock")
def a_logger_that_is_asked_whether_it_debugs_under_a_lock(world):
    _lowered_once(world, _debugs, threading.Lock())


async def _counted_on(world, holder, *, at_once):
    cache = world.existing_cache.aclient()
    holder.hits = 0

    async def count(key):
        if at_once:
            await cache.get(key)
            holder.hits += 1
            return
        hits = holder.hits
        await cache.get(key)
        holder.hits = hits + 1

    world.actor("one", count, "a")
    world.actor("two", count, "b")
    await world.run()
    assert holder.hits == 2


async def _nothing():
    pass


@broken("both read the count before either writes it")
async def a_count_on_the_event_loop(world):
    await _counted_on(world, asyncio.get_running_loop(), at_once=False)


@right("nothing suspends the count")
async def a_count_on_the_event_loop_in_one_turn(world):
    await _counted_on(world, asyncio.get_running_loop(), at_once=True)


@broken("both read the count before either writes it")
async def a_count_on_a_task(world):
    await _counted_on(world, asyncio.create_task(_nothing()), at_once=False)


@right("nothing suspends the count")
async def a_count_on_a_task_in_one_turn(world):
    await _counted_on(world, asyncio.create_task(_nothing()), at_once=True)


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
