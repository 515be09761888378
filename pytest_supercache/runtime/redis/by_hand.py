"""Finds commands that code under test sends on a connection itself, without a client.

They are steps like others, but taken when they are sent: no client method announces them.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

from pytest_supercache.core.footprint import NOTHING, Footprint
from pytest_supercache.layers.existing_cache import PLACE

_SENDING = frozenset({"send_command", "send_packed_command"})
_LIBRARIES = frozenset({"redis", "valkey", "fakeredis", "pytest_supercache"})
_ARRAY, _BULK = re.compile(rb"\*(\d+)\r\n"), re.compile(rb"\$(\d+)\r\n")
_ANYTHING = Footprint(frozenset({f"{PLACE}:*"}), frozenset({f"{PLACE}:*"}))


def is_by_hand(frame: FrameType | None) -> bool:
    """Say whether code outside of the client libraries has called ``send_command``."""
    while frame is not None and frame.f_code.co_name in _SENDING:
        frame = frame.f_back
    name = "" if frame is None else str(frame.f_globals.get("__name__"))
    return bool(name) and name.partition(".")[0] not in _LIBRARIES


@dataclass(frozen=True, slots=True)
class Sending:
    """Commands that take effect together: one, or all of a transaction."""

    commands: list[list[bytes]]
    """The words of each."""
    data: Any
    """What ``send_packed_command`` is to be given for them."""


def sendings_in(sent: Any) -> list[Sending]:
    """Return what takes effect one after another in what ``send_packed_command`` is given."""
    sendings = list[Sending]()
    is_open = False  # after MULTI
    for words, data in _commands_in(sent):
        if is_open:
            last = sendings.pop()
            sendings.append(Sending([*last.commands, words], (*last.data, *data)))
        else:
            sendings.append(Sending([words], data))
        name = words[0].upper()
        is_open = name == b"MULTI" or (is_open and name not in {b"EXEC", b"DISCARD"})
    return sendings


def _commands_in(sent: Any) -> Iterator[tuple[list[bytes], tuple[Any, ...]]]:
    """Yield the words of each command, and the same as it is sent."""
    parts: Iterable[Any] = (sent,) if isinstance(sent, bytes | str) else sent
    packed = b""
    for part in parts:
        if isinstance(part, list):  # the fields of one command, for fakeredis
            yield list(part), (part,)
        else:
            packed += part.encode() if isinstance(part, str) else bytes(part)
    start = 0
    while (head := _ARRAY.match(packed, start)) is not None:
        at, words = head.end(), []
        for _ in range(int(head[1])):
            bulk = _BULK.match(packed, at)
            if bulk is None:
                return
            end = bulk.end() + int(bulk[1])
            words.append(packed[bulk.end() : end])
            at = end + 2
        yield words, (packed[start:at],)
        start = at


def touched_by(words: list[bytes], footprint: Footprint) -> Footprint:
    """Return the footprint of a command; EXEC may do anything that was sent before it."""
    return footprint | (_ANYTHING if words[0].upper() == b"EXEC" else NOTHING)
