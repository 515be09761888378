"""Which versions a value may be: a side table from values to versions, for code that stores plain
values and owns its database.

Equal values cannot be told apart, so a value stands for every version that has it, and a violation
is reported only when each of them would violate (design, search.md section 7).
"""

import json
from typing import Any

from pytest_supercache.core.operation import History

ABSENT = None


def canonical(value: Any) -> Any:
    """Make values comparable: bytes as text, text as the JSON data it spells if it does."""
    if isinstance(value, bytes | bytearray):
        value = bytes(value).decode(errors="backslashreplace")
    if isinstance(value, str):
        try:
            return _frozen(json.loads(value))
        except ValueError:
            return value
    return _frozen(value)


def same(left: Any, right: Any) -> bool:
    """Say whether two values are the same datum in different dress."""
    return bool(canonical(left) == canonical(right))


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _frozen(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_frozen(member) for member in value]
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode(errors="backslashreplace")
    return value


def versions_of(history: History, key: str) -> list[Any]:
    """Return the values of ``key`` by version, from 0 (given): the origin's commit order."""
    return [history.given.get(key)] + [c.value for c in history.commits if c.key == key]


def candidates(versions: list[Any], value: Any) -> list[int]:
    """Return every version whose value is ``value``; empty when it is none of them."""
    return [number for number, known in enumerate(versions) if same(known, value)]
