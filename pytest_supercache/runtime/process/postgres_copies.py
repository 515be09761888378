"""Copies a PostgreSQL database for each execution: a new one, with the first copy as its template.

The server copies a template only while nobody is connected to it. So the connection of the test is
closed for a moment, which its transaction survives only if nothing was asked in it yet.
"""

import multiprocessing
import os
from typing import Any

_MAINTENANCE = "postgres"
"""The database from which others are made, as Django does it, too."""

_NAME_MAX = 30
"""Of the 63 bytes that a name may have."""

_DRIVERS = frozenset({"psycopg", "psycopg2"})
"""The drivers whose statements are steps."""

_IDLE = 0
"""The status of a connection that is in no transaction."""


class PostgresCopies:
    """The copies of the database that one of Django's connections leads to.

    Args:
        wrapper: the connection; it need not be open.
    """

    def __init__(self, wrapper: Any) -> None:
        self._connect = wrapper.Database.connect
        self._parameters = wrapper.get_connection_params()
        name = str(self._parameters.get("dbname"))
        own = f"{name[:_NAME_MAX]}_supercache_{os.getpid()}"
        self._source, self._template, self._copy = map(_quoted, (name, f"{own}_first", own))
        self.name = own
        self._is_used = False
        self.missing = self._first_copy(wrapper)
        """Why there are no copies; nothing if there are."""

    def renew(self) -> None:
        """Make the copy of an execution, in the place of the one before."""
        self._execute(
            f"DROP DATABASE IF EXISTS {self._copy} WITH (FORCE)",
            f"CREATE DATABASE {self._copy} TEMPLATE {self._template}",
        )

    def drop(self) -> None:
        """Remove all copies."""
        for name in () if self.missing else (self._copy, self._template):
            self._execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _first_copy(self, wrapper: Any) -> str:
        if wrapper.Database.__name__ not in _DRIVERS:
            return f"{wrapper.Database.__name__} is not under control, psycopg and psycopg2 are"
        if multiprocessing.parent_process() is not None:
            return "another process of this run is connected to it; search without workers"
        is_open, in_transaction = wrapper.connection is not None, wrapper.in_atomic_block
        if in_transaction and wrapper.connection.info.transaction_status != _IDLE:
            return (
                "the test has used it in its transaction already, and a copy would lack that: "
                "mark it with django_db(transaction=True)"
            )
        if is_open:
            wrapper.connection.close()
        try:
            self._execute(
                f"DROP DATABASE IF EXISTS {self._template} WITH (FORCE)",
                f"CREATE DATABASE {self._template} TEMPLATE {self._source}",
            )
        except wrapper.Database.Error as error:
            return str(error).strip()
        finally:
            if is_open:
                wrapper.connection = wrapper.get_new_connection(wrapper.get_connection_params())
                wrapper.connection.autocommit = True  # setting the time zone begins no transaction
                wrapper.init_connection_state()
                wrapper.connection.autocommit = not in_transaction
        return ""

    def _execute(self, *statements: str) -> None:
        connection = self._connect(**{**self._parameters, "dbname": _MAINTENANCE})
        try:
            connection.autocommit = True
            for statement in statements:
                connection.cursor().execute(statement)
        finally:
            connection.close()


def _quoted(name: str) -> str:
    return '"{}"'.format(name.replace('"', '""'))
