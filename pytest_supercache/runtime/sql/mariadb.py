"""Makes statements, commits and rollbacks of PyMySQL (MariaDB) steps.

No thread ever waits in the server: its lock waits last 0 seconds, and a statement that meets a lock
has changed nothing then, but it keeps the row locks that it has taken. So the actor waits at a step
until another one has written, or a transaction has ended, and makes the statement again. Of two
transactions that wait for each other the server would roll one back; here either may be the one.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pymysql
from pymysql.connections import Connection
from pymysql.constants import ER, SERVER_STATUS

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.identity import identity
from pytest_supercache.core.statement import SqlStatement
from pytest_supercache.runtime.kernel.active import controlled, hearing, name_unreachable
from pytest_supercache.runtime.kernel.calling import here
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext
from pytest_supercache.runtime.kernel.patches import Patches
from pytest_supercache.runtime.sql.deadlocks import BlockedStatement, Waiter
from pytest_supercache.runtime.sql.mariadb_statements import MariaDBStatement, understand
from pytest_supercache.runtime.sql.statements import EVERYTHING, Calls, Tables, noting, perform

OUTSIDE = (
    "the code under test connected to MariaDB while a module was imported: what it asks there is "
    "no step. Connect in the system's factory"
)
_BEFORE = (
    "a statement went to MariaDB through a connection that was opened before: open it in the "
    "system's factory"
)
_NOT_MARIADB = (
    "the code under test connected to a server that is not MariaDB ({}): it cannot be told to wait "
    "for no lock, so its statements are not controlled"
)
_UNCONTROLLED = "the code under test used {}, which this version does not control with MariaDB"
_MET_A_LOCK = (
    "{!r} executes several statements and met a lock: what those before it did cannot be undone. "
    "Execute them one by one"
)
_SERIALIZABLE = "SERIALIZABLE"
_NO_WAIT = "SET SESSION innodb_lock_wait_timeout = 0, lock_wait_timeout = 0"

_Method = Callable[..., Any]
_FOUND = re.compile(rb"Rows matched: (\d+)")

_patches = Patches()
_opened: dict[int, "MariaDBSession"] = {}  # by the id of the connection, which it keeps alive
_connecting: list[Any] = []  # connections
_real_query = Connection.query


def open() -> list[tuple[Any, Any]]:
    """Patch PyMySQL so that its statements are steps."""
    _patches.wrap(Connection, "connect", _connect)
    _patches.wrap(Connection, "query", _query)
    for name, word in (("begin", "BEGIN"), ("commit", "COMMIT"), ("rollback", "ROLLBACK")):
        _patches.wrap(Connection, name, partial(_said, word))
    _patches.wrap(Connection, "autocommit", _autocommit)
    _patches.wrap(Connection, "close", _close)
    for name in ("kill", "select_db"):
        _patches.wrap(Connection, name, _named)
    return []


def close() -> None:
    """Restore PyMySQL."""
    _patches.undo()


def close_opened() -> None:
    """Close connections that an execution has left open, and roll back their transactions."""
    while _opened:
        _, session = _opened.popitem()
        if session.connection.open:
            session.roll_back()
            session.connection.close()


class MariaDBSession:
    """What is known of a connection that was opened in an execution.

    Args:
        connection: PyMySQL's.
    """

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.touched = Tables()  # in the present transaction
        self.waiter = Waiter()
        (self.timeout, isolation, self.rolls_all_back), *_ = self.ask(
            "SELECT @@innodb_lock_wait_timeout, @@tx_isolation, @@innodb_rollback_on_timeout"
        )
        self.level = str(isolation).replace("-", " ")
        self.next_level: str | None = None  # of the present or next transaction, if it has its own
        self.is_serializable = self.level == _SERIALIZABLE
        self.tell(_NO_WAIT)

    @property
    def is_open(self) -> bool:
        """Whether a transaction may be open: the answer of a SELECT does not say that it is."""
        status = self.connection.server_status
        return bool(status & SERVER_STATUS.SERVER_STATUS_IN_TRANS) or not (
            self.connection.get_autocommit()
        )

    @property
    def holds_locks(self) -> bool:
        """Whether its transaction may hold locks."""
        return bool(self.touched.writes)

    def tell(self, statement: str) -> None:
        """Execute a statement without a step."""
        _real_query(self.connection, statement)

    def ask(self, statement: str) -> list[Any]:
        """Return the rows of a query, without a step."""
        self.tell(statement)
        return list(self.connection._result.rows)  # noqa: SLF001 - a cursor would take steps

    def roll_back(self) -> None:
        """Roll back, and wait for it: after a mere disconnect its locks are held on."""
        self.tell("ROLLBACK")
        self.touched = Tables()

    # -- steps -------------------------------------------------------------------------------------

    def execute(
        self,
        execution: ExecutionContext,
        statement: MariaDBStatement,
        call: Callable[[], Any],
        sent: SqlStatement | None = None,
    ) -> Any:
        """Execute a statement of the code under test."""
        if statement.leaves_control:
            execution.controller.hazard(_UNCONTROLLED.format(statement.leaves_control))
        tables = statement.tables
        if statement.begins and self.touched.reads | self.touched.writes:
            tables = EVERYTHING  # it commits
        if statement.ends:
            tables = self.released()
        if tables is None:
            answer = call()
        else:
            tables = EVERYTHING if self.is_serializable else tables
            noted = noting(execution, sent, call, lambda _: self._row_count())
            answer = self._take(execution, statement, tables, noted)
        if statement.new_timeout is not None:
            self.timeout = statement.new_timeout
            self.tell(_NO_WAIT)
        self._note_level(statement)
        return answer

    def _row_count(self) -> int | None:
        """Return how many rows an UPDATE has found, whatever was in them before."""
        result: Any = self.connection._result  # noqa: SLF001 - PyMySQL shows the message nowhere else
        found = _FOUND.search(result.message or b"")
        return None if found is None else int(found[1])

    def _note_level(self, statement: MariaDBStatement) -> None:
        """Note the isolation level that a statement has set."""
        if statement.ends:
            self.next_level = None
        if statement.level is None:
            return
        self.is_serializable |= statement.level == _SERIALIZABLE
        if statement.is_of_one:
            self.next_level = statement.level
        else:
            self.level = statement.level

    def released(self) -> Tables | None:
        """Return the tables that the end of the transaction unlocks or publishes; None: none."""
        if not self.touched.reads | self.touched.writes:
            return None
        return EVERYTHING if self.touched.writes else Tables(writes=frozenset({"(locks)"}))

    def _take(
        self,
        execution: ExecutionContext,
        statement: MariaDBStatement,
        tables: Tables,
        call: Callable[[], Any],
    ) -> Any:
        writes = bool(tables.writes)
        footprint = tables.footprint(reads_lock=writes, writes_lock=writes)
        if not statement.ends:
            execution.controller.isolation.add(("MariaDB", self.next_level or self.level))

        def must_wait(error: BaseException) -> Footprint | None:
            if _code(error) != ER.LOCK_WAIT_TIMEOUT:
                return None
            if statement.is_several:
                execution.controller.hazard(_MET_A_LOCK.format(statement.label))
                return None
            return footprint

        timeout = self.timeout if statement.seconds is None else statement.seconds
        try:
            answer = perform(
                execution, statement.label, footprint, call, failure=pymysql.OperationalError,
                must_wait=must_wait, timeout=None if statement.changes_schema else timeout,
                when_blocked=partial(self._when_blocked, execution, tables),
            )  # fmt: skip
        except pymysql.Error as error:
            self._note(tables, is_over=_code(error) == ER.LOCK_DEADLOCK or not self.is_open)
            raise
        finally:
            self.waiter.is_over()
        self._note(tables, is_over=statement.ends_always or not self.is_open)
        return answer

    def _note(self, tables: Tables, *, is_over: bool) -> None:
        """Note what the transaction has touched, or that it is over."""
        self.touched = Tables() if is_over else self.touched | tables
        self.next_level = None if is_over else self.next_level

    def _when_blocked(self, execution: ExecutionContext, tables: Tables) -> Calls:
        """Make the calls between the attempt that found a lock and the wait for it."""
        if not self.is_open:
            execution.controller.simplify(
                "statements without a transaction hold no row lock while they wait"
            )
            execution.record.note_futile(("origin", "busy"))
            return
        self.touched |= tables  # the row locks that it has taken stay
        others = (one for one in _opened.values() if one is not self and one.holds_locks)
        yield from BlockedStatement(
            execution=execution, server="MariaDB", waiter=self.waiter,
            others=[one.waiter for one in others], roll_back=self._be_rolled_back,
        ).calls()  # fmt: skip

    def _be_rolled_back(self) -> Calls:
        """Roll back to end a deadlock, and return the error that tells of it."""
        yield self.roll_back
        return pymysql.OperationalError(
            ER.LOCK_DEADLOCK, "Deadlock found when trying to get lock; try restarting transaction"
        )


def _connect(method: _Method) -> _Method:
    def connect(connection: Any, *args: Any, **kwargs: Any) -> Any:
        execution = hearing()
        if execution is None:
            return method(connection, *args, **kwargs)
        if here.is_importing:
            execution.controller.leave_control(OUTSIDE)
        execution.controller.databases.add("MariaDB")
        first = connection.init_command or ""
        if not understand(first).is_own_affair:
            execution.controller.hazard(_UNCONTROLLED.format(f"the init_command {first!r}"))
        _connecting.append(connection)
        try:
            answer = method(connection, *args, **kwargs)
        except pymysql.OperationalError as error:
            name_unreachable("MariaDB", error)
            raise
        finally:
            _connecting.remove(connection)
        version = connection.get_server_info()
        if "MariaDB" not in version:
            execution.controller.hazard(_NOT_MARIADB.format(version))
            return answer
        session = _opened[identity(connection)] = MariaDBSession(connection)
        if session.rolls_all_back:
            execution.controller.hazard(_UNCONTROLLED.format("innodb_rollback_on_timeout"))
        return answer

    return connect


def _session(connection: Any) -> tuple[MariaDBSession | None, ExecutionContext | None]:
    """Return what is known of a connection, and the execution; None: it takes no step."""
    if connection in _connecting or (execution := controlled()) is None:
        return None, None
    found = _opened.get(identity(connection))
    if found is None and connection.open and "MariaDB" in connection.get_server_info():
        execution.controller.hazard(_BEFORE)
    return found, execution


def _query(method: _Method) -> _Method:
    def query(connection: Any, sql: Any, unbuffered: bool = False) -> Any:
        call = partial(method, connection, sql, unbuffered=unbuffered)
        session, execution = _session(connection)
        if execution is None or session is None:
            return call()
        if unbuffered:
            execution.controller.hazard(_UNCONTROLLED.format("a server-side cursor (SSCursor)"))
        text = sql if isinstance(sql, str) else bytes(sql).decode(errors="replace")
        return session.execute(execution, understand(text), call, SqlStatement.of("mysql", text))

    return query


def _said(word: str, method: _Method) -> _Method:
    """Wrap a method that sends a statement of its own."""

    def said(connection: Any) -> Any:
        session, execution = _session(connection)
        if execution is None or session is None or execution.controller.leaving():
            return method(connection)
        return session.execute(execution, understand(word), partial(method, connection))

    return said


def _autocommit(method: _Method) -> _Method:
    def autocommit(connection: Any, value: Any) -> Any:
        session, execution = _session(connection)
        if execution is None or session is None:
            return method(connection, value)
        statement = understand(f"SET AUTOCOMMIT = {int(bool(value))}")
        return session.execute(execution, statement, partial(method, connection, value))

    return autocommit


def _close(method: _Method) -> _Method:
    def close_connection(connection: Any) -> Any:
        execution = controlled()
        session = _opened.pop(identity(connection), None) if execution is not None else None
        if execution is None or session is None or not connection.open:
            return method(connection)

        def end() -> Any:
            session.roll_back()
            return method(connection)

        if session.released() is None or execution.controller.leaving():
            return end()
        return session.execute(execution, understand("ROLLBACK"), end)

    return close_connection


def _named(method: _Method) -> _Method:
    """Wrap a call that is not controlled, to report it as a hazard."""

    def named(connection: Any, *args: Any) -> Any:
        execution = controlled()
        if execution is not None:
            called = f"Connection.{method.__name__} of PyMySQL"
            execution.controller.hazard(_UNCONTROLLED.format(called))
        return method(connection, *args)

    return named


def _code(error: BaseException) -> Any:
    return error.args[0] if isinstance(error, pymysql.MySQLError) and error.args else None
