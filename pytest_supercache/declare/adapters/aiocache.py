"""aiocache: its memory backend never suspends, so no context switch precedes a call.

Its Redis backend sends commands, which are steps already. Functions that are built on these
(``@cached``, ``@cached_stampede``, locks) are not atomic, so their parts are the steps. Entries
expire by timers of the event loop, which the virtual clock knows.
"""

from pytest_supercache.declare.adapters.table import calls

_MEMORY = "aiocache.backends.memory:SimpleMemoryBackend"

WATCHES = [
    *calls(_MEMORY, "_get _exists", reads="key", suspends=False),
    *calls(_MEMORY, "_multi_get", reads=lambda keys: list(keys), suspends=False),
    *calls(_MEMORY, "_set _expire", writes="key", suspends=False),
    *calls(_MEMORY, "_increment _delete _redlock_release", writes="key", suspends=False),
    *calls(_MEMORY, "_clear _raw", writes="*", suspends=False),
]
