"""Makes declared calls and accesses steps with their footprints.

A switch point precedes each call; commands, locks and watched calls inside remain steps of their
own and inherit its footprint. Mappings get a wrapper that makes every access a step. Declarations
of adapters for a library are applied when its modules are imported.
"""

import inspect
import sys
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial, update_wrapper
from types import ModuleType
from typing import Any

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.identity import identity
from pytest_supercache.declare.adapters import declarations
from pytest_supercache.declare.registry import Watch
from pytest_supercache.runtime.kernel import async_context
from pytest_supercache.runtime.kernel.active import controlled
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext
from pytest_supercache.runtime.kernel.patches import Patches
from pytest_supercache.runtime.kernel.under_test import is_under_test_name
from pytest_supercache.runtime.observe.call_footprint import Declared, ask, declared_call
from pytest_supercache.runtime.observe.declared_clocks import DeclaredClock
from pytest_supercache.runtime.observe.targets import NoSuchTargetError, Target, find_target
from pytest_supercache.runtime.observe.watched_mapping import (
    Declaration,
    WatchedAttribute,
    WatchedMapping,
)

_NO_MORE = object()


class Watching:
    """The watched targets of one check."""

    def __init__(self, watches: Iterable[Watch]) -> None:
        self._watches = list(watches)
        self._declared = {watch.target for watch in self._watches}
        self._patches = Patches()
        self._sites: dict[tuple[int, str], _Site] = {}
        self._mappings: dict[str, Declaration] = {}
        self._imported = 0  # number of modules at the last check
        self.pairs: list[tuple[Any, Any]] = []  # (original, watched): for names imported elsewhere

    def start(self) -> None:
        """Put a switch point before every call of every target."""
        for watch in self._watches:
            target = find_target(watch.target)
            is_known_elsewhere = target.is_own and not target.is_attribute
            self._apply(watch, target)
            if is_known_elsewhere:
                self.pairs.append((target.value, vars(target.owner)[target.name]))
        self._apply_adapters()

    def stop(self) -> None:
        """Restore the targets."""
        self._patches.undo()

    def notice(self) -> bool:
        """Apply declarations for new imports, and uses of key order; True if later steps differ."""
        found = self._apply_adapters()
        for mapping in self._mappings.values():
            found |= mapping.settle()
        return found

    def apply_to_copies(self, modules: Container[str]) -> list[tuple[Any, Any]]:
        """Watch the targets in fresh copies of modules, which will be discarded.

        Returns:
            (original, watched) pairs, for names imported elsewhere in them.
        """
        lasting, self._patches = self._patches, Patches()
        pairs: list[tuple[Any, Any]] = []
        for watch in self._watches:
            if watch.target.partition(":")[0] in modules:
                target = find_target(watch.target)
                is_known_elsewhere = target.is_own and not target.is_attribute
                self._apply(watch, target)
                if is_known_elsewhere:
                    pairs.append((target.value, vars(target.owner)[target.name]))
        for owner, name in self._patches.places:
            self._sites.pop((identity(owner), name), None)
        self._patches = lasting
        return pairs

    def _apply_adapters(self) -> bool:
        """Apply the declarations of adapters for the modules imported so far; True if any."""
        if len(sys.modules) == self._imported:
            return False
        self._imported = len(sys.modules)
        found = False
        for watch in declarations(sys.modules):
            if watch.target not in self._declared:
                self._declared.add(watch.target)
                found |= self._apply_if_there(watch)
        return found

    def _apply_if_there(self, watch: Watch) -> bool:
        """Apply an adapter's declaration; False: this version of the library has no such target."""
        try:
            target = find_target(watch.target)
        except NoSuchTargetError:
            return False
        self._apply(watch, target)
        if isinstance(target.owner, ModuleType):
            self.pairs.append((target.value, vars(target.owner)[target.name]))
        return True

    def _apply(self, watch: Watch, target: Target) -> None:
        if target.is_call:
            self._watch_call(watch, target)
        elif watch.clock:
            raise SupercacheError(
                f"watch({watch.target!r}): clock= is for functions, and it is none"
            )
        elif isinstance(target.owner, ModuleType):
            self._watch_global(watch, target)
        else:
            self._watch_attribute(watch, target)

    def _watch_call(self, watch: Watch, target: Target) -> None:
        site = self._sites.get((identity(target.owner), target.name))
        if site is None:
            site = _Site(name=target.name, function=target.function)
            stand_in = site.stand_in(target.value)
            for name in target.names:
                self._put(target, stand_in, name)
                self._sites[identity(target.owner), name] = site
        site.add(watch, target.callers)

    def _watch_global(self, watch: Watch, target: Target) -> None:
        declaration = self._mappings.setdefault(watch.target, Declaration(watch, target.name))
        self._put(target, WatchedMapping(target.value, declaration, None), target.name)

    def _watch_attribute(self, watch: Watch, target: Target) -> None:
        declaration = self._mappings.setdefault(watch.target, Declaration(watch, target.name))
        self._put(target, WatchedAttribute(target, declaration), target.name)

    def _put(self, target: Target, stand_in: Any, name: str) -> None:
        try:
            self._patches.put(target.owner, name, stand_in)
        except TypeError as error:
            raise SupercacheError(
                f"watch: {name!r} of {target.owner!r} cannot be replaced ({error}): it is "
                "not written in Python. Watch what calls it, or an attribute that holds the object"
            ) from error


