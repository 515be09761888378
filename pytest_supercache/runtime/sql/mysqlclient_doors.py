"""Makes statements of mysqlclient (MySQLdb) steps.

The server answers a SELECT in two parts: that it has a result, and its rows, with the error of a
lock that is met on the way. So a step reads the result, too, and keeps it until the code asks for
it. The class of the connection is written in Python and derives from one of C, whose methods are
patched in the derived class.
"""

from functools import partial
from typing import Any

from MySQLdb.connections import Connection

from pytest_supercache.core.identity import identity
from pytest_supercache.runtime.kernel.patches import Patches
from pytest_supercache.runtime.sql import mariadb
from pytest_supercache.runtime.sql.native_sockets import note_socket

_NOT_CONTROLLED = (
    "change_user", "kill", "read_query_result", "select_db", "send_query", "shutdown",
)  # fmt: skip
_OUT_OF_SYNC = 2014, "Commands out of sync; you can't run this command now"

_patches = Patches()
_unread: dict[int, Any] = {}
"""Results that the code has not asked for, by the id of the connection, which each keeps alive."""


def open() -> list[tuple[Any, Any]]:
    """Patch mysqlclient so that its statements are steps."""
    _patches.wrap(Connection, "__init__", _connect)
    _patches.wrap(Connection, "query", _query)
    for name, word in (("commit", "COMMIT"), ("rollback", "ROLLBACK")):
        _patches.wrap(Connection, name, partial(_in_sync, partial(mariadb.said, word)))
    _patches.wrap(Connection, "autocommit", partial(_in_sync, mariadb.autocommitting))
    _patches.wrap(Connection, "close", mariadb.closing)
    for name in ("store_result", "use_result", "discard_result"):
        _patches.wrap(Connection, name, _result)
    for name in _NOT_CONTROLLED:
        _patches.wrap(Connection, name, partial(mariadb.named, _DRIVER))
    return []


def close() -> None:
    """Restore mysqlclient."""
    _patches.undo()


def close_opened() -> None:
    """Close connections that an execution has left open, and roll back their transactions."""
    _unread.clear()
    mariadb.close_opened()


def _connect(method: mariadb.Method) -> mariadb.Method:
    def connect(connection: Any, *args: Any, **kwargs: Any) -> None:
        call = partial(method, connection, *args, **kwargs)
        mariadb.connect(_DRIVER, connection, kwargs.get("init_command") or "", call)
        if mariadb.is_under_control(connection):
            note_socket(connection.fileno())

    return connect


def _query(method: mariadb.Method) -> mariadb.Method:
    def query(connection: Any, query: Any) -> None:
        session, execution = mariadb.under_control(connection)
        if execution is None or session is None:
            method(connection, query)
            return

        def call() -> None:
            method(connection, query)
            result = _real_store_result(connection)
            if result is not None:
                _unread[identity(connection)] = result

        is_text = isinstance(query, str)
        text = query if is_text else bytes(query).decode(connection.encoding, errors="replace")
        session.query(execution, text, call)

    return _in_sync(lambda _: query, method)


def _in_sync(make: mariadb.Make, method: mariadb.Method) -> mariadb.Method:
    """Wrap a method that the client refuses as long as there is a result that nobody has read."""
    made = make(method)

    def in_sync(connection: Any, *args: Any, **kwargs: Any) -> Any:
        if identity(connection) in _unread:
            raise Connection.ProgrammingError(*_OUT_OF_SYNC)
        return made(connection, *args, **kwargs)

    return in_sync


def _result(method: mariadb.Method) -> mariadb.Method:
    """Wrap a method that reads a result, which a step has read already."""
    name = method.__name__

    def result(connection: Any) -> Any:
        found = _unread.pop(identity(connection), None)
        if found is None:
            return method(connection)
        if name == "use_result":
            mariadb.name_use(mariadb.SERVER_SIDE_CURSOR)
        return None if name == "discard_result" else found

    return result


# -- how the rules send a statement --------------------------------------------------------------


_real_query = Connection.query
_real_store_result = Connection.store_result


def _has_more(connection: Any) -> bool:
    result = _unread.get(identity(connection))
    return result is not None and bool(result.has_next)


def _ask(connection: Any, statement: str) -> Any:
    while connection.next_result() == 0:  # of a procedure, which nobody has read
        _real_store_result(connection)
    _real_query(connection, statement)
    result = _real_store_result(connection)
    return () if result is None else result.fetch_row(0)


_DRIVER = mariadb.MariaDBDriver(
    name="mysqlclient", error=Connection.Error, failure=Connection.OperationalError, ask=_ask,
    message=lambda connection: connection.info() or "",
    has_more=_has_more,
)  # fmt: skip
