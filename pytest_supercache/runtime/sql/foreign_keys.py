"""Adds the tables that SQLite touches for foreign keys, which it does not report.

A statement that writes a table may look into the tables that refer to it, and into those that it
refers to. Actions such as ``ON DELETE CASCADE`` write the tables that refer to it, and so on.
"""

from collections.abc import Callable, Iterable
from typing import Any

from pytest_supercache.runtime.sql.statements import EVERYTHING, Tables

_ACT = frozenset({"CASCADE", "SET NULL", "SET DEFAULT"})

_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table'"
_TRIGGERS = "SELECT 1 FROM sqlite_schema WHERE type = 'trigger' LIMIT 1"
_KEYS = """
SELECT tables.name, keys."table", keys.on_update, keys.on_delete
FROM sqlite_schema AS tables, pragma_foreign_key_list(tables.name) AS keys
WHERE tables.type = 'table'
"""


def with_foreign_keys(tables: Tables, ask: Callable[[str], list[Any]]) -> Tables:
    """Return the tables of a statement that writes, with those that foreign keys lead to.

    Args:
        tables: what SQLite reports.
        ask: returns the rows of a query of the schema.
    """
    names = {name.lower(): name for (name,) in ask(_TABLES)}
    if not all(table.lower() in names for table in tables.writes):
        return EVERYTHING  # of another database, or of the schema itself
    keys = [
        (child.lower(), parent.lower(), not _ACT.isdisjoint(actions))
        for child, parent, *actions in ask(_KEYS)
    ]
    own = {table.lower() for table in tables.writes}
    writes = _closed(own, keys)
    if writes != own and ask(_TRIGGERS):
        return EVERYTHING  # an action may fire a trigger
    looked_at = {parent for child, parent, _ in keys if child in writes}
    looked_at |= {child for child, parent, _ in keys if parent in writes}
    return Tables(
        reads=tables.reads | {names.get(table, table) for table in looked_at - writes},
        writes=frozenset(names[table] for table in writes),
    )


def _closed(writes: set[str], keys: Iterable[tuple[str, str, bool]]) -> set[str]:
    """Return the tables that are written, with those that actions of foreign keys write."""
    found = {child for child, parent, acts in keys if acts and parent in writes}
    return writes if found <= writes else _closed(writes | found, keys)
