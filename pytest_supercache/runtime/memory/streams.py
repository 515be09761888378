"""Records accesses to files through paths and streams."""

import gc
import io
import types
from collections.abc import Iterator
from typing import Any

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.identity import identity
from pytest_supercache.core.memory_use import WHOLE
from pytest_supercache.runtime.kernel.kinds import module_of, of_kind
from pytest_supercache.runtime.kernel.under_test import is_standard_name
from pytest_supercache.runtime.memory.accesses import Accesses
from pytest_supercache.runtime.memory.effects import CONTAINERS, top
from pytest_supercache.runtime.memory.paths import touch_descriptor, touch_file
from pytest_supercache.runtime.memory.steps import Together, joined

_WRITTEN: dict[str, type | tuple[type, ...]] = {
    "write_text": str,
    "write_bytes": (bytes, bytearray, memoryview),
}
_LOOKING = frozenset({"is_file", "is_dir", "is_symlink", "is_junction", "stat"})


def touch_entry_of_folder(accesses: Accesses, entry: Any, name: str) -> None:
    """Touch the file of an `os.DirEntry` when a method of that is called."""
    if name in _LOOKING:
        touch_file(accesses, entry, writes=False)


def writing(method: Any) -> Any:
    """Return a stand-in for a method of a path that shows the file empty before it writes.

    None: the method writes nothing.
    """
    path, name = method.__self__, method.__name__
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
    """Touch the file of a stream, or the stream itself if it is in memory, and what it is over.

    Returns:
        The footprint of what is shared of it, if anything is.
    """
    touched = _touch_one(accesses, stream, writes=writes)
    if _is_of_file(stream):
        return touched
    return joined(touched, touch_streams_held(accesses, stream, writes=writes))


def touch_streams_held(accesses: Accesses, holder: Any, *, writes: bool = True) -> Footprint | None:
    """Touch the streams that an object, or a closure, of the standard library writes to, or reads.

    Returns:
        The footprint of those that are shared, if any are.
    """
    touched: Footprint | None = None
    for stream in _streams_held(holder):
        touched = joined(touched, _touch_one(accesses, stream, writes=writes))
    return touched


def _touch_one(accesses: Accesses, stream: Any, *, writes: bool) -> Footprint | None:
    name = getattr(stream, "name", None)
    if _is_of_file(stream):
        return touch_file(accesses, name, writes=writes and _may_write(stream))
    if type(name) is int:
        touch_descriptor(accesses, name, writes=writes and _may_write(stream))
    return accesses.touch(stream, WHOLE, writes=writes)


def _is_of_file(stream: Any) -> bool:
    """Say whether a stream was opened by the path of a file."""
    return isinstance(getattr(stream, "name", None), str | bytes)


def _may_write(stream: Any) -> bool:
    return stream.closed is False and stream.writable()


def _streams_held(holder: Any) -> Iterator[io.IOBase]:
    """Yield the streams behind an object; those of a file lead to no others."""
    waiting = _starts(holder)
    seen = set(map(identity, waiting))
    while waiting and len(seen) < _HELD_MAX:
        for inner in filter(_leads_on, gc.get_referents(waiting.pop())):
            if identity(inner) in seen:
                continue
            seen.add(identity(inner))
            is_stream = isinstance(inner, io.IOBase)
            if is_stream:
                yield inner
            if not (is_stream and _is_of_file(inner)):
                waiting.append(inner)


def _starts(holder: Any) -> list[Any]:
    """Return the object itself, or what a function of the standard library has in its closure."""
    kind = type(holder)
    if kind is types.FunctionType:
        is_of_library = is_standard_name(top(holder.__globals__.get("__name__")))
        return list(holder.__closure__ or ()) if is_of_library else []
    return [holder] if kind is not dict and _may_hold_stream(kind) else []


def _leads_on(value: Any) -> bool:
    return _may_hold_stream(type(value)) and not (type(value) is dict and len(value) > _HELD_MAX)


@of_kind
def _may_hold_stream(kind: type) -> bool:
    package = top(module_of(kind))
    is_of_library = package != "builtins" and is_standard_name(package)
    return kind in _LEADING or (is_of_library and not issubclass(kind, _NOT_LEADING))


_LEADING = frozenset({dict, types.MethodType, types.BuiltinFunctionType, types.CellType})
_NOT_LEADING = (type, tuple, frozenset, *CONTAINERS)
_HELD_MAX = 50
"""How many objects are looked at: a stream lies behind few of its wrappers, or their attributes."""
