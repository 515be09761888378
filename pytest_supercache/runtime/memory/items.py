"""Records accesses to items: one by one where items can be told apart, else to the whole."""

import gc
import types
from collections import deque
from typing import Any

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.memory_use import WHOLE
from pytest_supercache.runtime.kernel.kinds import module_of
from pytest_supercache.runtime.memory.accesses import Accesses
from pytest_supercache.runtime.memory.effects import find_in_class, is_left_alone, method_reads
from pytest_supercache.runtime.memory.entries import touch_item_of_dict
from pytest_supercache.runtime.memory.foreign import derives_from_foreign
from pytest_supercache.runtime.memory.library import touches_itself
from pytest_supercache.runtime.memory.proxies import behind, is_proxy
from pytest_supercache.runtime.memory.touching import (
    touch_behind,
    touch_foreign,
    touch_whole,
)

_INDEXED = (list, tuple, deque, bytearray, memoryview)
_READ_BY_INDEX = frozenset({"array", "mmap", "numpy", "types", "weakref", "os", "collections"})


def touch_item(
    accesses: Accesses, holder: Any, key: Any, method: str, *, writes: bool
) -> Footprint | None:
    """Touch the item under a key, when a method of the object is about to be called.

    Returns:
        The footprint of what code of C goes through, if that is shared.
    """
    if type(holder) is types.MappingProxyType:
        holder = next(iter(gc.get_referents(holder)), holder)
    kind = type(holder)
    if kind is memoryview:
        holder = holder.obj
        kind = type(holder)
    if is_proxy(kind):
        return _item_of_proxy(accesses, holder, key, method, writes=writes)
    if issubclass(kind, type) or is_left_alone(kind):
        accesses.sections.note_left_alone(kind)
        return None
    found = find_in_class(kind, method)[0] if kind is not dict else None
    if type(found) is types.FunctionType:
        _item_by_method(accesses, holder, found, writes=writes)
    elif issubclass(kind, dict):
        touch_item_of_dict(accesses, holder, key, method, writes=writes)
    elif found is not None or method == "__contains__":
        is_indexed = issubclass(kind, (*_INDEXED, set))
        reads_only = is_indexed or module_of(kind).partition(".")[0] in _READ_BY_INDEX
        return touch_whole(accesses, holder, writes=writes or not reads_only)
    return None


def _item_of_proxy(
    accesses: Accesses, proxy: Any, key: Any, method: str, *, writes: bool
) -> Footprint | None:
    if behind(proxy) is proxy:
        return accesses.touch(proxy, WHOLE, writes=writes)
    return touch_behind(
        accesses, proxy, lambda o: touch_item(accesses, o, key, method, writes=writes)
    )


def _item_by_method(accesses: Accesses, holder: Any, method: Any, *, writes: bool) -> None:
    """Touch all of an object whose items Python code finds, unless that code is rewritten."""
    kind = type(holder)
    if touches_itself(method):
        return
    if derives_from_foreign(kind):
        writes = writes or not method_reads(kind, method.__name__)
        touch_foreign(accesses, holder, writes=writes)
    else:
        accesses.touch(holder, WHOLE, writes=writes)
