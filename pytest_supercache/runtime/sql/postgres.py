"""Makes statements, commits and rollbacks of psycopg (PostgreSQL) steps.

No thread ever waits in the server: ``lock_timeout`` is a millisecond, and an actor that meets a
lock waits at a step of its own, until another actor has written or a transaction has ended. A
statement that failed on a lock inside of a transaction is rolled back to a savepoint, then
repeated, with the result that PostgreSQL would have given after waiting. The tables of a statement
are not known, so it touches all of them.
"""

import re
from collections.abc import Callable
from functools import partial, wraps
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.identity import identity
from pytest_supercache.runtime.kernel.active import controlled, hearing
from pytest_supercache.runtime.kernel.calling import here
from pytest_supercache.runtime.kernel.patches import Patches
from pytest_supercache.runtime.kernel.stepping import Stepping
from pytest_supercache.runtime.kernel.unreachable import name_unreachable
from pytest_supercache.runtime.sql.statements import EVERYTHING, Tables, first_word, perform

_LOCK_NOT_AVAILABLE = "55P03"
_READS = Tables(reads=frozenset({"*"}))
_READ_WORDS = frozenset({"SELECT", "WITH", "VALUES", "TABLE"})
_OWN_AFFAIR = frozenset(
    {"", "BEGIN", "START", "SET", "SHOW", "RESET", "SAVEPOINT", "RELEASE", "EXPLAIN"}
)
_ENDS = frozenset({"COMMIT", "END", "ROLLBACK", "ABORT"})
_MOVES_SAVEPOINTS = _ENDS | {"SAVEPOINT", "RELEASE", "PREPARE"}
_QUOTED = re.compile(
    r"""[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"[^"]*"|\$([A-Za-z_]\w*|)\$.*?\$\1\$"""
    r"""|--[^\n]*|/\*.*?\*/""",
    re.DOTALL,
)
_EXPLAINS_BY_DOING = re.compile(r"\bEXPLAIN\b[^;]*\bANALY[SZ]E\b", re.IGNORECASE)
_WRITES_TOO = re.compile(r"\b(INSERT|UPDATE|DELETE|MERGE|INTO|FOR|CALL)\b", re.IGNORECASE)
_CALL = re.compile(r"\b(\w+)\s*\(")
_HARMLESS = frozenset(
    {
        "count", "sum", "min", "max", "avg", "coalesce", "lower", "upper", "length", "abs", "round",
        "cast", "exists", "in", "any", "all", "some", "values", "nullif", "greatest", "least", "as",
        "and", "or", "not", "where", "on", "select", "from", "over", "version", "current_schema",
        "varchar", "numeric",
    }
)  # fmt: skip
_AT_CONNECT = re.compile(
    r"\s*select\s+((pg_catalog\.version\(\)|current_schema\(\)|1)\s*;?\s*$|.*\bfrom pg_type\b)",
    re.IGNORECASE | re.DOTALL,
)
"""Statements of SQLAlchemy at connect: no steps, because it holds a lock of its own then."""
_NOWAIT = re.compile(r"\bNOWAIT\b", re.IGNORECASE)

_patches = Patches()
_opened: dict[int, tuple[Any, Tables]] = {}  # connections, and tables of their transactions

OUTSIDE = (
    "the code under test connected to PostgreSQL while a module was imported: what it asks there "
    "is no step. Connect in the system's factory"
)

_Method = Callable[..., Any]


def open() -> list[tuple[Any, Any]]:
    """Patch psycopg so that its statements are steps."""
    real = psycopg.connect
    connect = _connect(psycopg.Connection.connect)
    _patches.put(psycopg.Connection, "connect", connect)
    _patches.put(psycopg, "connect", connect)
    _patches.put(psycopg.AsyncConnection, "connect", _named(psycopg.AsyncConnection.connect))
    for cursor in (psycopg.Cursor, psycopg.ServerCursor):
        for name in ("execute", "executemany"):
            _patches.put(cursor, name, _statement(getattr(cursor, name)))
    for name in ("copy", "stream"):
        _patches.put(psycopg.Cursor, name, _named(getattr(psycopg.Cursor, name)))
    for name, word in (("commit", "COMMIT"), ("rollback", "ROLLBACK"), ("close", "ROLLBACK")):
        _patches.put(psycopg.Connection, name, _end(getattr(psycopg.Connection, name), word))
    _patches.put(psycopg.Transaction, "__exit__", _leave(psycopg.Transaction.__exit__))
    return [(real, connect)]


