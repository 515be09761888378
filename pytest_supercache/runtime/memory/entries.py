"""Records accesses to entries of dicts: each entry is a location of its own."""

import itertools
import operator
import types
from collections import defaultdict
from typing import Any

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.memory_use import WHOLE
from pytest_supercache.runtime.kernel.under_test import is_globals
from pytest_supercache.runtime.memory.accesses import Accesses
from pytest_supercache.runtime.memory.current import Current
from pytest_supercache.runtime.memory.effects import (
    FINALIZERS,
    PLAIN,
    fills_missing,
    find_in_class,
    peek,
    runs_python,
)
from pytest_supercache.runtime.memory.hook_calls import perform
from pytest_supercache.runtime.memory.reach import shown
from pytest_supercache.runtime.memory.replacing import note_attribute_replaced, note_global_replaced
from pytest_supercache.runtime.memory.steps import Together


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
    if _has(holder, key):
        return
    is_plain = find_in_class(kind, "__missing__")[0] is defaultdict.__missing__
    factory = holder.default_factory if is_plain else None
    if runs_python(factory):
        _fill(accesses, holder, key, footprint)
    else:
        _fill_at_once(accesses, holder, key, factory)


def _fill(accesses: Accesses, holder: Any, key: Any, footprint: Footprint | None) -> None:
    """Fill in a missing key as a ``defaultdict`` does, with switch points before the store."""
    with accesses.calling_back(footprint):
        value = perform(holder.default_factory)
    touch_entry(accesses, holder, key, writes=True)
    if type(value) not in PLAIN:
        accesses.place(value, holder, f"[{shown(key)}]")
    _store(accesses, holder, key, value)


def _fill_at_once(accesses: Accesses, holder: Any, key: Any, factory: Any) -> None:
    """Touch what one call of C touches that fills in a missing key, by ``__missing__`` as well."""
    count, take = count_taken_by(factory), None
    with Together(accesses):
        touch_entry(accesses, holder, key, writes=True)
        if count is not None:
            take = accesses.take_number(count)
        if take is None and factory is not None and Current.touch_call is not None:
            Current.touch_call(accesses, factory, ())
    accesses.touch_now()
    if take is not None and not _has(holder, key):
        _store(accesses, holder, key, take())


def _has(holder: Any, key: Any) -> bool:
    """Say whether a dict has a key, whose hash and comparison may be the code's own."""
    return bool(perform(dict.__contains__, holder, key))


def _store(accesses: Accesses, holder: Any, key: Any, value: Any) -> None:
    """Store a value that was missing, as C does: by the method of the class."""
    with accesses.calling_back(None):
        perform(operator.setitem, holder, key, value)


def count_taken_by(method: Any) -> Any:
    """Return the `itertools.count` of which a method of C takes the next number; None: of none."""
    if type(method) is not types.MethodWrapperType or method.__name__ != "__next__":
        return None
    return method.__self__ if type(method.__self__) is itertools.count else None


def touch_entry(
    accesses: Accesses, holder: dict[Any, Any], key: Any, *, writes: bool, drops: bool = False
) -> Footprint | None:
    """Touch one entry of a dict, or the attribute that it stands for."""
    if holder is FINALIZERS:
        return accesses.touch(key, WHOLE, writes=writes, drops=drops)
    owner = accesses.owner_of(holder)
    if owner is None and is_globals(holder):
        owner = holder
    if owner is not None and type(key) is str:
        if writes and owner is holder:
            note_global_replaced(accesses, holder, key)
        elif writes:
            note_attribute_replaced(accesses, type(owner), key)
        return accesses.touch(owner, f".{key}", writes=writes, drops=drops)
    form = shown(key)
    if not writes and form != WHOLE:
        accesses.reached(peek(holder, key), holder, f"[{form}]")
    part = form if form == WHOLE else f"[{form}]"
    return accesses.touch(holder, part, writes=writes, drops=drops)
