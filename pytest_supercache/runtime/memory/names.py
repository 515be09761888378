"""Names objects so that each has the same name in every schedule.

What an actor can reach when the race begins is named by the way to it: ``Shop.near``. What it meets
in a module is named by the way there: ``shop.prices``. What is made later is named by the place
where it was first put, the actor that put it there, and how many it had put there before.
"""

import functools
import queue
import threading
import types
from collections import Counter, deque
from collections.abc import Collection, Container, Iterable
from typing import Any

from pytest_supercache.core.identity import identity
from pytest_supercache.runtime.kernel.actor import Actor
from pytest_supercache.runtime.kernel.kinds import module_of, name_of, qualname_of
from pytest_supercache.runtime.kernel.real_locks import REAL_LOCKS
from pytest_supercache.runtime.kernel.under_test import dict_of, is_globals
from pytest_supercache.runtime.memory.effects import (
    BOUND_IN_C,
    PLAIN,
    is_class_of_code,
    is_left_alone,
    is_rewritten,
)
from pytest_supercache.runtime.memory.live_objects import LiveObjects, ValuesByIdentity
from pytest_supercache.runtime.memory.reach import WALKED, inside, leads_to_systems, variables_of
from pytest_supercache.runtime.memory.sharing import DICT

REAL_PRIMITIVES = frozenset(
    {
        *REAL_LOCKS, threading.Event, threading.Condition, threading.Semaphore,
        threading.BoundedSemaphore, threading.Barrier, queue.Queue, queue.LifoQueue,
        queue.PriorityQueue, queue.SimpleQueue,
    }
)  # fmt: skip
"""The types of what threads wait with: an object that stayed real is named if code uses it."""

_REAL = frozenset(map(identity, REAL_PRIMITIVES))


def is_real(value: Any) -> bool:
    """Say whether a value is a real lock or queue, or another object that threads wait with."""
    return identity(type(value)) in _REAL


OBJECTS_MAX = 200_000
"""The largest number of objects named when the race begins; others are named when met."""


class File:
    """Stands for a file, or for the entries of a folder."""

    def __init__(self, name: str) -> None:
        self.name = name


