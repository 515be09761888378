"""Makes statements of psycopg steps, of connections that block and of those that are awaited.

An awaited connection gets its answers as a blocking one does: the server never keeps a statement
waiting, and no other task could go on before the answer of a step.
"""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

import psycopg
from psycopg import waiting

from pytest_supercache.runtime.kernel.active import controlled
from pytest_supercache.runtime.kernel.patches import Patches
from pytest_supercache.runtime.sql.lock_holders import observer_query, process_ids
from pytest_supercache.runtime.sql.postgres import (
    IDLE,
    DatabaseSessions,
    Driver,
    Method,
    connecting,
    named,
    text_of,
    unreachable,
    without_lock_waits,
)

_NOT_CONTROLLED = (
    "notifies", "pipeline", "tpc_begin", "tpc_commit", "tpc_prepare", "tpc_recover",
    "tpc_rollback",
)  # fmt: skip
_INSTEAD = "Use a Connection and execute()"
_FETCHES = ("fetchone", "fetchmany", "fetchall", "scroll")
_ENDS = (("commit", "COMMIT"), ("rollback", "ROLLBACK"), ("close", "ROLLBACK"))
_END = object()

_sessions = DatabaseSessions()
_patches = Patches()
_execute = psycopg.Cursor.execute
_aexecute = psycopg.AsyncCursor.execute


def open() -> list[tuple[Any, Any]]:
    """Patch psycopg so that its statements are steps."""
    _wrap_statements(psycopg.Connection, psycopg.Cursor, psycopg.ServerCursor, "__next__")
    _wrap_statements(
        psycopg.AsyncConnection, psycopg.AsyncCursor, psycopg.AsyncServerCursor, "__anext__"
    )
    _patches.wrap(psycopg.Transaction, "__exit__", _leave)
    _patches.wrap(psycopg.AsyncTransaction, "__aexit__", _leave)
    for owner, name, blocking in (
        (waiting, "wait_async", waiting.wait),
        (waiting, "wait_conn_async", waiting.wait_conn),
        (
            psycopg.connection_async, "conninfo_attempts_async",
            psycopg.conninfo.conninfo_attempts,
        ),
    ):  # fmt: skip
        _patches.wrap(owner, name, partial(_blocking, blocking=blocking))
    real, aconnect = psycopg.connect, _aconnecting(vars(psycopg.AsyncConnection)["connect"])
    connect = _connecting(vars(psycopg.Connection)["connect"])
    _patches.put(psycopg.AsyncConnection, "connect", classmethod(aconnect))
    _patches.put(psycopg.Connection, "connect", classmethod(connect))
    stand_in = psycopg.Connection.connect
    _patches.put(psycopg, "connect", stand_in)
    return [(real, stand_in)]


def _wrap_statements(connection: Any, cursor: Any, server_cursor: Any, following: str) -> None:
    for owner in (cursor, server_cursor):
        for name in ("execute", "executemany"):
            _patches.wrap(owner, name, _statement)
    for name in (*_FETCHES, following):
        _patches.wrap(server_cursor, name, _fetch)
    for name, word in _ENDS:
        _patches.wrap(connection, name, partial(_end, word=word))
    for name in _NOT_CONTROLLED:
        _patches.wrap(connection, name, named("psycopg", _INSTEAD))
    for name in ("copy", "stream"):
        _patches.wrap(cursor, name, named("psycopg", _INSTEAD))


def close() -> None:
    """Restore psycopg."""
    _patches.undo()


def close_opened() -> None:
    """Close connections that an execution has left open, and roll back their transactions."""
    _sessions.close()


# -- connections ---------------------------------------------------------------------------------


def _finish(connection: Any) -> None:
    _roll_back(connection)
    connection.pgconn.finish()


def _roll_back(connection: Any) -> None:
    """Roll back a transaction and wait for it: after a mere disconnect its locks are held on."""
    if not connection.closed and connection.info.transaction_status != IDLE:
        connection.pgconn.exec_(b"ROLLBACK")


def _default_level(connection: Any) -> str:
    asked = connection.pgconn.exec_(b"SHOW default_transaction_isolation")
    return str(asked.get_value(0, 0).decode())


def _level(connection: Any) -> str | None:
    level = connection.isolation_level
    is_alone = connection.autocommit and connection.info.transaction_status == IDLE
    return None if level is None or is_alone else str(level.name.replace("_", " "))


class PsycopgObserver:
    """Looks at what a connection waits for, by libpq alone.

    Args:
        connection: how to connect.
    """

    def __init__(self, connection: Any) -> None:
        info = connection.info
        words = {"password": info.password} if info.password else {}
        address = psycopg.conninfo.make_conninfo(info.dsn, **words)
        self._connection = psycopg.pq.PGconn.connect(address.encode())
        if self._connection.status != psycopg.pq.ConnStatus.OK:
            raise psycopg.OperationalError(self._connection.get_error_message())
        self.close = self._connection.finish

    def ask(self, process: int) -> None:
        """Begin to look until a process waits for a lock, which is then cancelled."""
        self._connection.send_query(observer_query(process).encode())

    def answer(self) -> frozenset[int]:
        """Return the processes that have the lock."""
        found: frozenset[int] = frozenset()
        while (result := self._connection.get_result()) is not None:
            for row in range(result.ntuples):
                found |= process_ids(result.get_value(row, 0))
        return found


