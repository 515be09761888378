"""Swaps module-level state of code under test per node, and restores it per execution.

The content of objects is swapped in place, because rebinding a name would miss
``@cached(cache=_local)``, ``from shop import _local`` and default arguments. A name bound to None
or another plain value is rebound, as code that changes it must do, too.
"""

import copyreg
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy, deepcopy
from dataclasses import dataclass
from itertools import count
from typing import Any, Protocol

from pytest_supercache.core.errors import UndeclaredStateError
from pytest_supercache.core.operation import DEFAULT_NODE
from pytest_supercache.declare import adapters
from pytest_supercache.runtime.kernel.under_test import members_of
from pytest_supercache.runtime.observe.lookup import find_object
from pytest_supercache.runtime.observe.watched_mapping import unwatched
from pytest_supercache.runtime.process.replacing import REPLACED_TYPES, Replacements

SWAPPABLE = (dict, list, set, deque, bytearray)
"""Containers whose content can be swapped in place."""

Makers = Mapping[str, Callable[[], Any] | None]

_PLAIN = (str, bytes, int, float, bool, complex, type(None), tuple, frozenset)


class _Held(Protocol):
    """A holder of declared state."""

    def now(self) -> Any:
        """Return the present content itself, not a copy."""

    def fresh(self) -> Any:
        """Return a new, unshared content for the start of an execution."""

    def put(self, content: Any) -> None:
        """Put in a content that was returned before."""


class ModuleState:
    """The declared state of one system, with its contents at the start and on each node.

    Args:
        declared: ``"package.module:name"`` of each object.
        of_libraries: names of libraries' objects, each with the function that makes its value for
            a node; None: its content is copied.
    """

    def __init__(self, declared: Iterable[str], of_libraries: Makers | None = None) -> None:
        self._held: dict[str, _Held] = {name: _found(name) for name in declared}
        self._original = {name: held.now() for name, held in self._held.items()}
        self._of_node: dict[str, dict[str, Any]] = {}
        self._node = DEFAULT_NODE
        self._imported = len(sys.modules)
        self._add(of_libraries or {})

    @property
    def is_declared(self) -> bool:
        """Whether there is anything to swap."""
        return bool(self._held)

    def notice(self) -> bool:
        """Declare the state of libraries imported since the last call; True when there was any."""
        if len(sys.modules) == self._imported:
            return False
        self._imported = len(sys.modules)
        return self.add_imported(adapters.state(sys.modules))

    def add_imported(self, of_libraries: Makers) -> bool:
        """Declare the state of libraries that were imported meanwhile.

        Its containers are cleared first: they were empty before the import.

        Returns:
            Whether there was any.
        """
        known = len(self._held)
        for name, make in of_libraries.items():
            if name not in self._held and make is None:
                find_object(name, "state")[2].clear()
        self._add(of_libraries)
        return len(self._held) > known

    def _add(self, of_libraries: Makers) -> None:
        for name, make in of_libraries.items():
            if name not in self._held:
                owner, attribute, _ = find_object(name, "state")
                held = _found(name) if make is None else _Bound(owner, attribute, make)
                self._held[name], self._original[name] = held, held.now()

    def reset(self) -> None:
        """Give all state the content it had when it was declared; a body is on the default node."""
        self._of_node = {}
        self._node = DEFAULT_NODE
        for held in self._held.values():
            held.put(held.fresh())

    def leave(self) -> None:
        """Restore the original content, for code outside of executions."""
        for name, held in self._held.items():
            held.put(self._original[name])

    def enter(self, node: str | None) -> None:
        """Swap in the content of ``node``, which in production is a process of its own."""
        if not self._held or node is None or node == self._node:
            return
        self._of_node[self._node] = {name: held.now() for name, held in self._held.items()}
        known = self._of_node.get(node)
        for name, held in self._held.items():
            held.put(held.fresh() if known is None else known[name])
        self._node = node


class _Bound:
    """A name that is rebound to a different value on each node."""

    def __init__(self, owner: Any, attribute: str, make: Callable[[], Any]) -> None:
        self._owner = owner
        self._attribute = attribute
        self.fresh = make

    def now(self) -> Any:
        return getattr(self._owner, self._attribute)

    def put(self, content: Any) -> None:
        setattr(self._owner, self._attribute, content)


