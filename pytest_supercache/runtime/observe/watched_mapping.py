"""Wraps a watched mapping, so that every access is a step with its key.

The real object stays in place, unchanged; the wrapper claims its class. Accesses are per key only
where that is sound: a plain ``dict`` does not change on a read, and its order is visible only to
iteration. A mapping that keeps an order, or of an unknown class, may evict or reorder at any
access, so each access touches the whole layer unless declared otherwise (``reads="key"``,
``writes="key"``).
"""

import dis
import sys
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterator
from functools import lru_cache
from types import CodeType
from typing import Any

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.footprint import Footprint
from pytest_supercache.declare.registry import Watch
from pytest_supercache.runtime.kernel.active import controlled
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext
from pytest_supercache.runtime.observe.call_footprint import (
    READS_NOW,
    Declared,
    note_node,
    place_for,
    text_of,
    time_to_live,
)
from pytest_supercache.runtime.observe.targets import Target, is_mapping

_PLAIN = (dict, defaultdict, Counter)
_ABSENT = object()


class Declaration:
    """The declaration for a mapping, and whether code under test depends on its key order."""

    def __init__(self, watch: Watch, name: str) -> None:
        for option in ("reads", "writes"):
            spec = getattr(watch, option)
            if not (spec in {None, "*", "key"} or callable(spec)):
                raise SupercacheError(
                    f"watch({watch.target!r}, {option}={spec!r}): it holds a mapping, whose "
                    "accesses have `key` (and `value`): expected 'key', '*' or a callable of them"
                )
        self.watch = watch
        self.name = name
        self._is_ordered = False
        self._is_settled = False

    def settle(self) -> bool:
        """Apply a use of key order seen since the last call to footprints; True if they change."""
        learnt = self._is_ordered and not self._is_settled
        self._is_settled = self._is_ordered
        return learnt

    def order_seen(self) -> None:
        """Note that code under test depends on key order: a store then writes the whole mapping."""
        self._is_ordered = True

    def declared(
        self, execution: ExecutionContext, mapping: "WatchedMapping", access: str, key: Any,
        value: Any, *, writes: bool,
    ) -> Declared:  # fmt: skip
        """Return the step of an access; ``_ABSENT`` as key means the whole mapping."""
        owner = object.__getattribute__(mapping, "_supercache_owner")
        arguments = {"self": owner, "key": key, "value": value}
        place = place_for(self.watch, execution, arguments)
        note_node(execution, place, _real(mapping), writes=writes)
        whole = frozenset({f"{place}:*"})
        named = whole if key is _ABSENT else frozenset({f"{place}:{text_of(key)}"})
        written: frozenset[str] = frozenset()
        kind = type(_real(mapping))
        if writes:
            is_per_key = kind in _PLAIN and not self._is_settled
            written = self._chosen("writes", named, whole, is_per_key=is_per_key)
        elif kind not in _PLAIN and kind is not OrderedDict and self.watch.reads is None:
            written = whole  # a read may reorder or evict
        footprint = Footprint(
            self._chosen("reads", named, whole, is_per_key=True) | written, written
        )
        seconds = None
        is_timed = writes and self.watch.expires is not None and value is not _ABSENT
        if is_timed:
            seconds = time_to_live(self.watch, arguments)
            footprint = footprint | READS_NOW
        shown = "" if key is _ABSENT else f"[{text_of(key)}]"
        return Declared(
            label=f"{access} {self.name}{shown}",
            footprint=footprint,
            timed=named if is_timed else frozenset(),
            seconds=seconds,
            lease=self.watch.lease,
        )

    def _chosen(
        self, option: str, named: frozenset[str], whole: frozenset[str], *, is_per_key: bool
    ) -> frozenset[str]:
        spec = getattr(self.watch, option)
        if spec == "*":
            return whole
        return named if is_per_key or spec == "key" else whole


class WatchedAttribute:
    """A data descriptor that returns the attribute's mapping wrapped.

    The original class attribute of this name (a slot, a class value) still stores the value.
    """

    def __init__(self, target: Target, declaration: Declaration) -> None:
        self._name = target.name
        self._stored = target.value if hasattr(target.value, "__set__") else None
        self._of_class = (
            target.value if self._stored is None and target.value is not None else _ABSENT
        )
        self._has_default = self._stored is None and target.is_own
        self._declaration = declaration

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        value = self._present(instance, owner)
        if value is None or not is_mapping(value):
            if value is not None and controlled() is not None:
                raise SupercacheError(
                    f"watch({self._declaration.watch.target!r}): it holds a "
                    f"{type(value).__name__}, and only accesses to mappings can be watched"
                )
            return value
        return WatchedMapping(value, self._declaration, instance)

    def _present(self, instance: Any, owner: type | None) -> Any:
        if instance is not None:
            if self._stored is not None:
                return self._stored.__get__(instance, owner)
            members = object.__getattribute__(instance, "__dict__")
            if self._name in members:
                return members[self._name]
        if self._of_class is not _ABSENT or self._has_default:
            return None if self._of_class is _ABSENT else self._of_class
        raise AttributeError(f"{type(instance).__name__!r} object has no attribute {self._name!r}")

    def __set__(self, instance: Any, value: Any) -> None:
        real = unwatched(value)
        if self._stored is not None:
            self._stored.__set__(instance, real)
        else:
            object.__getattribute__(instance, "__dict__")[self._name] = real

    def __delete__(self, instance: Any) -> None:
        if self._stored is not None:
            self._stored.__delete__(instance)
        else:
            del object.__getattribute__(instance, "__dict__")[self._name]


