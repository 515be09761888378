"""Tells objects apart by a number, at a fifth of the price of ``id``, and tells their real class.

Every call of ``id`` is an audit event, so it calls each audit hook of the process: ours, and those
of the application. Walks over all objects of a program ask for thousands of identities.
"""

from collections.abc import Callable
from types import UnionType
from typing import Any
from zlib import crc32

identity: Callable[[object], int] = object.__hash__
"""Return a number that no other living object has, whatever the object's own ``__hash__`` says.

It is not the number that ``id`` returns.
"""


def is_a(value: Any, kind: type | tuple[type, ...] | UnionType) -> bool:
    """Say whether an object is of a class, and run none of its code.

    ``isinstance`` asks an object for its class, too: a lazy one (Django's settings) is made then.
    """
    return issubclass(type(value), kind)


_LAST_MAX = 1 << 16


def hash_of_name(name: str) -> int:
    """Return the hash of an object that is known by a name, the same in every process.

    A set has its elements in the order of their hashes, which are addresses by default: another
    order in each execution. Of two names that differ in the number at their end, the larger number
    has the smaller hash. So a small set mostly gives its latest element first, and code that takes
    this order for that of its insertions fails in a search as it may fail anywhere.
    """
    stem = name.rstrip("0123456789")
    number = int(name[len(stem) :] or 0)
    return crc32(stem.encode(errors="backslashreplace")) * _LAST_MAX + (~number) % _LAST_MAX
