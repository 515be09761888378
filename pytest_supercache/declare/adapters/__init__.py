"""Tables of watch declarations for known libraries, each applied when its library is imported.

A table names targets as text and imports nothing of its library. Targets that a version of the
library lacks are ignored; a conftest's declaration of the same target takes precedence.
"""

from collections.abc import Callable, Container, Iterator
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pytest_supercache.declare.registry import Watch

if TYPE_CHECKING:
    from pytest_supercache.declare.adapters.table import Bookkeeping

LIBRARIES = (
    "aiocache", "async_lru", "cachelib", "cachetools", "cashews", "diskcache", "django",
    "django_redis", "dogpile", "pymemcache",
)  # fmt: skip
"""The libraries that have a table; each is a module of this package."""


def declarations(imported: Container[str]) -> Iterator[Watch]:
    """Yield the declarations of the tables for modules that are imported."""
    for table in _tables(imported):
        yield from (watch for watch in table.WATCHES if _module(watch.target) in imported)


def state(imported: Container[str]) -> dict[str, Callable[[], Any] | None]:
    """Return the module-level state of imported libraries.

    Returns:
        The factory of a new object for a node, by the object's name; None: a container, which is
        empty when its library is imported.
    """
    found: dict[str, Callable[[], Any] | None] = {}
    for table in _tables(imported):
        found |= {name: None for name in getattr(table, "STATE", ()) if _module(name) in imported}
        made = getattr(table, "MADE_PER_NODE", {})
        found |= {name: make for name, make in made.items() if _module(name) in imported}
    return found


@cache
def bookkeeping(module: str) -> "Bookkeeping | None":
    """Return what the table of a module's library says of its locks; None: nothing."""
    library = module.partition(".")[0]
    if library not in LIBRARIES:
        return None
    table = import_module(f"{__name__}.{library}")
    said: Bookkeeping | None = getattr(table, "BOOKKEEPING", {}).get(module)
    return said


def has_state(library: str) -> bool:
    """Say whether a library has a table that names its module-level state."""
    return library in LIBRARIES and hasattr(import_module(f"{__name__}.{library}"), "STATE")


def _tables(imported: Container[str]) -> Iterator[ModuleType]:
    for library in LIBRARIES:
        if library in imported:
            yield import_module(f"{__name__}.{library}")


def _module(name: str) -> str:
    return name.partition(":")[0]
