"""What Python raises at misuse of threads, locks, queues and futures is raised under control, too.

Each case is played twice: in plain Python, and by the user of a controlled execution.
"""

import asyncio
import concurrent.futures
import functools
import queue
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from time import sleep  # noqa: TID251 - what code under test does

from pytest_supercache import check


def _nothing():
    return None


def _started(thread):
    thread.start()
    return thread


def _twice(act):
    act()
    return act()


def _on_thread(act):
    """Call a function on a thread of its own and raise what it raised there."""
    raised = []

    def call():
        try:
            act()
        except Exception as error:  # noqa: BLE001 - the test compares errors of every type
            raised.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    for error in raised:
        raise error


def _without_init():
    class Bare(threading.Thread):
        def __init__(self):
            pass

    Bare().start()


def _daemon_after_start():
    thread = threading.Thread(target=_nothing)
    _started(thread)
    try:
        thread.daemon = True
    finally:
        thread.join()


def _start_after_end():
    thread = _started(threading.Thread(target=_nothing))
    thread.join()
    thread.start()


def _join_oneself():
    _on_thread(lambda: threading.current_thread().join())


def _released_by_another():
    lock = threading.RLock()
    lock.acquire()
    _on_thread(lock.release)


def _too_many_permits():
    permits = threading.BoundedSemaphore(2)
    with permits:
        permits.release()


def _barrier(act, **options):
    barrier = threading.Barrier(1, **options)
    act(barrier)
    return barrier.wait()


def _failing():
    raise ZeroDivisionError("the action")


def _future(*acts):
    future = concurrent.futures.Future()
    for act in acts:
        act(future)
    return future.result(0)


def _pool(act):
    with ThreadPoolExecutor(1) as pool:
        return act(pool)


def _after_shutdown(act):
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    return act(pool)


def _of_queue(kind, *acts, size=0):
    things = kind(size) if size else kind()
    for act in acts:
        act(things)


def _set(future):
    future.set_result(1)


def _fail(future):
    future.set_exception(ValueError("later"))


def _initializer_fails():
    with ThreadPoolExecutor(1, initializer=_failing) as pool:
        pool.submit(_nothing).result()


