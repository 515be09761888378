"""Describes a statement of SQL as the code under test has sent it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

_PLAIN = frozenset({str, int, float, bool, Decimal, UUID, date, datetime})


@dataclass(frozen=True, slots=True)
class SqlStatement:
    """A statement, which nobody has read yet."""

    dialect: str
    """How `sqlglot` calls the language of the database."""
    text: str
    values: tuple[tuple[str, str], ...] = ()
    """The parameters whose value is plain: the name, or the number from 1 on, and the value."""

    @classmethod
    def of(cls, dialect: str, text: str, parameters: Any = None) -> "SqlStatement":
        """Return a statement with what is plain among its parameters: no code of theirs is run."""
        return cls(dialect, text, tuple(_plain_values(parameters)))


def _plain_values(parameters: Any) -> Iterator[tuple[str, str]]:
    """Yield the parameters that are plain, each with its name or its number."""
    if isinstance(parameters, list | tuple):
        parameters = {str(number): value for number, value in enumerate(parameters, 1)}
    if isinstance(parameters, dict):
        for name, value in parameters.items():
            if type(value) in _PLAIN:
                yield str(name), str(value)
