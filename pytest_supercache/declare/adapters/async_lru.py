"""async-lru: concurrent look-ups of one key await one shared task (single flight).

A look-up is a part of the call, and no context switch precedes it: the call suspends only where the
function does, or where it awaits the task. A store may evict any key, and every look-up reorders
the entries. Entries expire by timers of the event loop, which the virtual clock knows.
"""

from pytest_supercache.declare.adapters.table import calls

_MEMO = "async_lru:_LRUCacheWrapper"

WATCHES = [
    *calls(_MEMO, "__call__", writes="*", suspends=False),
    *calls(_MEMO, "cache_invalidate cache_clear", writes="*"),
    *calls(_MEMO, "cache_contains cache_info cache_parameters", reads="*"),
]
