"""What is relied on of asyncio's loops, tasks, futures and tools."""

import asyncio
import asyncio.mixins
import concurrent.futures
import threading
from collections import deque
from typing import Any

from pytest_supercache.runtime.aio import loop_tools
from pytest_supercache.runtime.aio.event_loop import Selector
from tests.compatibility.rows import Checks

CHECKS = Checks()


def _nothing():
    pass


class _Loop(asyncio.SelectorEventLoop):
    """A loop that comes to its end with the check, and knows what it was asked for."""

    asked: set[str]

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.close()


@CHECKS.of("loop._ready")
def _what_is_appended_to_the_ready_callbacks_runs_next():
    with _Loop() as loop:
        ran = []
        ready = vars(loop)["_ready"]
        assert type(ready) is deque, "ready callbacks are in a deque"
        ready.append(asyncio.Handle(ran.append, (1,), loop, None))
        loop.call_soon(ran.append, 2)
        assert len(ready) == 2, "call_soon() appends to it"
        loop.call_soon(loop.stop)
        loop.run_forever()
        assert ran == [1, 2], "a loop runs what is in it, in order"
        assert vars(loop)["_ready"] is ready, "and keeps the same deque"


@CHECKS.of("loop._scheduled")
def _timers_are_listed():
    with _Loop() as loop:
        timer = loop.call_at(loop.time() + 100, print)
        assert loop._scheduled == [timer], "a timer that was started is in the list"
        assert timer.when() > loop.time()
        timer.cancel()


@CHECKS.of("loop._transports, _asyncgens")
def _a_loop_tells_what_is_left_on_it():
    async def numbers():
        yield 1
        yield 2

    async def left():
        going_on = numbers()
        assert await anext(going_on) == 1
        assert len(loop._asyncgens) == 1, "a generator that was begun is known"
        server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        found = list(loop._transports.values())
        assert found, "a connection is known"
        assert all(hasattr(one, "abort") for one in found)
        writer.close()
        server.close()
        await going_on.aclose()
        await server.wait_closed()
        await asyncio.sleep(0.01)

    with _Loop() as loop:
        assert not loop._transports, "a new loop has no connection"
        assert not loop._asyncgens, "a new loop has no generator"
        loop.run_until_complete(left())
        loop.run_until_complete(loop.shutdown_asyncgens())


@CHECKS.of("loop._make_self_pipe, _close_self_pipe, _write_to_self, _check_thread")
def _a_loop_asks_its_methods_how_it_is_woken():
    asked = []

    class Asking(_Loop):
        def _make_self_pipe(self):
            asked.append("_make_self_pipe")

        def _close_self_pipe(self):
            asked.append("_close_self_pipe")

        def _write_to_self(self):
            asked.append("_write_to_self")

        def _check_thread(self):
            asked.append("_check_thread")

    with Asking() as loop:
        loop.call_soon_threadsafe(_nothing)
        loop.set_debug(True)
        loop.call_soon(_nothing)
    assert set(asked) == {
        "_make_self_pipe", "_close_self_pipe", "_write_to_self", "_check_thread"
    }, "a loop calls each of them, and nothing else to be woken"  # fmt: skip


@CHECKS.of("the selector of a loop: select, get_map, close")
def _a_loop_waits_in_its_selector_and_nowhere_else():
    pauses = []

    def pause(timeout):
        pauses.append(timeout)
        loop.stop()
        return []

    class Unwoken(_Loop):
        def _make_self_pipe(self):
            pass

        def _close_self_pipe(self):
            pass

    selector: Any = Selector(pause)
    loop = Unwoken(selector)
    with loop:
        loop.run_forever()
    assert pauses == [None], "a loop that has nothing to do asks its selector, without a limit"
    assert selector.sockets is None, "and registers no socket of its own"


@CHECKS.of("Handle._callback, _args")
def _a_callback_keeps_its_function_and_task():
    with _Loop() as loop:
        handle = loop.call_soon(print, "text")
        assert (handle._callback, handle._args) == (print, ("text",))
        loop._ready.clear()

        async def end():
            """Do nothing."""

        task = loop.create_task(end())
        (step,) = loop._ready
        assert step._callback.__self__ is task, "a task's step names its task"
        loop.run_until_complete(task)


@CHECKS.of("Handle._context")
def _a_callback_keeps_its_context():
    with _Loop() as loop:
        seen = []
        loop.set_exception_handler(lambda _loop, context: seen.append(context["handle"]._context))
        loop.call_soon(lambda: 1 / 0)
        loop.call_soon(loop.stop)
        loop.run_forever()
        assert hasattr(seen[0], "get"), "it is a context, in which a variable is looked up"


