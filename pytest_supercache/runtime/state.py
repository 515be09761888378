"""Module-level state of code under test: swapped in place per node, restored per execution.

In place, because rebinding a name would miss ``@cached(cache=_local)``, ``from shop import _local``
and default arguments. What is not declared is looked for once per item (:func:`changed_globals`).
"""

import copyreg
import importlib
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy, deepcopy
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import islice
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from pytest_supercache.core.errors import NotDeterministicError, UndeclaredStateError
from pytest_supercache.runtime.room import on_a_fresh_stack
from pytest_supercache.runtime.under_test import members_of, modules_under_test
from pytest_supercache.runtime.watched_mapping import unwatched

_SWAPPABLE = (dict, list, set, deque, bytearray)


class ModuleState:
    """The declared objects of one system, with their contents at the start and on each node."""

    def __init__(self, declared: Iterable[str]) -> None:
        self._objects = {name: _find(name) for name in declared}
        self._original = {name: _Content.of(value) for name, value in self._objects.items()}
        self._start = {name: content.copied(name) for name, content in self._original.items()}
        self._of_node: dict[str, dict[str, _Content]] = {}
        self._node: str | None = None

    @property
    def is_declared(self) -> bool:
        """Whether there is anything to swap."""
        return bool(self._objects)

    def add_empty(self, names: Iterable[str]) -> None:
        """Declare containers of libraries that were imported meanwhile, and empty then."""
        for name in names:
            if name not in self._objects:
                value = _find(name)
                value.clear()
                self._objects[name] = value
                self._original[name] = self._start[name] = _Content.of(value)

    def reset(self) -> None:
        """Give every object the content it had when it was declared; no node is entered."""
        self._of_node = {}
        self._node = None
        for name, value in self._objects.items():
            self._start[name].copied(name).fill(value)

    def leave(self) -> None:
        """Put the original content back: outside of executions nothing has changed."""
        for name, value in self._objects.items():
            self._original[name].fill(value)

    def enter(self, node: str | None) -> None:
        """Swap in the content that ``node`` has: another process would have objects of its own."""
        if not self._objects or node is None or node == self._node:
            return
        if self._node is not None:
            self._of_node[self._node] = {n: _Content.of(v) for n, v in self._objects.items()}
        for name, value in self._objects.items():
            known = self._of_node.get(node)
            content = self._start[name].copied(name) if known is None else known[name]
            content.fill(value)
        self._node = node


@dataclass(frozen=True, slots=True)
class _Content:
    """What is in an object: its elements, if it is a container, and its attributes."""

    elements: Any
    attributes: dict[str, Any]

    @classmethod
    def of(cls, value: Any) -> "_Content":
        """Take what is in ``value`` now, itself and not a copy."""
        elements: Any = copy(value) if isinstance(value, bytearray) else None
        for plain in (dict, list, set, deque):
            if isinstance(value, plain):
                elements = plain(value)
        return cls(elements, dict(members_of(value)))

    def copied(self, name: str) -> "_Content":
        """Copy it to the bottom: what is inside must not be shared by nodes or executions.

        Raises:
            UndeclaredStateError: something inside cannot be copied.
        """
        try:
            with _locks_stay():
                return deepcopy(self)
        except Exception as error:
            raise UndeclaredStateError(
                f"state={name!r}: what it holds cannot be copied for every node ({error}). Name "
                "the objects inside that hold state, or make it in the system's factory"
            ) from error

    def fill(self, value: Any) -> None:
        """Make this the content of ``value``, in place."""
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
    """Let deepcopy pass locks through: a reduction that is a string means "as it is"."""
    kinds = [type(threading.Lock()), type(threading.RLock())]
    kinds = [kind for kind in kinds if kind not in copyreg.dispatch_table]
    for kind in kinds:
        copyreg.dispatch_table[kind] = lambda _lock: "as it is"
    try:
        yield
    finally:
        for kind in kinds:
            del copyreg.dispatch_table[kind]


def find_object(name: str, option: str) -> tuple[Any, str, Any]:
    """Find ``"package.module:name"``: its owner, its name there, and itself.

    Raises:
        UndeclaredStateError: there is no such object.
    """
    module_name, _, path = name.partition(":")
    *parents, last = path.split(".")
    try:
        owner: Any = importlib.import_module(module_name)
        for part in parents:
            owner = getattr(owner, part)
        return owner, last, getattr(owner, last)
    except (ImportError, AttributeError, ValueError) as error:
        raise UndeclaredStateError(
            f"{option}={name!r}: {error}. Expected 'package.module:name'."
        ) from error


