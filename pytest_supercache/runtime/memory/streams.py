"""Records accesses to files through paths and streams."""

from typing import Any

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.memory_use import WHOLE
from pytest_supercache.runtime.memory.accesses import Accesses
from pytest_supercache.runtime.memory.paths import touch_file
from pytest_supercache.runtime.memory.steps import Together, joined

_WRITTEN: dict[str, type | tuple[type, ...]] = {
    "write_text": str,
    "write_bytes": (bytes, bytearray, memoryview),
}
_LOOKING_AT_PATHS = frozenset(
    {"exists", "is_file", "is_dir", "is_symlink", "stat", "lstat", "readlink", "resolve"}
)


def touch_path(accesses: Accesses, method: Any) -> Any:
    """Touch the file of a path; a stand-in for a write shows the file empty for a moment."""
    path, name = method.__self__, method.__name__
    if name in _LOOKING_AT_PATHS:
        touch_file(accesses, path, writes=False)
    if name not in _WRITTEN:
        return None

    def stand_in(*arguments: Any, **keywords: Any) -> Any:
        if arguments and isinstance(arguments[0], _WRITTEN[name]):  # else it only raises
            path.open("w").close()
        return method(*arguments, **keywords)

    return stand_in


_ASKING = frozenset({"getvalue", "tell", "readable", "writable", "seekable", "isatty", "fileno"})
"""Methods of a stream that leave its position and what it holds."""


def touch_method_of_stream(accesses: Accesses, stream: Any, name: str) -> Footprint | None:
    """Touch a stream whose method is called: reading moves its position, which all users share.

    Returns:
        The footprint of what is shared of it, if anything is.
    """
    if name in _ASKING or not name.startswith("read"):
        return touch_stream(accesses, stream, writes=name not in _ASKING)
    with Together(accesses):
        moved = accesses.touch(stream, WHOLE, writes=True)
        return joined(moved, touch_stream(accesses, stream, writes=False))


def touch_stream(accesses: Accesses, stream: Any, *, writes: bool) -> Footprint | None:
    """Touch the file of a stream, or the stream itself if it is in memory.

    Returns:
        The footprint of what is shared of it, if anything is.
    """
    path = getattr(stream, "name", None)
    if type(path) is str:
        is_open = stream.closed is False and stream.writable()
        return touch_file(accesses, path, writes=writes and is_open)
    return accesses.touch(stream, WHOLE, writes=writes)
