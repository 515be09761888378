"""larzcache, unmodified: memory over files. It has no adapter, so its calls are declared here."""

from importlib.util import find_spec

import pytest_supercache as sc

if find_spec("larzcache"):
    for name, access in (("get", "reads"), ("set", "writes"), ("delete", "writes")):
        sc.watch(f"larzcache.cache:LRUCache.{name}", "super_cache", **{access: "key"})
        sc.watch(f"larzcache.cache:FileCache.{name}", "existing_cache", **{access: "key"})


@sc.system("larzcache")
def larzcache(layers):
    """Two layers; the files are shared by all nodes."""
    from larzcache import FileCache, LRUCache, Tiered

    return Tiered(LRUCache(), FileCache(str(layers.tmp_path)))
