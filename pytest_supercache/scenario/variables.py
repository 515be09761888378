"""Replaces `$name` and `$name.field` by earlier answers and by values of the case.

A variable is a whole scalar, never a part of a text, so that its value keeps its type.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.scenario.answers import decoded_json

_REFERENCE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)((?:\.[A-Za-z0-9_-]+)*)", re.ASCII)


class VariableError(SupercacheError):
    """A variable has no value: its step has not run, or the answer has no such field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """`$name.field.0`, parsed."""

    name: str
    fields: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "$" + ".".join((self.name, *self.fields))


def parse_reference(value: object) -> Reference | None:
    """Return the variable that ``value`` names; None if it is data (`$5` and `a $x` are)."""
    found = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    return Reference(name=found[1], fields=tuple(found[2].split(".")[1:]))


def has_variable(data: object) -> bool:
    """Say whether a variable is anywhere in ``data``."""
    if isinstance(data, dict):
        return any(map(has_variable, data.values()))
    if isinstance(data, list):
        return any(map(has_variable, data))
    return parse_reference(data) is not None


def look_up(reference: Reference, variables: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any answer
    """Return the value of ``reference``, or raise `VariableError` that says what is missing."""
    if reference.name not in variables:
        known = ", ".join(f"${name}" for name in variables) or "none"
        raise VariableError(f"{reference} has no value yet; known here: {known}")
    value = variables[reference.name]
    for field in reference.fields:
        try:
            value = _field(decoded_json(value), field)
        except (IndexError, KeyError):
            raise VariableError(
                f"{reference} has no value: there is no {field!r} in {value!r:.200}"
            ) from None
    return value


def resolve(data: Any, variables: Mapping[str, Any]) -> Any:  # noqa: ANN401 - data of any shape
    """Replace every variable in ``data`` by its value."""
    if isinstance(data, dict):
        return {name: resolve(value, variables) for name, value in data.items()}
    if isinstance(data, list):
        return [resolve(value, variables) for value in data]
    reference = parse_reference(data)
    return data if reference is None else look_up(reference, variables)


def _field(value: object, field: str) -> Any:
    if isinstance(value, Mapping):
        return value[field]
    if isinstance(value, Sequence) and not isinstance(value, str | bytes) and field.isdigit():
        return value[int(field)]
    raise KeyError(field)