class _InPlace:
    """An object whose content differs on each node.

    Args:
        name: the name by which it was declared.
        value: the object.

    Raises:
        UndeclaredStateError: the object cannot be copied.
    """

    def __init__(self, name: str, value: Any) -> None:
        self._name = name
        self._value = value
        self._start = self._copied(value)

    def now(self) -> "_ObjectContent":
        return _ObjectContent.of(self._value)

    def fresh(self) -> "_ObjectContent":
        with _locks_made_anew(self._name):
            return _ObjectContent.of(self._copied(self._start))

    def put(self, content: "_ObjectContent") -> None:
        content.fill(self._value)

    def _copied(self, value: Any) -> Any:
        """Return a deep copy by the object's own rules: nodes and executions share nothing."""
        try:
            with _locks_stay():
                copied = deepcopy(value)
        except Exception as error:  # __deepcopy__ and __reduce__ of user code may raise anything
            raise self._uncopied(str(error)) from error
        if copied is value:
            raise self._uncopied("its copy is the object itself")
        if type(copied) is not type(value) or members_of(copied).keys() != members_of(value).keys():
            raise self._uncopied("its copy has other attributes")
        return copied

    def _uncopied(self, why: str) -> UndeclaredStateError:
        module = self._name.partition(":")[0]
        return UndeclaredStateError(
            f"state={self._name!r}: what it holds cannot be copied for every node ({why}). Name "
            "the objects inside that hold state, make it in the system's factory, or let each "
            f"node import its module for itself: isolate=[{module!r}]"
        )


@dataclass(frozen=True, slots=True)
class _ObjectContent:
    """The content of an object: its elements, if it is a container, and its attributes."""

    elements: Any
    attributes: dict[str, Any]

    @classmethod
    def of(cls, value: Any) -> "_ObjectContent":
        """Return the present content of ``value``, whose members are not copied."""
        elements: Any = copy(value) if isinstance(value, bytearray) else None
        for plain in (dict, list, set, deque):
            if isinstance(value, plain):
                elements = plain(value)
        return cls(elements, dict(members_of(value)))

    def fill(self, value: Any) -> None:
        """Replace the content of ``value`` by this one, in place."""
        if isinstance(value, dict | set):
            value.clear()
            value.update(self.elements)
        elif isinstance(value, list | bytearray):
            value[:] = self.elements
        elif isinstance(value, deque):
            value.clear()
            value.extend(self.elements)
        for name in set(members_of(value)) - set(self.attributes):
            delattr(value, name)
        for name, member in self.attributes.items():
            if members_of(value).get(name) is not member:
                object.__setattr__(value, name, member)


@contextmanager
def _locks_stay() -> Iterator[None]:
    """Let deepcopy keep locks as they are, which a reduction that is a string means."""
    with _reduced(lambda _lock: "as it is", (type(threading.Lock()), type(threading.RLock()))):
        yield


@contextmanager
def _locks_made_anew(place: str) -> Iterator[None]:
    """Let deepcopy replace locks by new cooperative ones, as a process has its own locks."""
    replacements, numbers = Replacements(), count()

    def made(lock: Any) -> Any:
        stand_in = replacements.of(lock, f"{place}#{next(numbers)}")
        return "as it is" if stand_in is None else (lambda: stand_in, ())

    with _reduced(made, REPLACED_TYPES):
        yield


@contextmanager
def _reduced(reduce: Callable[[Any], Any], kinds: Iterable[type]) -> Iterator[None]:
    """Register ``reduce`` for copying the classes ``kinds``, except those with a reduction."""
    mine = [kind for kind in kinds if kind not in copyreg.dispatch_table]
    for kind in mine:
        copyreg.dispatch_table[kind] = reduce
    try:
        yield
    finally:
        for kind in mine:
            del copyreg.dispatch_table[kind]


def is_memo(value: Any) -> bool:
    """Say whether an object is a memoized function, as by ``functools.lru_cache``."""
    return hasattr(value, "cache_info") and callable(value)


def _found(name: str) -> _Held:
    owner, attribute, value = find_object(name, "state")
    value = unwatched(value)
    if type(value) in _PLAIN:
        return _Bound(owner, attribute, lambda: value)
    if is_memo(value) or not (isinstance(value, SWAPPABLE) or members_of(value)):
        raise UndeclaredStateError(
            f"state={name!r} is a {type(value).__name__}, whose content cannot be swapped in "
            "place. Name a dict, list, set, deque, an object with attributes, or a plain value; or "
            f"let each node import its module for itself: isolate=[{name.partition(':')[0]!r}]"
        )
    return _InPlace(name, value)
