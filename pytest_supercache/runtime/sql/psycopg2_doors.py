"""Makes statements of psycopg2 steps.

Its classes are written in C and cannot be patched, so ``psycopg2.connect`` returns instances of
derived classes.
"""

import select
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psycopg2
from psycopg2 import extensions

from pytest_supercache.core.socket_ends import ends_of, open_descriptors, open_sockets
from pytest_supercache.runtime.kernel.active import controlled
from pytest_supercache.runtime.kernel.patches import Patches, derived_from_both
from pytest_supercache.runtime.sql.lock_holders import observer_query, process_ids
from pytest_supercache.runtime.sql.postgres import (
    IDLE,
    DatabaseSessions,
    Driver,
    connecting,
    name_before,
    name_call,
    named,
    text_of,
    unreachable,
    without_lock_waits,
)
from pytest_supercache.runtime.sql.sqlite_before import all_objects

_INSTEAD = "Use execute() of a connection that blocks"
_NO_CLASS = (
    "psycopg2 was given a {name}= that is no class: what it makes is not under control, and its "
    "statements are no steps"
)
_END = object()

_sessions = DatabaseSessions()
_patches = Patches()
_real_connect = psycopg2.connect
_Plain: Any = extensions.connection
_sockets_of_others: frozenset[int] = frozenset()
"""Sockets that were there when no connection was."""


def open() -> list[tuple[Any, Any]]:
    """Replace ``psycopg2.connect``."""
    _patches.put(psycopg2, "connect", connect)
    if extensions.get_wait_callback() is None and _is_connected():
        extensions.set_wait_callback(_wait)
    return [(_real_connect, connect)]


def _is_connected() -> bool:
    """Say whether there is an open connection; all objects are examined for new sockets only."""
    global _sockets_of_others
    sockets = _connected_elsewhere()
    if sockets is not None and sockets <= _sockets_of_others:
        return False
    found = (one for one in all_objects() if issubclass(type(one), _Plain))
    is_found = any(not one.closed for one in found)
    if sockets is not None and not is_found:
        _sockets_of_others = sockets
    return is_found


def _connected_elsewhere() -> frozenset[int] | None:
    """Return the sockets whose other end is not in this process; None: the system lists none."""
    if not open_descriptors():
        return None
    ends = {inode: ends_of(descriptor) for inode, descriptor in open_sockets().items()}
    here = {own for own, _ in ends.values()}
    return frozenset(inode for inode, (_, peer) in ends.items() if peer and peer not in here)


def close() -> None:
    """Restore ``psycopg2.connect``."""
    if extensions.get_wait_callback() is _wait:
        extensions.set_wait_callback(None)
    _patches.undo()


def close_opened() -> None:
    """Close connections that an execution has left open, and roll back their transactions."""
    _sessions.close()


def connect(
    dsn: Any = None, connection_factory: Any = None, cursor_factory: Any = None, **kwargs: Any
) -> Any:
    """Stand in for ``psycopg2.connect``: inside of an execution every statement is a step."""
    execution = connecting()
    if execution is None:
        return _real_connect(dsn, connection_factory, cursor_factory, **kwargs)
    if kwargs.get("async") or kwargs.get("async_"):
        name_call("psycopg2", "connect(async_=1)", _INSTEAD)
        return _real_connect(dsn, connection_factory, cursor_factory, **kwargs)
    said = kwargs.get("options") or extensions.parse_dsn(dsn or "").get("options")
    kwargs["options"] = without_lock_waits(execution, said)
    factory = derived_from_both(connection_factory or _Plain, LibpqConnection)
    try:
        connection = _real_connect(dsn, factory, cursor_factory, **kwargs)
    except psycopg2.OperationalError as error:
        unreachable(error)
        raise
    if isinstance(connection, LibpqConnection):
        _sessions.add(connection, _DRIVER, _default_level(connection))
    else:
        execution.controller.hazard(_NO_CLASS.format(name="connection_factory"))
    return connection


