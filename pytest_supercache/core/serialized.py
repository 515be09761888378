"""Deserializes values for people, and runs nothing in them: pickles, MessagePack, compressed data.

A value comes from the code under test and from elsewhere. So nothing in it is called or imported,
and how much is read is bounded. What is not certainly such a value is left as it is.
Only what people read is made from this: judgement compares values as they are stored.

Python 3.13 has neither lz4 nor zstd. A project that stores such values has the library for
them, which is used: lz4 or pyzstd, as django-redis does.
"""

import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any

from pytest_supercache.core.msgpack_reader import read_msgpack
from pytest_supercache.core.pickle_reader import Unreadable, read_pickle
from pytest_supercache.core.pickled_objects import as_data

BYTES_MAX = 200_000
DECOMPRESSED_MAX = 1_000_000
MEMORY_MAX = 64_000_000
_ZSTD_WINDOW_LOG_MAX = 23  # 8 MB
WRAPPINGS_MAX = 3

_ESCAPE = "\\x"
"""In the text of each value that is looked at: bytes that are no UTF-8 are recorded like this."""

_ESCAPED = re.compile(r"\\x([0-9a-f]{2})")
_ESCAPES = {"t": 9, "n": 10, "r": 13}
_ESCAPED_BY_REPR = re.compile(r"\\(?:x([0-9a-f]{2})|([tnr])|([\\'\"]))")
_BEFORE_PICKLE = re.compile(rb"[\x20-\x7e]{0,120}(?=\x80[\x02-\x05])")
"""Libraries write a mark, a signature or what they know of a value before its pickle."""


@dataclass(frozen=True, slots=True)
class Deserialized:
    """What a value holds, as JSON-safe data, and how it is stored: ``pickled, zlib``.

    ``before`` is what a library has written in front of the pickle.
    """

    data: Any
    form: str
    before: str = ""


def deserialized(value: object) -> Deserialized | None:
    """Return what a value holds: bytes, or text that was made of them. None: it is plain."""
    if isinstance(value, bytes | bytearray):
        return _of_bytes(bytes(value)) if len(value) <= BYTES_MAX else None
    if isinstance(value, str) and _ESCAPE in value and len(value) <= 4 * BYTES_MAX:
        return _of_text(str.__str__(value))
    return None


@lru_cache(maxsize=128)  # a picture asks for each value of each layer after each step
def _of_text(text: str) -> Deserialized | None:
    data = _recorded_bytes(text)
    return None if data is None or len(data) > BYTES_MAX else _of_bytes(data)


@lru_cache(maxsize=128)
def _of_bytes(data: bytes) -> Deserialized | None:
    try:
        forms: list[str] = []
        while (inner := _decompressed(data)) is not None:
            form, data = inner
            forms.append(form)
            if len(forms) > WRAPPINGS_MAX:
                return None
        return _unwrapped(data, forms)
    except Unreadable:
        return None


def _decompressed(data: bytes) -> tuple[str, bytes] | None:
    """Return the name of the compression and what was compressed; None: it is not compressed.

    Raises:
        Unreadable: it is not whole, too large, or no library for it is installed.
    """
    for name, beginnings, decompressor in _COMPRESSIONS:
        if data.startswith(beginnings):
            try:
                opened = decompressor()
                found = opened.decompress(data, DECOMPRESSED_MAX)
            # The bytes are untrusted, and lz4's and pyzstd's classes of errors can be absent here.
            except Exception as error:
                raise Unreadable(f"{name}: {type(error).__name__}") from error
            if not opened.eof or opened.unused_data:
                raise Unreadable(f"{name}: it is too large, or not whole")
            return name, found
    return None


def _zstd() -> Any:
    pyzstd = import_module("pyzstd")
    bounds = {pyzstd.DParameter.windowLogMax: _ZSTD_WINDOW_LOG_MAX}
    return pyzstd.ZstdDecompressor(None, bounds)


_COMPRESSIONS: tuple[tuple[str, tuple[bytes, ...], Callable[[], Any]], ...] = (
    ("zlib", (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"), zlib.decompressobj),
    ("gzip", (b"\x1f\x8b",), lambda: zlib.decompressobj(zlib.MAX_WBITS | 16)),
    # Some builds of Python have no lzma, and some no bz2.
    (
        "lzma",
        (b"\xfd7zXZ\x00",),
        lambda: import_module("lzma").LZMADecompressor(memlimit=MEMORY_MAX),
    ),
    ("bz2", (b"BZh",), lambda: import_module("bz2").BZ2Decompressor()),
    ("lz4", (b"\x04\x22\x4d\x18",), lambda: import_module("lz4.frame").LZ4FrameDecompressor()),
    ("zstd", (b"\x28\xb5\x2f\xfd",), _zstd),
)
"""The name of each compression, how its data begins, and what makes a decompressor."""


def _unwrapped(data: bytes, compressions: list[str]) -> Deserialized | None:
    before = _BEFORE_PICKLE.match(data)
    if before:
        held = as_data(read_pickle(data[before.end() :]))
        form = ", ".join(["pickled", *reversed(compressions)])
        return Deserialized(held, form, before.group().decode())
    text = _utf8(data)
    if text is not None:
        return Deserialized(text, ", ".join(reversed(compressions))) if compressions else None
    return Deserialized(
        as_data(read_msgpack(data)), ", ".join(["MessagePack", *reversed(compressions)])
    )


def _recorded_bytes(text: str) -> bytes | None:
    """Return the bytes that were recorded as this text, in one of both spellings.

    None: it was text; what is given back reads exactly like ``text``.
    """
    if text.startswith(("b'", 'b"')):
        data = _bytes_of_repr(text[2:-1])
        return data if repr(data) == text else None
    data = b"".join(
        bytes.fromhex(part) if at % 2 else part.encode("utf-8", "surrogatepass")
        for at, part in enumerate(_ESCAPED.split(text))
    )
    return data if data.decode(errors="backslashreplace") == text else None


def _bytes_of_repr(text: str) -> bytes:
    def byte(found: re.Match[str]) -> str:
        number, letter, itself = found.groups()
        return chr(int(number, 16)) if number else itself or chr(_ESCAPES[letter])

    return _ESCAPED_BY_REPR.sub(byte, text).encode("latin-1", "replace")


def _utf8(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None
