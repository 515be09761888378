"""dogpile.cache: backends in the process, and timestamps that decide which values are stale.

Its Redis and memcached backends send commands, which are steps already. Timestamps are compared
with each other, so reading the clock is a step: timestamps taken one after the other differ.
"""

from pytest_supercache.declare.adapters.table import calls
from pytest_supercache.declare.registry import Watch

_MEMORY = "dogpile.cache.backends.memory:MemoryBackend"

WATCHES = [
    *calls(_MEMORY, "get get_serialized", reads="key"),
    *calls(_MEMORY, "get_multi get_serialized_multi", reads="keys"),
    *calls(_MEMORY, "set set_serialized delete", writes="key"),
    *calls(_MEMORY, "set_multi set_serialized_multi", writes=lambda mapping: list(mapping)),
    *calls(_MEMORY, "delete_multi", writes="keys"),
    # The creator of a value holds a lock from a registry that is read without a lock, and that
    # drops it as soon as it is free: the whole call may touch the resources of the key.
    *calls("dogpile.cache.region:CacheRegion", "get_or_create", writes="key"),
    *calls("dogpile.cache.region:CacheRegion", "get_or_create_multi", writes="keys"),
    Watch(target="dogpile.cache.region:time.time", clock=True),
    Watch(target="dogpile.lock:time.time", clock=True),
]
