"""Tracks attributes as entries of a ``__dict__`` that several objects may share.

An attribute is known by its object, and the ``__dict__`` of an object leads to the object. That is
not so where two objects have one ``__dict__``, where an object is its own, where it is replaced,
and where nothing refers weakly to the object. Of such a class the attributes of all objects are
touched as entries of their dicts: what a check has learnt of one object holds for its class.
"""

import dis
import types
from typing import Any

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.runtime.kernel.kinds import attributes_of, bases_of, module_of, of_kind
from pytest_supercache.runtime.kernel.under_test import dict_of, members_of
from pytest_supercache.runtime.memory.accesses import Accesses
from pytest_supercache.runtime.memory.effects import find_in_class, is_left_alone, is_rewritten
from pytest_supercache.runtime.memory.entries import touch_entry, touch_item_of_dict
from pytest_supercache.runtime.memory.library import touches_itself
from pytest_supercache.runtime.memory.names import name_of_class
from pytest_supercache.runtime.memory.sharing import ANY_METHOD, DICT
from pytest_supercache.runtime.memory.steps import Together


def note_dict_set(accesses: Accesses, holder: Any, members: Any) -> None:
    """Note that an object is given a ``__dict__``, which another object may have, too."""
    kind = type(holder)
    is_another = dict_of(holder) is not members  # else only its entries are: `o.__dict__ |= ...`
    if is_another and not (issubclass(kind, type | types.ModuleType) or is_left_alone(kind)):
        accesses.sharing.note_in_dict(name_of_class(kind))
        accesses.note_replaced(ANY_METHOD)
        _note_other(accesses, holder, members)


def note_dict_read(accesses: Accesses, holder: Any) -> None:
    """Note that the ``__dict__`` of an instance is about to be read, and whose it is."""
    members = dict_of(holder)
    if members is None:
        return
    if not is_in_dict(accesses, type(holder)):
        if accesses.own(members, holder):
            return
        accesses.sharing.note_in_dict(name_of_class(type(holder)))
    if accesses.actor() is not None:
        accesses.touch(holder, DICT, writes=False)
        accesses.reached(members, holder, DICT)


def touch_own(
    accesses: Accesses, holder: Any, name: str, *, writes: bool, by_item: bool = False
) -> Footprint | None:
    """Touch an attribute of an instance itself: by its object, or as an entry of its dict.

    Args:
        accesses: the accesses of the execution.
        holder: the instance.
        name: the attribute's.
        writes: it is set or deleted.
        by_item: also consider methods of ``dict`` that the class finds attributes by.
    """
    if by_item and _touch_by_item(accesses, holder, name, writes=writes):
        return None
    members = None if name == "__dict__" else dict_in_use(accesses, holder)
    if members is None:
        if accesses.sharing.in_dict and (plain := dict_of(holder)) is not None:
            _note_other(accesses, holder, plain)
            accesses.own(plain, holder)
        return accesses.touch(holder, f".{name}", writes=writes)
    _note_other(accesses, holder, members)
    with Together(accesses):
        accesses.touch(holder, DICT, writes=False)
        accesses.reached(members, holder, DICT)
        return touch_entry(accesses, members, name, writes=writes)


def dict_in_use(accesses: Accesses, holder: Any) -> Any:
    """Return the object's dict if its attributes are accessed as entries of it; else None."""
    return dict_of(holder) if is_in_dict(accesses, type(holder)) else None


def is_in_dict(accesses: Accesses, kind: type) -> bool:
    """Say whether attributes of objects of a class are touched as entries of a dict."""
    if _makes_dict(kind):
        accesses.sharing.note_in_dict(name_of_class(kind))
    known = accesses.sharing.in_dict
    return bool(known) and name_of_class(kind) in known


def _note_other(accesses: Accesses, holder: Any, members: Any) -> None:
    """Note that two objects share one dict, if they do."""
    other = accesses.owner_of(members)
    if other is not None and other is not holder:
        for kind in (type(holder), type(other)):
            accesses.sharing.note_in_dict(name_of_class(kind))


@of_kind
def may_use_entries(kind: type) -> bool:
    """Say whether a class's code may make its objects' attributes entries of a dict."""
    return _makes_dict(kind) or any(_item_methods(kind).values())


@of_kind
def _makes_dict(kind: type) -> bool:
    """Say whether a class sets the ``__dict__`` of its objects when they are made."""
    for base in bases_of(kind):
        if is_rewritten(module_of(base)):
            for maker in map(attributes_of(base).get, ("__init__", "__new__")):
                function = getattr(maker, "__func__", maker)
                if type(function) is types.FunctionType and _sets_dict(function.__code__):
                    return True
    return False


def _sets_dict(code: types.CodeType) -> bool:
    if "__dict__" in code.co_names:
        used = dis.get_instructions(code)
        return any(one.opname == "STORE_ATTR" and one.argval == "__dict__" for one in used)
    return "__dict__" in code.co_consts and not _SETTERS.isdisjoint(code.co_names)


_SETTERS = frozenset({"setattr", "__setattr__"})


def _touch_by_item(accesses: Accesses, holder: Any, name: str, *, writes: bool) -> bool:
    """Touch the entry behind an attribute if its class finds attributes by methods of ``dict``.

    Returns:
        Whether that is all that is touched.
    """
    method = _item_methods(type(holder))["__setattr__" if writes else "__getattr__"]
    if method is None or (not writes and name in members_of(holder)):
        return False
    changes = method not in _READING
    touch_item_of_dict(accesses, holder, name, method, writes=changes)
    return writes


@of_kind
def _item_methods(kind: type) -> dict[str, str | None]:
    """Return the methods of ``dict`` by which a class finds and sets attributes."""
    return {name: _item_method(kind, name) for name in ("__getattr__", "__setattr__")}


def _item_method(kind: type, name: str) -> str | None:
    found, _ = find_in_class(kind, name)
    touches_itself(found)  # so code of the library is rewritten before anybody calls it
    if type(found) in _OF_C and issubclass(found.__objclass__, dict):
        return str(found.__name__)
    return None


_OF_C = (types.MethodDescriptorType, types.WrapperDescriptorType)
_READING = frozenset({"__getitem__", "get"})
