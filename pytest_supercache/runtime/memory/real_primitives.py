"""Redirects uses of real locks and queues in code under test to cooperative stand-ins.

Modules under test have their own ``threading``, but a primitive is real nevertheless where C code
made it (the default factory of a field of pydantic), where it was made before the check, or where a
module of the standard library made it. Only its use shows it: ``with lock``, or a method of it.
"""

import contextlib
import functools
import sys
from collections import deque
from collections.abc import Callable, Iterator
from types import FrameType, ModuleType
from typing import Any, NamedTuple

from pytest_supercache.core.identity import identity
from pytest_supercache.runtime.kernel.actor import Actor
from pytest_supercache.runtime.kernel.calling import here
from pytest_supercache.runtime.memory.accesses import Accesses
from pytest_supercache.runtime.memory.current import Current
from pytest_supercache.runtime.memory.effects import PLAIN
from pytest_supercache.runtime.memory.hooks import load_attribute
from pytest_supercache.runtime.memory.names import Names, is_real
from pytest_supercache.runtime.memory.reach import WALKED, inside

FRAMES_MAX, OBJECTS_MAX = 20, 300
"""Limits of the search for an owner: the callers, and the objects that one of them leads to."""


def stand_in(real: Any) -> Any:
    """Return the stand-in of a real object for the running execution; without one, the object."""
    if here.actor is None or Current.execution is None or Current.stand_in is None:
        return real
    return Current.stand_in(real)


def method_of(function: Any) -> Any:
    """Return the method of the stand-in for a bound method of a real object."""
    return getattr(stand_in(function.__self__), function.__name__, function)


def enter(context: Any) -> Any:
    """Return the context manager that a ``with`` statement is to enter."""
    return stand_in(context) if is_real(context) else context


def load_method(holder: Any, name: str) -> Any:
    """Record the read of ``holder.name``, which a lock or a queue may have; return its holder."""
    if is_real(holder):
        holder = stand_in(holder)
    load_attribute(holder, name)
    return holder


def stand_in_of_method(function: Any, arguments: tuple[Any, ...]) -> Any:
    """Return what to call in the place of a method that has, or gets, a real object; None: it."""
    if is_real(function.__self__):
        return method_of(function)
    is_of_stack = function.__func__.__module__ == contextlib.__name__
    return _with_stand_ins(function) if is_of_stack and any(map(is_real, arguments)) else None


def _with_stand_ins(function: Any) -> Callable[..., Any]:
    """Return a function that calls another one with stand-ins in the place of real objects."""

    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        return function(*map(enter, arguments))

    return call


PRIMITIVE_HOOKS: dict[str, Callable[..., Any]] = {"enter": enter, "load_method": load_method}
"""The hooks that precede a use of what may be a lock or a queue, by name."""


class PrimitiveName(NamedTuple):
    """The name of a real object that is used in a race."""

    text: str
    is_fixed: bool
    """Whether it is the same in every schedule, whoever uses the object first."""


def name_of_primitive(accesses: Accesses, real: Any) -> PrimitiveName | None:
    """Name a real object that is used in a race; None: no race runs, or nothing has a name yet.

    Its name is the way from the module that led to it before the check, or the way to it when the
    race begins. Another one is named after the object that leads its first user to it.
    """
    actor, names = accesses.actor(), accesses.shared.names
    if actor is None:
        return None
    if (known := accesses.lasting.name_of_primitive(real)) is not None:
        return PrimitiveName(known, is_fixed=True)
    accesses.sharing.note_real_primitive()
    if names is None:
        return None
    if not names.has(real):
        names.add(real, _way_to(real, names, actor) or names.of(real, actor))
    return PrimitiveName(names.of(real, actor), names.was_there(real))


_UNNAMED = "\0"


def _way_to(real: Any, names: Names, actor: Actor) -> str:
    """Name the way from an object that leads the callers to another one; "": none does."""
    nearest = None
    for start, root in _variables():
        way = _found(real, start, root, names)
        if way is not None and _UNNAMED not in way:
            return way
        if way is not None and way != _UNNAMED:
            nearest = nearest or (start, way)
    if nearest is None:
        return ""
    start, way = nearest
    return way.replace(_UNNAMED, names.of(start, actor))


def _variables() -> Iterator[tuple[Any, str]]:
    """Yield what the callers have in their variables, and the globals that they use by name."""
    frame: FrameType | None = sys._getframe(1)
    for _ in range(FRAMES_MAX):
        if frame is None:
            return
        module = frame.f_globals.get("__name__", "")
        if not str(module).startswith("pytest_supercache."):
            for value in list(frame.f_locals.values()):
                yield value, _UNNAMED
            for name in frame.f_code.co_names:
                if name in frame.f_globals:
                    yield frame.f_globals[name], f"{module}.{name}"
        frame = frame.f_back


def _found(real: Any, start: Any, name: str, names: Names) -> str | None:
    """Return the name of the shortest way from one object to another; None: there is none."""
    waiting: deque[tuple[Any, str]] = deque([(start, name)])
    seen: set[int] = set()
    while waiting and len(seen) < OBJECTS_MAX:
        value, name = waiting.popleft()
        if value is real:
            return name
        if identity(value) in seen:
            continue
        seen.add(identity(value))
        if names.has(value):
            name = names.of(value, None)
        waiting.extend((inner, way(name)) for inner, way in inside(value) if _leads_on(inner))
    return None


def _leads_on(value: Any) -> bool:
    kind = type(value)
    return (kind not in PLAIN or issubclass(kind, WALKED)) and not issubclass(kind, ModuleType)
