"""Makes the jobs of aiosqlite connections steps of the tasks that await them.

aiosqlite hands each call to a thread of its connection, in a queue. Here no such thread starts. The
job runs in a step of its task, and its answer comes later, like that of a server. A connection
does its jobs one after another, in the order in which they were queued. That order is memory which
its tasks share.
"""

import asyncio
import sqlite3
import sys
from collections import deque
from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from aiosqlite.core import Connection

from pytest_supercache.core.footprint import NOTHING, Footprint
from pytest_supercache.runtime.kernel import async_context
from pytest_supercache.runtime.kernel.active import controlled, hearing
from pytest_supercache.runtime.kernel.calling import current_actor, here
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext
from pytest_supercache.runtime.kernel.patches import Patches
from pytest_supercache.runtime.kernel.task_actor import TaskActor
from pytest_supercache.runtime.sql import sqlite
from pytest_supercache.runtime.sql.sqlite_cursor import Cursor
from pytest_supercache.runtime.sql.statements import LOCK

_BEFORE = (
    "a statement went to SQLite through a connection of aiosqlite that was opened before the "
    "execution, or while a module was imported: its thread is not under control. Open it in the "
    "system's factory"
)
_CANCELLED = (
    "a task was cancelled while it waited for {!r} on a connection of aiosqlite: its thread does "
    "the job nevertheless, at a moment that this version does not control"
)
_OF_ITS_OWN = (
    "a job of aiosqlite ({}) executes statements of its own ({!r}): others may come between them, "
    "which this version does not control. Await each statement"
)
_STOPPED = (
    "a connection of aiosqlite was stopped, or given a job past its own methods, when that takes a "
    "step ({!r}): its thread takes it at a moment that this version does not control. Await "
    "close() instead"
)
_OVERLAPS = (
    "{} and {} use one connection of a pool of SQLAlchemy at the same time, which this version "
    "does not control, nor does SQLAlchemy allow it. Give each task a session of its own"
)
_INTERRUPTED = (
    "the code under test called interrupt() of aiosqlite, which this version does not control"
)

_patches = Patches()
_opened: list["Jobs"] = []

_Method = Callable[..., Any]


def open() -> list[tuple[Any, Any]]:
    """Patch aiosqlite so that its connections do their jobs in steps."""
    _patches.wrap(Connection, "__init__", _begin)
    _patches.wrap(Connection, "_connect", _connect)
    _patches.wrap(Connection, "_execute", _execute)
    _patches.wrap(Connection, "interrupt", _interrupt)
    _patches.put(Connection, "_conn", property(_named(Connection._conn.fget)))  # type: ignore[attr-defined] # noqa: SLF001 - SQLite's connection
    return []


def close() -> None:
    """Restore aiosqlite."""
    _patches.undo()


def close_opened() -> None:
    """Forget connections that an execution has left open: SQLite's door closes them."""
    while _opened:
        _opened.pop().owner._connection = None  # noqa: SLF001 - else it warns when it is collected


def _begin(method: _Method) -> _Method:
    def begin(connection: Any, *args: Any, **kwargs: Any) -> None:
        method(connection, *args, **kwargs)
        execution = hearing()
        if execution is None or here.is_importing:
            return
        connection._tx = Jobs(connection)  # noqa: SLF001 - the queue of its thread
        if isinstance(connection, _NoThread.kind):  # until aiosqlite 0.21
            connection.start = _NoThread.start
        else:
            connection._thread = _NoThread()  # noqa: SLF001 - which must not start
        _opened.append(connection._tx)  # noqa: SLF001 - see above

    return begin


def _connect(method: _Method) -> _Method:
    async def connect(connection: Any) -> Any:
        execution = controlled()
        if execution is None:
            return await method(connection)
        _refuse_foreign(connection, execution)
        await _pause(execution, "connect")
        answer = await method(connection)
        if isinstance(connection._connection, sqlite.Connection):  # noqa: SLF001 - what it wraps
            connection._connection.serve_any_thread()  # noqa: SLF001 - see above
        return answer

    return connect


def _execute(method: _Method) -> _Method:
    async def execute(connection: Any, function: Any, *args: Any, **kwargs: Any) -> Any:
        execution = controlled()
        if execution is None:
            return await method(connection, function, *args, **kwargs)
        _refuse_foreign(connection, execution)
        real = connection._connection  # noqa: SLF001 - what it wraps
        if real is None or not connection._running:  # noqa: SLF001 - aiosqlite raises its error
            return await method(connection, function, *args, **kwargs)
        job = Job(execution, real, function, partial(function, *args, **kwargs))
        return await connection._tx.do(job)  # noqa: SLF001 - the queue of its thread

    return execute


def _interrupt(method: _Method) -> _Method:
    @wraps(method)
    async def interrupt(connection: Any) -> Any:
        execution = controlled()
        if execution is not None:
            execution.controller.hazard(_INTERRUPTED)
        return await method(connection)

    return interrupt


