"""Shows what shared memory holds after each step, without running code of its objects."""

import threading
import types
from collections.abc import Iterable
from typing import Any

from pytest_supercache.core.memory_use import WHOLE
from pytest_supercache.core.trace import Layers
from pytest_supercache.runtime.kernel.kinds import module_of, name_of
from pytest_supercache.runtime.memory.effects import SCALARS, elements_of, is_rewritten
from pytest_supercache.runtime.memory.live_objects import LiveObjects
from pytest_supercache.runtime.memory.reach import attribute_of, inside, shown
from pytest_supercache.runtime.memory.sharing import LIFE, STARTED, Location

ENTRIES_MAX = 20
"""The largest number of entries of a container that are shown."""

_DEPTH_MAX = 3


class MemoryContent:
    """Shows the content of the shared objects that are alive.

    Args:
        live: knows which objects of the execution are alive.
    """

    def __init__(self, live: LiveObjects) -> None:
        self._live = live
        self._names: dict[int, str] = live.table()

    def note(self, name: str, number: int) -> None:
        """Note that the object with this number has this name now."""
        self._names[number] = name

    def of(self, locations: Iterable[Location]) -> Layers:
        """Return the content of the locations: by place and key, as layers do."""
        found: Layers = {}
        holders = self._holders()
        for name, part in sorted(locations):
            holder = holders.get(name)
            if holder is not None and part != LIFE:
                place, held = _held(holder, name, part)
                found.setdefault(place, {}).update(held)
        return found

    def _holders(self) -> dict[str, Any]:
        """Return the object of each name; the instance, if a class has the same name.

        Where an instance has no value of its own, the one of its class is shown.
        """
        holders: dict[str, Any] = {}
        for number, name in self._names.items():
            holder = self._live.value(number)
            if holder is not None and not (name in holders and issubclass(type(holder), type)):
                holders[name] = holder
        return holders


def _held(holder: Any, name: str, part: str) -> tuple[str, dict[str, Any]]:
    """Return a place, and what is shown there for a part of an object."""
    if issubclass(type(holder), dict) and not part.startswith("."):
        entries = list(dict.items(holder))
        wanted = [(key, value) for key, value in entries if part in {WHOLE, f"[{shown(key)}]"}]
        return name, {_named(key): _seen(value) for key, value in wanted[:ENTRIES_MAX]}
    if part == STARTED and isinstance(holder, threading.Thread):
        return f"{name}{part}", {"": holder.ident is not None}
    if part.startswith("."):
        value = attribute_of(holder, part[1:])
        is_hidden = value is None and not is_rewritten(module_of(type(holder)))
        return f"{name}{part}", {} if is_hidden else {"": _seen(value)}
    return name, {"": _seen(holder)}


def _named(key: Any) -> str:
    """Write a key as layers do."""
    return key if type(key) is str else shown(key)


def _seen(value: Any, depth: int = _DEPTH_MAX) -> Any:
    """Return what can be shown of a value, unaffected by later changes of it."""
    kind = type(value)
    if kind in SCALARS:
        return value
    if kind is types.CellType:
        return next((_seen(inner, depth) for inner, _ in inside(value)), None)
    if not depth:
        return "..."
    if issubclass(kind, dict):
        entries = list(dict.items(value))[:ENTRIES_MAX]
        return {_named(key): _seen(inner, depth - 1) for key, inner in entries}
    elements = elements_of(value)[:ENTRIES_MAX]
    if elements or issubclass(kind, list | tuple | set | frozenset):
        return [_seen(inner, depth - 1) for inner in elements]
    return f"<{name_of(kind)}>"
