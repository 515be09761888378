"""zict, unmodified: a fast layer for one value over a slow one. None of its calls is declared."""

from threading import Lock
from types import SimpleNamespace

import pytest_supercache as sc


@sc.system("zict")
def zict(_layers):
    """Two layers; a second value moves the first one to the slow layer."""
    buffer = _buffer()
    return SimpleNamespace(get=buffer.__getitem__, set=buffer.__setitem__)


@sc.system("zict.locked")
def locked(_layers):
    """The same, with a lock of the application's own around each read."""
    buffer, lock = _buffer(), Lock()

    def get(key):
        with lock:
            return buffer[key]

    return SimpleNamespace(get=get, set=buffer.__setitem__)


def _buffer():
    from zict import Buffer

    return Buffer({}, {}, n=1)
