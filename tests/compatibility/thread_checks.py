"""What is relied on of threads, locks, queues, pools and random numbers of the standard library."""

import _thread
import concurrent.futures
import functools
import gc
import itertools
import multiprocessing.resource_tracker
import queue
import random
import re
import secrets
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import BuiltinFunctionType
from typing import Any

from pytest_supercache.runtime.kernel.thread_locals import renews_locals
from pytest_supercache.runtime.memory.touching import _INSIDE
from pytest_supercache.runtime.process.seeded import _glance
from tests.compatibility.rows import Checks

CHECKS = Checks()


def _nothing() -> None:
    pass


def _on_a_thread(function: Callable[[], Any]) -> Any:
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(function()))
    thread.start()
    thread.join()
    return answers[0]


@contextmanager
def _replaced(owner: Any, name: str, stand_in: Any) -> Iterator[None]:
    real = getattr(owner, name)
    setattr(owner, name, stand_in)
    try:
        yield
    finally:
        setattr(owner, name, real)


@CHECKS.of("threading._active")
def _threads_are_listed_by_their_numbers():
    def listed():
        return threading._active[threading.get_ident()] is threading.current_thread()

    assert _on_a_thread(listed), "the list leads from a thread's number to its object"
    thread = threading.Thread(target=_nothing)
    thread.start()
    thread.join()
    assert thread not in threading._active.values(), "a thread that has ended is not listed"

    def shown_as():
        number, stand_in = threading.get_ident(), threading.Thread(target=_nothing)
        with _replaced(threading, "_active", threading._active | {number: stand_in}):
            return threading.current_thread() is stand_in

    assert _on_a_thread(shown_as), "current_thread() asks the list"


@CHECKS.of("Thread._started")
def _start_waits_for_the_event_of_a_thread():
    waited = []

    class Begun(threading.Event):
        def wait(self, timeout=None):
            waited.append(timeout)
            return super().wait(timeout)

    thread = threading.Thread(target=_nothing)
    assert not vars(thread)["_started"].is_set(), "the event of a new thread is not set"
    thread._started = Begun()
    thread.start()
    thread.join()
    assert waited, "start() waits for the event"
    assert thread._started.is_set(), "the event of a thread that was started is set"


@CHECKS.of("Thread._target, _args, _kwargs, _name")
def _a_thread_runs_what_its_attributes_say():
    blank, ran = threading.Thread(target=_nothing), []
    copied = object.__new__(threading.Thread)
    vars(copied).update(
        vars(blank), _target=lambda *args, **named: ran.append((args, named)), _args=(1,),
        _kwargs={"k": 2}, _name="copied",
    )  # fmt: skip
    copied.run()
    assert ran == [((1,), {"k": 2})], "run() calls the target with the arguments"
    assert copied.name == "copied", "the name is kept in _name"
    thread = threading.Thread(target=_nothing, args=(3,), kwargs={"k": 4})
    kept = [vars(thread)[name] for name in ("_target", "_args", "_kwargs")]
    assert kept == [_nothing, (3,), {"k": 4}], "a thread keeps what it was given"


@CHECKS.of("Thread._daemonic")
def _a_thread_can_be_shown_as_a_daemon_while_it_runs():
    def shown():
        threading.current_thread()._daemonic = True
        return threading.current_thread().daemon, threading.Thread(target=_nothing).daemon

    assert _on_a_thread(shown) == (True, True), "daemon is read from it, also for new threads"


@CHECKS.of("Thread._set_ident, _set_native_id")
def _a_thread_object_can_take_the_numbers_of_the_running_thread():
    thread = threading.Thread(target=_nothing)
    thread._set_ident()
    thread._set_native_id()
    assert thread.ident == threading.get_ident()
    assert thread.native_id == threading.get_native_id()


@CHECKS.of("threading._allocate_lock")
def _a_lock_can_be_made_that_is_never_replaced():
    lock = threading._allocate_lock()
    assert type(lock) is type(threading.Lock()), "it makes the same kind of lock"
    assert lock.acquire(timeout=0), "a new lock is free"
    assert not lock.acquire(timeout=0), "a lock that is taken is not"


@CHECKS.of("threading._counter")
def _names_of_threads_are_numbered_by_a_function():
    with _replaced(threading, "_counter", itertools.count(700_000).__next__):
        name = threading.Thread(target=_nothing).name
    assert "700000" in name, "a thread without a name takes its number from it"


@CHECKS.of("Condition._lock, _waiters, Semaphore._value, BoundedSemaphore._initial_value")
def _conditions_and_semaphores_tell_whether_they_are_in_use():
    condition, waiting = threading.Condition(threading.Lock()), threading.Event()
    assert type(condition._lock) is type(threading.Lock()), "a condition keeps its lock"
    assert not condition._waiters, "a new condition has no waiter"

    def wait():
        with condition:
            waiting.set()
            condition.wait()

    thread = threading.Thread(target=wait)
    thread.start()
    waiting.wait()
    with condition:  # so it waits now
        has_waiters = bool(condition._waiters)
        condition.notify()
    thread.join()
    assert has_waiters, "a waiter of a condition is listed"
    semaphore = threading.BoundedSemaphore(2)
    semaphore.acquire()
    assert (semaphore._value, semaphore._initial_value) == (1, 2)


@CHECKS.of("Barrier._action, _timeout")
def _a_barrier_keeps_what_it_was_made_with():
    barrier = threading.Barrier(2, _nothing, 3.0)
    assert (barrier._action, barrier._timeout) == (_nothing, 3.0)


