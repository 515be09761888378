"""Makes statements of asyncpg steps.

All that a connection exchanges with the server goes through its protocol, which is written in C: a
stand-in takes the steps. The answer of a step is awaited on the real socket, where the loop neither
lets another actor go on nor lets time pass before it.
"""

import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import partial
from inspect import iscoroutinefunction
from types import coroutine
from typing import Any

import asyncpg
from asyncpg import connection as places
from asyncpg import introspection

from pytest_supercache.core.socket_ends import opened_again
from pytest_supercache.runtime.kernel.active import controlled
from pytest_supercache.runtime.kernel.calling import current_actor
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext
from pytest_supercache.runtime.kernel.patches import Patches
from pytest_supercache.runtime.sql.lock_holders import observer_query, process_ids
from pytest_supercache.runtime.sql.postgres import (
    CLOSED,
    IDLE,
    IN_ERROR,
    IN_TRANSACTION,
    DatabaseSession,
    DatabaseSessions,
    Driver,
    Method,
    connecting,
    is_lock,
    name_before,
    name_call,
    named,
    unreachable,
    without_lock_waits,
)

_INSTEAD = "Use execute(), fetch() or executemany()"
_ENDS = {"COMMIT;": "COMMIT", "ROLLBACK;": "ROLLBACK", "ROLLBACK": "ROLLBACK"}
_OF_TYPES = frozenset(
    {introspection.INTRO_LOOKUP_TYPES, introspection.INTRO_LOOKUP_TYPES_13,
     introspection.TYPE_BY_NAME}
)  # fmt: skip
_OF_THE_LIBRARY = re.compile(r"\bset_config\(\s*'jit'")
_RESETS = re.compile(r"\s*SELECT pg_advisory_unlock_all\(\);\s*(CLOSE ALL|UNLISTEN|RESET ALL)")
_MOVES = re.compile(r"MOVE FORWARD \d+ (__asyncpg_\w+)$")
_ROW_COUNT = re.compile(r"\d+$")
_ADVISORY = re.compile(r"advisory", re.IGNORECASE)
_TERMINATE = b"X\0\0\0\4"
_GOODBYE_SECONDS = 5.0
_PREPARED_UNDER_A_LOCK = (
    "the code under test prepared a statement of asyncpg while another transaction changes its "
    "table: what PostgreSQL would have given after waiting is not known"
)

_SHARED = (
    "two tasks use one connection of asyncpg, which refuses a call while another task waits for "
    "its answer: whether that happens is not known. Let each take a connection of its own"
)

_ANSWERS = "DO $do$ BEGIN RAISE EXCEPTION '%', ({query}); END $do$"
"""Answers by an error: statements without parameters bring asyncpg no rows."""

_sessions = DatabaseSessions()
_patches = Patches()
_real_connect = asyncpg.connect


def open() -> list[tuple[Any, Any]]:
    """Patch asyncpg so that its statements are steps."""
    for module in (asyncpg, places):
        _patches.put(module, "connect", connect)
    _patches.wrap(places.Connection, "_check_open", _checking)
    _patches.wrap(asyncpg.Pool, "__init__", _without_timers)
    _patches.wrap(places.Connection, "add_listener", named("asyncpg", _INSTEAD))
    return [(_real_connect, connect)]


def close() -> None:
    """Restore asyncpg."""
    _patches.undo()


def close_opened() -> None:
    """Close connections that an execution has left open, and roll back their transactions."""
    _sessions.close()


async def connect(dsn: Any = None, **kwargs: Any) -> Any:
    """Stand in for ``asyncpg.connect``: inside of an execution every statement is a step."""
    execution = connecting()
    if execution is None:
        return await _real_connect(dsn, **kwargs)
    again = partial(_real_connect, dsn, **{**kwargs, "timeout": None, "command_timeout": None})
    settings = dict(kwargs.get("server_settings") or {})
    without_lock_waits(execution, " ".join([str(dsn), *settings]))
    kwargs |= {
        "server_settings": {**settings, "lock_timeout": "1"},
        "timeout": None, "command_timeout": None, "max_cached_statement_lifetime": 0,  # no timers
    }  # fmt: skip
    try:
        with _answering(execution), _looking_up(execution):
            connection = await _real_connect(dsn, **kwargs)
    except (OSError, asyncpg.PostgresError) as error:
        unreachable(error)
        raise
    protocol = SteppedProtocol(connection)
    protocol.session = _sessions.add(connection, _driver(protocol, again))
    with _answering(execution):
        level = await connection.fetchval("SHOW default_transaction_isolation")
    protocol.session.default_level = level.upper()
    connection._protocol = protocol  # noqa: SLF001 - asyncpg has no public hook for exchanges
    for loop in execution.controller.loops:
        loop.keep(protocol)
    return connection


