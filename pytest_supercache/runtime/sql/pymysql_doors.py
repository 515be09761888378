"""Makes statements of PyMySQL steps."""

from functools import partial
from typing import Any

import pymysql
from pymysql.connections import Connection
from pymysql.constants import SERVER_STATUS

from pytest_supercache.runtime.kernel.patches import Patches
from pytest_supercache.runtime.sql import mariadb

_patches = Patches()
_real_query = Connection.query

close_opened = mariadb.close_opened


def open() -> list[tuple[Any, Any]]:
    """Patch PyMySQL so that its statements are steps."""
    _patches.wrap(Connection, "connect", _connect)
    _patches.wrap(Connection, "query", _query)
    for name, word in (("begin", "BEGIN"), ("commit", "COMMIT"), ("rollback", "ROLLBACK")):
        _patches.wrap(Connection, name, partial(mariadb.said, word))
    _patches.wrap(Connection, "autocommit", mariadb.autocommitting)
    _patches.wrap(Connection, "close", mariadb.closing)
    for name in ("kill", "select_db"):
        _patches.wrap(Connection, name, partial(mariadb.named, _DRIVER))
    return []


def close() -> None:
    """Restore PyMySQL."""
    _patches.undo()


def _connect(method: mariadb.Method) -> mariadb.Method:
    def connect(connection: Any, *args: Any, **kwargs: Any) -> Any:
        first = connection.init_command or ""
        call = partial(method, connection, *args, **kwargs)
        return mariadb.connect(_DRIVER, connection, first, call)

    return connect


def _query(method: mariadb.Method) -> mariadb.Method:
    def query(connection: Any, sql: Any, unbuffered: bool = False) -> Any:
        call = partial(method, connection, sql, unbuffered=unbuffered)
        session, execution = mariadb.under_control(connection)
        if execution is None or session is None:
            return call()
        if unbuffered:
            mariadb.name_use(mariadb.SERVER_SIDE_CURSOR)
        text = sql if isinstance(sql, str) else bytes(sql).decode(errors="replace")
        return session.query(execution, text, call)

    return query


# -- how the rules send a statement --------------------------------------------------------------


def _result(connection: Any) -> Any:
    return connection._result  # noqa: SLF001 - PyMySQL has no method that returns the server's answer


def _ask(connection: Any, statement: str) -> Any:
    _real_query(connection, statement)
    return _result(connection).rows


def _message(connection: Any) -> str:
    return (_result(connection).message or b"").decode(errors="replace")


_DRIVER = mariadb.MariaDBDriver(
    name="PyMySQL", error=pymysql.MySQLError, failure=pymysql.OperationalError, ask=_ask,
    message=_message, has_more=lambda connection: bool(_result(connection).has_next),
    in_transaction=lambda connection: bool(
        connection.server_status & SERVER_STATUS.SERVER_STATUS_IN_TRANS
    ),
)  # fmt: skip