CASES = {
    "a thread started twice": lambda: _twice(threading.Thread(target=_nothing).start),
    "a thread started after its end": _start_after_end,
    "a thread that is not made": _without_init,
    "a timer started twice": lambda: _twice(threading.Timer(0.01, _nothing).start),
    "a join before the start": lambda: threading.Thread(target=_nothing).join(),
    "a join of oneself": _join_oneself,
    "a join of a timer before its start": lambda: threading.Timer(1, _nothing).join(),
    "a daemon made of a running thread": _daemon_after_start,
    "a lock released that is free": lambda: threading.Lock().release(),
    "a lock released twice": lambda: _twice(threading.Lock().release),
    "a lock asked with a timeout at once": lambda: threading.Lock().acquire(False, 1),
    "a lock asked for less than no time": lambda: threading.Lock().acquire(True, -2),
    "a re-entrant lock released that is free": lambda: threading.RLock().release(),
    "a re-entrant lock of another one": _released_by_another,
    "a re-entrant lock asked with a timeout at once": lambda: threading.RLock().acquire(False, 1),
    "a re-entrant lock asked for less than no time": lambda: threading.RLock().acquire(True, -2),
    "a sleep for less than no time": lambda: sleep(-1),
    "a sleep for no number": lambda: sleep(float("nan")),
    "a sleep for a text": lambda: sleep("1"),
    "a semaphore below zero": lambda: threading.Semaphore(-1),
    "a semaphore asked with a timeout at once": lambda: threading.Semaphore().acquire(False, 1),
    "a semaphore released for nobody": lambda: threading.Semaphore().release(0),
    "a bounded semaphore released too often": _too_many_permits,
    "a bounded semaphore released by two": lambda: threading.BoundedSemaphore(1).release(2),
    "a notify without the lock": lambda: threading.Condition().notify(),
    "a notify of all without the lock": lambda: threading.Condition().notify_all(),
    "a wait without the lock": lambda: threading.Condition().wait(),
    "a wait for something without the lock": lambda: threading.Condition().wait_for(bool),
    "a condition released that is free": lambda: threading.Condition().release(),
    "a barrier for nobody": lambda: threading.Barrier(0),
    "a broken barrier": lambda: _barrier(lambda barrier: barrier.abort()),
    "a barrier whose action fails": lambda: _barrier(lambda _: None, action=_failing),
    "a barrier whose time is over": lambda: threading.Barrier(2).wait(0.01),
    "a queue done with too often": lambda: _of_queue(queue.Queue, lambda q: q.task_done()),
    "a queue that is empty": lambda: _of_queue(queue.Queue, lambda q: q.get_nowait()),
    "a queue that stays empty": lambda: _of_queue(queue.Queue, lambda q: q.get(timeout=0.01)),
    "a queue that is full": lambda: _of_queue(
        queue.Queue, lambda q: q.put(1), lambda q: q.put_nowait(2), size=1
    ),
    "a queue asked for less than no time": lambda: _of_queue(
        queue.Queue, lambda q: q.get(timeout=-1)
    ),
    "a simple queue that is empty": lambda: _of_queue(queue.SimpleQueue, lambda q: q.get_nowait()),
    "a simple queue asked for less than no time": lambda: _of_queue(
        queue.SimpleQueue, lambda q: q.get(timeout=-1)
    ),
    "a simple queue done with": lambda: _of_queue(queue.SimpleQueue, lambda q: q.task_done()),
    "a priority queue of what has no order": lambda: _of_queue(
        queue.PriorityQueue, lambda q: q.put({}), lambda q: q.put({})
    ),
    "a result set twice": lambda: _future(_set, _set),
    "an exception set after a result": lambda: _future(_set, _fail),
    "a result set of what was cancelled": lambda: _future(lambda f: f.cancel(), _set),
    "a result of what was cancelled": lambda: _future(lambda f: f.cancel()),
    "a result that is not there": lambda: _future(),
    "an exception for a result": lambda: _future(_fail),
    "a future that runs twice": lambda: _future(
        lambda f: f.set_running_or_notify_cancel(), lambda f: f.set_running_or_notify_cancel()
    ),
    "a future cancelled while it runs": lambda: _future(
        lambda f: f.set_running_or_notify_cancel(), lambda f: {False: _fail}[f.cancel()](f)
    ),
    "a job after the shutdown": lambda: _after_shutdown(lambda pool: pool.submit(_nothing)),
    "jobs after the shutdown": lambda: _after_shutdown(lambda pool: pool.map(abs, [1])),
    "a job that fails": lambda: _pool(lambda pool: pool.submit(_failing).result()),
    "jobs of which one fails": lambda: _pool(lambda pool: list(pool.map(int, ["1", "x"]))),
    "a job without a function": lambda: _pool(lambda pool: pool.submit()),
    "a pool without workers": lambda: ThreadPoolExecutor(0),
    "a pool whose initializer is none": lambda: ThreadPoolExecutor(1, initializer=1),
    "a pool whose initializer fails": _initializer_fails,
    "a wait for what nobody knows": lambda: concurrent.futures.wait([], return_when="NEVER"),
}


async def _of_lock():
    asyncio.Lock().release()


async def _of_condition(name):
    answer = getattr(asyncio.Condition(), name)()
    return await answer if asyncio.iscoroutine(answer) else answer


async def _of_semaphore():
    asyncio.BoundedSemaphore(1).release()


async def _below_zero():
    asyncio.Semaphore(-1)


async def _of_barrier():
    barrier = asyncio.Barrier(1)
    await barrier.abort()
    await barrier.wait()


async def _barrier_for_nobody():
    asyncio.Barrier(0)


async def _of_aqueue(*acts, size=0):
    things = asyncio.Queue(size)
    for act in acts:
        act(things)


async def _of_afuture(*acts):
    future = asyncio.get_running_loop().create_future()
    for act in acts:
        act(future)
    return future.result()


async def _afuture_cancelled():
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    try:
        await future
    except asyncio.CancelledError as error:
        raise KeyError("cancelled") from error


async def _task_set():
    task = asyncio.ensure_future(asyncio.sleep(0))
    try:
        task.set_result(1)
    finally:
        await task


async def _awaits_itself():
    async def wait():
        await task

    task = asyncio.ensure_future(wait())
    await task


