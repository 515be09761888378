"""Copies a MariaDB database for each execution: its tables are created anew and filled from it.

The server has no templates. Views, triggers and routines name their database, so a database that
has any is not copied.
"""

import multiprocessing
import os
from typing import Any

_DRIVERS = ("MySQLdb", "pymysql")
_NAME_MAX = 30
"""Of the 64 characters that a name may have."""

_MORE_THAN_TABLES = """
SELECT table_type FROM information_schema.tables
WHERE table_schema = %(name)s AND table_type NOT IN ('BASE TABLE')
UNION SELECT 'TRIGGER' FROM information_schema.triggers WHERE trigger_schema = %(name)s
UNION SELECT routine_type FROM information_schema.routines WHERE routine_schema = %(name)s
"""
_CHARACTERS = """
SELECT default_character_set_name, default_collation_name FROM information_schema.schemata
WHERE schema_name = %(name)s
"""
_COLUMNS = """
SELECT columns.table_name, columns.column_name FROM information_schema.columns
JOIN information_schema.tables USING (table_schema, table_name)
WHERE table_schema = %(name)s AND extra NOT LIKE '%%GENERATED%%'
ORDER BY columns.table_name, columns.ordinal_position
"""


class MariaDBCopies:
    """The copies of the database that one of Django's connections leads to.

    Args:
        wrapper: the connection; it need not be open.
    """

    def __init__(self, wrapper: Any) -> None:
        self._connect = wrapper.Database.connect
        self._parameters = dict(wrapper.get_connection_params())
        self._source = str(self._parameters.pop("database", None) or self._parameters.pop("db", ""))
        self.name = f"{self._source[:_NAME_MAX]}_supercache_{os.getpid()}"
        self.missing = self._why_none(wrapper)
        """Why there are no copies; nothing if there are."""

    def renew(self) -> None:
        """Make the copy of an execution, in the place of the one before."""
        connection = self._connect(**{**self._parameters, "autocommit": True})
        try:
            with connection.cursor() as cursor:
                self._copy(cursor)
        finally:
            connection.close()

    def drop(self) -> None:
        """Remove the copy."""
        if not self.missing:
            self._asked(f"DROP DATABASE IF EXISTS {_quoted(self.name)}")

    def _copy(self, cursor: Any) -> None:
        source, copy = _quoted(self._source), _quoted(self.name)
        cursor.execute(_CHARACTERS, {"name": self._source})
        ((characters, collation),) = cursor.fetchall()
        cursor.execute(_COLUMNS, {"name": self._source})
        columns: dict[str, list[str]] = {}
        for table, column in cursor.fetchall():
            columns.setdefault(table, []).append(_quoted(column))
        cursor.execute("SET SESSION foreign_key_checks = 0, sql_mode = 'NO_AUTO_VALUE_ON_ZERO'")
        cursor.execute(f"DROP DATABASE IF EXISTS {copy}")
        cursor.execute(f"CREATE DATABASE {copy} CHARACTER SET {characters} COLLATE {collation}")
        cursor.execute(f"USE {copy}")
        for table, names in columns.items():
            cursor.execute(f"SHOW CREATE TABLE {source}.{_quoted(table)}")
            ((_, definition),) = cursor.fetchall()
            cursor.execute(definition)
            listed = ", ".join(names)
            cursor.execute(
                f"INSERT INTO {_quoted(table)} ({listed}) "
                f"SELECT {listed} FROM {source}.{_quoted(table)}"
            )

    def _why_none(self, wrapper: Any) -> str:
        driver = type(wrapper.connection).__module__ if wrapper.connection else ""
        if not (driver or wrapper.Database.connect.__module__).startswith(_DRIVERS):
            return f"{wrapper.Database.__name__} is not under control, mysqlclient and PyMySQL are"
        if multiprocessing.parent_process() is not None:
            return "another process of this run may copy it; search without workers"
        if wrapper.connection is not None and _is_in_transaction(wrapper.connection):
            return (
                "the test has used it in its transaction already, and a copy would lack that: "
                "mark it with django_db(transaction=True)"
            )
        try:
            more = self._asked(_MORE_THAN_TABLES)
        except wrapper.Database.Error as error:
            return str(error).strip()
        if more:
            kinds = ", ".join(sorted(kind.lower() for (kind,) in more))
            return f"it has more than tables ({kinds}), which this version does not copy"
        return ""

    def _asked(self, statement: str) -> list[Any]:
        connection = self._connect(**{**self._parameters, "autocommit": True})
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement, {"name": self._source})
                return list(cursor.fetchall())
        finally:
            connection.close()


def _is_in_transaction(connection: Any) -> bool:
    """Ask the server, because the answer of a SELECT does not say so."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@in_transaction")
        ((is_open,),) = cursor.fetchall()
    return bool(is_open)


def _quoted(name: str) -> str:
    return "`{}`".format(name.replace("`", "``"))
