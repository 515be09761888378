"""dogpile.cache: backends in the process, and time stamps that decide what is stale.

Its Redis and memcached backends send commands, which are steps already. A stamp is compared with
others, so reading the clock is a step: stamps that were taken one after the other differ.
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
    # Who creates a value holds a lock from a registry that is looked into without one, and
    # that forgets it as soon as nobody holds it: all of the call may touch what belongs to the key.
    *calls("dogpile.cache.region:CacheRegion", "get_or_create", writes="key"),
    *calls("dogpile.cache.region:CacheRegion", "get_or_create_multi", writes="keys"),
    Watch(target="dogpile.cache.region:time.time", clock=True),
    Watch(target="dogpile.lock:time.time", clock=True),
]
