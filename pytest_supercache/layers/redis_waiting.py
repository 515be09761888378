"""Blocking Redis commands: the keys that they wait on, and their non-blocking form."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from pytest_supercache.layers.redis_commands import described, text

_POPS = frozenset({"BLPOP", "BRPOP", "BZPOPMIN", "BZPOPMAX"})
_MOVES = frozenset({"BRPOPLPUSH", "BLMOVE"})
_MANY = frozenset({"BLMPOP", "BZMPOP"})
_STREAMS = frozenset({"XREAD", "XREADGROUP"})


class Waiting(NamedTuple):
    """A blocking command, and how to poll it without blocking."""

    seconds: float  # after which it gives up; ``inf``: never
    keys: tuple[Any, ...]  # it is answered at once if one of them is there
    at_once: tuple[Any, ...]  # what to send instead: it never waits. Empty: ask for `keys` before
    kind: str = ""  # of what is waited for: as TYPE says it
    newest: tuple[tuple[int, Any], ...] = ()  # where there is to be a stream's last id, and whose


def waiting(args: Sequence[Any]) -> Waiting | None:
    """Describe how a command may wait for others; None: it does not, or not for what they store.

    A malformed command does not: the server returns an error.
    """
    seconds = described(args).blocks
    if seconds is None:
        return None
    words = [*text(args[0]).split(), *args[1:]]
    try:
        return _waiting(words[0].upper(), seconds, words)
    except (IndexError, ValueError):
        return None


def _waiting(name: str, seconds: float, words: Sequence[Any]) -> Waiting | None:
    if name in _STREAMS:
        at = [text(word).upper() for word in words].index("BLOCK")
        at_once = (*words[:at], *words[at + 2 :])
        return Waiting(seconds, (), at_once, "stream", tuple(_newest(at_once)))
    keys: Sequence[Any] = ()
    if name in _POPS:
        keys = words[1:-1]
    elif name in _MOVES:
        keys = words[1:2]
    elif name in _MANY:
        keys = words[3 : 3 + int(text(words[2]))]
    kind = "zset" if name.startswith("BZ") else "list"
    return Waiting(seconds, tuple(keys), (), kind) if keys else None


def _newest(words: Sequence[Any]) -> Iterator[tuple[int, Any]]:
    """Yield the position of each ``$``, the last id when the command is sent, and its stream."""
    first = [text(word).upper() for word in words].index("STREAMS") + 1
    streams = (len(words) - first) // 2
    for at in range(first + streams, len(words)):
        if text(words[at]) == "$":
            yield at, words[at - streams]
