"""Known libraries: one table of watch declarations each, applied when the library is imported.

A table names targets as text and imports nothing of its library. What a version of the library
does not have is passed over; what a conftest declares for the same target is used instead.
"""

from collections.abc import Container, Iterator
from importlib import import_module

from pytest_supercache.registry import Watch

LIBRARIES: tuple[str, ...] = ()
"""The libraries that have a table; each is a module of this package."""


def declarations(imported: Container[str]) -> Iterator[Watch]:
    """Yield what the tables declare for modules that are imported."""
    for library in LIBRARIES:
        if library in imported:
            for watch in import_module(f"{__name__}.{library}").WATCHES:
                if watch.target.partition(":")[0] in imported:
                    yield watch