def _named(get: _Method) -> _Method:
    def get_connection(connection: Any) -> Any:
        execution = controlled()
        if execution is not None:
            _refuse_foreign(connection, execution)
        return get(connection)

    return get_connection


def _refuse_foreign(connection: Any, execution: ExecutionContext) -> None:
    """Report a connection that is not of this execution: its thread would not wake this loop.

    Raises:
        ProgrammingError: it is such a connection.
    """
    real = connection._connection  # noqa: SLF001 - what it wraps
    is_ours = real is None or isinstance(real, sqlite.Connection)
    if connection._tx not in _opened or not is_ours:  # noqa: SLF001 - the queue of its thread
        execution.controller.hazard(_BEFORE)
        raise sqlite3.ProgrammingError(_BEFORE)


class _NoThread:
    """Stands in for the thread of a connection, which does not start."""

    kind: Any = Connection if hasattr(Connection, "daemon") else ()
    name, daemon = "aiosqlite", True

    @staticmethod
    def start() -> None:
        """Do nothing: the tasks take the steps."""

    def join(self, timeout: float | None = None) -> None:
        """Return at once, as if the thread had ended."""

    def is_alive(self) -> bool:
        """Say that it has ended."""
        return False


class _Wanted(BaseException):
    """Says that a job needs a step before it goes on; no code of a library catches it."""

    def __init__(self, label: str, footprint: Footprint) -> None:
        super().__init__(label)
        self.label, self.footprint = label, footprint
        self.failure: Any = ConnectionError


class Job:
    """A call of the code under test on a connection, which begins anew with each attempt.

    Args:
        execution: takes its step.
        connection: SQLite's, on which it runs.
        function: the function that is called.
        call: calls it.
    """

    def __init__(
        self,
        execution: ExecutionContext,
        connection: sqlite.Connection,
        function: _Method,
        call: _Method,
    ) -> None:
        self.execution, self.name = execution, getattr(function, "__name__", "job")
        owner = getattr(function, "__self__", None)
        self._can_be_begun_anew = isinstance(owner, (sqlite.Connection, Cursor, Connection))
        self.granted: Footprint | None = None
        self.timeout: float | None = None
        self._waits_after: Callable[[BaseException], Footprint | None] | None = None
        self._connection, self._call = connection, call
        self._is_in_step = False

    def attempt(self) -> Any:
        """Make the call.

        Raises:
            _Wanted: it needs a step first, or one that touches more.
        """
        self._is_in_step = False
        before, self._connection.job = self._connection.job, self
        try:
            return self._call()
        finally:
            self._connection.job = before

    def perform(
        self,
        execution: ExecutionContext,
        label: str,
        footprint: Footprint,
        call: _Method,
        *,
        failure: Any,
        must_wait: Callable[[BaseException], Footprint | None],
        timeout: float | None,
        is_step: bool,
    ) -> Any:
        """Execute a statement of the job, if its step was taken: see `statements.perform`."""
        if not self._can_be_begun_anew or (self._is_in_step and footprint.reads - LOCK):
            execution.controller.hazard(_OF_ITS_OWN.format(self.name, label))
            return call()
        if self._is_in_step or not is_step:
            return call()
        granted = self.granted
        if granted is None or not (
            footprint.reads <= granted.reads and footprint.writes <= granted.writes
        ):
            wanted = _Wanted(label, footprint)
            wanted.failure = failure
            raise wanted
        self._is_in_step, self._waits_after, self.timeout = True, must_wait, timeout
        return call()

    def waiting_after(self, error: BaseException) -> Footprint | None:
        """Return the footprint of waiting after this error of an attempt; None: do not wait."""
        never_waits = self.timeout is not None and self.timeout <= 0
        return None if self._waits_after is None or never_waits else self._waits_after(error)


