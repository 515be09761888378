"""multilevel-cache, unmodified: three watched calls and a system of a few lines."""

from typing import Any

import pytest_supercache as sc

for method, access in (("get", "reads"), ("set", "writes"), ("delete", "writes")):
    sc.watch(f"multilevel_cache.core:MemoryCache.{method}", "super_cache", **{access: "key"})


@sc.system("multilevel_cache")
def multilevel_cache(_layers: Any) -> Any:
    """The library as it comes; its Redis pool is led to the existing cache."""
    from multilevel_cache.core import MultiLevelCache

    cache = MultiLevelCache()
    cache.layers = lambda: {"super_cache": {k: e.value for k, e in cache.l1._cache.items()}}
    return cache