@CHECKS.of("Future._log_traceback")
def _a_future_knows_whether_its_exception_was_retrieved():
    with _Loop() as loop:
        future = loop.create_future()
        assert not future._log_traceback, "nothing is lost in a new future"
        future.set_exception(ValueError())
        assert future._log_traceback, "an exception that was not retrieved would be logged"
        future.exception()
        assert not future._log_traceback, "one that was taken is not"


@CHECKS.of("Task._fut_waiter, gather's _children")
def _a_task_tells_what_it_waits_for():
    async def body():
        future = loop.create_future()
        child = loop.create_task(asyncio.sleep(0))

        async def awaits():
            await future

        async def gathers():
            await asyncio.gather(child)

        waiting, gathering = loop.create_task(awaits()), loop.create_task(gathers())
        assert waiting._fut_waiter is None, "a task that is ready waits for nothing"
        await asyncio.sleep(0)
        assert waiting._fut_waiter is future, "a task that awaits a future waits for it"
        assert gathering._fut_waiter._children == [child], "gather keeps what it waits for"
        future.set_result(None)
        await asyncio.gather(waiting, gathering)

    with _Loop() as loop:
        loop.run_until_complete(body())


@CHECKS.of("_LoopBoundMixin._get_loop, _loop")
def _tools_ask_for_their_loop():
    asked = []

    class Bound(asyncio.Lock):
        def _get_loop(self):
            asked.append(self)
            return super()._get_loop()

    async def body():
        lock = Bound()
        async with lock:
            waiting = asyncio.create_task(lock.acquire())
            await asyncio.sleep(0)
        await waiting
        assert lock._loop is asyncio.get_running_loop(), "the loop is kept in _loop"

    with _Loop() as loop:
        loop.run_until_complete(body())
    assert asked, "a blocked acquire asks _get_loop()"
    kinds = (asyncio.Lock, asyncio.Event, asyncio.Queue, asyncio.Condition, asyncio.Semaphore)
    assert all(issubclass(kind, asyncio.mixins._LoopBoundMixin) for kind in kinds)


@CHECKS.of("asyncio._get_running_loop")
def _who_asks_outside_of_a_loop_is_told_none():
    async def running():
        return asyncio._get_running_loop() is loop

    assert asyncio._get_running_loop() is None
    with _Loop() as loop:
        assert loop.run_until_complete(running())


@CHECKS.of("asyncio.tasks.sleep, Lock.__aenter__")
def _what_is_replaced_is_where_it_is_looked_for():
    assert asyncio.tasks.sleep is asyncio.sleep, "sleep is found in two modules"
    entering = [owner for owner, names in loop_tools._TOOLS if "__aenter__" in names]
    assert issubclass(asyncio.Lock, entering[0]), "`async with` is a method of a base of Lock"
    missing = [
        f"{owner.__name__}.{name}"
        for owner, names in loop_tools._TOOLS
        for name in names
        if not hasattr(owner, name)
    ]
    assert missing == [], "each method whose use is noted is there"


@CHECKS.of("asyncio.Queue._queue, _getters, asyncio.Event._value, threading.Event._flag")
def _queues_and_events_can_be_asked_without_waiting():
    async def body():
        queue: Any = asyncio.Queue()
        queue.put_nowait(1)
        assert list(queue._queue) == [1], "a queue keeps what is inside in a deque"
        assert not queue._getters, "no getter is blocked"
        queue.get_nowait()
        waiting = asyncio.create_task(queue.get())
        await asyncio.sleep(0)
        assert queue._getters, "a blocked getter is listed"
        queue.put_nowait(2)
        await waiting
        event = asyncio.Event()
        before = event._value
        event.set()
        assert (before, event._value) == (False, True)

    with _Loop() as loop:
        loop.run_until_complete(body())
    event = threading.Event()
    before = event._flag
    event.set()
    assert (before, event._flag) == (False, True)


@CHECKS.of("calls of concurrent.futures.Future by asyncio")
def _asyncio_asks_a_future_by_itself():
    names: list[str] = []

    class Asked(concurrent.futures.Future[Any]):
        def cancelled(self):
            import sys

            names.append(str(sys._getframe(1).f_globals["__name__"]))
            return super().cancelled()

    async def body():
        future = Asked()
        wrapped = asyncio.wrap_future(future)
        callback = vars(future)["_done_callbacks"][0]
        assert callback.__module__.startswith("asyncio"), "its callback is one of asyncio's"
        future.set_result(1)
        assert await wrapped == 1

    with _Loop() as loop:
        loop.run_until_complete(body())
    assert names, "asyncio asks a future whether it was cancelled"
    assert all(name.startswith("asyncio") for name in names), "from a module of its own"