def close() -> None:
    """Restore psycopg."""
    _patches.undo()


def close_opened() -> None:
    """Close connections that an execution has left open, and roll back their transactions."""
    while _opened:
        connection, _ = _opened.popitem()[1]
        _roll_back(connection)
        connection.pgconn.finish()


def _roll_back(connection: Any) -> None:
    """Roll back a transaction and wait for it: after a mere disconnect its locks are held on."""
    if not connection.closed and connection.info.transaction_status is not TransactionStatus.IDLE:
        connection.pgconn.exec_(b"ROLLBACK")


def _connect(connect: _Method) -> _Method:
    @wraps(connect)
    def connected(conninfo: str = "", **kwargs: Any) -> Any:
        execution = hearing()
        if execution is None:
            return connect(conninfo, **kwargs)
        if here.is_importing:
            execution.controller.leave_control(OUTSIDE)
        execution.controller.databases.add("PostgreSQL")
        said = psycopg.conninfo.conninfo_to_dict(conninfo).get("options")
        options = kwargs.pop("options", said) or ""
        options = f"{options} -c lock_timeout=1".strip()
        try:
            connection = connect(conninfo, options=options, **kwargs)
        except psycopg.OperationalError as error:
            name_unreachable("PostgreSQL", error)
            raise
        _opened[identity(connection)] = (connection, Tables())
        return connection

    return connected


def _named(method: _Method) -> _Method:
    """Wrap a call that is not controlled, to report it as a hazard."""

    @wraps(method)
    def named(*args: Any, **kwargs: Any) -> Any:
        execution = controlled()
        if execution is not None:
            execution.controller.hazard(
                f"the code under test called psycopg's {method.__qualname__}, which this version "
                "does not control. Use a Connection and execute()"
            )
        return method(*args, **kwargs)

    return named


def _under_control(connection: Any) -> Stepping | None:
    execution = controlled()
    if execution is not None and identity(connection) not in _opened:
        execution.controller.hazard(
            "a statement went to PostgreSQL through a connection that was opened before: open it "
            "in the system's factory"
        )
        return None
    return execution


