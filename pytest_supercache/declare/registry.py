"""Records what conftest files register: systems, verbs and watched calls. Nothing runs here."""

import inspect
import math
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import partial
from types import ModuleType
from typing import Any, TypeVar

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.places import LAYERS
from pytest_supercache.declare import held, switched
from pytest_supercache.declare.late_binding import bound_late, indistinct
from pytest_supercache.declare.same import are_one, place_of
from pytest_supercache.scenario.signatures import check_told, check_verb

_Function = TypeVar("_Function", bound=Callable[..., Any])
_Spec = str | Callable[..., Any] | None
_Seconds = str | float | Callable[..., Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """One watched target: its layer, and the keys that it reads and writes.

    ``layer`` and the keys are names, parameter names or callables that take the bound arguments by
    keyword. ``"*"`` is the whole layer.
    """

    target: str
    layer: str | Callable[..., str] = "super_cache"
    reads: _Spec = None
    writes: _Spec = None
    expires: _Seconds = None
    lease: bool = False  # what expires is a lock: it may run out early with ``ticks: auto``
    clock: bool | float = False  # it reads a clock, of which resolution in seconds, if known
    lines: bool = False  # not the call: its lines are steps, where the grain is `line`
    suspends: bool = True  # False: a coroutine that nobody can come before, once its caller runs
    unless: Callable[..., bool] | None = None  # says that a call takes its steps by itself


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """Code under test: a factory that builds it, once per node and execution."""

    name: str
    factory: Callable[..., Any]
    state: tuple[str, ...] = ()
    redis: tuple[str, ...] = ()
    isolate: tuple[str, ...] = ()
    roles: dict[str, str] = field(default_factory=dict)
    backend: str | None = None
    params: dict[str, Any] = field(default_factory=dict)  # by the factory's parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """A step word of the project: a function of the system, the user and the step's options."""

    name: str
    function: Callable[..., Any]
    observes: Callable[..., Any] | None = None
    writes: Callable[..., Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decorated:
    """One use of ``@explore``: the place of the function, and the module that was being imported.

    A factory decorates one function several times; a module that is imported under two names
    decorates all of its functions twice.
    """

    path: str
    line: int
    name: str
    module: str = ""  # its name; "" where none was being imported
    module_path: str = ""
    times_before: int = 0  # how often this module had decorated this function before

    @property
    def whichever_import(self) -> tuple[str, int, str, str, int]:
        """The fields that are equal in each import of one module."""
        return self.path, self.line, self.name, self.module_path, self.times_before


@dataclass(slots=True)
class Registry:
    """Everything registered so far."""

    systems: dict[str, System] = field(default_factory=dict)
    verbs: dict[str, Verb] = field(default_factory=dict)
    watches: dict[str, Watch] = field(default_factory=dict)
    explored: dict[Decorated, bool] = field(default_factory=dict)  # whether somebody has called it

    def decorate(self, one: Decorated) -> Decorated:
        """Record a use of ``@explore``, the first of its module or a further one."""
        while one in self.explored:
            one = replace(one, times_before=one.times_before + 1)
        self.explored[one] = False
        return one

    def copy(self) -> "Registry":
        """Return an independent copy, to be restored later."""
        return Registry(
            dict(self.systems), dict(self.verbs), dict(self.watches), dict(self.explored)
        )

    def become(self, other: "Registry") -> None:
        """Replace the content by that of ``other``."""
        self.systems, self.verbs, self.watches, self.explored = (
            dict(other.systems),
            dict(other.verbs),
            dict(other.watches),
            dict(other.explored),
        )

    def come_back_to(self, before: "Registry") -> None:
        """Restore ``before``, but keep our own systems, which an import registers only once."""
        shipped = {
            name: system
            for name, system in self.systems.items()
            if str(getattr(system.factory, "__module__", "")).startswith("pytest_supercache.")
        }
        self.become(
            Registry(before.systems | shipped, before.verbs, before.watches, before.explored)
        )


REGISTRY = Registry()
"""The registry that the decorators below write to."""


def note_loaded(module: ModuleType) -> None:
    """Note which code the systems of a conftest file lead to when all of it is loaded."""
    for one in REGISTRY.systems.values():
        if getattr(one.factory, "__globals__", None) is vars(module):
            switched.note_loaded(one.factory, named_system(one.name))


def note_imported() -> None:
    """Note what surrounds the systems, and what they lead to, when all modules are imported."""
    held.note_surroundings(note_imported)
    switched.note_replaced(_factories())


def note_plain(tests: Iterable[Any], around: switched.Around) -> None:
    """Note the plain values that systems, and explored tests, lead to before any test is run."""
    switched.note_plain(_factories(), tests, around)


def note_left(tests: Iterable[Any], around: switched.Around) -> None:
    """Note which of them tests have left changed."""
    switched.note_left(_factories(), tests, around)


def _factories() -> dict[str, Callable[..., Any]]:
    return {named_system(one.name): one.factory for one in REGISTRY.systems.values()}


def named_system(name: str) -> str:
    """Return by which words a system is known."""
    return f"@system({name!r})"


def system(
    name: str,
    *,
    state: Iterable[str] = (),
    redis: Iterable[str] = (),
    isolate: Iterable[str] = (),
    roles: dict[str, str] | None = None,
    backend: str | None = None,
    params: Mapping[str, Any] | None = None,
) -> Callable[[_Function], _Function]:
    """Register a factory of a system under test.

    The factory is called with the layers of one node, once per node and execution. It may be a
    generator that yields the system and cleans up afterwards. Several systems may have one factory
    with different ``params``.

    Args:
        name: the name of the system in scenario files.
        state: module-level state of the code under test, ``"package.module:name"`` each.
        redis: clients that cannot be intercepted otherwise, ``"package.module:name"`` each.
        isolate: modules that each node imports separately; import them inside the factory.
        roles: the layer that a layer name of the system means, as in ``{"dry": "existing_cache"}``.
        backend: the backend that its existing cache needs, unless the command line overrides it:
            ``redis-server`` for a client with client-side caching.
        params: further arguments of the factory by name, as in ``{"isolation": "SERIALIZABLE"}``.

    Raises:
        SupercacheError: another factory has the name, a role is no layer, or ``params`` are not
            what this one takes.
    """
    named, given = named_system(name), dict(params or {})
    for role in (roles or {}).values():
        if role not in LAYERS:
            raise SupercacheError(f"{named}: roles={roles!r}: expected one of {', '.join(LAYERS)}")

    def register(factory: _Function) -> _Function:
        if given:
            _check_params(named, factory, given)
        declared = System(
            name=name,
            factory=factory,
            state=tuple(state),
            redis=tuple(redis),
            isolate=tuple(isolate),
            roles=dict(roles or {}),
            backend=backend,
            params=given,
        )
        if known := REGISTRY.systems.get(name):
            _refuse_another(named, known, declared, known.factory, factory)
        _refuse_late_binding(named, partial(factory, **given) if given else factory)
        alike = [one for one in REGISTRY.systems.values() if _are_alike(one, declared)]
        _refuse_indistinct(named, factory, [one.factory for one in alike])
        others = [one.factory for one in alike if one.name != name]  # else it is declared again
        _refuse_other_surroundings(named, factory, others)
        switched.note_switches(factory, named)
        REGISTRY.systems[name] = declared
        return factory

    return register


def _check_params(named: str, factory: Callable[..., Any], given: Mapping[str, Any]) -> None:
    """Refuse arguments that a factory does not take, or that executions would share."""
    try:
        inspect.signature(factory).bind(None, **given)
    except TypeError as error:
        raise SupercacheError(
            f"{named}: {place_of(factory)} cannot be called with params {dict(given)}: {error}. "
            "The layers come first, and every other parameter without a default needs a value"
        ) from None
    for parameter, value in given.items():
        if not isinstance(value, Hashable):
            raise SupercacheError(
                f"{named}: params[{parameter!r}] is a {type(value).__name__}, which one execution "
                "could change for the next. Give a value that cannot change, and make the "
                f"{type(value).__name__} in the factory"
            )


def verb(
    name: str, *, observes: _Spec = None, writes: _Spec = None
) -> Callable[[_Function], _Function]:
    """Register a step word for scenario files.

    The function is called with the system, the user, and the step's options by name.

    Args:
        name: the name of the verb in scenario files.
        observes: callable of the answer and the options; returns the {key: value} that was seen.
        writes: callable of the options; returns the {key: value} that was written.

    Raises:
        SupercacheError: scenario files could not name or call it, or another function has the name.
    """

    def register(function: _Function) -> _Function:
        check_verb(name, function)
        told: dict[str, Callable[..., Any] | None] = {"observes": None, "writes": None}
        for option, spec in (("observes", observes), ("writes", writes)):
            if callable(spec):
                check_told(name, option, spec, function)
                _refuse_late_binding(f"@verb({name!r}, {option}=...)", spec)
                told[option] = spec
            elif spec is not None:
                raise SupercacheError(f"@verb({name!r}): {option} must be a callable")
        declared = Verb(
            name=name,
            function=function,
            observes=told["observes"],
            writes=told["writes"],
        )
        if known := REGISTRY.verbs.get(name):
            _refuse_another(f"@verb({name!r})", known, declared, known.function, function)
        _refuse_late_binding(f"@verb({name!r})", function)
        REGISTRY.verbs[name] = declared
        return function

    return register


def watch(
    target: str,
    layer: str | Callable[..., str] = "super_cache",
    *,
    reads: _Spec = None,
    writes: _Spec = None,
    expires: _Seconds = None,
    lease: bool = False,
    clock: bool | float = False,
    lines: bool = False,
) -> None:
    """Make every call of a function or method, or every access to a mapping, a step.

    Args:
        target: ``"package.module:Class.method"``, ``"package.module:function"``, or an attribute
            that holds a mapping: ``"package.module:Class._entries"``, ``"package.module:_local"``.
            ``"package.module:os.replace"`` means the calls of it which that module makes.
        layer: the layer it belongs to, or a callable of the bound arguments that names it.
        reads: the keys it may read: a parameter's name, ``"*"``, or a callable of the arguments.
        writes: the keys it may write, likewise.
        expires: the seconds after which a written value expires: a number, a parameter's name or a
            callable of the arguments; None means never.
        lease: the value that expires is a lock, so that its end is tried early (``ticks: auto``).
        clock: the call reads a clock: it is a step, and later than the reading before it. If the
            clock is truncated, for instance to milliseconds, equal readings are tried, too. True:
            the resolution is learnt from its values, so they must not depend on earlier calls; a
            number: the resolution in seconds, such as 0.001.
        lines: with the grain ``line``, every line of the function is a step; the call is none.

    Raises:
        SupercacheError: the options are empty, or contradict each other or an earlier declaration.
    """
    declared = Watch(
        target=target, layer=layer, reads=reads, writes=writes, expires=expires, lease=lease,
        clock=clock, lines=lines,
    )  # fmt: skip
    refuse_nonsense(declared)
    for option in (layer, reads, writes, expires):
        if callable(option):
            _refuse_late_binding(f"watch({target!r})", option)
    if not are_one(_parts(REGISTRY.watches.get(target, declared)), _parts(declared)):
        raise SupercacheError(
            f"watch({target!r}) is declared twice, with other options the second time, and nobody "
            "knows which are right. Keep one of them."
        )
    REGISTRY.watches[target] = declared


def refuse_nonsense(watch: Watch) -> None:
    """Refuse a declaration that makes no sense.

    Raises:
        SupercacheError: naming the alternative.
    """
    named = f"watch({watch.target!r})"
    clock: Any = watch.clock
    if not isinstance(clock, bool | int | float) or not 0 <= clock < math.inf:
        raise SupercacheError(
            f"{named}: clock={clock!r}: expected True, or the seconds that the clock is cut to "
            "(0.001 for milliseconds)"
        )
    _refuse_other_options(watch, named)
    seconds: Any = watch.expires
    if isinstance(seconds, bool) or (isinstance(seconds, int | float) and seconds < 0):
        raise SupercacheError(
            f"{named}: expires={watch.expires!r}: expected seconds, a parameter's name or a "
            "callable of the arguments"
        )
    for option in ("reads", "writes"):
        value = getattr(watch, option)
        if not (value is None or isinstance(value, str) or callable(value)):
            raise SupercacheError(
                f"{named}: {option}={value!r}: expected a parameter's name, '*' for the whole "
                "layer, or a callable of the arguments"
            )


def _refuse_other_options(watch: Watch, named: str) -> None:
    """Refuse options that exclude each other."""
    if watch.clock and not (watch.reads is watch.writes is watch.expires is None):
        raise SupercacheError(
            f"{named}: clock= is for a function that only reads a clock; leave reads, writes "
            "and expires out"
        )
    if watch.lines and (watch.clock or not (watch.reads is watch.writes is watch.expires is None)):
        raise SupercacheError(
            f"{named}: with lines=True the lines are steps that may touch anything; leave reads, "
            "writes, expires and clock out"
        )
    if watch.lease and watch.expires is None:
        raise SupercacheError(f"{named}: lease=True needs expires=, the time after which it ends")
    if watch.expires is not None and watch.writes is None and watch.reads is not None:
        raise SupercacheError(f"{named}: expires= is about what is written; say writes= too")


def _refuse_another(
    named: str,
    known: System | Verb,
    declared: System | Verb,
    first: Callable[..., Any],
    function: Callable[..., Any],
) -> None:
    """Refuse a name that is taken; a conftest that is loaded twice may register the same again."""
    if place_of(first) != place_of(function):
        raise SupercacheError(
            f"{named}: {place_of(function)} registers the name that {place_of(first)} has. "
            "Choose another name."
        )
    if not are_one(_parts(known), _parts(declared)):
        raise SupercacheError(
            f"{named}: {place_of(function)} registers this name twice, with other values or "
            "options the second time. Choose another name for one of them."
        )


def _refuse_late_binding(named: str, function: Callable[..., Any]) -> None:
    """Refuse a function that reads a variable when it is called, as an earlier one does.

    Those of a loop read the loop's variable, which has the value of the last turn for all of them.
    """
    if late := bound_late(function, named):
        variable, earlier = late
        raise SupercacheError(
            f"{named}: {place_of(function)} reads {variable!r} when it is called, and so does "
            f"{earlier}, for which it was another value: both get its last one. Make each in a "
            "function that takes it, or give each a variable of its own; for a system, "
            "params={...} does that, too"
        )
    if part := held.replaced(function, named):
        name, earlier = part
        raise SupercacheError(
            f"{named}: {place_of(function)} leads to {name}, which had another value when "
            f"{earlier} was registered: both find the last one when they are called. Give each an "
            "object of its own, or only the values that it needs (for a system, by params={...})"
        )


def _are_alike(system: System, other: System) -> bool:
    """Say whether two systems differ in nothing but their names and factories."""
    return replace(system, name=other.name, factory=other.factory) == other


def _refuse_indistinct(
    named: str, function: Callable[..., Any], others: list[Callable[..., Any]]
) -> None:
    """Refuse a function that a loop has made before, and that does what its last one does."""
    if variable := indistinct([function, *others]):
        raise SupercacheError(
            f"{named}: {place_of(function)} was made in a loop, and does what another one of it "
            f"does: both read {variable!r} when they are called, and get its last value. Let each "
            f"take it as a default (lambda layers, {variable}={variable}: ...), or take params"
        )
    if name := held.shared(function, others):
        raise SupercacheError(
            f"{named}: {place_of(function)} does what another system does that it has made: both "
            f"find {name} in one object when they are called. Give each an object of its own; if "
            "they shall be the same, register one function under both names"
        )


def _refuse_other_surroundings(
    named: str, function: Callable[..., Any], others: list[Callable[..., Any]]
) -> None:
    """Refuse a function that differs from another one only by what surrounded it."""
    if name := held.surroundings_changed(function, others, named):
        raise SupercacheError(
            f"{named}: {place_of(function)} does the same as for another system, for which {name} "
            "was another value: when they are called, both find the last one. Give each what it "
            "needs by params={...}"
        )


def _parts(declared: System | Verb | Watch) -> dict[str, Any]:
    return {each.name: getattr(declared, each.name) for each in fields(declared)}
