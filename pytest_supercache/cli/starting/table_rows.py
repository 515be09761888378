"""Finds the SQLAlchemy table behind the path of a page, and the values of a row for it."""

import re
from decimal import Decimal
from typing import Any, NamedTuple

_SAMPLES: dict[type | None, str] = {int: "1", float: "1", Decimal: "1", str: '"x"', bool: "False"}
_NUMBERS = (int, float, Decimal)


class TableRow(NamedTuple):
    """A table, the values of a row as Python has them, and whether the field is a number."""

    table: str
    values: dict[str, str]
    is_number: bool


def row_for(metadata: Any, path: str, field: str, key: str) -> TableRow | None:
    """Return a row of a table that has the field; a table that the path names is preferred."""
    words = {word.rstrip("s") for word in re.findall(r"[a-z]+", path.lower())}
    found = [row for table in metadata.tables.values() if (row := _row(table, field, key))]
    return min(
        found, key=lambda row: (row.table.lower().rstrip("s") not in words, row.table), default=None
    )


def _row(table: Any, field: str, key: str) -> TableRow | None:
    """Return a row of a table; None: it lacks the field, or needs what nobody can guess."""
    changed, keys = table.columns.get(field), list(table.primary_key.columns)
    if changed is None or changed in keys or len(keys) != 1 or _kind(changed) not in _SAMPLES:
        return None
    values = {keys[0].name: key if _kind(keys[0]) is int else f'"{key}"', field: "OLD"}
    for column in table.columns:
        can_lack = (
            column.nullable or column.default is not None or column.server_default is not None
        )
        if column.name in values or can_lack:
            continue
        if column.foreign_keys or (sample := _SAMPLES.get(_kind(column))) is None:
            return None
        values[column.name] = sample
    return TableRow(table.name, values, _kind(changed) in _NUMBERS)


def _kind(column: Any) -> type | None:
    try:
        kind: type = column.type.python_type
    except NotImplementedError:  # SQLAlchemy knows no Python type for this type of column
        return None
    return kind
