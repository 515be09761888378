"""Known libraries: one table of watch declarations each, applied when the library is imported.

A table names targets as text and imports nothing of its library. What a version of the library
does not have is passed over; what a conftest declares for the same target is used instead.
"""

from collections.abc import Container, Iterator
from importlib import import_module
from types import ModuleType

from pytest_supercache.registry import Watch

LIBRARIES = (
    "aiocache", "async_lru", "cachelib", "cachetools", "cashews", "diskcache", "django", "dogpile",
    "pymemcache",
)  # fmt: skip
"""The libraries that have a table; each is a module of this package."""


def declarations(imported: Container[str]) -> Iterator[Watch]:
    """Yield what the tables declare for modules that are imported."""
    for table in _tables(imported):
        yield from (watch for watch in table.WATCHES if _module(watch.target) in imported)


def state(imported: Container[str]) -> Iterator[str]:
    """Yield the module-level state of imported libraries; all of it is empty at their import."""
    for table in _tables(imported):
        yield from (name for name in getattr(table, "STATE", ()) if _module(name) in imported)


def _tables(imported: Container[str]) -> Iterator[ModuleType]:
    for library in LIBRARIES:
        if library in imported:
            yield import_module(f"{__name__}.{library}")


def _module(name: str) -> str:
    return name.partition(":")[0]
