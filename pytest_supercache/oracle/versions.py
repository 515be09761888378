"""Maps values to the versions that they may be.

It serves code that stores plain values and owns its database.
Equal values cannot be told apart, so a value stands for every version that has it, and a violation
is reported only when each of them would violate.
"""

import json
from collections.abc import Callable
from typing import Any

from pytest_supercache.core.operation import Commit, History, Operation

ABSENT = None


def canonical(value: Any) -> Any:
    """Make values comparable: bytes as text, text as the JSON data that it spells, if any."""
    if isinstance(value, bytes | bytearray):
        value = bytes(value).decode(errors="backslashreplace")
    if isinstance(value, str):
        try:
            return _frozen(json.loads(value, parse_constant=_not_json))
        except (ValueError, RecursionError):
            return value
    return _frozen(value)


def same(left: Any, right: Any) -> bool:
    """Say whether two values are the same datum in different encodings."""
    return bool(canonical(left) == canonical(right))


def _not_json(name: str) -> Any:
    """Refuse NaN and Infinity: as text they equal themselves."""
    raise ValueError(name)


def _frozen(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value)  # else True would be 1, which is another datum
    if isinstance(value, dict):
        return {str(key): _frozen(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_frozen(member) for member in value]
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode(errors="backslashreplace")
    return value


def candidates(
    history: History,
    key: str,
    value: Any,
    *,
    after: int = -1,
    sees: Callable[[Commit], bool] = lambda _commit: True,
) -> list[int]:
    """Return every version of ``key`` that ``value`` may be, from 0 (given), in commit order.

    ``after`` (a number of steps) leaves out what was committed too early; ``sees`` says of a commit
    whether it may have been known where the value was seen.
    """
    found = [0] if after < 0 and same(history.given.get(key), value) else []
    commits = (commit for commit in history.commits if commit.key == key)
    return found + [
        number
        for number, commit in enumerate(commits, start=1)
        if after < commit.at and same(commit.value, value) and sees(commit)
    ]


def written(operation: Operation) -> tuple[tuple[str, Any], ...]:
    """Return what an operation writes as (key, value); None stands for a deletion."""
    if operation.key is not None and operation.kind in {"write", "delete"}:
        return ((operation.key, operation.value if operation.kind == "write" else ABSENT),)
    return operation.writes


def fields_of(value: Any) -> dict[str, Any] | None:
    """Return the fields of an object, also of one that is spelled as JSON; None: it is none."""
    datum = canonical(value)
    return datum if isinstance(datum, dict) else None


def is_known_to_origin(history: History, key: str) -> bool:
    """Say whether the origin ever had ``key``; if not, it tells nothing about the key."""
    return key in history.given or any(commit.key == key for commit in history.commits)


def is_from_somewhere(history: History, key: str, value: Any) -> bool:
    """Say whether ``value`` was given or written for ``key``; else its encoding is unknown."""
    return any(same(value, known) for known in history.given_in_caches.get(key, ())) or any(
        other == key and same(value, wrote)
        for operation in history
        for other, wrote in written(operation)
    )
