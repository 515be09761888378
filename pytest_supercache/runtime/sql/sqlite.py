"""Makes statements, commits and rollbacks of SQLite connections steps.

The classes of `sqlite3` cannot be patched, so ``sqlite3.connect`` returns instances of subclasses.
SQLite itself reports the tables of a statement when it compiles it (triggers and views included).
A SELECT reads all of its rows in its step: inside of a transaction they are a snapshot anyway.
SQLite calls its busy handler by a rule of its own: never for a connection that holds a read lock
and wants to write (docs/adapters.md, "SQLite").
"""

import re
import sqlite3
import sys
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.statement import SqlStatement
from pytest_supercache.runtime.kernel.active import controlled
from pytest_supercache.runtime.kernel.calling import current_actor
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext
from pytest_supercache.runtime.kernel.patches import Patches, derived_from_both
from pytest_supercache.runtime.memory.paths import touch_file
from pytest_supercache.runtime.sql import pragmas, sqlite_before
from pytest_supercache.runtime.sql.foreign_keys import with_foreign_keys
from pytest_supercache.runtime.sql.sqlite_cursor import Cursor, is_busy
from pytest_supercache.runtime.sql.sqlite_files import file_of, is_there
from pytest_supercache.runtime.sql.statements import (
    EVERYTHING,
    READS,
    Tables,
    first_word,
    noting,
    perform,
)

_PARAMETERS = (
    "database", "timeout", "detect_types", "isolation_level", "check_same_thread", "factory",
    "cached_statements", "uri",
)  # fmt: skip
_ACTIONS = {
    sqlite3.SQLITE_READ: "reads", sqlite3.SQLITE_INSERT: "writes", sqlite3.SQLITE_UPDATE: "writes",
    sqlite3.SQLITE_DELETE: "writes",
}  # fmt: skip
_COMPILED = frozenset({"SELECT", "WITH", "VALUES", "INSERT", "UPDATE", "DELETE", "REPLACE"})
_BEGINS_ITSELF = frozenset({"INSERT", "UPDATE", "DELETE", "REPLACE"})
_ENDS = frozenset({"COMMIT", "END", "ROLLBACK", "RELEASE"})
_OWN_AFFAIR = frozenset({"EXPLAIN", "ATTACH", "DETACH", "SAVEPOINT", ""})
_FILES = "PRAGMA database_list"
_SCHEMA_TABLES = frozenset({"sqlite_master", "sqlite_schema"})
_TABLE_OF_PRAGMAS = "pragma_"

_DECLARED = ("diskcache.",)
"""Libraries whose watched calls contain all of their statements."""

_real_connect = sqlite3.connect
_patches = Patches()
_opened: list["Connection"] = []
_schema = [0]  # increases with every statement that may change the schema


def connect(*args: Any, **kwargs: Any) -> Any:
    """Stand in for ``sqlite3.connect``: inside of an execution every statement is a step."""
    execution = controlled()
    if execution is None:
        return _real_connect(*args, **kwargs)
    options: dict[str, Any] = dict(zip(_PARAMETERS, args, strict=False)) | kwargs
    options["factory"] = derived_from_both(options.get("factory") or sqlite3.Connection, Connection)
    timeout, options["timeout"] = options.get("timeout", 5.0), 0
    checks_thread = options.get("check_same_thread", True)
    options["check_same_thread"] = False  # checked here, so that another thread may close it
    _touch_file(execution, options.get("database"), is_uri=bool(options.get("uri")))
    connection: Any = _real_connect(**options)
    if not isinstance(connection, Connection):
        execution.controller.hazard(
            "sqlite3.connect(factory=...) was given no class: its connection is not under control"
        )
        return connection
    connection.begin(float(timeout), checks_thread=bool(checks_thread))
    _opened.append(connection)
    return connection


def _touch_file(execution: ExecutionContext, database: Any, *, is_uri: bool) -> None:
    """Touch the file of a database that is about to be opened, or made."""
    memory = execution.controller.memory
    found = file_of(database, is_uri=is_uri)
    if memory is not None and found is not None:
        path, may_make = found
        makes = may_make and not is_there(path)
        touch_file(memory, path, writes=makes, makes=makes)


