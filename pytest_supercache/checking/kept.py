"""Remembers the checks whose first run left what no execution gives back.

If later runs ended otherwise, such a check is UNKNOWN: its first run found a fresh process, and all
later ones what the first had left. A later check of the same code, in the same process, would find
that already in its first run, and nothing would tell: it could hold, or be violated, as it would in
no process of its own. If they only took other steps, the verdict says that the first run was not
searched, and so must that of a later check. Which object was kept is not known, so what counts is
the code, and the objects, that both checks lead to.
"""

import shlex
from collections.abc import Callable, Iterator
from types import BuiltinFunctionType, FunctionType, ModuleType, NoneType
from typing import Any, NamedTuple

from pytest_supercache.core.identity import identity, is_a
from pytest_supercache.declare.held import PARTS_MAX, HeldPart, is_of_project, objects_of
from pytest_supercache.declare.late_binding import held


class _LedTo(NamedTuple):
    """An object that an earlier check led to."""

    value: Callable[[], Any]
    item: str


class EarlierChecks:
    """What some of the earlier checks led to, by the identity of the object."""

    def __init__(self) -> None:
        self._led: dict[int, _LedTo] = {}

    def note(self, registered: Any, item: str) -> None:
        """Note what a check led to: what a callable leads to, and the name of the check."""
        for one, _ in _objects_of(registered):
            self._led[identity(one)] = _LedTo(held(one), item)

    def find(self, registered: Any, item: str) -> tuple[str, str] | None:
        """Return the name of an earlier check, and what it led to that a callable leads to, too.

        The name is empty if it is that of the present check, ``item``. None: there is none.
        """
        if not self._led:
            return None
        for one, shown in _objects_of(registered):
            known = self._led.get(identity(one))
            if known is not None and known.value() is one:
                return "" if known.item == item else f" ({known.item})", shown
        return None


_kept, _filled = EarlierChecks(), EarlierChecks()

_KEEPS_NOTHING = (int, float, complex, str, bytes, NoneType, ModuleType, BuiltinFunctionType)


def note_kept(registered: Any, item: str) -> None:
    """Note that something was kept in a check of what a callable leads to."""
    _kept.note(registered, item)


def note_filled(registered: Any, item: str) -> None:
    """Note that the first run of a check of what a callable leads to took other steps."""
    _filled.note(registered, item)


def kept_before(registered: Any, item: str) -> str:
    """Return why a check of what a callable leads to does not begin afresh; empty: it does.

    Args:
        registered: the factory of a system, or the body of a test.
        item: the name of the check.
    """
    found = _kept.find(registered, item)
    alone = f": pytest {shlex.quote(item)}" if "::" in item else ""
    return "" if found is None else _KEPT_BEFORE.format(*found, alone)


def filled_before(registered: Any, item: str) -> str:
    """Return what an earlier check has filled for a check of what a callable leads to, if any."""
    found = _filled.find(registered, item)
    return "" if found is None else _FILLED_BEFORE.format(*found)


_KEPT_BEFORE = (
    "this check does not begin as it would in a process of its own: an earlier check{} has kept "
    "something that no execution gives back, and both lead to {}. Look into that check first, or "
    "run this one alone{}"
)


_FILLED_BEFORE = (
    "the first run of an earlier check{} took other steps than later ones: something that no "
    "execution gives back was filled once in this process, and both checks lead to {}. What was "
    "searched is what comes after that"
)


def _objects_of(registered: Any) -> Iterator[tuple[Any, str]]:
    """Yield the project's code that a callable leads to, and the objects that it keeps."""
    parts = 0
    for one, its_parts in objects_of(registered, made=True):
        if _is_code(one):
            yield one, one.__qualname__
        elif is_of_project(type(one).__module__):
            yield one, f"an object of {type(one).__qualname__}"
        for part in its_parts:
            if _is_variable(part) and _can_keep(part.value):
                yield part.value, part.shown
        parts += len(its_parts)
        if parts >= PARTS_MAX:
            return


def _is_code(one: Any) -> bool:
    if is_a(one, FunctionType):
        return is_of_project(one.__globals__.get("__name__"))
    return is_a(one, type) and is_of_project(one.__module__)


def _is_variable(part: HeldPart) -> bool:
    return is_a(part.owner, FunctionType) and part.place[1].isidentifier()


def _can_keep(value: Any) -> bool:
    is_empty = is_a(value, tuple | frozenset) and not value  # there is one in a process
    return not is_empty and not is_a(value, (*_KEEPS_NOTHING, FunctionType, type))