def _find(name: str) -> Any:
    value = unwatched(find_object(name, "state")[2])
    is_memo = hasattr(value, "cache_info") and callable(value)
    if is_memo or not (isinstance(value, _SWAPPABLE) or members_of(value)):
        raise UndeclaredStateError(
            f"state={name!r} is a {type(value).__name__}, whose content cannot be swapped in "
            "place. Name a dict, list, set, deque or an object with attributes."
        )
    return value


def fingerprint() -> dict[str, int]:
    """Sum up the module-level data of all code under test: name -> a hash of the content."""
    return on_a_fresh_stack(partial(_fingerprint, _is_data))


def memo_sizes() -> dict[str, int]:
    """Do what :func:`fingerprint` does, for ``functools.lru_cache`` objects only."""
    return on_a_fresh_stack(partial(_fingerprint, _is_memo))


def _fingerprint(is_wanted: Callable[[Any], bool]) -> dict[str, int]:
    hashing = _Hashing()
    found = {}
    for module in modules_under_test():
        for name, value in list(vars(module).items()):
            if not name.startswith("__") and is_wanted(value):
                found[f"{module.__name__}:{name}"] = hashing.of(value, _DEPTH_MAX)
    return found


def changed_globals(before: Mapping[str, int], after: Mapping[str, int]) -> list[str]:
    """Name the module globals whose content differs between two fingerprints."""
    return sorted(name for name in after if before.get(name) != after[name])


def not_deterministic(error: NotDeterministicError, before: Mapping[str, int]) -> str:
    """Write why nothing can be concluded, with the module globals that may be the reason."""
    changed = changed_globals(before, fingerprint())
    hint = ""
    if changed:
        hint = (
            f". Module globals that have changed meanwhile: {', '.join(changed)}; if they are "
            "state of the code under test, declare them with @system(state=[...])"
        )
    return f"the code under test is not deterministic: {error}{hint}"


def _is_memo(value: Any) -> bool:
    return type(value) is _Memo and _is_data(value)


def _is_data(value: Any) -> bool:
    kind = type(unwatched(value))
    return not issubclass(kind, _CODE) and (issubclass(kind, _SWAPPABLE) or bool(members_of(value)))


class _Hashing:
    """Hashes of content, made without running code of the objects.

    Not more of an object is looked at than ``_DEPTH_MAX`` levels and ``_ITEMS_MAX`` items of each.
    What was met before is known by its identity, so nobody keeps this for longer than one walk.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], int] = {}

    def of(self, value: Any, depth: int) -> int:
        """Return the hash of a value, looked into ``depth`` levels deep."""
        value = unwatched(value)
        kind = type(value)
        for base, shown in _PLAIN.items():
            if issubclass(kind, base):
                return hash((kind.__name__, shown(value)))
        if kind is _Memo:
            return hash((kind.__name__, value.cache_info().currsize))
        if value is None or depth == 0 or issubclass(kind, _CODE):
            return hash(kind.__name__)
        key = (id(value), depth)
        if key not in self._known:
            items = self._items(value, kind, depth - 1)
            self._known[key] = hash((kind.__name__, *items, *self._members(value, depth - 1)))
        return self._known[key]

    def _items(self, value: Any, kind: type, depth: int) -> Iterator[int]:
        if issubclass(kind, dict):
            yield dict.__len__(value)
            for key, member in islice(list(dict.items(value)), _ITEMS_MAX):
                yield self.of(key, depth)
                yield self.of(member, depth)
        for base in (list, tuple, deque):
            if issubclass(kind, base):
                yield base.__len__(value)
                for item in islice(base.__iter__(value), _ITEMS_MAX):
                    yield self.of(item, depth)
        for unordered in (set, frozenset):
            if issubclass(kind, unordered):
                yield unordered.__len__(value)
                yield from sorted(self.of(i, depth) for i in unordered.__iter__(value))[:_ITEMS_MAX]

    def _members(self, value: Any, depth: int) -> Iterator[int | str]:
        for name, member in list(members_of(value).items()):
            yield name
            yield self.of(member, depth)


_Memo = type(lru_cache(len))
_CODE = (FunctionType, BuiltinFunctionType, ModuleType, type)
_BEGIN = slice(500)
_PLAIN: dict[type, Callable[[Any], Any]] = {
    str: str.__hash__,
    bytes: bytes.__hash__,
    int: lambda number: int.__format__(number, "x"),  # -1 and -2 have one hash
    float: float.__repr__,  # as have two zeros; and not-a-number has many
    bytearray: lambda data: (bytearray.__len__(data), bytes(bytearray.__getitem__(data, _BEGIN))),
}
_DEPTH_MAX = 4
_ITEMS_MAX = 200