class Names:
    """The names of one execution.

    Args:
        actors: all actors, as the race begins.
        live: tracks which objects are alive.
        names_variables: whether variables of closures get names of their own; else they are named
            after the actor that met them first, as in tokens that are older than these names.
        in_dict: classes whose attributes are touched as entries of a dict: it gets a name, too.
    """

    def __init__(
        self,
        actors: Iterable[Actor],
        live: LiveObjects,
        *,
        names_variables: bool = True,
        in_dict: Collection[str] = (),
    ) -> None:
        self._names_variables = names_variables
        self._names = ValuesByIdentity(live)
        self._primitives = ValuesByIdentity(live)  # real locks and queues that were there
        self._used: Counter[str] = Counter()
        self._made: Counter[tuple[str, str]] = Counter()
        self._count = 0
        self._in_dict = in_dict
        self._with_dict: list[tuple[Any, str]] = []  # each may have the dict of another one
        actors = list(actors)
        nodes = {actor.node for actor in actors}
        for actor in actors:
            at = f"@{actor.node}" if len(nodes) > 1 and actor.node else ""
            self._walk(actor.target, actor.name, at)
        for value, name in self._with_dict:
            self.reach(dict_of(value), f"{name}{DICT}")
        self._in_dict = ()  # what is met later has a dict that is named as it is met
        self._with_dict.clear()

    def of(self, value: Any, actor: Actor | None) -> str:
        """Return the name of an object; an unnamed one is named after its actor and its type."""
        known = self._names.get(value)
        if known is not None:
            return str(known)
        if type(value) is File:
            return value.name
        if issubclass(type(value), type):
            return name_of_class(value)
        if is_globals(value):
            return str(value.get("__name__"))
        return self._name_made(value, name_of(type(value)), actor)

    def has(self, value: Any) -> bool:
        """Say whether an object has a name by now."""
        return self._names.get(value) is not None

    def was_there(self, primitive: Any) -> bool:
        """Say whether a real lock or queue was named when the race began."""
        return self._primitives.get(primitive) is not None

    def add(self, value: Any, name: str) -> None:
        """Name an object after the way to it, unless it has a name."""
        if not self.has(value):
            self._name(value, type(value), name, None)

    def name_alike(self, value: Any, name: str) -> None:
        """Give an unnamed value a name that other values like it have, too."""
        if self._names.get(value) is None:
            self._names.put(value, name)

    def numbers(self, wanted: Container[str]) -> list[tuple[str, int]]:
        """Return name and number of each object that has one of these names."""
        return [(name, number) for number, name in self._names.items() if name in wanted]

    def reach(self, value: Any, way: str) -> None:
        """Name an object that no actor led to after the way on which it is first met."""
        kind = type(value)
        if kind in PLAIN or _is_anonymous(kind) or self._names.get(value) is not None:
            return
        if not issubclass(kind, type | types.ModuleType):
            self._name(value, kind, way, None)

    def put(self, value: Any, place: str, actor: Actor | None) -> None:
        """Name an object after the place where it is put, if it is new and can change."""
        kind = type(value)
        if kind in PLAIN or _is_anonymous(kind) or self._names.get(value) is not None:
            return
        if kind is types.CellType and not self._names_variables:
            return
        if not issubclass(kind, type | types.ModuleType):
            self._name_made(value, place, actor)

    def _name_made(self, value: Any, place: str, actor: Actor | None) -> str:
        maker = "system" if actor is None else actor.name
        self._made[maker, place] += 1
        number = self._made[maker, place]
        name = f"{place}<{maker}>" if number == 1 else f"{place}<{maker}#{number}>"
        self._names.put(value, name)
        return name

    def _walk(self, start: Any, name: str, at: str | None) -> None:
        waiting: deque[tuple[Any, str]] = deque([(start, name)])
        walked: set[int] = set()
        while waiting and self._count < OBJECTS_MAX:
            value, name = waiting.popleft()
            if identity(value) in walked:
                continue
            walked.add(identity(value))
            for inner, way in inside(value):
                kind = type(inner)
                if kind in _LEAVES or self._names.get(inner) is not None:
                    continue
                if kind is types.FunctionType or kind in BOUND_IN_C or issubclass(kind, WALKED):
                    if identity(inner) not in walked:
                        waiting.append((inner, way(name)))
                elif _is_named(inner, kind):
                    waiting.append((inner, self._name(inner, kind, way(name), at)))
            self._name_variables(value)

    def _name_variables(self, function: Any) -> None:
        """Name the variables of a closure, once the walk has named what they hold."""
        if type(function) is not types.FunctionType or not self._names_variables:
            return
        for cell, variable in variables_of(function):
            if self._names.get(cell) is None:
                self._name(cell, types.CellType, variable, None)

    def _name(self, value: Any, kind: type, name: str, at: str | None) -> str:
        """Name an object after the way to it; an instance that an actor reaches, after its class.

        Args:
            value: the object.
            kind: its type.
            name: the way to it.
            at: the actor's node, if that tells instances apart; None: no actor reaches it.
        """
        if issubclass(kind, type):
            name = name_of_class(value)
            self._names.put(value, name)
            return name
        is_container = issubclass(kind, dict | list | set)
        if at is not None and is_rewritten(module_of(kind)) and not is_container:
            name = f"{name_of(kind)}{at}"
        self._used[name] += 1
        if self._used[name] > 1:
            name = f"{name}#{self._used[name]}"
        self._count += 1
        self._names.put(value, name)
        if at is not None and kind in REAL_PRIMITIVES:
            self._primitives.put(value, True)
        if self._in_dict and name_of_class(kind) in self._in_dict:
            self._with_dict.append((value, name))
        return name


def _is_named(value: Any, kind: type) -> bool:
    if issubclass(kind, types.ModuleType):
        return False
    if issubclass(kind, type):
        return is_class_of_code(value)
    return leads_to_systems(kind) or not _is_anonymous(kind)


def _is_anonymous(kind: type) -> bool:
    """Say whether an object is neither tracked nor waited for, and so needs no name."""
    return is_left_alone(kind) and not (
        issubclass(kind, threading.Thread) or kind in REAL_PRIMITIVES
    )


def name_of_class(value: type) -> str:
    """Return the name of a class, without the function in which it is made."""
    return qualname_of(value).rpartition("<locals>.")[2]


_LEAVES = PLAIN - {types.FunctionType, types.MethodType, functools.partial, tuple} - BOUND_IN_C
