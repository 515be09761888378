"""Makes the statements, commits and rollbacks of any PostgreSQL driver steps.

No thread ever waits in the server: ``lock_timeout`` is a millisecond, and an actor that meets a
lock waits at a step of its own, until another actor has written or a transaction has ended. A
statement that failed on a lock inside of a transaction is rolled back to a savepoint, then
repeated: the snapshot of the transaction stays, so the result is what PostgreSQL would have given
after waiting. A driver's doors say only how to send a statement.
"""

import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.identity import identity
from pytest_supercache.core.socket_ends import ends_of
from pytest_supercache.core.statement import SqlStatement
from pytest_supercache.runtime.kernel.active import controlled, hearing, name_unreachable
from pytest_supercache.runtime.kernel.calling import current_actor, here
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext
from pytest_supercache.runtime.sql import postgres_statements
from pytest_supercache.runtime.sql.deadlocks import BlockedStatement, Waiter
from pytest_supercache.runtime.sql.native_sockets import SERVERS
from pytest_supercache.runtime.sql.postgres_statements import CURSOR, Statement, understand
from pytest_supercache.runtime.sql.statements import (
    EVERYTHING,
    Calls,
    RowCount,
    Tables,
    aperform,
    awaited,
    made,
    noting,
    perform,
)

if TYPE_CHECKING:
    from pytest_supercache.runtime.sql.lock_holders import Observer

IDLE, IN_TRANSACTION, IN_ERROR, CLOSED = 0, 2, 3, 4
"""How libpq counts what a connection is: in no transaction, in one, in one that failed, gone."""

OUTSIDE = (
    "the code under test connected to PostgreSQL while a module was imported: what it asks there "
    "is no step. Connect in the system's factory"
)
_BEFORE = (
    "a statement went to PostgreSQL through a connection that was opened before: open it "
    "in the system's factory"
)
_LOCK_TIMEOUT = (
    "the code under test sets lock_timeout, which is not under control in this version: here who "
    "meets a lock of PostgreSQL waits for it as long as it is held"
)
_LOCK_NOT_AVAILABLE = "55P03"
_WAITS_THERE = "SET LOCAL lock_timeout = '30s'"
_CHECKS = "SET CONSTRAINTS ALL IMMEDIATE"
_SAVEPOINT = "SAVEPOINT supercache"
_DEADLOCK = (
    "DO $$ BEGIN RAISE EXCEPTION 'deadlock detected' USING ERRCODE = 'deadlock_detected', "
    "HINT = 'See server log for query details.'; END $$"
)
"""Raises the error of a victim, which aborts the transaction, or what follows a savepoint of it."""
_BACK = ("ROLLBACK TO SAVEPOINT supercache", "RELEASE SAVEPOINT supercache")

