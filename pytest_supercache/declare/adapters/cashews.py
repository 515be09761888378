"""cashews: its memory backend never suspends, so no context switch precedes a call.

Its Redis backends send commands, which are steps already; with ``client_side=True`` they cache in
the memory backend. It reorders entries at a look-up and evicts the oldest when full, which no
scenario reaches with the default size; with a smaller size a call may touch any key. Functions that
are built on these (decorators, blocking locks, tags) are not atomic; their parts are steps.
"""

from typing import Any

from pytest_supercache.declare.adapters.table import calls

_MEMORY = "cashews.backends.memory:Memory"
_ROOMY = 500


def _entry(self: Any, key: Any) -> Any:
    return key if self.size >= _ROOMY else "*"


def _reordered(self: Any) -> Any:
    return None if self.size >= _ROOMY else "*"


def _entries(self: Any, keys: Any) -> Any:
    return list(keys) if self.size >= _ROOMY else "*"


def _pairs(self: Any, pairs: Any) -> Any:
    return list(pairs) if self.size >= _ROOMY else "*"


WATCHES = [
    *calls(_MEMORY, "get exists get_bits", reads=_entry, writes=_reordered, suspends=False),
    *calls(_MEMORY, "get_many", reads=_entries, writes=_reordered, suspends=False),
    *calls(_MEMORY, "get_raw get_expire get_size", reads=_entry, suspends=False),
    *calls(_MEMORY, "set incr slice_incr", writes=_entry, expires="expire", suspends=False),
    *calls(_MEMORY, "set_raw set_add set_remove set_pop", writes=_entry, suspends=False),
    *calls(_MEMORY, "incr_bits", writes=_entry, suspends=False),
    *calls(_MEMORY, "set_many", writes=_pairs, expires="expire", suspends=False),
    *calls(_MEMORY, "expire", writes=_entry, expires="timeout", suspends=False),
    *calls(_MEMORY, "delete unlock", writes=_entry, suspends=False),
    *calls(_MEMORY, "delete_many", writes=_entries, suspends=False),
    *calls(_MEMORY, "clear delete_match", writes="*", suspends=False),
    *calls(_MEMORY, "get_keys_count", reads="*", suspends=False),
]