def _wait(connection: Any) -> None:
    """Wait for an answer, and name a connection from before, which nothing else can notice."""
    execution = controlled()
    if execution is not None and not isinstance(connection, LibpqConnection):
        name_before(execution)
    while (state := _Plain.poll(connection)) != extensions.POLL_OK:
        files = [connection.fileno()]
        is_read = state == extensions.POLL_READ
        select.select(files if is_read else [], [] if is_read else files, [])


class LibpqConnection(_Plain):  # type: ignore[misc] # a class of C, whose types are unknown
    """A connection of psycopg2 whose statements are steps while an execution runs."""

    _entered = False

    @property
    def begins(self) -> bool:
        """Whether psycopg2 begins a transaction before a statement."""
        return self._entered or not self.autocommit

    def cursor(
        self, name: Any = None, cursor_factory: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        """Return a cursor whose statements are steps."""
        wanted = cursor_factory or self.cursor_factory or extensions.cursor
        cursor = super().cursor(name, derived_from_both(wanted, LibpqCursor), *args, **kwargs)
        execution = controlled()
        if execution is not None and not isinstance(cursor, LibpqCursor):
            execution.controller.hazard(_NO_CLASS.format(name="cursor_factory"))
        return cursor

    def commit(self) -> None:
        """Commit, which makes the writes visible to other connections."""
        self._end("COMMIT", super().commit)

    def rollback(self) -> None:
        """Roll back, which releases the locks."""
        self._end("ROLLBACK", super().rollback)

    def reset(self) -> None:
        """Roll back, and reset the settings of the connection."""
        self._end("ROLLBACK", super().reset)

    def close(self) -> None:
        """Close the connection, and roll back an open transaction."""
        self._end("ROLLBACK", lambda: _finish(self))

    def __enter__(self) -> Any:
        """Begin a ``with`` statement, in which each statement is in a transaction."""
        entered = super().__enter__()
        self._entered = True
        return entered

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> Any:
        """Commit or roll back, as at the end of a ``with`` statement."""
        try:
            return super().__exit__(kind, error, traceback)
        finally:
            self._entered = False

    def _end(self, word: str, call: Callable[[], Any]) -> None:
        execution, session = controlled(), _sessions.of(self)
        if execution is None or session is None:
            call()
        else:
            session.end(execution, word, call)


class LibpqCursor(extensions.cursor):  # type: ignore[misc] # as above
    """A cursor of psycopg2 whose statements are steps while an execution runs."""

    _counted: int | None = None
    """The rows of all statements of ``executemany()``, if that was called last."""

    @property
    def rowcount(self) -> int:
        """The number of rows that the last call has touched."""
        return super().rowcount if self._counted is None else self._counted

    def execute(self, query: Any, vars: Any = None) -> Any:
        """Execute a statement."""
        execute = super().execute
        return self._step(text_of(query, self), lambda: execute(query, vars), vars)

    def executemany(self, query: Any, vars_list: Any) -> Any:
        """Execute a statement for several sets of parameters, each in a step of its own."""
        many = super().executemany
        if controlled() is None:
            return many(query, vars_list)
        many(query, [])
        text, counted = text_of(query, self), 0
        for one in vars_list:
            self._step(text, lambda one=one: many(query, [one]))  # type: ignore[misc] # bound now
            counted += super().rowcount
        self._counted = counted
        return None

    def callproc(self, procname: Any, *args: Any) -> Any:
        """Call a function of the database."""
        call = super().callproc
        return self._step(f"SELECT * FROM {procname}()", lambda: call(procname, *args))

    def fetchone(self) -> Any:
        """Return the next row."""
        return self._fetch(super().fetchone)

    def fetchmany(self, size: int | None = None) -> Any:
        """Return the next rows."""
        many, count = super().fetchmany, self.arraysize if size is None else size
        return self._fetch(lambda: many(count))

    def fetchall(self) -> Any:
        """Return the remaining rows."""
        return self._fetch(super().fetchall)

    def scroll(self, *args: Any, **kwargs: Any) -> Any:
        """Move to another row."""
        move = super().scroll
        return self._fetch(lambda: move(*args, **kwargs))

    def __next__(self) -> Any:
        """Return the next row."""
        step = super().__next__

        def call() -> Any:
            try:
                return step()
            except StopIteration:
                return _END

        if (row := self._fetch(call)) is _END:
            raise StopIteration
        return row

    def _step(self, text: str, call: Callable[[], Any], parameters: Any = None) -> Any:
        self._counted = None
        execution, session = _sessions.under_control(self.connection)
        if execution is None or session is None:
            return call()
        if self.name is not None:
            session.declare(self.name, text)
        return session.execute(execution, text, call, parameters, count=lambda _: self.rowcount)

    def _fetch(self, call: Callable[[], Any]) -> Any:
        execution, session = controlled(), _sessions.of(self.connection)
        if self.name is None or execution is None or session is None:
            return call()
        return session.fetch(execution, self.name, call)


for _owner, _names in (
    (LibpqCursor, ("copy_from", "copy_to", "copy_expert")),
    (
        LibpqConnection,
        (
            "cancel", "lobject", "poll", "tpc_begin", "tpc_commit", "tpc_prepare", "tpc_recover",
            "tpc_rollback",
        ),
    ),
):  # fmt: skip
    for _name in _names:
        setattr(_owner, _name, named("psycopg2", _INSTEAD)(getattr(_owner, _name)))


# -- how the rules send a statement --------------------------------------------------------------


def _plain(connection: Any, text: str) -> None:
    if text == "ROLLBACK" and connection.begins:
        _Plain.rollback(connection)  # which notes that the next statement begins a transaction
    else:
        extensions.cursor.execute(extensions.cursor(connection), text)


def _default_level(connection: Any) -> str:
    cursor = extensions.cursor(connection)
    extensions.cursor.execute(cursor, "SHOW default_transaction_isolation")
    (level,) = cursor.fetchone()
    _Plain.rollback(connection)
    return str(level)


_LEVELS = {
    extensions.ISOLATION_LEVEL_READ_COMMITTED: "READ COMMITTED",
    extensions.ISOLATION_LEVEL_READ_UNCOMMITTED: "READ UNCOMMITTED",
    extensions.ISOLATION_LEVEL_REPEATABLE_READ: "REPEATABLE READ",
    extensions.ISOLATION_LEVEL_SERIALIZABLE: "SERIALIZABLE",
}


def _finish(connection: Any) -> None:
    if not connection.closed:
        if connection.info.transaction_status != IDLE:
            with suppress(psycopg2.Error):  # in a COPY, for instance
                extensions.cursor.execute(extensions.cursor(connection), "ROLLBACK")
        _Plain.close(connection)


class Psycopg2Observer:
    """Looks at what a connection waits for, without waiting itself.

    Args:
        connection: how to connect.
    """

    def __init__(self, connection: Any) -> None:
        password = connection.info.password
        words = {"password": password} if password else {}
        address = extensions.make_dsn(connection.dsn, **words)
        self._connection = extensions.connection(address, async_=1)
        self._cursor: Any = None
        self._finish()
        self.close = self._connection.close

    def ask(self, process: int) -> None:
        """Begin to look until a process waits for a lock, which is then cancelled."""
        self._cursor = extensions.cursor(self._connection)
        self._cursor.execute(observer_query(process))

    def answer(self) -> frozenset[int]:
        """Return the processes that have the lock."""
        self._finish()
        return process_ids(self._cursor.fetchall())

    def _finish(self) -> None:
        while self._connection.poll() != extensions.POLL_OK:
            pass  # the server is about to answer


_DRIVER = Driver(
    error=psycopg2.Error, failure=psycopg2.OperationalError, plain=_plain, finish=_finish,
    status=lambda connection: int(connection.info.transaction_status),
    begins=lambda connection: bool(connection.begins),
    process=lambda connection: int(connection.info.backend_pid), observer=Psycopg2Observer,
    level=lambda connection: _LEVELS.get(connection.isolation_level),
)  # fmt: skip