def _checking(check: Method) -> Method:
    def checked(connection: Any) -> None:
        execution = controlled()
        if execution is not None and _sessions.of(connection) is None:
            name_before(execution)
        check(connection)

    return checked


def _without_timers(make: Method) -> Method:
    def made(pool: Any, *args: Any, **kwargs: Any) -> None:
        if controlled() is not None:
            kwargs["max_inactive_connection_lifetime"] = 0
        make(pool, *args, **kwargs)

    return made


@contextmanager
def _answering(execution: ExecutionContext, answers: int = 1) -> Iterator[None]:
    """Let the loop wait for the server until an answer has arrived."""
    actor = current_actor()
    if actor is not None:  # else a module is imported
        actor.in_command += answers
    for loop in execution.controller.loops:
        loop.answers_awaited += answers
    try:
        yield
    finally:
        if actor is not None:
            actor.in_command -= answers
        for loop in execution.controller.loops:
            loop.answers_awaited -= answers


def _own_work() -> AbstractContextManager[None]:
    """Let the loop do what the caller's function asks for, in the middle of an exchange."""
    execution = controlled()
    return nullcontext() if execution is None else _answering(execution, -1)


def _taking(sink: Callable[[Any], Awaitable[None]]) -> Callable[[Any], Awaitable[None]]:
    async def take(data: Any) -> None:
        with _own_work():
            await sink(data)

    return take


async def _given(pieces: AsyncIterator[Any]) -> AsyncIterator[Any]:
    while True:
        with _own_work():
            try:
                piece = await anext(pieces)
            except StopAsyncIteration:
                return
        yield piece


@contextmanager
def _looking_up(execution: ExecutionContext) -> Iterator[None]:
    """Let the thread itself look up the name of a server, while the loop waits for it."""

    async def getaddrinfo(*args: Any, **kwargs: Any) -> Any:
        return socket.getaddrinfo(*args, **kwargs)

    with Patches() as patches:
        for loop in execution.controller.loops:
            patches.put(loop, "getaddrinfo", getaddrinfo)
        yield


def _row_count(answer: Any) -> int | None:
    """Return the number in what the server says at the end of a statement: ``UPDATE 1``."""
    status = answer[1] if isinstance(answer, tuple) else answer
    told = status.decode() if isinstance(status, bytes) else status
    found = _ROW_COUNT.search(told) if isinstance(told, str) else None
    return None if found is None else int(found[0])


