"""cachetools: a store may evict any key; in all but a few classes a look-up reorders the entries.

Functions that are built on these (``get``, ``pop``, ``setdefault``, ``@cached``) are not atomic
there either, so they are not declared here: their parts are the steps.
"""

from pytest_supercache.declare.adapters.table import calls

WATCHES = [
    *calls("cachetools:Cache", "__getitem__ __contains__", reads="key"),
    *calls("cachetools:Cache", "__setitem__ popitem clear", writes="*"),
    *calls("cachetools:Cache", "__delitem__", writes="key"),
    *calls("cachetools:Cache", "__iter__ __len__ currsize", reads="*"),
    *calls("cachetools:FIFOCache", "__setitem__ __delitem__ popitem clear", writes="*"),
    *calls("cachetools:RRCache", "__setitem__ __delitem__ popitem clear", writes="*"),
    *calls("cachetools:LRUCache", "__getitem__ __setitem__ __delitem__", writes="*"),
    *calls("cachetools:LRUCache", "popitem clear", writes="*"),
    *calls("cachetools:LFUCache", "__getitem__ __setitem__ __delitem__", writes="*"),
    *calls("cachetools:LFUCache", "popitem clear", writes="*"),
    *calls("cachetools:TTLCache", "__contains__", reads="key"),
    *calls("cachetools:TTLCache", "__setitem__", writes="*", expires=lambda self: self.ttl),
    *calls("cachetools:TTLCache", "__getitem__ __delitem__ popitem clear", writes="*"),
    *calls("cachetools:TTLCache", "__iter__ __len__ currsize", reads="*"),
    *calls("cachetools:TLRUCache", "__contains__", reads="key"),
    *calls(
        "cachetools:TLRUCache",
        "__setitem__",
        writes="*",
        expires=lambda self, key, value: self.ttu(key, value, self.timer()) - self.timer(),
    ),
    *calls("cachetools:TLRUCache", "__getitem__ __delitem__ popitem clear", writes="*"),
    *calls("cachetools:TLRUCache", "__iter__ __len__ currsize", reads="*"),
]
