"""Shorthand for the tables: declares several methods of one class with the same footprint."""

from typing import Any, NamedTuple

from pytest_supercache.declare.registry import Watch


def calls(owner: str, names: str, layer: str = "super_cache", **touched: Any) -> list[Watch]:
    """Declare several methods of ``"package.module:Class"`` alike; blanks separate ``names``."""
    return [Watch(target=f"{owner}.{name}", layer=layer, **touched) for name in names.split()]


class Bookkeeping(NamedTuple):
    """State that a library's module guards by locks, and that users may be said not to share."""

    reason: str
    changing: frozenset[str] = frozenset()
    """Its functions that change what others see if it is the project that calls them."""
