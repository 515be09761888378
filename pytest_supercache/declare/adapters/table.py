"""The notation of the tables: many methods of one class that touch the same."""

from typing import Any

from pytest_supercache.declare.registry import Watch


def calls(owner: str, names: str, layer: str = "super_cache", **touched: Any) -> list[Watch]:
    """Declare several methods of ``"package.module:Class"`` alike; ``names`` has blanks between."""
    return [Watch(target=f"{owner}.{name}", layer=layer, **touched) for name in names.split()]