@dataclass(slots=True, kw_only=True)
class _Site:
    """A watched function or method, with all declarations for it."""

    name: str
    function: Callable[..., Any]
    entries: list[tuple[Watch, str | None]] = field(default_factory=list)
    _signature: inspect.Signature | None = None
    _clocks: dict[str, DeclaredClock] = field(default_factory=dict)

    def add(self, watch: Watch, callers: str | None) -> None:
        """Add a declaration; those for calls from a named module take precedence."""
        if watch.reads is watch.writes is None and not watch.clock:
            raise SupercacheError(
                f"watch({watch.target!r}): say what the call reads or writes: a parameter, '*' for "
                "the whole layer, or a callable of its arguments"
            )
        self.entries.insert(
            0 if callers not in {None, "*"} else len(self.entries), (watch, callers)
        )
        self._signature = _signature_of(self.function)
        names = [spec for spec in (watch.reads, watch.writes) if isinstance(spec, str)]
        if self._signature is None and any(name != "*" for name in names):
            raise SupercacheError(
                f"watch({watch.target!r}): its parameters have no names that Python can see; "
                "give callables that take `args`"
            )

    def watch_for(self, caller: str) -> Watch | None:
        """Return the declaration for calls from the module ``caller``; None: there is none."""
        for watch, callers in self.entries:
            if callers in {None, caller} or (callers == "*" and is_under_test_name(caller)):
                return watch
        return None

    def stand_in(self, stored: Any) -> Any:
        """Return the replacement of the function, in the same form as ``stored``."""
        if inspect.isgeneratorfunction(self.function):
            watched = self._generator()
        elif inspect.iscoroutinefunction(self.function):
            watched = self._awaited()
        else:
            watched = self._call()
        try:
            update_wrapper(watched, self.function)
        except (AttributeError, TypeError):  # a function that is not written in Python
            watched.__name__ = self.name
        is_wrapped = isinstance(stored, staticmethod | classmethod | property)
        return type(stored)(watched) if is_wrapped else watched

    def _call(self) -> Callable[..., Any]:
        function = self.function

        def watched(*args: Any, **kwargs: Any) -> Any:
            begun = self._begin(args, kwargs)
            if begun is None:
                return function(*args, **kwargs)
            execution, declared = begun
            if isinstance(declared, DeclaredClock):
                return declared.read(execution, partial(function, *args, **kwargs))
            with execution.inside(declared.label, declared.footprint):
                declared.take_effect(execution)
                return function(*args, **kwargs)

        return watched

    def _awaited(self) -> Callable[..., Any]:
        function = self.function

        async def watched(*args: Any, **kwargs: Any) -> Any:
            begun = self._begin(args, kwargs)
            if begun is None:
                return await function(*args, **kwargs)
            execution, declared = begun
            if isinstance(declared, DeclaredClock):
                raise SupercacheError(
                    f"watch of {self.name!r}: clock= is for functions that are not awaited"
                )

            async def run() -> Any:
                declared.take_effect(execution)
                return await function(*args, **kwargs)

            if not declared.suspends:
                with execution.inside(declared.label, declared.footprint):
                    return await run()
            return await async_context.inside(execution, declared.label, declared.footprint, run)

        return watched

    def _generator(self) -> Callable[..., Any]:
        """Return a generator function whose items are steps, with context switches between them."""
        function = self.function

        def watched(*args: Any, **kwargs: Any) -> Iterator[Any]:
            begun = self._begin(args, kwargs)
            items = function(*args, **kwargs)
            if begun is None or isinstance(begun[1], DeclaredClock):
                return iter(items)
            return _stepwise(items, begun[0], begun[1])

        return watched

    def _begin(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[ExecutionContext, Declared | DeclaredClock] | None:
        watch = self.watch_for(sys._getframe(2).f_globals.get("__name__", ""))
        execution = None if watch is None else controlled()
        if watch is None or execution is None:
            return None
        if watch.clock:
            return execution, self._clock(watch)
        arguments = self._bound(args, kwargs)
        if arguments is None:
            return None  # the call itself will say what is wrong with its arguments
        if watch.unless is not None and ask(watch.unless, arguments):
            return None
        return execution, declared_call(watch, execution, arguments, self.name)

    def _clock(self, watch: Watch) -> DeclaredClock:
        """Return the clock that the function reads by its declaration."""
        clock = self._clocks.get(watch.target)
        if clock is None:
            resolution = None if watch.clock is True else watch.clock
            clock = self._clocks[watch.target] = DeclaredClock(self.name, resolution)
        return clock

    def _bound(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any] | None:
        if self._signature is None:
            return {"self": args[0] if args else None, "args": args, **kwargs}
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError:
            return None
        bound.apply_defaults()
        arguments = dict(bound.arguments)
        for parameter in self._signature.parameters.values():
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                arguments.update(arguments.pop(parameter.name))
        return arguments


def _signature_of(function: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (ValueError, TypeError):
        return None


def _stepwise(
    items: Iterator[Any], execution: ExecutionContext, declared: Declared
) -> Iterator[Any]:
    while True:
        with execution.inside(declared.label, declared.footprint):
            item = next(items, _NO_MORE)
        if item is _NO_MORE:
            return
        yield item
