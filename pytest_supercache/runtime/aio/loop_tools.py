"""Patches asyncio for code under test: sleeps are steps, uses of its primitives are noted.

asyncio's locks, events and queues need no replacement: they suspend only when they must, and the
tasks they wake run in asyncio's order. But actors that use the same one share memory that no step
declares, so the step that a use belongs to touches what tasks wait with (docs/decisions/0076).
Where nodes must share nothing, the node that uses each one is noted, as for all other memory
(docs/decisions/0040).
"""

import asyncio
import asyncio.mixins
import inspect
import sys
import warnings
from asyncio import _get_running_loop as get_running_loop
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, wraps
from typing import Any

from pytest_supercache.core.footprint import NOTHING, Footprint
from pytest_supercache.core.identity import identity
from pytest_supercache.core.memory_use import WHOLE
from pytest_supercache.runtime.aio import tasks
from pytest_supercache.runtime.aio.event_loop import ControlledLoop
from pytest_supercache.runtime.aio.loop_inbox import run_coroutine_threadsafe
from pytest_supercache.runtime.kernel import async_context
from pytest_supercache.runtime.kernel.active import controlled
from pytest_supercache.runtime.kernel.calling import current_actor
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext
from pytest_supercache.runtime.kernel.patches import Patches
from pytest_supercache.runtime.kernel.spinning import Question
from pytest_supercache.runtime.kernel.task_actor import TaskActor
from pytest_supercache.runtime.kernel.under_test import is_under_test_name

_real_sleep = asyncio.sleep
_real_wait_for = asyncio.wait_for
_real_as_completed = asyncio.as_completed

_TOOLS: tuple[tuple[type, tuple[str, ...]], ...] = (
    (asyncio.Lock, ("acquire", "release", "locked")),
    (asyncio.Event, ("set", "clear", "is_set", "wait")),
    (asyncio.Semaphore, ("acquire", "release", "locked")),
    (asyncio.Queue, ("put_nowait", "get_nowait", "put", "get", "empty", "full", "qsize")),
    (asyncio.Condition, ("notify", "wait")),
    # A condition that was made at import has the methods of its lock as they were then.
    (next(base for base in asyncio.Lock.__mro__ if "__aenter__" in vars(base)), ("__aenter__",)),
)

_ROOTS = frozenset({"asyncio.events", tasks.__name__})
"""Modules whose functions run a task or a user's coroutine."""


async def sleep(delay: float, result: Any = None) -> Any:
    """Stand in for ``asyncio.sleep``: in a race only the virtual clock moves."""
    execution = controlled()
    if execution is None or not _is_racing():
        return await _real_sleep(delay, result)  # the loop runs other tasks, then lets time pass
    if delay <= 0:
        await _let_others_in(execution)
    else:
        await async_context.step(
            execution,
            f"sleep {delay * 1000:g} ms",
            Footprint(reads=frozenset({"clock:now"})),
            kind="clock",
            deadline=execution.now() + delay,
        )
    return result


async def _let_others_in(execution: ExecutionContext) -> None:
    """Take a step without an effect, which waits where a loop would take it again and again.

    Where no code is rewritten, nobody knows whether the loop is in the same state as before.
    """
    label = "sleep 0 ms"
    if execution.controller.memory is None:
        await async_context.step(execution, label, NOTHING, kind="clock")
        return
    pause = Question(execution, label, NOTHING, is_pause=True)
    await async_context.step(
        execution, label, pause.footprint, kind="clock", recheck_from=pause.since,
        polls=pause.since is not None,
    )  # fmt: skip
    pause.note_unchanged()


async def wait_for(fut: Any, timeout: float | None) -> Any:
    """Stand in for ``asyncio.wait_for``, without a task of its own, as since Python 3.12.

    So the actors of a schedule have the same names on every Python.
    """
    if controlled() is None or timeout is None or timeout <= 0:
        return await _real_wait_for(fut, timeout)
    async with asyncio.timeout(timeout):
        return await fut


def as_completed(fs: Any, *, timeout: float | None = None) -> Any:
    """Stand in for ``asyncio.as_completed``, which makes tasks in the order of addresses."""
    is_one = asyncio.isfuture(fs) or asyncio.iscoroutine(fs)  # an error, which asyncio raises
    if controlled() is None or is_one:
        return _real_as_completed(fs, timeout=timeout)
    if inspect.isgeneratorfunction(_real_as_completed):  # before Python 3.13
        return _when_asked_for(fs, timeout)
    return _real_as_completed(_tasks_of(fs), timeout=timeout)


def _when_asked_for(fs: Any, timeout: float | None) -> Iterator[Any]:
    """Make the tasks when the first of them is asked for."""
    yield from _real_as_completed(_tasks_of(fs), timeout=timeout)


def _tasks_of(fs: Any) -> list[asyncio.Future[Any]]:
    return [asyncio.ensure_future(each) for each in dict.fromkeys(fs)]