class Jobs:
    """The jobs of one connection; it stands in for the queue of the connection's thread.

    Args:
        owner: the connection.
    """

    def __init__(self, owner: Any) -> None:
        self.owner = owner
        actor = current_actor()
        self._name = "body" if actor is None else actor.name
        number = sum(one._name == self._name for one in _opened)
        self._resource = f"connection {self._name}#{number}"
        order = frozenset({f"database:{self._resource}"})
        self._is_lent = _is_lent()
        self._order = NOTHING if self._is_lent else Footprint(order, order)
        self._waiting: deque[Job] = deque()
        self._user: Any = None

    def put_nowait(self, job: tuple[Any, _Method]) -> None:
        """Do a job at once that is not given by a method of the connection."""
        future, function = job
        execution, real = controlled(), self.owner._connection  # noqa: SLF001 - what it wraps
        if isinstance(real, sqlite.Connection) and execution is not None:
            function = partial(_done_at_once, Job(execution, real, real.close, function), function)
        try:
            answer = function()
        except Exception as error:  # noqa: BLE001 - the future raises it again
            if future is not None:
                future.set_exception(error)
        else:
            if future is not None:
                future.set_result(answer)

    put = put_nowait

    async def do(self, job: Job) -> Any:
        """Do a job in its turn, in the steps of the calling task."""
        self._note_use(job.execution)
        self._waiting.append(job)
        try:
            wanted = _Wanted(job.name, NOTHING)
            if self._waiting[0] is job:
                try:
                    answer = self._done(job)
                except _Wanted as found:
                    wanted = found
                except Exception:
                    await _pause(job.execution, job.name)
                    raise
                else:
                    await _pause(job.execution, job.name)
                    return answer
            return await self._take_steps(job, wanted)
        except asyncio.CancelledError:
            if not job.execution.controller.leaving():
                job.execution.controller.hazard(_CANCELLED.format(job.name))
            raise
        finally:
            if job in self._waiting:
                self._waiting.remove(job)

    def _done(self, job: Job) -> Any:
        """Do a job; if no lock keeps it waiting, and no step is missing, the next one begins."""
        try:
            answer = job.attempt()
        except Exception as error:
            if job.waiting_after(error) is None:
                self._waiting.remove(job)
            raise
        self._waiting.remove(job)
        return answer

    async def _take_steps(self, job: Job, wanted: _Wanted) -> Any:
        """Take the steps of a job until it has been done."""
        while True:
            job.granted = wanted.footprint
            try:
                return await async_context.call(
                    job.execution, wanted.label, wanted.footprint | self._order,
                    partial(self._attempt, job, wanted.label), kind="origin",
                    failure=wanted.failure,
                )  # fmt: skip
            except _Wanted as found:
                job.execution.record.note_futile(("origin", "busy"))
                wanted = found

    async def _attempt(self, job: Job, label: str) -> Any:
        """Do a job whose step was taken, and wait in steps as long as it cannot be done."""
        execution, deadline = job.execution, None
        while True:
            since = len(execution.record.steps)
            failed: Exception | None = None
            why, waiting = "its connection was busy", self._order
            if self._waiting[0] is job:
                try:
                    return self._done(job)
                except Exception as error:
                    found = job.waiting_after(error)
                    if found is None:
                        raise
                    failed, why = error, "was locked"
                    waiting = found | Footprint(reads=LOCK) | self._order
                    if deadline is None and job.timeout is not None:
                        deadline = execution.now() + job.timeout
            execution.record.note_futile(("origin", "busy"))
            if not await async_context.step(
                execution, f"{label} ({why})", waiting, kind="busy", recheck_from=since,
                deadline=None if failed is None else deadline, has_answer=True,
            ):  # fmt: skip
                assert failed is not None, "only the wait for a lock has a timeout"
                raise failed

    def _note_use(self, execution: ExecutionContext) -> None:
        """Note that a task queues a job: tasks of one connection meet by the order of its jobs."""
        actor, memory = current_actor(), execution.controller.memory
        if actor is None or actor.direct or execution.controller.phase != "race":
            return
        if self._is_lent:
            if self._waiting and self._user is not actor:
                execution.controller.hazard(_OVERLAPS.format(self._user.name, actor.name))
            self._user = actor
            return
        self._user = self._user or actor
        if isinstance(actor, TaskActor) and memory is not None:
            if memory.sharing.tasks_synchronize or self._user is not actor:
                actor.home.note_synchronization(actor, self._resource)
        elif self._user is not actor:
            execution.controller.note_memory(
                f"{self._user.name} and {actor.name} used one connection of aiosqlite"
            )


def _is_lent() -> bool:
    """Say whether a pool makes the connection which lends it to one task at a time."""
    pools = sys.modules.get("sqlalchemy.pool")
    if pools is None:
        return False
    lenders = (pools.QueuePool, pools.NullPool, pools.AssertionPool)
    frame: Any = sys._getframe(1)
    while frame is not None and not isinstance(frame.f_locals.get("self"), pools.Pool):
        frame = frame.f_back
    return frame is not None and isinstance(frame.f_locals["self"], lenders)


def _done_at_once(job: Job, function: _Method) -> Any:
    try:
        return job.attempt()
    except _Wanted as wanted:
        job.execution.controller.hazard(_STOPPED.format(wanted.label))
        return function()


async def _pause(execution: ExecutionContext, name: str) -> None:
    """Let others go on during a job that touches nothing, if the task has touched what they see.

    If it has not, the job ends with the answer of the step before.
    """
    controller, actor = execution.controller, current_actor()
    memory = controller.memory
    is_seen = memory is not None and actor is not None and memory.has_touched(actor)
    if is_seen or controller.shared_memory or controller.grain == "await":
        await async_context.call(execution, name, NOTHING, _nothing, kind="origin")


async def _nothing() -> None:
    return None