Method = Callable[..., Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """How one kind of connection of one driver is used."""

    error: type[Exception]
    """The class of all errors of the driver."""
    failure: type[Exception]
    """The error of a server that is gone."""
    plain: Callable[[Any, str], Any]
    """Executes a statement that is no step, in the transaction that the driver has or begins."""
    status: Callable[[Any], int]
    begins: Callable[[Any], bool]
    """Whether the driver begins a transaction before a statement."""
    level: Callable[[Any], str | None]
    """The isolation level that the driver begins transactions at; None: the server's default."""
    finish: Callable[[Any], Any]
    """Rolls back, waits for it, and disconnects: else the server holds locks for a while."""
    process: Callable[[Any], int]
    """The number of the process of the server."""
    observer: Callable[[Any], Any]
    """Connects once more, to ask who has a lock."""
    awaits: bool = False
    """Whether the calls are coroutines; so is `plain` then."""


class DatabaseSessions:
    """The connections of one driver that an execution has opened."""

    _all: "list[DatabaseSessions]" = []  # noqa: RUF012 - of each driver

    def __init__(self) -> None:
        self._opened: dict[int, DatabaseSession] = {}
        self._observer: Observer | None = None
        self._all.append(self)

    @classmethod
    def holding_locks(cls) -> "Iterator[DatabaseSession]":
        """Return the sessions, of any driver, whose transactions may hold locks."""
        for sessions in cls._all:
            yield from (one for one in sessions._opened.values() if one.holds_locks)

    def add(self, connection: Any, driver: Driver, level: str = "") -> "DatabaseSession":
        """Take a new connection under control, whose server has a default isolation level."""
        if hasattr(connection, "fileno"):
            SERVERS.add(ends_of(connection.fileno())[1])
        session = DatabaseSession(connection, driver, level, self)
        self._opened[identity(connection)] = session
        return session

    def of(self, connection: Any) -> "DatabaseSession | None":
        """Return the session of a connection that was opened in this execution."""
        return self._opened.get(identity(connection))

    def under_control(
        self, connection: Any
    ) -> "tuple[ExecutionContext | None, DatabaseSession | None]":
        """Return the execution and the session in which a statement is a step, if it is one."""
        execution, session = controlled(), self.of(connection)
        if execution is not None and session is None:
            name_before(execution)
        return execution, session

    def observer(self, session: "DatabaseSession") -> Calls:
        """Return a further connection of this execution, which says who has a lock."""
        if self._observer is None:
            self._observer = yield partial(session.driver.observer, session.connection)
        return self._observer

    def close(self) -> None:
        """Close connections that an execution has left open, and roll back their transactions."""
        if self._observer is not None:
            self._observer.close()
            self._observer = None
        while self._opened:
            session = self._opened.popitem()[1]
            session.driver.finish(session.connection)


def name_before(execution: ExecutionContext) -> None:
    """Report the use of a connection from before; the test may use its own outside of the race."""
    actor = current_actor()
    if execution.controller.phase == "race" and actor is not None and not actor.direct:
        execution.controller.hazard(_BEFORE)


class DatabaseSession:
    """What the transaction of one connection has touched, and how its statements are steps."""

    def __init__(
        self, connection: Any, driver: Driver, level: str, sessions: DatabaseSessions
    ) -> None:
        self._sessions = sessions
        self.connection = connection
        self.driver = driver
        self.default_level = level.upper()  # of isolation
        self._level: str | None = None  # of this transaction, as the code has set it
        self._touched = Tables()
        self._declared: dict[str, Statement] = {}
        self._waiter = Waiter(process=driver.process(connection))

    @property
    def holds_locks(self) -> bool:
        """Whether its transaction may hold locks."""
        return bool(self._touched.writes) and self.status in {IN_TRANSACTION, IN_ERROR}

    # -- what is a step ----------------------------------------------------------------------------

    def execute(
        self,
        execution: ExecutionContext,
        text: str,
        call: Callable[[], Any],
        parameters: Any = None,
        *,
        count: RowCount | None = None,
    ) -> Any:
        """Execute a statement, as a step if it may interact with other connections."""
        understood = partial(self._understood, execution, text)
        sent = SqlStatement.of("postgres", text, parameters)
        return self._make(execution, understood, call, sent, count)

    def declare(self, name: str, text: str) -> None:
        """Note the statement of a cursor that the server has under ``name``."""
        statement = understand(text, in_transaction=True, begins=True)
        if statement is not None:
            self._declared[name] = statement

    def fetch(self, execution: ExecutionContext, name: str, call: Callable[[], Any]) -> Any:
        """Fetch rows of a cursor that the server has; if that locks rows, it is a step."""
        return self._make(execution, partial(self._fetching, name), call)

    def end(self, execution: ExecutionContext, word: str, call: Callable[[], Any]) -> Any:
        """End the transaction, as a step if it has touched anything."""
        return self._make(execution, partial(self._ending, execution, word), call)

    def _understood(self, execution: ExecutionContext, text: str) -> Statement | None:
        if postgres_statements.sets_lock_timeout(text):
            execution.controller.hazard(_LOCK_TIMEOUT)
        self._note_level(text)
        status = self.status
        return understand(
            text, in_transaction=status == IN_TRANSACTION,
            begins=status == IDLE and self.driver.begins(self.connection),
        )  # fmt: skip

    def _note_level(self, text: str) -> None:
        """Note the isolation level that a text sets."""
        level, is_for_all = postgres_statements.isolation_of(text) or (None, False)
        if is_for_all and level is not None:
            self.default_level = level
        else:
            self._level = level or self._level

    def _fetching(self, name: str) -> Statement | None:
        """Return the step of fetching rows; None: they are of the snapshot at the declaration."""
        declared = self._declared.get(name)
        if declared is None or not declared.tables.writes:
            return None
        return Statement(label="FETCH", tables=EVERYTHING, final=CURSOR)

    def _ending(self, execution: ExecutionContext, word: str) -> Statement | None:
        """Return the step of a transaction's end; None: it unlocks and publishes nothing."""
        touched = self._touched
        is_idle = not touched.reads | touched.writes
        if is_idle or self.status == CLOSED or execution.controller.leaving():
            return None
        tables = EVERYTHING if touched.writes else Tables(writes=frozenset({"(locks)"}))
        return Statement(label=word, tables=tables, commits=word == "COMMIT")

    @property
    def status(self) -> int:
        """The status of the connection, as libpq counts."""
        return self.driver.status(self.connection)

    # -- taking a step -----------------------------------------------------------------------------

    def _make(
        self,
        execution: ExecutionContext,
        statement_of: Callable[[], Statement | None],
        call: Callable[[], Any],
        sent: SqlStatement | None = None,
        count: RowCount | None = None,
    ) -> Any:
        """Make a call, as the step that it is; of an awaited connection, return what to await."""
        noted = noting(execution, sent, call, count)
        if self.driver.awaits:
            return self._await(execution, statement_of, call, noted)
        statement = statement_of()
        return call() if statement is None else self._take(execution, statement, noted)

    async def _await(
        self,
        execution: ExecutionContext,
        statement_of: Callable[[], Statement | None],
        call: Callable[[], Any],
        noted: Callable[[], Any],
    ) -> Any:
        statement = statement_of()
        if statement is None:
            return await call()
        return await self._atake(execution, statement, noted)

    def _take(
        self, execution: ExecutionContext, statement: Statement, call: Callable[[], Any]
    ) -> Any:
        footprint = _footprint(statement)
        try:
            answer = perform(
                execution, statement.label, footprint,
                lambda: made(self._calls(execution, statement, call)),
                failure=self.driver.failure, must_wait=partial(_waiting, statement, footprint),
                timeout=None, when_blocked=partial(self._when_blocked, execution, statement, call),
            )  # fmt: skip
        finally:
            self._waiter.is_over()
        self._note(statement.tables)
        return answer

    async def _atake(
        self, execution: ExecutionContext, statement: Statement, call: Callable[[], Awaitable[Any]]
    ) -> Any:
        footprint = _footprint(statement)
        try:
            answer = await aperform(
                execution, statement.label, footprint,
                lambda: awaited(self._calls(execution, statement, call)),
                failure=self.driver.failure, must_wait=partial(_waiting, statement, footprint),
                when_blocked=partial(self._when_blocked, execution, statement, call),
            )  # fmt: skip
        finally:
            self._waiter.is_over()
        self._note(statement.tables)
        return answer

    def _when_blocked(
        self, execution: ExecutionContext, statement: Statement, call: Callable[[], Any]
    ) -> Calls:
        """Make the calls between the attempt that found a lock and the wait for it."""
        if not self.holds_locks:
            execution.record.note_futile(("origin", "busy"))
            return
        others = (one for one in DatabaseSessions.holding_locks() if one is not self)
        yield from BlockedStatement(
            execution=execution, server="PostgreSQL", waiter=self._waiter,
            others=[one._waiter for one in others], roll_back=self._be_rolled_back,
            ask=partial(self._ask, statement, call),
            awaits=self.driver.awaits,
        ).calls()  # fmt: skip

    def _ask(self, statement: Statement, call: Callable[[], Any]) -> Calls:
        """Let a statement wait in the server until it is known for which processes it waits."""
        try:
            observer = yield from self._sessions.observer(self)
        except self.driver.error as error:
            unreachable(error)
            return frozenset()
        yield self._plain(_SAVEPOINT)
        yield self._plain(_WAITS_THERE)
        yield partial(observer.ask, self._waiter.process)
        with suppress(self.driver.error):  # the observer cancels it
            yield self._plain(_CHECKS) if statement.commits else call
        processes = yield observer.answer
        yield from self._back()
        return processes

    def _be_rolled_back(self) -> Calls:
        """Abort the transaction as a deadlock does, and return the error that tells of it."""
        try:
            yield self._plain(_DEADLOCK)
        except Exception as error:  # noqa: BLE001 - of any driver
            return error

    def _note(self, tables: Tables) -> None:
        self._touched = self._touched | tables if self.status != IDLE else Tables()
        if self.status == IDLE:
            self._declared.clear()
            self._level = None

    def _calls(
        self, execution: ExecutionContext, statement: Statement, call: Callable[[], Any]
    ) -> Calls:
        """Make the calls of one attempt, after which it can be repeated if it met a lock."""
        if statement.commits:
            yield from self._check_constraints()
            return (yield call)
        before = self.status
        has_savepoint = statement.has_savepoint and not statement.final
        if has_savepoint:
            yield self._plain(_SAVEPOINT)
        level = self._level or self.driver.level(self.connection) or self.default_level
        execution.controller.isolation.add(("PostgreSQL", level))
        try:
            answer = yield call
        except Exception as error:
            if statement.waits and is_lock(error):
                yield from self._taken_back(execution, statement, before)
            elif has_savepoint and statement.tables.writes and self.status == IN_ERROR:
                yield from self._fail()
            raise
        if has_savepoint and self.status == IN_TRANSACTION:
            yield self._plain(_BACK[1])
        return answer

    def _taken_back(self, execution: ExecutionContext, statement: Statement, before: int) -> Calls:
        """Undo what a statement has done before it met a lock."""
        if statement.final:
            execution.controller.hazard(statement.final)
        elif statement.has_savepoint:
            yield from self._back()
        elif before == IDLE and self.status != IDLE:
            yield self._plain("ROLLBACK")

    def _fail(self) -> Calls:
        """Fail without the savepoint, so that a transaction gives back its locks as it would."""
        with suppress(self.driver.error):
            yield from self._back()
            yield self._plain("FAIL")

    def _check_constraints(self) -> Calls:
        """Let deferred constraints meet locks before the COMMIT, which could not be repeated."""
        if self.status != IN_TRANSACTION or not self._touched.writes:
            return
        yield self._plain(_SAVEPOINT)
        try:
            yield self._plain(_CHECKS)
        except Exception as error:
            yield from self._back()
            if is_lock(error):
                raise
            return  # the COMMIT raises it
        yield self._plain(_BACK[1])

    def _back(self) -> Calls:
        for statement in _BACK:
            yield self._plain(statement)

    def _plain(self, statement: str) -> Callable[[], Any]:
        return partial(self.driver.plain, self.connection, statement)


def _footprint(statement: Statement) -> Footprint:
    writes = bool(statement.tables.writes)
    return statement.tables.footprint(reads_lock=writes, writes_lock=writes)


def _waiting(statement: Statement, footprint: Footprint, error: BaseException) -> Footprint | None:
    """Return the footprint of waiting after an error; None: it is the answer."""
    waits = statement.waits and not statement.final
    return footprint if waits and is_lock(error) else None


def is_lock(error: BaseException) -> bool:
    """Say whether an error means that another transaction has a lock."""
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    return state == _LOCK_NOT_AVAILABLE


def text_of(query: Any, context: Any) -> str:
    """Return the text of a statement in the forms that drivers take."""
    if isinstance(query, bytes):
        return query.decode(errors="replace")
    return str(query.as_string(context) if hasattr(query, "as_string") else query)


# -- connecting --------------------------------------------------------------------------------


def connecting() -> ExecutionContext | None:
    """Return the execution in which code under test connects, and note that it does."""
    execution = hearing()
    if execution is not None:
        if here.is_importing:
            execution.controller.leave_control(OUTSIDE)
        execution.controller.databases.add("PostgreSQL")
    return execution


def without_lock_waits(execution: ExecutionContext, options: str | None) -> str:
    """Return the options of a connection that never waits for locks, with those of the code."""
    said = os.environ.get("PGOPTIONS", "") if options is None else options
    if postgres_statements.sets_lock_timeout(said):
        execution.controller.hazard(_LOCK_TIMEOUT)
    return f"{said} -c lock_timeout=1".strip()


def unreachable(error: BaseException) -> None:
    """Note that code under test could not connect."""
    name_unreachable("PostgreSQL", error)


def named(library: str, instead: str) -> Callable[[Method], Method]:
    """Return a wrapper of calls that are not controlled, which reports them as hazards."""

    def wrap(method: Method) -> Method:
        @wraps(method)
        def call(*args: Any, **kwargs: Any) -> Any:
            name_call(library, method.__qualname__, instead)
            return method(*args, **kwargs)

        return call

    return wrap


def name_call(library: str, name: str, instead: str) -> None:
    """Report a call that is not controlled, if it is made in an execution."""
    execution = controlled()
    if execution is not None:
        execution.controller.hazard(
            f"the code under test called {library}'s {name}, which this version does not control. "
            f"{instead}"
        )
