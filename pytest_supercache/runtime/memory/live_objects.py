"""Tracks objects by identity while they are alive, without keeping them alive.

Objects that allow it are referred to weakly. Dicts, lists and cells do not: they are held, lest
another object get their number, and released as soon as nothing else refers to them.
"""

import sys
import weakref
from typing import Any

from pytest_supercache.core.identity import identity

HELD_MAX = 2_000
"""Above this number of objects that are only named, these are held until the execution ends."""


class LiveObjects:
    """Tracks which objects of one execution are alive."""

    def __init__(self) -> None:
        self._named: dict[int, Any] = {}
        self._touched: dict[int, Any] = {}
        # Of these, the ones that are held: they are looked through after every step.
        self._held_named: dict[int, tuple[Any]] = {}
        self._held_touched: dict[int, tuple[Any]] = {}
        self._tables: list[dict[int, Any]] = []

    def table(self) -> dict[int, Any]:
        """Make a table by object number that drops the entries of objects that end."""
        self._tables.append({})
        return self._tables[-1]

    def keep(self, value: Any, *, is_touched: bool) -> None:
        """Track an object from now on until its end."""
        number = identity(value)
        known = self._touched.get(number)
        if self._named:
            known = self._named.pop(number, None) or known
            self._held_named.pop(number, None)
        if known is None:
            try:
                known = weakref.ref(value, lambda _: self._forget(number))
            except TypeError:
                known = (value,)
        (self._touched if is_touched else self._named)[number] = known
        if type(known) is tuple:
            (self._held_touched if is_touched else self._held_named)[number] = known

    def value(self, number: int) -> Any:
        """Return the object with this number; None: it is no longer alive."""
        known = self._touched.get(number) or self._named.get(number)
        if type(known) is tuple:
            return known[0]
        return None if known is None else known()

    def has_references(self, value: Any) -> bool:
        """Say whether a weak reference other than the table's leads to an object."""
        own = identity(value) in self._named or identity(value) in self._touched
        return weakref.getweakrefcount(value) > own

    def let_go(self) -> None:
        """Release the objects that nothing else refers to, and those that only they hold."""
        touched, named = self._held_touched, self._held_named
        while (touched and self._let_go(touched)) or (
            named and len(self._named) <= HELD_MAX and self._let_go(named)
        ):
            pass

    def let_all_go(self) -> None:
        """Release every object."""
        for known in (self._named, self._touched, self._held_named, self._held_touched):
            known.clear()
        for table in self._tables:
            table.clear()

    def _let_go(self, held: dict[int, tuple[Any]]) -> bool:
        ended = [number for number, count in _holders(held) if count <= _ALONE]
        for number in ended:
            self._forget(number)
        return bool(ended)

    def _forget(self, number: int) -> None:
        for known in (self._named, self._touched, self._held_named, self._held_touched):
            known.pop(number, None)
        for table in self._tables:
            table.pop(number, None)


def _holders(held: dict[int, tuple[Any]]) -> list[tuple[int, int]]:
    """Return the reference count of each object that is held."""
    return [(number, sys.getrefcount(known[0])) for number, known in list(held.items())]


((_, _ALONE),) = _holders({0: ([],)})
"""The reference count of an object that nothing else refers to."""


class ValuesByIdentity:
    """Values by the identity of objects.

    Args:
        live: tracks which of these objects are alive.
        is_touched: the objects are those that code accesses, not all that are named.
    """

    def __init__(self, live: LiveObjects, *, is_touched: bool = False) -> None:
        self._live = live
        self._is_touched = is_touched
        self.by_number = live.table()
        """The values, by the numbers of the objects."""

    def get(self, key: Any) -> Any:
        """Return the value of an object; None: it has none."""
        return self.by_number.get(identity(key))

    def items(self) -> list[tuple[int, Any]]:
        """Return the values, with the numbers of their objects."""
        return list(self.by_number.items())

    def put(self, key: Any, value: Any) -> None:
        """Store a value for an object."""
        self._live.keep(key, is_touched=self._is_touched)
        self.by_number[identity(key)] = value
