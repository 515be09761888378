"""Redis commands that wait in the server for what another client is going to store."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from pytest_supercache.layers.redis_commands import blocking, text

_POPS = frozenset({"BLPOP", "BRPOP", "BZPOPMIN", "BZPOPMAX"})
_MOVES = frozenset({"BRPOPLPUSH", "BLMOVE"})
_MANY = frozenset({"BLMPOP", "BZMPOP"})
_STREAMS = frozenset({"XREAD", "XREADGROUP"})


class Waiting(NamedTuple):
    """How to ask such a command so that it does not wait."""

    seconds: float  # after which it gives up; ``inf``: never
    keys: tuple[Any, ...]  # it is answered at once if one of them exists
    at_once: tuple[Any, ...]  # what to send instead: it never waits. Empty: ask for `keys` before


def waiting(args: Sequence[Any]) -> Waiting | None:
    """Say how a command may wait for others; None: it does not, or not for what they store."""
    seconds = blocking(args)
    if seconds is None:
        return None
    words = [*text(args[0]).split(), *args[1:]]
    name = words[0].upper()
    if name in _STREAMS:
        at = [text(word).upper() for word in words].index("BLOCK")
        return Waiting(seconds, (), (*words[:at], *words[at + 2 :]))
    if name in _POPS:
        return Waiting(seconds, tuple(words[1:-1]), ())
    if name in _MOVES:
        return Waiting(seconds, (words[1],), ())
    if name in _MANY:
        return Waiting(seconds, tuple(words[3 : 3 + int(text(words[2]))]), ())
    return None
