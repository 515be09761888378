"""Stores the content of the origin, and records each load, commit and uncommitted write."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

from pytest_supercache.core.operation import Commit, Load, UncommittedWrite

_ATOMS = frozenset({str, bytes, int, float, bool, type(None)})


class Ledger:
    """The content of an origin with the version of each key. Nothing here takes a step."""

    def __init__(self) -> None:
        self.reset({}, lambda: (0, None))

    def reset(self, given: Mapping[str, Any], position: Any) -> None:
        """Start with ``given`` as version 0; ``position`` returns (step, actor)."""
        self.content = copied_values(given)
        self.versions: dict[str, int] = {}
        self.commits: list[Commit] = []
        self.loads: list[Load] = []
        self.uncommitted: list[UncommittedWrite] = []
        self.watched = False  # whether the code under test ever used it
        self._position = position

    def load(self, key: str) -> Any:
        """Return the value of ``key``, and record that it was loaded."""
        answer = copied(self.content.get(key))
        step, actor = self._position()
        self.loads.append(Load(key, copied(answer), step, actor))
        return answer

    def commit(self, key: str, value: Any) -> int:
        """Store the next version of ``key``, or its absence, and return its number."""
        self.versions[key] = version = self.versions.get(key, 0) + 1
        if value is None:
            self.content.pop(key, None)
        else:
            self.content[key] = copied(value)
        step, actor = self._position()
        self.commits.append(Commit(key, copied(value), version, step, actor))
        return version

    def replace(self, key: str, value: Any, version: int) -> bool:
        """Commit ``value`` if ``key`` still has this version, and say whether it had."""
        is_still = self.versions.get(key, 0) == version
        if is_still:
            self.commit(key, value)
        return is_still

    def write_uncommitted(self, key: str, value: Any) -> int:
        """Record a change that is not committed yet; return its number."""
        self.watched = True
        step, _ = self._position()
        self.uncommitted.append(UncommittedWrite(key, copied(value), step))
        return len(self.uncommitted) - 1

    def end(self, writes: list[int], *, committed: bool) -> None:
        """Record the outcome of changes; of several to one key only the last one is committed."""
        step, _ = self._position()
        last = {self.uncommitted[number].key: number for number in writes}
        for number in writes:
            write = self.uncommitted[number]
            stays = committed and last[write.key] == number
            self.uncommitted[number] = replace(write, ended_at=step, committed=stays)


def copied(value: Any) -> Any:
    """Return a copy of a value."""
    return value if type(value) in _ATOMS else deepcopy(value)


def copied_values(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same keys with copied values, each copied separately."""
    return {key: copied(value) for key, value in content.items()}
