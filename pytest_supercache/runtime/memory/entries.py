"""Records accesses to entries of dicts: each entry is a location of its own."""

from collections import defaultdict
from typing import Any

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.memory_use import WHOLE
from pytest_supercache.runtime.memory.accesses import Accesses
from pytest_supercache.runtime.memory.effects import (
    FINALIZERS,
    PLAIN,
    fills_missing,
    peek,
    runs_python,
)
from pytest_supercache.runtime.memory.hook_calls import perform
from pytest_supercache.runtime.memory.reach import shown


def touch_item_of_dict(
    accesses: Accesses, holder: Any, key: Any, method: str, *, writes: bool
) -> None:
    """Touch one entry of a dict by a method of it, which may insert a missing one."""
    kind = type(holder)
    drops = method == "__delitem__"
    footprint = touch_entry(accesses, holder, key, writes=writes, drops=drops)
    if method != "__getitem__" or not fills_missing(kind):
        return
    accesses.touch_now()
    if dict.__contains__(holder, key):
        return
    if issubclass(kind, defaultdict) and runs_python(holder.default_factory):
        _fill(accesses, holder, key, footprint)
    else:
        touch_entry(accesses, holder, key, writes=True)  # by `__missing__`


def _fill(accesses: Accesses, holder: Any, key: Any, footprint: Footprint | None) -> None:
    """Fill in a missing key as a ``defaultdict`` does, with switch points before the store."""
    with accesses.calling_back(footprint):
        value = perform(holder.default_factory)
    touch_entry(accesses, holder, key, writes=True)
    if type(value) not in PLAIN:
        accesses.place(value, holder, f"[{shown(key)}]")
    accesses.touch_now()
    dict.__setitem__(holder, key, value)


def touch_entry(
    accesses: Accesses, holder: dict[Any, Any], key: Any, *, writes: bool, drops: bool = False
) -> Footprint | None:
    """Touch one entry of a dict, or the attribute that it stands for."""
    if holder is FINALIZERS:
        return accesses.touch(key, WHOLE, writes=writes, drops=drops)
    owner = accesses.owner_of(holder)
    if owner is None and type(holder) is dict and "__builtins__" in holder:
        owner = holder  # the globals of a module
    if owner is not None and type(key) is str:
        return accesses.touch(owner, f".{key}", writes=writes, drops=drops)
    form = shown(key)
    if not writes and form != WHOLE:
        accesses.reached(peek(holder, key), holder, f"[{form}]")
    part = form if form == WHOLE else f"[{form}]"
    return accesses.touch(holder, part, writes=writes, drops=drops)