def open() -> list[tuple[Any, Any]]:
    """Replace ``sqlite3.connect``."""
    for module in (sqlite3, sqlite3.dbapi2):
        _patches.put(module, "connect", connect)
    sqlite_before.open()
    return [(_real_connect, connect)]


def close() -> None:
    """Restore ``sqlite3.connect``."""
    sqlite_before.close()
    _patches.undo()


def close_opened() -> None:
    """Close connections that an execution has left open, and roll back their transactions."""
    while _opened:
        connection = _opened.pop()
        sqlite3.Connection.close(connection)
        connection.was_left_open = True


class Connection(sqlite3.Connection):
    """A connection whose statements are steps while an execution runs."""

    def begin(self, timeout: float, *, checks_thread: bool) -> None:
        """Keep the connection options of the code, and prepare the connection."""
        self.lock_timeout = timeout
        self._thread = threading.current_thread() if checks_thread else None
        self.was_left_open = False  # when its execution ended
        self.job: Any = None  # of aiosqlite, which takes its steps
        self._touched = Tables()  # written in the present transaction
        self._holds = False  # a lock, because of something done in it
        self._path: str | None = None
        self._compiled: dict[str, Tables] = {}
        self._schema = _schema[0]
        self._heard: dict[str, set[str]] = {"reads": set(), "writes": set()}
        sqlite3.Connection.set_authorizer(self, self._hear)
        with suppress(sqlite3.Error):  # locked, or no database: the first statement will raise it
            self._plain("PRAGMA synchronous = OFF")  # no power failures here

    def serve_any_thread(self) -> None:
        """Serve whatever thread asks: aiosqlite asks from one of its own, which is not started."""
        self._thread = None

    @property
    def never_waits(self) -> bool:
        """Whether a lock is an error at once, because the code has set no timeout."""
        return self.lock_timeout <= 0

    def cursor(self, factory: Any = None) -> Any:
        """Return a cursor whose statements are steps."""
        return super().cursor(derived_from_both(factory or sqlite3.Cursor, Cursor))

    def execute(self, sql: str, parameters: Any = (), /) -> Any:
        """Execute a statement on a new cursor."""
        return self.cursor().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Any, /) -> Any:
        """Execute a statement for several sets of parameters on a new cursor."""
        return self.cursor().executemany(sql, parameters)

    def executescript(self, sql_script: str, /) -> Any:
        """Execute a script on a new cursor."""
        return self.cursor().executescript(sql_script)

    def set_authorizer(self, authorizer_callback: Any) -> None:
        """Install the code's own authorizer, which decides, behind the one that records tables."""
        if authorizer_callback is None:
            super().set_authorizer(self._hear)
            return

        def both(*args: Any) -> int:
            self._hear(*args)
            return int(authorizer_callback(*args))

        super().set_authorizer(both)

    def commit(self) -> None:
        """Commit, which makes the writes visible to other connections."""
        self._end("COMMIT", super().commit)

    def rollback(self) -> None:
        """Roll back, which releases the lock."""
        if self.was_left_open:  # a pool of the test may only now come to it
            return
        self._end("ROLLBACK", super().rollback)

    def close(self) -> None:
        """Close the connection, and roll back an open transaction."""
        if self in _opened:
            self._end("ROLLBACK", super().close)
            _opened.remove(self)
        super().close()

    def backup(self, *args: Any, **kwargs: Any) -> None:
        """Copy the database to another one, in one step."""
        self.perform("backup", EVERYTHING, lambda: super(Connection, self).backup(*args, **kwargs))

    def serialize(self, **kwargs: Any) -> bytes:
        """Copy the database to bytes, in one step."""
        serialize = super().serialize

        def copy() -> bytes:
            if kwargs.get("name", "main") == "main":
                self._plain("PRAGMA main.page_count")  # a lock is told by its number, as for others
            return serialize(**kwargs)

        return bytes(self.perform("serialize", READS, copy))

    def deserialize(self, data: Any, /, **kwargs: Any) -> None:
        """Replace the database by one of bytes, in one step."""
        replace = super().deserialize
        self.perform("deserialize", EVERYTHING, lambda: replace(data, **kwargs))

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> Any:
        """Commit or roll back, as at the end of a ``with`` statement."""
        if kind is None:
            try:
                self.commit()
            except BaseException:
                self.rollback()
                raise
        else:
            self.rollback()
        return False

    def _end(self, word: str, end: Callable[[], Any]) -> Any:
        execution = controlled()
        if execution is not None and execution.controller.leaving():
            return end()
        if not (self.in_transaction and self._holds):
            return end()
        return self.perform(word, self._touched, end, ends=True)

    def statement(
        self, sql: str, parameters: Any, call: Callable[[], Any], *, is_of_many: bool = False
    ) -> Any:
        """Execute one statement, as a step if it may interact with other connections.

        ``is_of_many``: the parameters are the first of several sets, all of which it executes.
        """
        word = first_word(sql)
        if word == "PRAGMA":
            return self._pragma(sql, call)
        if word in _OWN_AFFAIR:
            return call()
        if word in _ENDS:
            ends = word != "RELEASE" and not re.search(r"\bTO\b", sql, re.IGNORECASE)
            return self.perform(word, self._touched, call, ends=ends)
        if word == "BEGIN":
            return self._begin(sql, call)
        if word not in _COMPILED:
            return self.perform(word, EVERYTHING, call)
        tables = self.tables_of(sql, parameters)
        if not tables.reads | tables.writes and not self.in_transaction:
            return call()
        sent = SqlStatement.of("sqlite", sql, None if is_of_many else parameters)
        return self.perform(word, tables, call, begins=word in _BEGINS_ITSELF, sent=sent)

    def _begin(self, sql: str, call: Callable[[], Any]) -> Any:
        if re.search(r"\bEXCLUSIVE\b", sql, re.IGNORECASE):
            return self.perform("BEGIN EXCLUSIVE", EVERYTHING, call, begins=True)
        if re.search(r"\bIMMEDIATE\b", sql, re.IGNORECASE):
            return self.perform("BEGIN IMMEDIATE", Tables(), call, begins=True)
        self._touched, self._holds = Tables(), False
        return call()  # deferred: it holds no lock yet

    def _pragma(self, sql: str, call: Callable[[], Any]) -> Any:
        pragma, label = pragmas.understand(sql), " ".join(sql.split())
        if pragma.tables is not None:
            return self.perform(label, pragma.tables, call)
        try:
            answer = call()
        except sqlite3.OperationalError as error:
            if not is_busy(error):
                raise
            answer = self.perform(label, READS, call)  # it waits until it can read the schema
        self._compiled.clear()  # foreign_keys changes what a statement touches
        if pragma.lock_timeout is not None:
            self.lock_timeout = pragma.lock_timeout
            self._plain("PRAGMA busy_timeout = 0")
        return answer

    def perform(
        self,
        word: str,
        tables: Tables,
        call: Callable[[], Any],
        *,
        begins: bool = False,
        ends: bool = False,
        sent: SqlStatement | None = None,
    ) -> Any:
        """Take one step of this connection."""
        self._check_thread()
        execution = controlled()
        if execution is None:
            return call()
        self._note_file(execution)
        if tables is EVERYTHING:
            _schema[0] += 1
        writes = bool(tables.writes)
        inside = self.in_transaction or (begins and self._begins_itself()) or word[:5] == "BEGIN"
        footprint = tables.footprint(
            reads_lock=writes or inside or self.never_waits,
            writes_lock=(inside and (writes or ends or begins)),
        )
        only_reads = self._holds and not self._touched.writes

        def must_wait(error: BaseException) -> Footprint | None:
            if not is_busy(error) or (only_reads and writes and not ends):
                return None
            if ends:  # it blocks new readers meanwhile
                return EVERYTHING.footprint(reads_lock=True, writes_lock=True)
            return footprint

        label = f"{word} {tables.shown}".strip() if not ends else word
        take = perform if self.job is None else self.job.perform
        is_step = not _declares_its_calls()
        noted = noting(execution, sent, call, count=lambda changed: changed)
        answer = take(
            execution, label, footprint, noted if is_step else call,
            failure=sqlite3.OperationalError,
            must_wait=must_wait, timeout=self.lock_timeout, is_step=is_step,
        )  # fmt: skip
        self._holds = not ends and self.in_transaction  # it may be closed
        self._touched = self._touched | Tables(writes=tables.writes) if self._holds else Tables()
        return answer

    def _note_file(self, execution: ExecutionContext) -> None:
        """Note that the calling actor uses the file of the main database, if it has one."""
        memory = execution.controller.memory
        if memory is not None and self._path is None:
            self._path = self._main_file()
        if memory is not None and self._path:
            memory.note_file(self._path, writes=False)

    def _begins_itself(self) -> bool:
        """Say whether `sqlite3` begins a transaction for a statement that writes."""
        return self.isolation_level is not None or getattr(self, "autocommit", -1) is False

    def _check_thread(self) -> None:
        present = threading.current_thread()  # not its id: an actor's may be reused
        if self._thread is not None and self._thread is not present:
            raise sqlite3.ProgrammingError(
                "SQLite objects created in a thread can only be used in that same thread. The "
                f"object was created in thread id {self._thread.ident} and this is thread id "
                f"{present.ident}."
            )

    # -- what a statement touches ------------------------------------------------------------------

    def tables_of(self, sql: str, parameters: Any) -> Tables:
        """Return the tables that a statement may touch by SQLite; all if it cannot be compiled."""
        if self._schema != _schema[0]:
            self._compiled.clear()
            self._schema = _schema[0]
        if sql not in self._compiled:
            try:
                found = self._compile(sql, parameters)
            except sqlite3.Error:  # locked, or wrong: the statement itself will raise it
                return EVERYTHING
            self._compiled[sql] = found
        return self._compiled[sql]

    def _compile(self, sql: str, parameters: Any) -> Tables:
        for heard in self._heard.values():
            heard.clear()
        sqlite3.Connection.cursor(self, sqlite3.Cursor).execute(f"EXPLAIN {sql}", parameters)
        reads, writes = (frozenset(self._heard[kind]) for kind in ("reads", "writes"))
        tables = Tables(reads=reads, writes=writes)
        if writes and self._plain("PRAGMA foreign_keys") == [(1,)]:
            return with_foreign_keys(tables, self._ask_schema)
        return tables

    def _ask_schema(self, sql: str) -> list[Any]:
        """Return the rows of a query of the schema, without a lock that the code does not have.

        What a transaction reads stays locked until its end, also if it has touched nothing before:
        nobody could commit meanwhile.
        """
        if self._holds or not self.in_transaction or not (path := self._main_file()):
            return self._plain(sql)
        with closing(_OurConnection(path, timeout=0)) as other:
            return other.execute(sql).fetchall()

    def _main_file(self) -> str:
        """Return the file of the main database; empty: it is in memory."""
        return next((path for _, name, path in self._plain(_FILES) if name == "main"), "")

    def _plain(self, sql: str) -> list[Any]:
        """Read or change a setting of this connection, without a step."""
        cursor = sqlite3.Connection.cursor(self, sqlite3.Cursor)
        cursor.row_factory = None
        return cursor.execute(sql).fetchall()

    def _hear(self, action: int, table: Any, *_: Any) -> int:
        kind = _ACTIONS.get(action)
        if kind is not None and table:
            self._heard[kind] |= _named(table)
        return sqlite3.SQLITE_OK


def _named(table: str) -> frozenset[str]:
    """Return the name by which a table is known; a table of pragmas is what its pragma touches."""
    lower = table.lower()
    if lower in _SCHEMA_TABLES:
        return READS.reads
    if not lower.startswith(_TABLE_OF_PRAGMAS):
        return frozenset({table})
    tables = pragmas.tables_of(lower.removeprefix(_TABLE_OF_PRAGMAS))
    return frozenset() if tables is None else READS.reads


class _OurConnection(sqlite3.Connection):
    """A connection whose statements nobody watches: the code under test knows nothing of it."""


def _declares_its_calls() -> bool:
    """Say whether the statement is part of a call that an adapter declares as one step."""
    actor = current_actor()
    if actor is None or not actor.inherited:
        return False
    frame: Any = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").startswith(__name__):
        frame = frame.f_back
    return frame is not None and frame.f_globals.get("__name__", "").startswith(_DECLARED)


def is_of_another_thread(error: BaseException | None) -> bool:
    """Say whether an error, or what it came from, is that a connection is of another thread."""
    while error is not None:
        if isinstance(error, sqlite3.ProgrammingError) and "that same thread" in str(error):
            return True
        error = error.__cause__
    return False