def unwatched(value: Any) -> Any:
    """Return the real mapping behind a wrapper; any other value unchanged."""
    return _real(value) if type(value) is WatchedMapping else value


def _real(mapping: "WatchedMapping") -> Any:
    return object.__getattribute__(mapping, "_supercache_real")


def _access(
    mapping: "WatchedMapping",
    access: str,
    act: Callable[[Any], Any],
    *,
    key: Any = _ABSENT,
    value: Any = _ABSENT,
    writes: bool = False,
    order: bool = False,
) -> Any:
    """Access the real mapping in a step of the calling actor."""
    real = _real(mapping)
    execution = controlled()
    if execution is None:
        return act(real)
    declaration: Declaration = object.__getattribute__(mapping, "_supercache_declaration")
    if order and type(real) in _PLAIN:
        declaration.order_seen()
    declared = declaration.declared(execution, mapping, access, key, value, writes=writes)
    with execution.inside(declared.label, declared.footprint):
        if writes:
            declared.take_effect(execution)
        return act(real)


class WatchedMapping:
    """Wraps a mapping; accesses are steps in an execution, and plain accesses outside of one."""

    __slots__ = (
        "__weakref__",
        "_supercache_declaration",
        "_supercache_owner",
        "_supercache_real",
        "_supercache_taken",
    )

    def __init__(self, real: Any, declaration: Declaration, owner: Any) -> None:
        object.__setattr__(self, "_supercache_real", real)
        object.__setattr__(self, "_supercache_declaration", declaration)
        object.__setattr__(self, "_supercache_owner", owner)
        object.__setattr__(self, "_supercache_taken", None)

    @property  # type: ignore[misc] # so that isinstance() sees the real class
    def __class__(self) -> type:
        return type(_real(self))

    # -- one key -------------------------------------------------------------------------------

    def __getitem__(self, key: Any) -> Any:
        taken = object.__getattribute__(self, "_supercache_taken")
        if taken is not None and taken[0] == _instruction(sys._getframe(1)):
            return taken[1][key]
        inserts = hasattr(type(_real(self)), "__missing__")
        return _access(self, "get", lambda real: real[key], key=key, writes=inserts)

    def get(self, key: Any, *default: Any) -> Any:
        return _access(self, "get", lambda real: real.get(key, *default), key=key)

    def __contains__(self, key: Any) -> bool:
        return bool(_access(self, "look in", lambda real: key in real, key=key))

    def __setitem__(self, key: Any, value: Any) -> None:
        def act(real: Any) -> None:
            real[key] = value

        _access(self, "set", act, key=key, value=value, writes=True)

    def __delitem__(self, key: Any) -> None:
        def act(real: Any) -> None:
            del real[key]

        _access(self, "delete", act, key=key, writes=True)

    def pop(self, key: Any, *default: Any) -> Any:
        return _access(self, "pop", lambda real: real.pop(key, *default), key=key, writes=True)

    def setdefault(self, key: Any, default: Any = None) -> Any:
        return _access(
            self, "set default", lambda real: real.setdefault(key, default),
            key=key, value=default, writes=True,
        )  # fmt: skip

    # -- the whole mapping -----------------------------------------------------------------------

    def update(self, *others: Any, **named: Any) -> None:
        new = dict(*others, **named)
        if len(new) == 1:
            for key, value in new.items():
                self[key] = value
        else:
            _access(self, "update", lambda real: real.update(new), writes=True)

    def clear(self) -> None:
        _access(self, "clear", lambda real: real.clear(), writes=True)

    def popitem(self, *args: Any, **options: Any) -> Any:
        return _access(
            self, "pop an item of", lambda real: real.popitem(*args, **options),
            writes=True, order=True,
        )  # fmt: skip

    def __ior__(self, other: Any) -> Any:
        self.update(other)
        return self

    def __len__(self) -> int:
        return int(_access(self, "count", len))

    def __bool__(self) -> bool:
        return bool(_access(self, "count", bool))

    def __eq__(self, other: object) -> bool:
        return bool(_access(self, "compare", lambda real: real == unwatched(other)))

    def __hash__(self) -> int:
        return hash(_real(self))

    def __repr__(self) -> str:
        return str(_access(self, "show", repr, order=True))

    def __or__(self, other: Any) -> Any:
        return _access(self, "join", lambda real: real | unwatched(other), order=True)

    def __ror__(self, other: Any) -> Any:
        return _access(self, "join", lambda real: unwatched(other) | real, order=True)

    def copy(self) -> Any:
        return _access(self, "copy", lambda real: real.copy(), order=True)

    def __copy__(self) -> Any:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> Any:
        from copy import deepcopy

        return _access(self, "copy", lambda real: deepcopy(real, memo), order=True)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _access(self, "copy", lambda real: real.__reduce_ex__(protocol), order=True)

    # -- iteration -------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Any]:
        return _iterator(self, iter, sys._getframe(1))

    def __reversed__(self) -> Iterator[Any]:
        return _iterator(self, reversed, sys._getframe(1))

    def keys(self) -> Any:
        caller = sys._getframe(1)
        if "keys" in caller.f_code.co_names or controlled() is None:
            return _View(self, lambda real: real.keys())
        # Python itself calls this, in `dict(d)` or `{**d}`: for a dict that is atomic.
        taken = _access(self, "copy", dict, order=True)
        object.__setattr__(self, "_supercache_taken", (_instruction(caller), taken))
        return taken.keys()

    def values(self) -> Any:
        return _View(self, lambda real: real.values())

    def items(self) -> Any:
        return _View(self, lambda real: real.items())

    # -- everything else -----------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        value = getattr(_real(self), name)
        if not callable(value):
            return _access(self, f"look at {name} of", lambda real: getattr(real, name))

        def method(*args: Any, **options: Any) -> Any:
            return _access(
                self, name, lambda real: getattr(real, name)(*args, **options),
                writes=True, order=True,
            )  # fmt: skip

        return method

    def __setattr__(self, name: str, value: Any) -> None:
        _access(self, f"set {name} of", lambda real: setattr(real, name, value), writes=True)


