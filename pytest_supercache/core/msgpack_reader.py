"""Reads MessagePack objects, with bounds.

MessagePack has no mark of its own: every byte is the beginning of something. So only what can
hardly be anything else is read: an object whose fields are named by text, or a list with one.
"""

import struct
from collections.abc import Callable
from typing import Any

from pytest_supercache.core.pickle_reader import DEPTH_MAX, Made, Name, Pairs, Unreadable


def read_msgpack(data: bytes) -> Any:
    """Return the object, or the list with objects, that ``data`` is to its last byte.

    Raises:
        Unreadable: it is something else, or may be.
    """
    reader = _Reader(data)
    try:
        value = reader.value(0)
    except (struct.error, UnicodeDecodeError, LookupError) as error:
        raise Unreadable(str(error)) from error
    if reader.at != len(data) or not _is_object(value):
        raise Unreadable("it may be anything")
    return value


def _is_object(value: Any) -> bool:
    if isinstance(value, list):
        return any(map(_is_object, value))
    return (
        isinstance(value, Pairs) and bool(value.pairs) and all(_is_field(k) for k, _ in value.pairs)
    )


def _is_field(key: Any) -> bool:
    return isinstance(key, str) and key.isprintable() and key != ""


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        taken = self.data[self.at : self.at + size]
        if len(taken) < size:
            raise Unreadable("it ends too early")
        self.at += size
        return taken

    def number(self, code: str) -> Any:
        return struct.unpack(f">{code}", self.take(struct.calcsize(f">{code}")))[0]

    def value(self, depth: int) -> Any:
        if depth > DEPTH_MAX:
            raise Unreadable("too deep")
        first = self.take(1)[0]
        if first < 0x80:
            return first
        if first >= 0xE0:
            return first - 0x100
        if first < 0x90:
            return self.pairs(first & 0x0F, depth)
        if first < 0xA0:
            return self.members(first & 0x0F, depth)
        if first < 0xC0:
            return self.take(first & 0x1F).decode()
        return _LONG[first](self, depth)

    def pairs(self, size: int, depth: int) -> Pairs:
        return Pairs([(self.value(depth + 1), self.value(depth + 1)) for _ in range(size)])

    def members(self, size: int, depth: int) -> list[Any]:
        return [self.value(depth + 1) for _ in range(size)]

    def extension(self, size: int) -> Made:
        kind = self.number("b")
        return Made(Name("msgpack", "ExtType"), (kind, self.take(size)))


_Long = Callable[[_Reader, int], Any]


def _constant(value: object) -> _Long:
    return lambda _reader, _depth: value


def _number(code: str) -> _Long:
    return lambda reader, _depth: reader.number(code)


def _bytes(code: str) -> _Long:
    return lambda reader, _depth: reader.take(reader.number(code))


def _text(code: str) -> _Long:
    return lambda reader, _depth: reader.take(reader.number(code)).decode()


def _extension(size: int | str) -> _Long:
    if isinstance(size, int):
        return lambda reader, _depth: reader.extension(size)
    return lambda reader, _depth: reader.extension(reader.number(size))


def _members(code: str) -> _Long:
    return lambda reader, depth: reader.members(reader.number(code), depth)


def _pairs(code: str) -> _Long:
    return lambda reader, depth: reader.pairs(reader.number(code), depth)


_LONG: dict[int, _Long] = {
    0xC0: _constant(None),
    0xC2: _constant(False),
    0xC3: _constant(True),
    **{0xC4 + at: _bytes(code) for at, code in enumerate("BHI")},
    **{0xC7 + at: _extension(code) for at, code in enumerate("BHI")},
    **{0xCA + at: _number(code) for at, code in enumerate("fdBHIQbhiq")},
    **{0xD4 + at: _extension(1 << at) for at in range(5)},
    **{0xD9 + at: _text(code) for at, code in enumerate("BHI")},
    **{0xDC + at: _members(code) for at, code in enumerate("HI")},
    **{0xDE + at: _pairs(code) for at, code in enumerate("HI")},
}