def _statement(method: _Method) -> _Method:
    @wraps(method)
    def execute(cursor: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
        call = partial(method, cursor, query, *args, **kwargs)
        execution = _under_control(cursor.connection)
        if execution is None:
            return call()
        text = query if isinstance(query, str) else _text(query, cursor)
        bare = _QUOTED.sub(" ", text)
        words = [word for part in bare.split(";") if (word := first_word(part))]
        if _AT_CONNECT.match(text) or _is_own_affair(bare, words):
            return call()
        is_alone = len(words) == 1
        if is_alone and words[0] in _ENDS:
            return _take(execution, cursor.connection, words[0], EVERYTHING, call)
        only_reads = is_alone and words[0] in _READ_WORDS and _only_reads(text)
        waits = not _NOWAIT.search(bare)
        if waits and (is_alone or _can_be_made_again(cursor.connection, words)):
            call = partial(_attempt, cursor.connection, call)
        elif not is_alone:
            call, waits = partial(_once, execution, call), False
        return _take(
            execution, cursor.connection, _label(text, words[0]),
            _READS if only_reads else EVERYTHING, call, waits=waits,
        )  # fmt: skip

    return execute


def _is_own_affair(bare: str, words: list[str]) -> bool:
    """Say whether statements are independent of all other connections."""
    return set(words) <= _OWN_AFFAIR and not _EXPLAINS_BY_DOING.search(bare)


def _can_be_made_again(connection: Any, words: list[str]) -> bool:
    """Say whether several statements can all be undone when one of them meets a lock."""
    if connection.info.transaction_status is TransactionStatus.INTRANS:
        return not _MOVES_SAVEPOINTS & set(words)
    return not (_ENDS | {"PREPARE"}) & set(words[:-1])


def _once(execution: Stepping, call: Callable[[], Any]) -> Any:
    """Execute several statements that cannot be repeated; a lock among them is a hazard."""
    try:
        return call()
    except psycopg.errors.LockNotAvailable:
        execution.controller.hazard(
            "several statements in one execute() met a lock, and some of them end a transaction, "
            "move savepoints or say NOWAIT: what they did before it cannot be undone. Use an "
            "execute() for each"
        )
        raise


def _attempt(connection: Any, call: Callable[[], Any]) -> Any:
    """Execute a statement so that it can be repeated if it meets a lock."""
    before = connection.info.transaction_status
    if before is TransactionStatus.INTRANS:
        connection.pgconn.exec_(b"SAVEPOINT supercache")
    try:
        answer = call()
    except psycopg.errors.LockNotAvailable:
        if before is TransactionStatus.INTRANS:
            connection.pgconn.exec_(b"ROLLBACK TO SAVEPOINT supercache")
        elif connection.info.transaction_status is not TransactionStatus.IDLE:
            connection.pgconn.exec_(b"ROLLBACK")
        raise
    if before is TransactionStatus.INTRANS:
        connection.pgconn.exec_(b"RELEASE SAVEPOINT supercache")
    return answer


def _take(
    execution: Stepping,
    connection: Any,
    label: str,
    tables: Tables,
    call: Callable[[], Any],
    *,
    waits: bool = True,
) -> Any:
    writes = bool(tables.writes)
    footprint = tables.footprint(reads_lock=writes, writes_lock=writes)

    def must_wait(error: BaseException) -> Footprint | None:
        is_locked = getattr(error, "sqlstate", None) == _LOCK_NOT_AVAILABLE
        return footprint if waits and is_locked else None

    answer = perform(
        execution, label, footprint, call, failure=psycopg.OperationalError, must_wait=must_wait,
        timeout=None,
    )  # fmt: skip
    if identity(connection) in _opened:
        is_open = connection.info.transaction_status is not TransactionStatus.IDLE
        touched = _opened[identity(connection)][1] | tables if is_open else Tables()
        _opened[identity(connection)] = (connection, touched)
    return answer


def _end(method: _Method, word: str) -> _Method:
    @wraps(method)
    def end(connection: Any) -> Any:
        execution = controlled()
        if execution is None or identity(connection) not in _opened:
            return method(connection)

        def call() -> Any:
            if method.__name__ == "close":
                _roll_back(connection)
            return method(connection)

        released = _released(connection)
        if released is None or connection.closed or execution.controller.leaving():
            return call()
        return _take(execution, connection, word, released, call)

    return end


def _leave(method: _Method) -> _Method:
    """Wrap the end of ``with connection.transaction():``, which sends COMMIT or ROLLBACK itself."""

    @wraps(method)
    def leave(transaction: Any, kind: Any, error: Any, traceback: Any) -> Any:
        call = partial(method, transaction, kind, error, traceback)
        execution = controlled()
        connection = transaction.connection
        is_inner = not getattr(transaction, "_outer_transaction", True)
        released = _released(connection)
        if execution is None or is_inner or released is None or execution.controller.leaving():
            return call()
        word = "COMMIT" if kind is None else "ROLLBACK"
        return _take(execution, connection, word, released, call)

    return leave


def _released(connection: Any) -> Tables | None:
    """Return the tables that a transaction's end unlocks or publishes; None: it touched none."""
    _, touched = _opened.get(identity(connection), (None, Tables()))
    if not touched.reads | touched.writes:
        return None
    return EVERYTHING if touched.writes else Tables(writes=frozenset({"(locks)"}))


def _only_reads(text: str) -> bool:
    """Say whether a SELECT is read-only: it locks no rows and calls only known functions."""
    called = {name.lower() for name in _CALL.findall(text)}
    return not _WRITES_TOO.search(text) and called <= _HARMLESS


def _label(text: str, word: str) -> str:
    shown = " ".join(text.split())
    return shown if len(shown) <= _SHOWN_MAX else f"{word} ... {shown[-_SHOWN_MAX // 2 :]}"


_SHOWN_MAX = 40


def _text(query: Any, cursor: Any) -> str:
    if isinstance(query, bytes):
        return query.decode(errors="replace")
    return str(query.as_string(cursor)) if hasattr(query, "as_string") else str(query)