class _View:
    """The keys, values or items of a watched mapping."""

    __slots__ = ("_look", "_mapping")

    def __init__(self, mapping: WatchedMapping, look: Callable[[Any], Any]) -> None:
        self._mapping = mapping
        self._look = look

    @property  # type: ignore[misc] # so that isinstance() sees the real class
    def __class__(self) -> type:
        return type(self._look(_real(self._mapping)))

    def __iter__(self) -> Iterator[Any]:
        return _iterator(self._mapping, lambda real: iter(self._look(real)), sys._getframe(1))

    def __reversed__(self) -> Iterator[Any]:
        return _iterator(self._mapping, lambda real: reversed(self._look(real)), sys._getframe(1))

    def __len__(self) -> int:
        return len(self._mapping)

    def __contains__(self, item: Any) -> bool:
        return bool(_access(self._mapping, "look in", lambda real: item in self._look(real)))

    def __getattr__(self, name: str) -> Any:
        return _access(
            self._mapping, f"{name} of", lambda real: getattr(self._look(real), name), order=True
        )

    def __eq__(self, other: object) -> bool:
        return bool(_access(self._mapping, "compare", lambda real: self._look(real) == other))

    __hash__ = None  # type: ignore[assignment] # as views of a dict have none

    def __and__(self, other: Any) -> Any:
        return _access(self._mapping, "join", lambda real: self._look(real) & set(other))

    def __or__(self, other: Any) -> Any:
        return _access(self._mapping, "join", lambda real: self._look(real) | set(other))

    def __sub__(self, other: Any) -> Any:
        return _access(self._mapping, "join", lambda real: self._look(real) - set(other))

    def __repr__(self) -> str:
        return str(_access(self._mapping, "show", lambda real: repr(self._look(real)), order=True))


def _instruction(frame: Any) -> tuple[int, int]:
    return id(frame), frame.f_lasti


def _iterator(
    mapping: WatchedMapping, begin: Callable[[Any], Iterator[Any]], caller: Any
) -> Iterator[Any]:
    """Iterate with a step per item in a loop, and in one step for ``list(d)``, ``sorted(d)``, etc.

    Copying a mapping with ``list`` is how code protects itself against concurrent changes, and for
    a dict that is atomic in Python, too.
    """
    if controlled() is None:
        return begin(_real(mapping))
    if _is_loop(caller.f_code, caller.f_lasti):
        return _stepwise(mapping, begin)
    items = _access(mapping, "iterate over", lambda real: list(begin(real)), order=True)
    return iter(items)


def _stepwise(mapping: WatchedMapping, begin: Callable[[Any], Iterator[Any]]) -> Iterator[Any]:
    items = _access(mapping, "iterate over", begin, order=True)

    def following(_real: Any) -> Any:
        return next(items, _ABSENT)

    while True:
        item = _access(mapping, "iterate over", following, order=True)
        if item is _ABSENT:
            return
        yield item


@lru_cache(maxsize=1024)
def _is_loop(code: CodeType, at: int) -> bool:
    """Say whether the instruction at ``at`` begins a loop or a comprehension."""
    return dis.opname[code.co_code[at]] == "GET_ITER"
