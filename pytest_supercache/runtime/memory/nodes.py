"""Detects memory that two nodes use: in production nodes are processes, which share none."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any

from pytest_supercache.core.identity import identity
from pytest_supercache.core.memory_use import WHOLE
from pytest_supercache.runtime.kernel.actor import Actor, BackgroundActor
from pytest_supercache.runtime.kernel.kinds import module_of, qualname_of
from pytest_supercache.runtime.kernel.under_test import is_globals, modules_under_test
from pytest_supercache.runtime.memory.effects import PLAIN, Memo, is_rewritten
from pytest_supercache.runtime.memory.live_objects import LiveObjects, ValuesByIdentity
from pytest_supercache.runtime.memory.names import File
from pytest_supercache.runtime.memory.reach import WALKED, inside
from pytest_supercache.runtime.memory.uses import acts_atomically
from pytest_supercache.runtime.observe.lookup import find_object
from pytest_supercache.runtime.observe.watched_mapping import unwatched

OBJECTS_MAX = 100_000
"""The largest number of objects visited to name the one that is shared."""


@dataclass(frozen=True, slots=True)
class SharedByNodes:
    """Memory that two nodes use, one of them writing.

    Args:
        name: ``"package.module:name"``, as ``state=`` takes it; ``""``: it cannot be named so.
        module: the module that leads to it; ``""``: none does.
        what: a text that names it for a person.
    """

    name: str
    module: str
    what: str


Uses = dict[str, dict[str, bool]]
"""Of one object: part -> node -> whether it writes."""


class NodeUses:
    """The memory that the nodes of one execution use.

    Args:
        declared: the state that each node has for itself, ``"package.module:name"`` each.
        live: tracks which objects are alive.
    """

    def __init__(self, declared: Iterable[str], live: LiveObjects) -> None:
        self._uses = ValuesByIdentity(live, is_touched=True)
        self._own: set[tuple[int, str]] = set(map(_place_of, declared))
        self.found: SharedByNodes | None = None
        """The first memory that two nodes used."""

    def note(self, actor: Actor | BackgroundActor, holder: Any, part: str, *, writes: bool) -> None:
        """Record an access, unless it is declared, or to a file, which processes do share."""
        node = actor.node
        if self.found is not None or node is None or type(holder) is File:
            return
        if not isinstance(actor, BackgroundActor) and acts_atomically(actor):
            return
        uses: Uses | None = self._uses.by_number.get(identity(holder))
        if uses is None:
            uses = {}
            self._uses.put(holder, uses)
        mine = uses.setdefault(part, {})
        if mine.get(node, False) or (node in mine and not writes):
            return  # as before
        mine[node] = writes
        if len(uses) > 1 or len(mine) > 1:  # some of it was used before
            self._compare(uses, holder, part, node)

    def _compare(self, uses: Uses, holder: Any, part: str, node: str) -> None:
        """Compare a use with those by other nodes of the same part, or of the whole around it."""
        writes = uses[part][node]
        for other in list(uses) if part == WHOLE else {part, WHOLE} & uses.keys():
            for name, wrote in uses[other].items():
                if name != node and (writes or wrote) and not self._is_own(holder, part):
                    self.found = _named(holder, part)
                    return

    def _is_own(self, holder: Any, part: str) -> bool:
        return not self._own.isdisjoint({(identity(holder), WHOLE), (identity(holder), part)})


def _place_of(name: str) -> tuple[int, str]:
    owner, attribute, value = find_object(name, "state")
    if type(unwatched(value)) not in PLAIN:
        return identity(unwatched(value)), WHOLE
    return identity(vars(owner) if isinstance(owner, ModuleType) else owner), f".{attribute}"


def _named(holder: Any, part: str) -> SharedByNodes:
    kind = type(holder)
    if is_globals(holder):
        module = str(holder.get("__name__"))
        return SharedByNodes(f"{module}:{part[1:]}", module, f"{module}:{part[1:]}")
    if issubclass(kind, type):
        module = module_of(holder)
        name = f"{module}:{qualname_of(holder)}{part}"
        return SharedByNodes("" if "<locals>" in name else name, module, name)
    way = _way_to(holder)
    if way is None:
        return SharedByNodes("", "", f"an object of {module_of(kind)}.{qualname_of(kind)}")
    start, name = way
    can_be_declared = not issubclass(type(start), FunctionType | Memo)
    return SharedByNodes(name if can_be_declared else "", name.partition(":")[0], name)


def _way_to(holder: Any) -> tuple[Any, str] | None:
    """Return the global that leads to an object, and its name as ``state=`` takes it."""
    waiting = deque((value, value, name) for value, name in _globals())
    seen: set[int] = set()
    while waiting and len(seen) < OBJECTS_MAX:
        value, start, name = waiting.popleft()
        if value is holder:
            return start, name
        if identity(value) in seen:
            continue
        seen.add(identity(value))
        for inner, way in inside(value):
            if type(inner) not in PLAIN or issubclass(type(inner), WALKED):
                further = way(name) if issubclass(type(value), type) else name
                waiting.append((inner, start, further))
    return None


def _globals() -> Iterator[tuple[Any, str]]:
    """Yield the globals of the project, each in the module that defines it."""
    for module in modules_under_test():
        if is_rewritten(module.__name__):
            for name, value in list(vars(module).items()):
                if not name.startswith("__") and _is_of(value, module):
                    yield value, f"{module.__name__}:{name}"


def _is_of(value: Any, module: ModuleType) -> bool:
    """Say whether a module defines a value; classes and functions name the module that does."""
    kind = type(value)
    if issubclass(kind, ModuleType):
        return False
    if issubclass(kind, type):
        return module_of(value) == module.__name__
    return kind is not FunctionType or value.__module__ == module.__name__
