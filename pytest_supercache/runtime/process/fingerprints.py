"""Hashes module-level data of code under test, to name the globals that have changed."""

import re
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache, partial
from hashlib import blake2b
from itertools import islice
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from pytest_supercache.core.errors import NotDeterministicError
from pytest_supercache.core.identity import identity
from pytest_supercache.declare.adapters import has_state
from pytest_supercache.runtime.kernel.under_test import members_of, modules_under_test
from pytest_supercache.runtime.memory.effects import is_rewritten, top
from pytest_supercache.runtime.observe.watched_mapping import unwatched
from pytest_supercache.runtime.process.fresh_stack import on_a_fresh_stack
from pytest_supercache.runtime.process.state import SWAPPABLE


def fingerprint() -> dict[str, int]:
    """Return a hash of each module-level data object of code under test, by name."""
    return on_a_fresh_stack(partial(_fingerprint, _is_data))


def memo_sizes() -> dict[str, int]:
    """Return what :func:`fingerprint` does, for ``functools.lru_cache`` objects only."""
    return on_a_fresh_stack(partial(_fingerprint, _is_memo))


def state_elsewhere() -> dict[str, int]:
    """Return what :func:`fingerprint` does, so that another process finds the same for equal state.

    It includes what is rebound instead of changed in place, such as a switch, and the attributes of
    classes.
    """
    found = on_a_fresh_stack(lambda: {**_fingerprint(_is_state, _stable), **_class_attributes()})
    return {name: digest for name, digest in found.items() if _module_of(name) != "__main__"}


def other_state(here: Mapping[str, int], there: Mapping[str, int]) -> list[str]:
    """Return the names of module globals that another process has otherwise.

    Modules that only one of the two has imported are not compared.
    """
    compared = modules_of(there) & sys.modules.keys()
    return sorted(
        name
        for name in {*here, *there}
        if _module_of(name) in compared and here.get(name) != there.get(name)
    )


def modules_of(state: Iterable[str]) -> set[str]:
    """Return the modules that have globals of these names."""
    return {_module_of(name) for name in state}


def _module_of(name: str) -> str:
    return name.partition(":")[0]


def _class_attributes() -> dict[str, int]:
    hashing = _Hashing(_stable)
    return {
        f"{module.__name__}:{name}.{attribute}": hashing.of(value, _DEPTH_MAX)
        for module in modules_under_test()
        for name, kind in list(vars(module).items())
        if issubclass(type(kind), type)
        for attributes in [_attributes_of(kind)]
        if attributes.get("__module__") == module.__name__
        for attribute, value in list(attributes.items())
        if not attribute.startswith("__") and issubclass(type(unwatched(value)), _VALUES)
    }


_attributes_of: Callable[[type], Mapping[str, Any]] = type.__dict__["__dict__"].__get__


def _fingerprint(
    is_wanted: Callable[[Any], bool], digest: Callable[[Any], int] = hash
) -> dict[str, int]:
    hashing = _Hashing(digest)
    found = {}
    for module in modules_under_test():
        for name, value in list(vars(module).items()):
            if not name.startswith("__") and is_wanted(value):
                found[f"{module.__name__}:{name}"] = hashing.of(value, _DEPTH_MAX)
    return found


def changed_globals(before: Mapping[str, int], after: Mapping[str, int]) -> list[str]:
    """Return the names of the module globals whose content differs between two fingerprints."""
    return sorted(name for name in after if before.get(name) != after[name])


def of_the_project(names: Iterable[str]) -> list[str]:
    """Return the names of objects that the project created, each object once.

    Objects of a library whose state has a table are omitted: the table separates it per node. An
    object that several modules have imported has the first of its names.
    """
    found: dict[int, str] = {}
    for name in names:
        module, _, attribute = name.partition(":")
        value = unwatched(vars(sys.modules[module])[attribute])
        if is_rewritten(module) and not has_state(top(type(value).__module__)):
            found.setdefault(identity(value), name)
    return list(found.values())


_OTHER_STEPS = re.compile(" in one run and (?!not )")
_ORDERS = (
    ". If code goes through a set of objects, whose order is that of their addresses, sort them or "
    "keep them in a dict or a list"
)


def not_deterministic(error: NotDeterministicError, before: Mapping[str, int]) -> str:
    """Return why nothing can be concluded, with the module globals that may be the cause."""
    changed = changed_globals(before, fingerprint())
    hint = _ORDERS if _OTHER_STEPS.search(str(error)) else ""
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
    return not issubclass(kind, _CODE) and (issubclass(kind, SWAPPABLE) or bool(members_of(value)))


def _is_state(value: Any) -> bool:
    return issubclass(type(unwatched(value)), _VALUES) or _is_data(value)


def _stable(content: Any) -> int:
    """Return a hash that does not depend on the process, of text, numbers and tuples of them."""
    text = repr(content).encode(errors="surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=8).digest())


class _Hashing:
    """Hashes the content of objects without running their code.

    At most ``_DEPTH_MAX`` levels of an object, and ``_ITEMS_MAX`` items of each, are hashed. Hashes
    are cached by identity, so an instance must not be used for more than one walk.
    """

    def __init__(self, digest: Callable[[Any], int]) -> None:
        self._digest = digest
        self._known: dict[tuple[int, int], int] = {}

    def of(self, value: Any, depth: int) -> int:
        """Return the hash of a value, down to ``depth`` levels."""
        value = unwatched(value)
        kind = type(value)
        for base, shown in _PLAIN.items():
            if issubclass(kind, base):
                return self._digest((kind.__name__, shown(value)))
        if kind is _Memo:
            return self._digest((kind.__name__, value.cache_info().currsize))
        if value is None or depth == 0 or issubclass(kind, _CODE):
            return self._digest(kind.__name__)
        key = (identity(value), depth)
        if key not in self._known:
            items = self._items(value, kind, depth - 1)
            self._known[key] = self._digest(
                (kind.__name__, *items, *self._members(value, depth - 1))
            )
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
    str: str.__str__,
    bytes: lambda data: bytes.__getitem__(data, slice(None)),
    int: lambda number: int.__format__(number, "x"),  # -1 and -2 have one hash
    float: float.__repr__,  # as have two zeros; and not-a-number has many
    bytearray: lambda data: (bytearray.__len__(data), bytes(bytearray.__getitem__(data, _BEGIN))),
}
_VALUES = (*_PLAIN, type(None), tuple, frozenset, *SWAPPABLE)
_DEPTH_MAX = 4
_ITEMS_MAX = 200
