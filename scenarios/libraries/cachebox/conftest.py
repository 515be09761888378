"""cachebox, unmodified: a memoizing decorator around a cache that is not written in Python."""

from types import SimpleNamespace

import pytest_supercache as sc


@sc.system("cachebox.memo_4_4")
@sc.system("cachebox.memo_4_5")
def memo(layers):
    """A function whose answers are kept."""
    import cachebox

    @cachebox.cached(cachebox.LRUCache(maxsize=8))
    def load(key):
        return layers.origin.get(key)

    return SimpleNamespace(get=load)
