"""Decompresses values of a cache with bounds, if their first bytes say how they are compressed.

Python 3.13 has neither lz4 nor zstd. A project that stores such values has the library for
them, which is used: lz4 or pyzstd, as django-redis does.
"""

import zlib
from collections.abc import Callable
from importlib import import_module
from typing import Any

from pytest_supercache.core.pickle_reader import Unreadable

BYTES_MAX = 1_000_000
MEMORY_MAX = 64_000_000
_ZSTD_WINDOW_LOG_MAX = 23  # 8 MB


def decompressed(data: bytes) -> tuple[str, bytes] | None:
    """Return the name of the compression and what was compressed; None: it is not compressed.

    Raises:
        Unreadable: it is not whole, larger than BYTES_MAX, or no library for it is installed.
    """
    for name, begins, decompress in _COMPRESSIONS:
        if data.startswith(begins):
            try:
                return name, decompress(data)
            # The bytes are untrusted, and lz4's and pyzstd's classes of errors can be absent here.
            except Exception as error:
                raise Unreadable(f"{name}: {type(error).__name__}") from error
    return None


def _zlib(data: bytes) -> bytes:
    return _whole_zlib(data, zlib.MAX_WBITS)


def _gzip(data: bytes) -> bytes:
    return _whole_zlib(data, zlib.MAX_WBITS | 16)


def _whole_zlib(data: bytes, wbits: int) -> bytes:
    opened = zlib.decompressobj(wbits)
    return _whole(opened.decompress(data, BYTES_MAX), opened)


def _lzma(data: bytes) -> bytes:
    import lzma  # some builds of Python have none

    opened = lzma.LZMADecompressor(memlimit=MEMORY_MAX)
    return _whole(opened.decompress(data, BYTES_MAX), opened)


def _bz2(data: bytes) -> bytes:
    import bz2

    opened = bz2.BZ2Decompressor()
    return _whole(opened.decompress(data, BYTES_MAX), opened)


def _lz4(data: bytes) -> bytes:
    opened = import_module("lz4.frame").LZ4FrameDecompressor()
    return _whole(opened.decompress(data, BYTES_MAX), opened)


def _zstd(data: bytes) -> bytes:
    pyzstd = import_module("pyzstd")
    bounds = {pyzstd.DParameter.windowLogMax: _ZSTD_WINDOW_LOG_MAX}
    opened = pyzstd.ZstdDecompressor(None, bounds)
    return _whole(opened.decompress(data, BYTES_MAX), opened)


def _whole(found: bytes, opened: Any) -> bytes:
    """Refuse what goes on after BYTES_MAX, and what is followed by something else."""
    if not opened.eof or opened.unused_data:
        raise Unreadable("it is too large, or not whole")
    return found


_COMPRESSIONS: tuple[tuple[str, tuple[bytes, ...], Callable[[bytes], bytes]], ...] = (
    ("zlib", (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"), _zlib),
    ("gzip", (b"\x1f\x8b",), _gzip),
    ("lzma", (b"\xfd7zXZ\x00",), _lzma),
    ("bz2", (b"BZh",), _bz2),
    ("lz4", (b"\x04\x22\x4d\x18",), _lz4),
    ("zstd", (b"\x28\xb5\x2f\xfd",), _zstd),
)
