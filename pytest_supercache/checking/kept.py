"""Remembers the checks in which something was kept that no execution gives back.

Such a check is UNKNOWN: its first run found a fresh process, and all later ones what the first had
left. A later check of the same code, in the same process, would find that already in its first run,
and nothing would tell: it could hold, or be violated, as it would in no process of its own. Which
object was kept is not known, so what counts is the code, and the objects, that both checks lead to.
"""

import shlex
from collections.abc import Callable, Iterator
from types import BuiltinFunctionType, FunctionType, ModuleType, NoneType
from typing import Any, NamedTuple

from pytest_supercache.core.identity import identity, is_a
from pytest_supercache.declare.held import PARTS_MAX, HeldPart, is_of_project, objects_of
from pytest_supercache.declare.late_binding import held


class _LedTo(NamedTuple):
    """An object that a check led to in which something was kept."""

    value: Callable[[], Any]
    item: str


_led: dict[int, _LedTo] = {}
"""By the identity of the object."""

_KEEPS_NOTHING = (int, float, complex, str, bytes, NoneType, ModuleType, BuiltinFunctionType)


def note_kept(registered: Any, item: str) -> None:
    """Note that something was kept in a check of what a callable leads to."""
    for one, _ in _objects_of(registered):
        _led[identity(one)] = _LedTo(held(one), item)


def kept_before(registered: Any, item: str) -> str:
    """Return why a check of what a callable leads to does not begin afresh; empty: it does.

    Args:
        registered: the factory of a system, or the body of a test.
        item: the name of the check.
    """
    if not _led:
        return ""
    for one, shown in _objects_of(registered):
        known = _led.get(identity(one))
        if known is not None and known.value() is one:
            earlier = "" if known.item == item else f" ({known.item})"
            alone = f": pytest {shlex.quote(item)}" if "::" in item else ""
            return _KEPT_BEFORE.format(earlier, shown, alone)
    return ""


_KEPT_BEFORE = (
    "this check does not begin as it would in a process of its own: an earlier check{} has kept "
    "something that no execution gives back, and both lead to {}. Look into that check first, or "
    "run this one alone{}"
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
