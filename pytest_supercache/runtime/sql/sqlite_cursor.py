"""Defines SQLite cursors that hold the rows which their statement read in its step.

Inside of a transaction these rows are a snapshot anyway; outside of one the read lock would last
until the last row is fetched, which is simplified here: it ends with the step.
"""

import sqlite3
from collections.abc import Callable
from typing import Any

from pytest_supercache.runtime.kernel.active import controlled
from pytest_supercache.runtime.sql.statements import EVERYTHING

_SNAPSHOT = 517  # SQLITE_BUSY_SNAPSHOT: waiting could not help


class Cursor(sqlite3.Cursor):
    """A cursor whose statements are steps; the rows of a SELECT are read in its step."""

    _rows: list[Any] | None = None

    def execute(self, sql: str, parameters: Any = (), /) -> Any:
        """Execute a statement."""
        return self._carry_out(sql, parameters, super().execute, parameters)

    def executemany(self, sql: str, parameters: Any, /) -> Any:
        """Execute a statement for several sets of parameters, in one step."""
        sets = list(parameters)
        return self._carry_out(sql, sets[0] if sets else (), super().executemany, sets)

    def executescript(self, sql_script: str, /) -> Any:
        """Execute a script in one step; a lock within it is a hazard, not a wait."""

        def call() -> Any:
            try:
                return super(Cursor, self).executescript(sql_script)
            except sqlite3.OperationalError as error:
                execution = controlled()
                if execution is None or connection.never_waits or not is_busy(error):
                    raise
                execution.controller.hazard(
                    "executescript() met a lock: how far it came before it would wait is not "
                    "known. Use execute() for what other connections may lock"
                )
                raise sqlite3.DatabaseError(*error.args) from error

        connection: Any = self.connection
        connection.perform("script", EVERYTHING, call, begins=True)
        return self

    def _carry_out(self, sql: str, parameters: Any, run: Callable[..., Any], given: Any) -> Any:
        self._rows = None
        if controlled() is None:
            run(sql, given)
            return self

        def call() -> int | None:
            run(sql, given)
            if self.description is not None:
                self._rows = super(Cursor, self).fetchall()
                self._rows.reverse()
            return self.rowcount if self.rowcount >= 0 else None

        connection: Any = self.connection
        connection.statement(sql, parameters, call, is_of_many=given is not parameters)
        return self

    def fetchone(self) -> Any:
        """Return the next row."""
        if self._rows is None:
            return super().fetchone()
        return self._rows.pop() if self._rows else None

    def fetchmany(self, size: int | None = None) -> list[Any]:
        """Return the next rows."""
        count = self.arraysize if size is None else size
        if self._rows is None:
            return super().fetchmany(count)
        return [self._rows.pop() for _ in range(min(count, len(self._rows)))]

    def fetchall(self) -> list[Any]:
        """Return the remaining rows."""
        if self._rows is None:
            return super().fetchall()
        return self.fetchmany(len(self._rows))

    def __iter__(self) -> Any:
        """Iterate over the remaining rows."""
        return self

    def __next__(self) -> Any:
        """Return the next row."""
        if self._rows is None:
            return super().__next__()
        if not self._rows:
            raise StopIteration
        return self._rows.pop()


def is_busy(error: BaseException) -> bool:
    """Say whether an error means that another connection has a lock for which SQLite would wait."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code != _SNAPSHOT and code & 0xFF in {5, 6}