def _driver(plain: Callable[[Any, str], Any], *, awaits: bool) -> Driver:
    return Driver(
        error=psycopg.Error, failure=psycopg.OperationalError, plain=plain,
        finish=_finish, awaits=awaits, level=_level,
        status=lambda connection: int(connection.info.transaction_status),
        begins=lambda connection: not connection.autocommit,
        process=lambda connection: int(connection.info.backend_pid), observer=PsycopgObserver,
    )  # fmt: skip


_BLOCKING = _driver(
    lambda connection, text: _execute(psycopg.Cursor(connection), text), awaits=False
)
_AWAITED = _driver(
    lambda connection, text: _aexecute(psycopg.AsyncCursor(connection), text), awaits=True
)


def _options(execution: Any, conninfo: str, kwargs: dict[str, Any]) -> dict[str, Any]:
    said = psycopg.conninfo.conninfo_to_dict(conninfo).get("options")
    options = kwargs.get("options", said)
    return {**kwargs, "options": without_lock_waits(execution, options and str(options))}


def _connecting(connect: Any) -> Method:
    @wraps(connect.__func__)
    def connected(cls: Any, conninfo: str = "", **kwargs: Any) -> Any:
        execution, real = connecting(), connect.__get__(None, cls)
        if execution is None:
            return real(conninfo, **kwargs)
        kwargs = _options(execution, conninfo, kwargs)
        try:
            connection = real(conninfo, **kwargs)
        except psycopg.OperationalError as error:
            unreachable(error)
            raise
        _sessions.add(connection, _BLOCKING, _default_level(connection))
        return connection

    return connected


def _aconnecting(connect: Any) -> Method:
    @wraps(connect.__func__)
    async def connected(cls: Any, conninfo: str = "", **kwargs: Any) -> Any:
        execution, real = connecting(), connect.__get__(None, cls)
        if execution is None:
            return await real(conninfo, **kwargs)
        kwargs = _options(execution, conninfo, kwargs)
        try:
            connection = await real(conninfo, **kwargs)
        except psycopg.OperationalError as error:
            unreachable(error)
            raise
        _sessions.add(connection, _AWAITED, _default_level(connection))
        return connection

    return connected


def _blocking(wait: Method, *, blocking: Method) -> Method:
    """Let what an execution waits for be waited for by its thread."""

    async def waited(*args: Any, **kwargs: Any) -> Any:
        if controlled() is None:
            return await wait(*args, **kwargs)
        return blocking(*args, **kwargs)

    return waited


# -- steps: each of these returns what to await if the method is a coroutine's -------------------


def _name(cursor: Any) -> str | None:
    """Return the name that a cursor has in the server."""
    name = getattr(cursor, "name", None)
    return None if name is None else str(name)


def _statement(method: Method) -> Method:
    def execute(cursor: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
        call = partial(method, cursor, query, *args, **kwargs)
        execution, session = _sessions.under_control(cursor.connection)
        if execution is None or session is None:
            return call()
        text, name = text_of(query, cursor), _name(cursor)
        if name is not None:
            session.declare(name, text)
        parameters = args[0] if args else kwargs.get("params")
        return session.execute(
            execution, text, call, parameters, count=lambda _: int(cursor.rowcount)
        )

    return execute


def _fetch(method: Method) -> Method:
    def fetch(cursor: Any, *args: Any) -> Any:
        execution, session = controlled(), _sessions.of(cursor.connection)
        if execution is None or session is None:
            return method(cursor, *args)

        def call() -> Any:
            try:
                return method(cursor, *args)
            except StopIteration:
                return _END

        answer = session.fetch(execution, str(_name(cursor)), call)
        if answer is _END:
            raise StopIteration
        return answer

    return fetch


def _end(method: Method, *, word: str) -> Method:
    def end(connection: Any) -> Any:
        execution, session = controlled(), _sessions.of(connection)
        if execution is None or session is None:
            return method(connection)

        def call() -> Any:
            if method.__name__ == "close":
                _roll_back(connection)
            return method(connection)

        return session.end(execution, word, call)

    return end


def _leave(method: Method) -> Method:
    """Wrap the end of ``with connection.transaction():``, which sends COMMIT or ROLLBACK itself."""

    def leave(transaction: Any, kind: Any, error: Any, traceback: Any) -> Any:
        call = partial(method, transaction, kind, error, traceback)
        execution, session = controlled(), _sessions.of(transaction.connection)
        is_outer = getattr(transaction, "_outer_transaction", True)
        if execution is None or session is None or not is_outer:
            return call()
        commits = kind is None and not transaction.force_rollback
        return session.end(execution, "COMMIT" if commits else "ROLLBACK", call)

    return leave
