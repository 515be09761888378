"""Rewrites what a node of another version stores in the cache, for the fault mixed_version.

During a deployment old and new nodes share the existing cache. A node of the other version uses
other key names, or writes values that nodes of the old version cannot read; it reads both.
"""

from collections.abc import Callable, Sequence
from typing import Any

from pytest_supercache.layers import redis_commands
from pytest_supercache.layers.existing_cache import PLACE

PREFIX = "v2:"
"""Prefix of the other version's keys."""

MARK = "\x02"
"""Prefix of the other version's values."""

_VALUE_AT = {"SET": 2, "SETNX": 2, "GETSET": 2, "APPEND": 2, "SETEX": 3, "PSETEX": 3}
_VALUES_FROM = {"MSET": 2, "MSETNX": 2, "HSET": 3, "HMSET": 3}


class Dialect:
    """Translates commands and answers of a node of the other version.

    Args:
        version: ``key`` or ``serializer``: what differs.
        strike: called when the rewriting changed a command.
    """

    def __init__(self, version: str, strike: Callable[[], None]) -> None:
        self._version = version
        self._strike = strike

    def sent(self, args: Sequence[Any]) -> tuple[Any, ...]:
        """Return a command as the other version sends it."""
        words = list(args)
        for at in self._changed(words):
            words[at] = _before(PREFIX if self._version == "key" else MARK, words[at])
            self._strike()
        return tuple(words)

    def received(self, answer: Any) -> Any:
        """Return an answer as the other version understands it."""
        if self._version == "key":
            return answer
        if isinstance(answer, list):
            return [self.received(member) for member in answer]
        if isinstance(answer, dict):
            return {name: self.received(member) for name, member in answer.items()}
        if isinstance(answer, bytes):
            return answer.removeprefix(MARK.encode())
        return answer.removeprefix(MARK) if isinstance(answer, str) else answer

    def _changed(self, words: list[Any]) -> list[int]:
        name = redis_commands.text(words[0]).upper()
        if self._version == "serializer":
            if name in _VALUES_FROM:
                return list(range(_VALUES_FROM[name], len(words), 2))
            return [_VALUE_AT[name]] if name in _VALUE_AT else []
        footprint = redis_commands.footprint(words, PLACE)
        resources = footprint.reads | footprint.writes
        return [
            at
            for at, word in enumerate(words)
            if at and f"{PLACE}:{redis_commands.text(word)}" in resources
        ]


def _before(mark: str, word: Any) -> Any:
    return mark.encode() + bytes(word) if isinstance(word, bytes | bytearray) else f"{mark}{word}"
