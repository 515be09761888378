"""diskcache, unmodified: its lock with an end, in one cache that all processes share."""

import time
from types import SimpleNamespace

import pytest_supercache as sc


@sc.system("diskcache")
def diskcache(layers):
    """A cache in files, and who holds the lock in time."""
    from diskcache import Cache

    with Cache(str(layers.tmp_path)) as cache:
        yield SimpleNamespace(cache=cache, holders=set())


@sc.verb("work_under_lock")
def work_under_lock(system, user, lease, seconds):
    """Work for some seconds under a lock that ends by itself; say whether one was alone in it."""
    from diskcache import Lock

    with system.cache:  # whose connection is this thread's
        lock = Lock(system.cache, "job", expire=lease)
        lock.acquire()
        if seconds < lease:
            system.holders.add(user.name)
        time.sleep(seconds)  # noqa: TID251 - the system's own
        alone = len(system.holders) < 2
        system.holders.discard(user.name)
        lock.release()
    return alone
