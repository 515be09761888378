"""Watched calls: functions and methods of code we never saw become steps with declared footprints.

A declaration says what a call may read and write, from its arguments, before it runs. The call
becomes a switch point before it; commands, locks and watched calls inside stay steps of their own
and inherit its footprint.
"""

import importlib
import inspect
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.footprint import Footprint
from pytest_supercache.registry import Watch
from pytest_supercache.runtime import async_stepping
from pytest_supercache.runtime.active import controlled

Spec = str | Callable[..., Any] | None


class Watching:
    """The watched targets of one check."""

    def __init__(self, watches: Iterable[Watch]) -> None:
        self._watches = list(watches)
        self._undo: list[tuple[Any, str, Any]] = []
        self.pairs: list[tuple[Any, Any]] = []  # (original, watched): for names imported elsewhere

    def start(self) -> None:
        """Put a switch point before every call of every target."""
        for watch in self._watches:
            owner, name, function = _resolve(watch)
            original = owner.__dict__[name]
            wrapped = _wrapped(watch, original, function, name)
            self._undo.append((owner, name, original))
            self.pairs.append((original, wrapped))
            setattr(owner, name, wrapped)

    def stop(self) -> None:
        """Put the targets back."""
        while self._undo:
            owner, name, original = self._undo.pop()
            setattr(owner, name, original)


def _resolve(watch: Watch) -> tuple[Any, str, Callable[..., Any]]:
    module_name, colon, path = watch.target.partition(":")
    if not colon or not path:
        raise SupercacheError(
            f"watch({watch.target!r}): expected 'package.module:Class.method' or 'module:function'"
        )
    try:
        owner: Any = importlib.import_module(module_name)
    except ImportError as error:
        raise SupercacheError(f"watch({watch.target!r}): {error}") from error
    *classes, name = path.split(".")
    for part in classes:
        owner = _member(watch, owner, part)
    _member(watch, owner, name)
    if name not in owner.__dict__:
        raise SupercacheError(
            f"watch({watch.target!r}): {name!r} is inherited; name the class that defines it"
        )
    target = owner.__dict__[name]
    function = target.__func__ if isinstance(target, staticmethod | classmethod) else target
    if not callable(function) or inspect.isclass(function):
        raise SupercacheError(f"watch({watch.target!r}): it is not a function or a method")
    if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
        raise SupercacheError(
            f"watch({watch.target!r}): it is a generator function, whose call runs none of its "
            "code; watch what it calls"
        )
    return owner, name, function


def _member(watch: Watch, owner: Any, name: str) -> Any:
    try:
        return getattr(owner, name)
    except AttributeError:
        known = ", ".join(sorted(n for n in vars(owner) if not n.startswith("__")))
        raise SupercacheError(
            f"watch({watch.target!r}): {owner!r} has no {name!r}; it has {known}"
        ) from None


def _wrapped(watch: Watch, target: Any, function: Callable[..., Any], name: str) -> Any:
    signature = inspect.signature(function)

    def before(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        execution = controlled()
        if execution is None:
            return None
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return execution, _announce(watch, bound.arguments, name)

    @wraps(function)
    async def awaited(*args: Any, **kwargs: Any) -> Any:
        begun = before(args, kwargs)
        if begun is None:
            return await function(*args, **kwargs)
        execution, (label, footprint) = begun
        return await async_stepping.inside(
            execution, label, footprint, lambda: function(*args, **kwargs)
        )

    @wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        begun = before(args, kwargs)
        if begun is None:
            return function(*args, **kwargs)
        execution, (label, footprint) = begun
        with execution.inside(label, footprint):
            return function(*args, **kwargs)

    watched = awaited if inspect.iscoroutinefunction(function) else called
    if isinstance(target, staticmethod | classmethod):
        return type(target)(watched)
    return watched


def _announce(watch: Watch, arguments: dict[str, Any], name: str) -> tuple[str, Footprint]:
    layer = _ask(watch.layer, arguments) if callable(watch.layer) else watch.layer
    execution = controlled()
    assert execution is not None
    place = execution.place_of(layer)
    reads = _resources(watch, "reads", watch.reads, arguments, place)
    writes = _resources(watch, "writes", watch.writes, arguments, place)
    keys = sorted({resource.removeprefix(f"{place}:") for resource in reads | writes})
    return f"{name} {', '.join(keys)}".strip(), Footprint(reads | writes, writes)


def _resources(
    watch: Watch, option: str, spec: Spec, arguments: dict[str, Any], place: str
) -> frozenset[str]:
    if spec is None:
        return frozenset()
    if spec == "*":
        return frozenset({f"{place}:*"})
    if callable(spec):
        keys = _ask(spec, arguments)
    elif spec in arguments:
        keys = arguments[spec]
    else:
        raise SupercacheError(
            f"watch({watch.target!r}, {option}={spec!r}): the call has no such parameter; it has "
            f"{', '.join(arguments)}"
        )
    if isinstance(keys, str | bytes) or not isinstance(keys, Iterable):
        keys = [keys]
    return frozenset(f"{place}:{_text(key)}" for key in keys)


def _ask(spec: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    """Call a declaration with those of the call's arguments that it wants, ``self`` included."""
    wanted = inspect.signature(spec).parameters
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in wanted.values()):
        return spec(**{name: value for name, value in arguments.items() if name != "self"})
    return spec(**{name: value for name, value in arguments.items() if name in wanted})


def _text(key: Any) -> str:
    return key.decode(errors="backslashreplace") if isinstance(key, bytes) else str(key)
