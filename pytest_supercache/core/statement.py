"""Describes a statement of SQL as the code under test has sent it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

_PLAIN = frozenset({str, int, float, bool, Decimal, UUID, date, datetime})
_BYTES_MAX = 64
"""The length up to which bytes are the key of a row rather than what is in it."""


@dataclass(frozen=True, slots=True)
class SqlStatement:
    """A statement that has not been parsed."""

    dialect: str
    """The name of the database's language in `sqlglot`."""
    text: str
    values: tuple[tuple[str, str], ...] = ()
    """The parameters with a plain value, by their names, or by their numbers from 1 on."""

    @classmethod
    def of(cls, dialect: str, text: str, parameters: Any = None) -> "SqlStatement":
        """Return a statement with its plain parameters; none of their code runs."""
        return cls(dialect, text, tuple(_plain_values(parameters)))


def _plain_values(parameters: Any) -> Iterator[tuple[str, str]]:
    """Yield the parameters that are plain, each with its name or its number."""
    kind = type(parameters)  # not isinstance(), which asks an object for its class
    named: Iterable[tuple[Any, Any]] = ()
    if issubclass(kind, dict):
        named = dict.items(parameters)
    elif issubclass(kind, list | tuple):
        values = list.__iter__(parameters) if issubclass(kind, list) else tuple.__iter__(parameters)
        named = ((str(number), value) for number, value in enumerate(values, 1))
    for name, value in named:
        if type(name) is str and type(value) in _PLAIN:
            yield name, str(value)
        elif type(name) is str and type(value) is bytes and len(value) <= _BYTES_MAX:
            yield name, value.hex()