async def _coroutine_twice():
    coroutine = asyncio.sleep(0)
    await coroutine
    await coroutine


async def _runs_inside():
    coroutine = asyncio.sleep(0)
    try:
        asyncio.run(coroutine)
    finally:
        coroutine.close()


async def _too_late():
    await asyncio.wait_for(asyncio.Event().wait(), 0.01)


async def _timeout_entered_twice():
    within = asyncio.timeout(1)
    async with within, within:
        pass


async def _group_after_its_end():
    async with asyncio.TaskGroup() as group:
        pass
    coroutine = asyncio.sleep(0)
    try:
        group.create_task(coroutine)
    finally:
        coroutine.close()


async def _executor_after_shutdown():
    with ThreadPoolExecutor(1) as pool:
        pass
    await asyncio.get_running_loop().run_in_executor(pool, _nothing)


async def _job_that_fails():
    await asyncio.to_thread(_failing)


ASYNC_CASES = {
    "a lock released that is free": _of_lock,
    "a notify without the lock": functools.partial(_of_condition, "notify"),
    "a notify of all without the lock": functools.partial(_of_condition, "notify_all"),
    "a wait without the lock": functools.partial(_of_condition, "wait"),
    "a semaphore below zero": _below_zero,
    "a bounded semaphore released too often": _of_semaphore,
    "a barrier for nobody": _barrier_for_nobody,
    "a broken barrier": _of_barrier,
    "a queue done with too often": lambda: _of_aqueue(lambda q: q.task_done()),
    "a queue that is empty": lambda: _of_aqueue(lambda q: q.get_nowait()),
    "a queue that is full": lambda: _of_aqueue(
        lambda q: q.put_nowait(1), lambda q: q.put_nowait(2), size=1
    ),
    "a result set twice": lambda: _of_afuture(_set, _set),
    "an exception set after a result": lambda: _of_afuture(_set, _fail),
    "a result that is not there": _of_afuture,
    "a result of what was cancelled": _afuture_cancelled,
    "an exception for a result": lambda: _of_afuture(_fail),
    "a result set of a task": _task_set,
    "a task that awaits itself": _awaits_itself,
    "a coroutine awaited twice": _coroutine_twice,
    "a loop run inside of a loop": _runs_inside,
    "a wait whose time is over": _too_late,
    "a timeout entered twice": _timeout_entered_twice,
    "a group after its end": _group_after_its_end,
    "a job after the shutdown": _executor_after_shutdown,
    "a job that fails": _job_that_fails,
}


def _told(error):
    text = re.sub(r"0x[0-9a-f]+", "0x...", str(error))
    return type(error).__name__, re.sub(r"(Task-|alice/)\d+|<Task .*>", "N", text)


def _outcome(act):
    try:
        act()
    except Exception as error:  # noqa: BLE001 - the test compares errors of every type
        return _told(error)
    return "no error"


async def _aoutcome(act):
    try:
        await act()
    except Exception as error:  # noqa: BLE001 - the test compares errors of every type
        return _told(error)
    return "no error"


ONCE = {"search": "random", "executions": 1}
"""There is nothing to search."""


def _differences(ours, plain):
    return [
        f"{name}: {ours.get(name)}, in plain Python {plain[name]}"
        for name in plain
        if ours.get(name) != plain[name]
    ]


def test_threads_raise_what_they_raise_in_plain_python():
    ours = {}

    def body(world):
        world.actor("alice", lambda: ours.update((n, _outcome(act)) for n, act in CASES.items()))
        world.run()

    result = check(body, **ONCE)
    assert result.counterexample is None, result.counterexample.violation
    assert "random search found nothing" in result.reasons[0]
    plain = {name: _outcome(act) for name, act in CASES.items()}
    assert _differences(ours, plain) == []


def test_coroutines_raise_what_they_raise_in_plain_python():
    ours, plain = {}, {}

    async def play(outcomes):
        for name, act in ASYNC_CASES.items():
            outcomes[name] = await _aoutcome(act)

    async def body(world):
        world.actor("alice", play, ours)
        await world.run()

    result = check(body, **ONCE)
    assert result.counterexample is None, result.counterexample.violation
    assert "random search found nothing" in result.reasons[0]
    asyncio.run(play(plain))
    assert _differences(ours, plain) == []
