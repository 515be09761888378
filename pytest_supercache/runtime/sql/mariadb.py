"""Makes the statements, commits and rollbacks of any driver of MariaDB steps.

No thread ever waits in the server: its lock waits last 0 seconds, and a statement that meets a lock
has changed nothing then, but it keeps the row locks that it has taken. So the actor waits at a step
until another one has written, or a transaction has ended, and makes the statement again. Of two
transactions that wait for each other the server would roll one back; here either may be the one.
A driver's doors say only how to send a statement.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.identity import identity
from pytest_supercache.core.statement import SqlStatement
from pytest_supercache.runtime.kernel.active import controlled, hearing, name_unreachable
from pytest_supercache.runtime.kernel.calling import here
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext
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
_GOES_ON = (
    "{!r} has more than one result: what it does after the first one it does in the server while "
    "other users go on. Execute its statements one by one"
)
SERVER_SIDE_CURSOR = "a server-side cursor (SSCursor)"
_SERIALIZABLE = "SERIALIZABLE"
_NO_WAIT = "SET SESSION innodb_lock_wait_timeout = 0, lock_wait_timeout = 0"
_SETTINGS = "SELECT @@innodb_lock_wait_timeout, @@tx_isolation, @@innodb_rollback_on_timeout"
_LOCK_WAIT_TIMEOUT, _DEADLOCK = 1205, 1213  # codes of errors

Method = Callable[..., Any]
Make = Callable[[Method], Method]
_FOUND = re.compile(r"Rows matched: (\d+)")

_opened: dict[int, "MariaDBSession"] = {}  # by the id of the connection, which it keeps alive
_connecting: list[Any] = []  # connections


@dataclass(frozen=True, slots=True, kw_only=True)
class MariaDBDriver:
    """How connections of one driver are used."""

    name: str
    error: type[Exception]
    """The class of all errors of the driver."""
    failure: type[Exception]
    """The error of a server that is gone, and of the victim of a deadlock."""
    ask: Callable[[Any, str], Any]
    """Executes a statement that is no step, and returns its rows, if it has any."""
    message: Callable[[Any], str]
    """Returns what the server has said of the last statement: how many rows it has found."""
    has_more: Callable[[Any], bool]
    """Whether the last statement has more results than the first."""
    in_transaction: Callable[[Any], bool] | None = None
    """Whether the server has told of an open transaction; None: the driver does not say so."""


class MariaDBSession:
    """What is known of a connection that was opened in an execution."""

    def __init__(self, connection: Any, driver: MariaDBDriver) -> None:
        self.connection = connection
        self.driver = driver
        self.touched = Tables()  # in the present transaction
        self.waiter = Waiter()
        # The code decides how its connection converts what the server sends.
        timeout, isolation, rolls_all_back = map(_text, driver.ask(connection, _SETTINGS)[0])
        self.timeout = float(timeout)
        self.rolls_all_back = rolls_all_back != "0"
        self.level = isolation.replace("-", " ")
        self.next_level: str | None = None  # of the present or next transaction, if it has its own
        self.is_serializable = self.level == _SERIALIZABLE
        self.has_begun = False  # a transaction, by a statement that may do so
        self.tell(_NO_WAIT)

    @property
    def is_open(self) -> bool:
        """Whether a transaction may be open: the answer of a SELECT does not say that it is."""
        says = self.driver.in_transaction
        is_in_one = self.has_begun if says is None else says(self.connection)
        return is_in_one or not self.connection.get_autocommit()

    @property
    def holds_locks(self) -> bool:
        """Whether its transaction may hold locks."""
        return bool(self.touched.writes)

    def tell(self, statement: str) -> None:
        """Execute a statement without a step."""
        self.driver.ask(self.connection, statement)

    def roll_back(self) -> None:
        """Roll back, and wait for it: after a mere disconnect its locks are held on."""
        self.tell("ROLLBACK")
        self.touched = Tables()

    # -- steps -------------------------------------------------------------------------------------

    def query(self, execution: ExecutionContext, text: str, call: Callable[[], Any]) -> Any:
        """Execute a text of the code under test, which should be one statement."""
        statement = understand(text)
        answer = self.execute(execution, statement, call, SqlStatement.of("mysql", text))
        if self.driver.has_more(self.connection) and not statement.leaves_control:
            execution.controller.hazard(_GOES_ON.format(statement.label))
        return answer

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
        following = partial(self._follow, statement, call)
        if tables is None:
            answer = following()
        else:
            tables = EVERYTHING if self.is_serializable else tables
            noted = noting(execution, sent, following, lambda _: self._row_count())
            answer = self._take(execution, statement, tables, noted)
        if statement.new_timeout is not None:
            self.timeout = statement.new_timeout
            self.tell(_NO_WAIT)
        self._note_level(statement)
        return answer

    def _follow(self, statement: MariaDBStatement, call: Callable[[], Any]) -> Any:
        """Make the call of a statement, and note whether a transaction may be open then.

        What commits by itself, such as DDL, may leave a transaction that is taken for an open one.
        """
        answer = call()
        if statement.begins or statement.is_several or statement.chains:
            self.has_begun = True
        elif statement.ends_always:
            self.has_begun = False
        return answer

    def _row_count(self) -> int | None:
        """Return how many rows an UPDATE has found, whatever was in them before."""
        found = _FOUND.search(self.driver.message(self.connection))
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
            if self._code(error) != _LOCK_WAIT_TIMEOUT:
                return None
            if statement.is_several:
                execution.controller.hazard(_MET_A_LOCK.format(statement.label))
                return None
            return footprint

        timeout = self.timeout if statement.seconds is None else statement.seconds
        try:
            answer = perform(
                execution, statement.label, footprint, call, failure=self.driver.failure,
                must_wait=must_wait, timeout=None if statement.changes_schema else timeout,
                when_blocked=partial(self._when_blocked, execution, tables),
            )  # fmt: skip
        except self.driver.error as error:
            is_rolled_back = self._code(error) == _DEADLOCK
            self.has_begun &= not is_rolled_back
            self._note(tables, is_over=is_rolled_back or not self.is_open)
            raise
        finally:
            self.waiter.is_over()
        self._note(tables, is_over=statement.ends_always or not self.is_open)
        return answer

    def _note(self, tables: Tables, *, is_over: bool) -> None:
        """Note what the transaction has touched, or that it is over."""
        self.touched = Tables() if is_over else self.touched | tables
        self.next_level = None if is_over else self.next_level

    def _code(self, error: BaseException) -> Any:
        return error.args[0] if isinstance(error, self.driver.error) and error.args else None

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
        return self.driver.failure(
            _DEADLOCK, "Deadlock found when trying to get lock; try restarting transaction"
        )


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


# -- what doors put in the place of a driver's methods ---------------------------------------------


def connect(driver: MariaDBDriver, connection: Any, first: str, call: Callable[[], Any]) -> Any:
    """Connect, and take the connection under control, which executes ``first`` by itself."""
    execution = hearing()
    if execution is None:
        return call()
    if here.is_importing:
        execution.controller.leave_control(OUTSIDE)
    execution.controller.databases.add("MariaDB")
    if not understand(first).is_own_affair:
        execution.controller.hazard(_UNCONTROLLED.format(f"the init_command {first!r}"))
    _connecting.append(connection)
    try:
        answer = call()
    except driver.failure as error:
        name_unreachable("MariaDB", error)
        raise
    finally:
        _connecting.remove(connection)
    version = connection.get_server_info()
    if "MariaDB" not in version:
        execution.controller.hazard(_NOT_MARIADB.format(version))
        return answer
    session = _opened[identity(connection)] = MariaDBSession(connection, driver)
    if session.rolls_all_back:
        execution.controller.hazard(_UNCONTROLLED.format("innodb_rollback_on_timeout"))
    return answer


def is_under_control(connection: Any) -> bool:
    """Say whether the statements of a connection are steps."""
    return identity(connection) in _opened


def close_opened() -> None:
    """Close connections that an execution has left open, and roll back their transactions."""
    while _opened:
        _, session = _opened.popitem()
        if session.connection.open:
            session.roll_back()
            session.connection.close()


def under_control(connection: Any) -> tuple[MariaDBSession | None, ExecutionContext | None]:
    """Return what is known of a connection, and the execution; None: it takes no step."""
    if connection in _connecting or (execution := controlled()) is None:
        return None, None
    found = _opened.get(identity(connection))
    if found is None and connection.open and "MariaDB" in connection.get_server_info():
        execution.controller.hazard(_BEFORE)
    return found, execution


def said(word: str, method: Method) -> Method:
    """Wrap a method that sends a statement of its own."""

    def said_by(connection: Any) -> Any:
        session, execution = under_control(connection)
        if execution is None or session is None or execution.controller.leaving():
            return method(connection)
        return session.execute(execution, understand(word), partial(method, connection))

    return said_by


def autocommitting(method: Method) -> Method:
    """Wrap the method that sets whether each statement is a transaction."""

    def autocommit(connection: Any, value: Any) -> Any:
        session, execution = under_control(connection)
        if execution is None or session is None:
            return method(connection, value)
        statement = understand(f"SET AUTOCOMMIT = {int(bool(value))}")
        return session.execute(execution, statement, partial(method, connection, value))

    return autocommit


def closing(method: Method) -> Method:
    """Wrap the method that ends a connection, and with it its transaction."""

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


def named(driver: MariaDBDriver, method: Method) -> Method:
    """Wrap a method that is not controlled, to report its call as a hazard."""

    def named_call(connection: Any, *args: Any, **kwargs: Any) -> Any:
        name_use(f"Connection.{method.__name__} of {driver.name}")
        return method(connection, *args, **kwargs)

    return named_call


def name_use(what: str) -> None:
    """Report what code under test has used, and what is not controlled, as a hazard."""
    execution = controlled()
    if execution is not None:
        execution.controller.hazard(_UNCONTROLLED.format(what))