def async_pairs() -> list[tuple[Any, Any]]:
    """Return (real, stand-in) pairs for code that has imported the functions by name."""
    pairs: list[tuple[Any, Any]] = [
        (_real_sleep, sleep), (asyncio.run_coroutine_threadsafe, run_coroutine_threadsafe),
        (_real_as_completed, as_completed),
    ]  # fmt: skip
    if sys.version_info < (3, 12):
        pairs.append((_real_wait_for, wait_for))
    return pairs


@contextmanager
def tools_watched() -> Iterator[None]:
    """Replace asyncio's sleep, and note uses of its primitives and coroutines never awaited."""
    with Patches() as replaced:
        for real, stand_in in async_pairs():
            for module in (asyncio, asyncio.tasks):
                replaced.put(module, real.__name__, stand_in)
        for owner, names in _TOOLS:
            for name in names:
                method = owner.__dict__.get(name)
                if method is not None:
                    replaced.put(owner, name, noting(method))
        replaced.put(asyncio.Queue, "get_nowait", _working_off(asyncio.Queue.get_nowait))
        _rebind_to_the_running_loop(replaced)
        _hear_unawaited(replaced)
        yield


def _is_racing() -> bool:
    actor = current_actor()
    if isinstance(actor, TaskActor):
        return bool(actor.home.racing)
    return actor is None or not actor.direct  # a body on its loop


@cache
def noting(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return the version of ``method`` that notes the actor using its object."""
    if inspect.iscoroutinefunction(method):

        @wraps(method)
        async def noted_coroutine(*args: Any, **kwargs: Any) -> Any:
            _note_use(args[0], sys._getframe().f_back)
            return await method(*args, **kwargs)

        return noted_coroutine

    @wraps(method)
    def noted(*args: Any, **kwargs: Any) -> Any:
        _note_use(args[0], sys._getframe().f_back)
        return method(*args, **kwargs)

    return noted


def _working_off(get_nowait: Callable[..., Any]) -> Callable[..., Any]:
    """Return a version of ``get_nowait`` that notes which actor took an item off the queue."""

    @wraps(get_nowait)
    def taken(queue: Any) -> Any:
        item = get_nowait(queue)
        loop = get_running_loop()
        actor = loop.acting() if type(loop) is ControlledLoop else None
        if actor is not None:
            actor.work_off()
        return item

    return taken


def _note_use(tool: Any, frame: Any) -> None:
    """Note a primitive that a second actor uses; one with a single user is not shared memory."""
    loop = get_running_loop()
    if type(loop) is not ControlledLoop or loop.answers_awaited:
        return  # uses by redis-py inside a command do not count
    memory = loop.controller.memory
    keeps_nodes_apart = memory is not None and memory.nodes is not None
    if not (keeps_nodes_apart or loop.racing) or not _is_used_by_code_under_test(frame):
        return
    tool = getattr(tool, "_state", tool)  # the two ends of a stream of anyio have one
    if keeps_nodes_apart:
        memory.note_node(tool, WHOLE, writes=True)
    actor = loop.acting()
    if not loop.racing or actor is None:
        return
    first, _ = loop.tools.setdefault(identity(tool), (actor, tool))
    if memory is not None:
        if memory.sharing.tasks_synchronize or first is not actor:
            loop.note_synchronization(actor, "asyncio")
    elif first is not actor and not loop.controller.shared_memory:
        kind = type(tool).__name__
        loop.controller.note_memory(f"{first.name} and {actor.name} used one asyncio.{kind}")


def _is_used_by_code_under_test(frame: Any) -> bool:
    """Say whether the caller is under test; a whole task or user may be a call of the primitive."""
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if name in _ROOTS:
            return True
        if not name.startswith(("asyncio", "contextlib", __name__)):
            return is_under_test_name(name)
        frame = frame.f_back
    return False


def _rebind_to_the_running_loop(replaced: Patches) -> None:
    """Bind a primitive to the running loop: one made at import outlives an execution's loop."""
    owner: Any = asyncio.mixins._LoopBoundMixin
    get_loop = owner._get_loop

    @wraps(get_loop)
    def get_running_loop(tool: Any) -> Any:
        loop = asyncio.get_running_loop()
        if isinstance(loop, ControlledLoop):
            tool._loop = loop
            return loop
        return get_loop(tool)

    replaced.put(owner, "_get_loop", get_running_loop)


def _hear_unawaited(replaced: Patches) -> None:
    """Replace the hook that the interpreter calls when a never-awaited coroutine is destroyed."""
    warn = warnings._warn_unawaited_coroutine  # type: ignore[attr-defined] # noqa: SLF001

    def note(coroutine: Any) -> None:
        actor = current_actor()
        execution = None if actor is None else controlled()
        if execution is None or actor is None:
            warn(coroutine)
        elif not execution.controller.leaving():
            name = getattr(coroutine, "__qualname__", "?")
            execution.controller.left_over.append(
                (actor.name, f"the coroutine {name!r} was never awaited")
            )

    replaced.put(warnings, "_warn_unawaited_coroutine", note)