class SteppedProtocol:
    """What a connection of asyncpg talks to the server through: its exchanges are steps."""

    session: DatabaseSession

    def __init__(self, connection: Any) -> None:
        self._real = connection._protocol  # noqa: SLF001 - asyncpg has no public hook for exchanges
        self._writer = connection._transport  # noqa: SLF001 - the loop asks for its socket
        self._is_busy = False
        self._user: object = None  # in the race, until a transaction or a pool's use ends
        self._has_failed = False
        self._has_advisory_locks = False

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        if iscoroutinefunction(found) and not name.startswith("_"):  # of a later version of asyncpg
            name_call("asyncpg", name, _INSTEAD)
        return found

    @property
    def status(self) -> int:
        """The status of the connection, as libpq counts."""
        if not self._real.is_connected():
            return CLOSED
        if not self._real.is_in_transaction():
            return IDLE
        return IN_ERROR if self._has_failed else IN_TRANSACTION

    async def query(self, query: str, timeout: Any) -> Any:
        """Execute statements without parameters."""
        call = partial(self._real.query, query, None)
        if query in _ENDS:
            step = partial(self.session.end, word=_ENDS[query])
            return await self._step(call, step, gives_back=True)
        if moves := _MOVES.match(query):
            return await self._step(call, partial(self.session.fetch, name=moves[1]))
        return await self._execute(query, call)

    async def prepare(self, stmt_name: str, query: str, timeout: Any, **options: Any) -> Any:
        """Prepare a statement, which is no step."""
        call = partial(self._real.prepare, stmt_name, query, None, **options)
        try:
            return await self._step(call)
        except asyncpg.PostgresError as error:
            execution = controlled()
            if execution is not None and is_lock(error):
                execution.controller.hazard(_PREPARED_UNDER_A_LOCK)
            raise

    async def bind_execute(
        self, state: Any, args: Any, portal_name: str, limit: int, return_extra: bool, timeout: Any
    ) -> Any:
        """Execute a prepared statement, as a cursor of the server if that has a name."""
        if portal_name:
            self.session.declare(portal_name, state.query)
        call = partial(self._real.bind_execute, state, args, portal_name, limit, True, None)
        answer = await self._execute(state.query, call, args)
        return answer if return_extra else answer[0]

    async def bind_execute_many(
        self, state: Any, args: Any, portal_name: str, timeout: Any, return_rows: bool
    ) -> Any:
        """Execute a prepared statement for several sets of parameters."""
        sets = list(args)
        call = partial(self._real.bind_execute_many, state, sets, portal_name, None, return_rows)
        return await self._execute(state.query, call)

    async def bind(self, state: Any, args: Any, portal_name: str, timeout: Any) -> Any:
        """Open a cursor of the server."""
        self.session.declare(portal_name, state.query)
        call = partial(self._real.bind, state, args, portal_name, None)
        return await self._execute(state.query, call)

    async def execute(
        self, state: Any, portal_name: str, limit: int, return_extra: bool, timeout: Any
    ) -> Any:
        """Fetch rows of a cursor of the server."""
        call = partial(self._real.execute, state, portal_name, limit, return_extra, None)
        return await self._step(call, partial(self.session.fetch, name=portal_name))

    async def close_portal(self, portal_name: str, timeout: Any) -> Any:
        """Close a cursor of the server."""
        return await self._step(partial(self._real.close_portal, portal_name, None))

    async def close_statement(self, state: Any, timeout: Any) -> Any:
        """Forget a prepared statement."""
        return await self._step(partial(self._real.close_statement, state, None))

    async def copy_in(self, copy_stmt: str, reader: Any, *args: Any) -> Any:
        """Report that rows are copied, which is no step."""
        name_call("asyncpg", "COPY", _INSTEAD)
        given = None if reader is None else _given(aiter(reader))
        return await self._step(partial(self._real.copy_in, copy_stmt, given, *args))

    async def copy_out(self, copy_stmt: str, sink: Any, timeout: Any) -> Any:
        """Report that rows are copied, which is no step."""
        name_call("asyncpg", "COPY", _INSTEAD)
        return await self._step(partial(self._real.copy_out, copy_stmt, _taking(sink), timeout))

    async def close(self, timeout: Any) -> Any:
        """Roll back an open transaction, and close the connection."""
        if self._real.is_in_transaction():
            await self.query("ROLLBACK;", timeout)
        return await self._step(partial(self._real.close, timeout))

    def abort(self) -> None:
        """Close the connection without a word; what a transaction holds is given back at once."""
        if self._real.is_connected() and self._real.is_in_transaction():
            name_call("asyncpg", "terminate() in a transaction", "Use close()")
            self.drop()
        self._real.abort()

    # -- how the rules send a statement --------------------------------------------------------

    async def plain(self, text: str) -> None:
        """Execute a statement that is no step."""
        await self._exchange(partial(self._real.query, text, None))

    def drop(self) -> None:
        """Disconnect, and wait until the server has rolled back: it closes its end after that."""
        found = self._writer.get_extra_info("socket")
        if found is None or found.fileno() < 0 or self._writer.get_extra_info("ssl_object"):
            return
        with opened_again(found.fileno()) as ours:
            ours.settimeout(_GOODBYE_SECONDS)
            try:
                ours.sendall(_TERMINATE)
                while ours.recv(65536):
                    pass
            except OSError:  # it is gone already
                return

    async def disconnect(self, **_nowait: bool) -> None:
        """Disconnect at the end of the loop, which passes what connections of redis-py take."""
        self.drop()

    # -- steps -----------------------------------------------------------------------------------

    async def _execute(
        self, text: str, call: Callable[[], Awaitable[Any]], parameters: Any = None
    ) -> Any:
        self._has_advisory_locks |= _ADVISORY.search(text) is not None and not _RESETS.match(text)
        is_reset = _RESETS.match(text) is not None and not self._has_advisory_locks
        if text in _OF_TYPES or _OF_THE_LIBRARY.search(text) or is_reset:
            return await self._step(call, gives_back=is_reset)
        step = partial(self.session.execute, text=text, parameters=parameters, count=_row_count)
        return await self._step(call, step)

    async def _step(
        self,
        call: Callable[[], Awaitable[Any]],
        step: Callable[..., Any] | None = None,
        *,
        gives_back: bool = False,
    ) -> Any:
        execution = controlled()
        if execution is None:
            return await call()
        self._note_user(execution, gives_back=gives_back)
        if self._is_busy:
            raise asyncpg.InterfaceError(
                "cannot perform operation: another operation is in progress"
            )
        self._is_busy = True
        try:
            exchange = partial(self._exchange, call)
            return await (exchange() if step is None else step(execution, call=exchange))
        finally:
            self._is_busy = False

    def _note_user(self, execution: ExecutionContext, *, gives_back: bool) -> None:
        """Report that a task calls which may do so while another one waits for its answer."""
        actor = current_actor()
        if execution.controller.phase == "race" and not (self._is_busy or gives_back):
            if self._user is not None and self._user is not actor:
                execution.controller.hazard(_SHARED)
            self._user = actor
        if gives_back:
            self._user = None

    async def _exchange(self, call: Callable[[], Awaitable[Any]]) -> Any:
        execution = controlled()
        assert execution is not None, "a step is one of an execution"
        try:
            with _answering(execution):
                answer = await call()
        except asyncpg.PostgresError:
            self._has_failed = True
            raise
        self._has_failed = False
        return answer


