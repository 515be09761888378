"""async-lru: concurrent look-ups of one key await one shared task (single flight).

A look is a part of the call, and nobody comes before it: the call suspends only where the function
does, or where it waits for the task. A store may push any key out, and every look reorders. Entries
end by timers of the event loop, which the clock knows.
"""

from pytest_supercache.declare.adapters.table import calls

_MEMO = "async_lru:_LRUCacheWrapper"

WATCHES = [
    *calls(_MEMO, "__call__", writes="*", suspends=False),
    *calls(_MEMO, "cache_invalidate cache_clear", writes="*"),
    *calls(_MEMO, "cache_contains cache_info cache_parameters", reads="*"),
]
