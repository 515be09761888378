"""diskcache: a cache in files, shared by the processes of a machine; each method is a transaction.

It evicts when it exceeds its limit, which no scenario reaches with the default; with a smaller
limit a store may touch any key.
"""

from typing import Any

from pytest_supercache.declare.adapters.table import calls

_DISK = "diskcache.core:Cache"
_DEFAULT_LIMIT = 2**30


def _stored(self: Any, key: Any) -> Any:
    return key if self.size_limit >= _DEFAULT_LIMIT else "*"


WATCHES = [
    *calls(_DISK, "get read __contains__", "existing_cache", reads="key"),
    *calls(_DISK, "set add touch", "existing_cache", writes=_stored, expires="expire"),
    *calls(_DISK, "incr", "existing_cache", writes=_stored),
    *calls(_DISK, "delete __delitem__ pop", "existing_cache", writes="key"),
    *calls(_DISK, "push pull expire cull clear evict", "existing_cache", writes="*"),
    *calls(_DISK, "peek peekitem iterkeys _iter __len__", "existing_cache", reads="*"),
]
