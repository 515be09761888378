"""cachebox, unmodified: a memoizing decorator around a cache that is not written in Python."""

from types import SimpleNamespace

import pytest_supercache as sc


@sc.system("cachebox.memo_4_4")
@sc.system("cachebox.memo_4_5")
def memo(layers):
    """A function whose answers are kept."""
    import cachebox

    loads = []

    @cachebox.cached(cachebox.LRUCache(maxsize=8))
    def load(key):
        loads.append(key)
        return layers.origin.get(key)

    return SimpleNamespace(load=load, loads=loads)


@sc.verb("load")
def load(system, _user, key):
    """Ask the memoized function."""
    return system.load(key)


@sc.verb("count_loads")
def count_loads(system, _user):
    """Say how often the origin was asked."""
    return len(system.loads)
