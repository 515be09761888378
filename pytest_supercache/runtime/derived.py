"""Pools that code under test derives from the real class: cooperative ones while a check runs.

Names are rebound where code keeps them (:mod:`runtime.rebind`); a class keeps its base by itself.
A pool that was made before the check stays what it was.
"""

import concurrent.futures
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from pytest_supercache.runtime.pools import ThreadPoolExecutor
from pytest_supercache.runtime.under_test import is_under_test


@contextmanager
def derived_pools() -> Iterator[None]:
    """Put the cooperative pool where classes of the code under test have the real one as a base."""
    real = concurrent.futures.ThreadPoolExecutor
    found = [
        (kind, kind.__bases__)
        for kind in real.__subclasses__()
        if kind is not ThreadPoolExecutor and is_under_test(sys.modules.get(kind.__module__))
    ]
    try:
        for kind, bases in found:
            kind.__bases__ = tuple(ThreadPoolExecutor if base is real else base for base in bases)
        yield
    finally:
        for kind, bases in found:
            kind.__bases__ = bases
