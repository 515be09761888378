"""cachetools, unmodified: a TTL cache without a lock, and a memoizing decorator."""

from contextlib import suppress
from importlib.util import find_spec
from types import SimpleNamespace

import pytest_supercache as sc

if find_spec("cachetools"):
    # Finer than the adapter: a store writes the value first and its link afterwards.
    sc.watch("cachetools:TTLCache._TTLCache__links", "super_cache")


@sc.system("cachetools.ttl")
def ttl_cache(_layers):
    """A cache whose entries live for five seconds."""
    from cachetools import TTLCache

    cache = TTLCache(maxsize=10, ttl=5)

    def delete(key):
        with suppress(KeyError):  # somebody else was faster
            del cache[key]

    return SimpleNamespace(set=cache.__setitem__, delete=delete)


@sc.system("cachetools.memo_5")
@sc.system("cachetools.memo_6")
def memo(layers):
    """A function whose answers are kept."""
    from cachetools import func

    @func.ttl_cache(maxsize=8, ttl=60)
    def load(key):
        return layers.origin.get(key)

    return SimpleNamespace(get=load)