@coroutine
def _rest(exchange: Any, future: Any) -> Generator[Any, None, Any]:
    """Await the rest of an exchange that has begun and waits for a future."""
    try:
        with suppress(asyncpg.PostgresError):  # which the exchange raises
            yield future
        exchange.send(None)
    except StopIteration as end:
        return end.value


class AsyncpgObserver:
    """Looks at what a connection waits for, while the answer to that is awaited.

    Each time it connects anew, for the loop may end before it could disconnect.

    Args:
        connect: makes a connection.
        execution: the running execution.
    """

    def __init__(self, connect: Callable[[], Awaitable[Any]], execution: ExecutionContext) -> None:
        self._connect = connect
        self._execution = execution
        self._connection: Any = None
        self._rest: Any = None

    async def ask(self, process: int) -> None:
        """Begin to look until a process waits for a lock, which is then cancelled."""
        with _answering(self._execution), _looking_up(self._execution):
            connection = self._connection = await self._connect()
        protocol = connection._protocol  # noqa: SLF001 - asyncpg has no public hook for exchanges
        exchange = protocol.query(_ANSWERS.format(query=observer_query(process)), None)
        self._rest = _rest(exchange, exchange.send(None))

    async def answer(self) -> frozenset[int]:
        """Return the processes that have the lock."""
        with _answering(self._execution):
            try:
                await self._rest
            except asyncpg.RaiseError as error:
                return process_ids(error)
            finally:
                self._connection.terminate()
        return frozenset()

    def close(self) -> None:
        """Forget the connection, which is closed already."""
        self._connection = None


def _driver(protocol: SteppedProtocol, connect: Callable[[], Awaitable[Any]]) -> Driver:
    def observer(_: Any) -> AsyncpgObserver:
        execution = controlled()
        assert execution is not None, "a lock is met in an execution"
        return AsyncpgObserver(connect, execution)

    return Driver(
        error=asyncpg.PostgresError, failure=asyncpg.PostgresConnectionError, awaits=True,
        plain=lambda _, text: protocol.plain(text), status=lambda _: protocol.status,
        process=lambda connection: int(connection.get_server_pid()), observer=observer,
        begins=lambda _: False, level=lambda _: None, finish=lambda _: protocol.drop(),
    )  # fmt: skip