@CHECKS.of("Queue._put, _get, _qsize, queue, mutex, unfinished_tasks")
def _queues_keep_things_without_waiting():
    for kind in (queue.Queue, queue.LifoQueue, queue.PriorityQueue):
        made = kind()
        made._put(1)
        assert made._qsize() == len(made.queue) == 1, f"{kind.__name__}: what was put is counted"
        assert made._get() == 1, f"{kind.__name__}: what was put comes out"
        made.put(2)
        assert made.unfinished_tasks == 1, f"{kind.__name__}: put() counts a task"
        with made.mutex:
            assert made._qsize() == 1


@CHECKS.of(
    "ThreadPoolExecutor._threads, _shutdown, _max_workers, _thread_name_prefix, _initializer, "
    "_initargs"
)
def _a_pool_tells_how_it_was_made_and_whether_it_has_worked():
    pool = concurrent.futures.ThreadPoolExecutor(2, "prefix", _nothing, ())
    made_with = pool._max_workers, pool._thread_name_prefix, pool._initializer, pool._initargs
    assert made_with == (2, "prefix", _nothing, ())
    assert not pool._threads, "a new pool has no threads"
    assert not pool._shutdown, "a new pool takes jobs"
    pool.submit(_nothing).result()
    assert pool._threads, "a pool that has worked has threads"
    pool.shutdown()
    assert pool._shutdown, "a pool that was shut down says so"


@CHECKS.of("Future._done_callbacks")
def _a_future_lists_who_wants_to_be_called():
    future: Any = concurrent.futures.Future()
    future.add_done_callback(print)
    assert vars(future)["_done_callbacks"] == [print]


@CHECKS.of(
    "_flag, _cond, _is_owned, _count, _state, _condition, _result, _exception, _work_queue, "
    "_idle_semaphore"
)
def _what_code_may_look_at_inside_is_there():
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        objects = (
            threading.Event(), threading.Condition(), threading.Semaphore(), threading.Barrier(1),
            queue.Queue(), concurrent.futures.Future(), pool,
        )  # fmt: skip
        gone = {name for name in _INSIDE if not any(hasattr(one, name) for one in objects)}
    assert not gone, "each name that is watched for is an attribute of a lock, queue or pool"


@CHECKS.of("cached_property.lock, attrname")
def _a_cached_property_has_its_name_and_once_had_a_lock():
    class Shop:
        @functools.cached_property
        def price(self):
            return 1

    found = vars(Shop)["price"]
    assert found.attrname == "price"
    assert functools.cached_property.__get__.__code__, "its __get__ is written in Python"
    if sys.version_info < (3, 12):
        assert not found.lock.acquire(blocking=False) or not found.lock.release()


@CHECKS.of("the repr of an RLock")
def _a_lock_that_is_held_names_its_owner():
    lock = threading.RLock()
    with lock:
        owner = re.search(r"owner=(\d+)", repr(lock))
    assert owner is not None, "the repr of a lock says owner=NUMBER"
    assert owner[1] == str(threading.get_ident())


@CHECKS.of("_thread.allocate_lock, RLock, start_new_thread")
def _locks_and_threads_can_be_made_below_threading():
    assert type(_thread.allocate_lock()) is type(threading.Lock())
    assert type(_thread.RLock()) is type(threading.RLock())
    done = _thread.allocate_lock()
    done.acquire()
    _thread.start_new_thread(done.release, ())
    assert done.acquire(timeout=60), "the function runs on a new thread"


@CHECKS.of("PyThreadState_GetDict, clear_locals")
def _what_thread_locals_hold_can_be_taken_away():
    assert renews_locals(), (
        "threads are no longer reused, so each check is slower: thread-locals are kept in another "
        "way than in the dict of the thread (to 3.12) or behind weak references (3.13)"
    )


@CHECKS.of("random._inst")
def _functions_of_random_are_methods_of_one_generator():
    public = [vars(random)[name] for name in random.__all__]
    drawing = [one for one in public if isinstance(getattr(one, "__self__", None), random.Random)]
    assert len(drawing) > 20, "the functions of random are bound methods"
    assert all(one.__self__ is random._inst for one in drawing), "they are those of random._inst"


@CHECKS.of("random._urandom")
def _secrets_have_their_bytes_from_random():
    assert type(random._urandom) is BuiltinFunctionType
    with _replaced(random, "_urandom", bytes):
        assert random.SystemRandom().getrandbits(64) == 0
        assert secrets.token_bytes(4) == bytes(4)


@CHECKS.of("the state of a Random in memory")
def _the_state_of_a_generator_is_where_it_is_looked_at():
    assert _glance() is not None, (
        "the state of random.Random is kept elsewhere, so it is written anew for each execution: "
        "checks are slower"
    )


@CHECKS.of("warnings._warn_unawaited_coroutine")
def _the_interpreter_reports_coroutines_that_were_never_awaited():
    async def never():
        pass

    told = []
    with _replaced(warnings, "_warn_unawaited_coroutine", lambda one: told.append(one.__name__)):
        made = never()
        del made
        gc.collect()
    assert "never" in told


@CHECKS.of("resource_tracker._resource_tracker, _pid, _fd")
def _what_multiprocessing_counts_in_is_known_by_its_process():
    tracking = vars(multiprocessing.resource_tracker)["_resource_tracker"]
    assert vars(tracking).keys() >= {"_pid", "_fd"}
