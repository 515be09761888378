"""Dropping a reference is an access: weak references show when an object ends."""

import weakref
from collections import deque
from typing import Any

from pytest_supercache.runtime.memory.accesses import Accesses
from pytest_supercache.runtime.memory.effects import SCALARS, elements_of, peek


def drop_all(accesses: Accesses, holder: Any) -> None:
    """Record that a container may drop its elements: weak references may show their end."""
    for value in list(dict.values(holder)) if isinstance(holder, dict) else elements_of(holder):
        if accesses.drops(value):
            accesses.touch_life(weakref.ref(value), writes=True)


def drop(accesses: Accesses, members: Any, key: Any) -> None:
    """Record that a dict drops the value of a key: a weak reference may show its end."""
    if type(members) is dict and type(key) in SCALARS:
        value = peek(members, key)
        if accesses.drops(value):
            reference = weakref.ref(value)
            del value
            accesses.touch_life(reference, writes=True)


def drop_item(accesses: Accesses, holder: Any, key: Any) -> None:
    """Record that a container drops the value of a key, or at an index."""
    if issubclass(type(holder), list | deque):
        drop_all(accesses, holder)
    else:
        drop(accesses, holder, key)
