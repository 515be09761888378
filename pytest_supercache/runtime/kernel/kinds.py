"""Caches what hooks ask about types, for the length of a check."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

KINDS_MAX = 500
"""So many types are remembered: nodes may have copies of their own, new in every execution."""

_Answer = TypeVar("_Answer")
_remembered: list[Any] = []


def of_kind(asked: Callable[[type], _Answer]) -> Callable[[type], _Answer]:
    """Remember what a function says of a type: hooks ask it at every access.

    What is returned raises TypeError for a class that cannot be hashed. It is a function of C: a
    frame of Python would cost more than what it remembers.
    """
    remembered = functools.lru_cache(KINDS_MAX)(asked)
    _remembered.append(remembered)
    return remembered


def forget_kinds() -> None:
    """Let go of the types of a check that is over."""
    for remembered in _remembered:
        remembered.cache_clear()
