"""Caches facts about types that hooks ask for, for the duration of a check."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

KINDS_MAX = 500
"""How many types are cached: nodes may have copies of their own, new in every execution."""

_Answer = TypeVar("_Answer")
_remembered: list[Any] = []


def of_kind(asked: Callable[[type], _Answer]) -> Callable[[type], _Answer]:
    """Return a cached version of ``asked``, a function of a type that hooks call at every access.

    It raises TypeError for a class that cannot be hashed. It is a C function: a Python frame would
    cost more than the cache saves.
    """
    remembered = functools.lru_cache(KINDS_MAX)(asked)
    _remembered.append(remembered)
    return remembered


def forget_kinds() -> None:
    """Drop the cached types after a check."""
    for remembered in _remembered:
        remembered.cache_clear()
