"""Shows virtual time to code under test by freezegun, moved by the execution's clock.

Three problems are solved here (measured in the research): freezegun's stack inspection would give
real time to code called from our frames; its list of ignored modules applies at patch time only;
and this package's own timings must stay real.
"""

import copyreg
import datetime as datetime_module
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cache, partial, wraps
from types import ModuleType
from typing import Any

from pytest_supercache.core.identity import identity
from pytest_supercache.layers.clock import EPOCH, VirtualClock
from pytest_supercache.runtime.kernel.active import controlled
from pytest_supercache.runtime.kernel.actor import Actor
from pytest_supercache.runtime.kernel.calling import current_actor, here
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext
from pytest_supercache.runtime.kernel.patches import Patches
from pytest_supercache.runtime.kernel.readings import MICROSECOND, ORDER, is_of_client, reader
from pytest_supercache.runtime.kernel.under_test import (
    is_under_test_name,
    members_of,
    modules_under_test,
)
from pytest_supercache.runtime.memory.shown_times import note_if_shown_to_two
from pytest_supercache.runtime.process.derived_dates import derived_from_real_dates

_REAL_TIME = ["pytest_supercache.", "hypothesis.", "xdist.", "execnet.", "_pytest.", "allure"]

_FROZEN_INSIDE = (
    "time was frozen, or let go, inside of a check (freezegun, in its body or in code that it "
    "runs), so that code does not see the time that the search moves. Freeze it around the check, "
    "with @freeze_time above @explore; in the body let time pass by time.sleep"
)
_MOVED_INSIDE = (
    "a clock that was frozen before the check was moved in its body, where nobody sees it: a check "
    "has time of its own. Let time pass by time.sleep instead"
)

_REPLACED_INSIDE = (
    "{} was replaced inside of a check (mock.patch or monkeypatch, in its body or in code that it "
    "runs), so that code does not see the time that the search moves. Leave it as it is: to sleep "
    "takes no real time in a check, and every clock begins at one instant in each execution"
)


def clock_pairs() -> list[tuple[Any, Any]]:
    """Return the functions and classes that show the time as (real, stand-in) pairs."""
    return frozen_pairs() + _OTHER_CLOCKS


def frozen_pairs() -> list[tuple[Any, Any]]:
    """Return freezegun's functions and classes as (real, frozen) pairs.

    freezegun replaces the globals of modules, except those on its list of name prefixes. Default
    arguments and attributes (``timer=time.monotonic``), and code under test on that list, are
    replaced by the walk over references; outside of frozen time the frozen ones show real time.
    """
    import freezegun.api

    names = ("time", "monotonic", "perf_counter", "time_ns", "monotonic_ns", "perf_counter_ns",
             "localtime", "gmtime", "strftime")  # fmt: skip
    api = vars(freezegun.api)
    classes = [("real_datetime", "FakeDatetime"), ("real_date", "FakeDate")]
    named = [(f"real_{name}", f"fake_{name}") for name in names]
    return [(api[real], api[fake]) for real, fake in (*named, *classes)]


_REAL_GETTIME: Any = getattr(time, "clock_gettime", None)
_REAL_GETTIME_NS: Any = getattr(time, "clock_gettime_ns", None)
_REAL_CTIME, _REAL_ASCTIME, _REAL_TIMES = time.ctime, time.asctime, os.times

_MONOTONIC = frozenset(
    getattr(time, name)
    for name in ("CLOCK_MONOTONIC", "CLOCK_MONOTONIC_RAW", "CLOCK_BOOTTIME")
    if hasattr(time, name)
)


def _clock_gettime(clock: int) -> float:
    """Stand in for `time.clock_gettime`: clocks of the processor stay real."""
    if current_actor() is not None and clock in {time.CLOCK_REALTIME, *_MONOTONIC}:
        return time.time() if clock == time.CLOCK_REALTIME else time.monotonic()
    return float(_REAL_GETTIME(clock))


def _clock_gettime_ns(clock: int) -> int:
    """Stand in for `time.clock_gettime_ns`, likewise."""
    if current_actor() is not None and clock in {time.CLOCK_REALTIME, *_MONOTONIC}:
        return time.time_ns() if clock == time.CLOCK_REALTIME else time.monotonic_ns()
    return int(_REAL_GETTIME_NS(clock))


def _ctime(seconds: float | None = None) -> str:
    """Stand in for `time.ctime`."""
    is_now = seconds is None and current_actor() is not None
    return _REAL_CTIME(time.time() if is_now else seconds)


def _asctime(*parts: Any) -> str:
    """Stand in for `time.asctime`."""
    is_now = not parts and current_actor() is not None
    return _REAL_ASCTIME(*([time.localtime()] if is_now else parts))


def _times() -> os.times_result:
    """Stand in for `os.times`: what was spent of the processor stays real."""
    spent = _REAL_TIMES()
    elapsed = spent.elapsed if current_actor() is None else time.monotonic()
    return os.times_result((*spent[:4], elapsed))


_OTHER_CLOCKS: list[tuple[Any, Any]] = [
    (real, stand_in)
    for real, stand_in in (
        (_REAL_GETTIME, _clock_gettime), (_REAL_GETTIME_NS, _clock_gettime_ns),
        (_REAL_CTIME, _ctime), (_REAL_ASCTIME, _asctime), (_REAL_TIMES, _times),
    )
    if real is not None
]  # fmt: skip
"""Functions that freezegun does not know, each with its stand-in."""


def stays_frozen() -> set[int]:
    """Return the identities of frozen functions and classes that other code still uses afterwards.

    That is so when other code has frozen time, too.
    """
    import freezegun.api

    is_anothers = len(freezegun.api.freeze_factories) > 1
    return {identity(fake) for _, fake in frozen_pairs()} if is_anothers else set()


@contextmanager
def frozen(clock: VirtualClock) -> Iterator[None]:
    """Make ``time``, ``datetime`` and all names imported from them show ``clock``.

    If time was frozen before, that frozen time is restored at the end.
    """
    ours = _Frozen()
    try:
        ours.begin()
        clock.listen(ours.move)
        clock.remember, clock.complaint = ours.remember, ours.complaint
        with derived_from_real_dates(), _sizes_differ():
            yield
    finally:
        clock.remember = clock.complaint = lambda: None
        clock.silence(ours.move)
        ours.end()


@contextmanager
def _sizes_differ() -> Iterator[None]:
    """Let modules of C be imported that find a stand-in where they expect a class of ``datetime``.

    Cython compares the sizes of the objects of both, and warns; where warnings are errors, the
    import would fail.
    """
    warnings.filterwarnings("ignore", r"datetime\.(date|datetime) size changed", RuntimeWarning)
    ours = warnings.filters[0]
    try:
        yield
    finally:
        filters: Any = warnings.filters  # a list, though it is declared as a sequence
        if ours in filters:
            filters.remove(ours)


_CLOCKS = (
    *((datetime_module, name) for name in ("date", "datetime")),
    *(
        (time, name)
        for name in dir(time)
        if callable(getattr(time, name)) and name != "struct_time"
    ),
)
"""What shows the time, or lets it pass, and what only converts one."""


class _Frozen:
    """Virtual time, on top of any time that was frozen before."""

    def __init__(self) -> None:
        import freezegun
        import freezegun.api

        self._api: Any = freezegun.api
        self._freezer: Any = freezegun.freeze_time(EPOCH, ignore=_REAL_TIME)
        self._factory: Any = None
        self._quick: _Quick | None = None
        self._is_disturbed = False
        self._stacks = [
            (stack, len(stack))
            for stack in (
                self._api.freeze_factories, self._api.ignore_lists, self._api.tick_flags,
                self._api.tz_offsets,
            )
        ]  # fmt: skip
        self._before = list(self._api.freeze_factories)
        self._instants = [factory.time_to_freeze for factory in self._before]
        self._freezers: Any = type(self._freezer)  # freezing time starts one of them
        self._patches = Patches()
        self._in_place = dict[tuple[ModuleType, str], Any]()  # when the execution began

    def begin(self) -> None:
        """Freeze time."""
        freezer = self._freezer
        # Needed by `stop`, if it is called before `start` has finished.
        freezer.reals, freezer.fake_names, freezer.modules_at_start = {}, (), set(sys.modules)
        with _few_modules_scanned(self._api):
            self._factory = freezer.start()
        freezer.modules_at_start = set(sys.modules)
        self._factory.__class__ = type("Passing", (type(self._factory),), {"__call__": _shown})
        freezer.ignore = ()  # modules imported meanwhile are restored, whatever their name
        # Ignored modules were left unpatched just now. From here on no callers are inspected: code
        # under test that our own frames call must see virtual time.
        self._api.ignore_lists[-1] = ()
        if not self._before:
            self._quick = _Quick(freezer, self._factory)
        self._patches.wrap(self._freezers, "start", self._watched)
        for real, stand_in in _OTHER_CLOCKS:
            owner = os if stand_in is _times else time
            self._patches.put(owner, real.__name__, stand_in)

    def _watched(self, start: Callable[..., Any]) -> Callable[..., Any]:
        def watched(freezer: Any) -> Any:
            execution = controlled()
            if execution is not None and execution.controller.phase == "race":
                self._is_disturbed = True
            return start(freezer)

        return watched

    def move(self, instant: datetime) -> None:
        """Set the shown time to ``instant``."""
        self._factory.time_to_freeze = instant.replace(tzinfo=None)
        if self._quick is not None:
            self._quick.seconds = instant.timestamp()

    def remember(self) -> None:
        """Note the clocks that `time` and `datetime` have as an execution begins."""
        self._in_place = {(module, name): getattr(module, name, None) for module, name in _CLOCKS}

    def complaint(self) -> str | None:
        """Return an error message if other code has changed the shown time meanwhile; else None."""
        is_disturbed, self._is_disturbed = self._is_disturbed, False
        factories = self._api.freeze_factories
        if (
            is_disturbed
            or len(factories) <= len(self._before)
            or factories[-1] is not self._factory
        ):
            return _FROZEN_INSIDE
        if self._before and [one.time_to_freeze for one in self._before] != self._instants:
            return _MOVED_INSIDE
        for (module, name), clock in self._in_place.items():
            if getattr(module, name, None) is not clock:
                return _REPLACED_INSIDE.format(f"{module.__name__}.{name}")
        return None

    def end(self) -> None:
        """Undo all freezing since the beginning, including any that other code forgot to undo."""
        self._patches.undo()
        for stack, depth in self._stacks:
            del stack[depth:]
        if self._before:
            return
        for stack, _ in self._stacks:
            stack.append(None)  # for `stop` to remove
        for real in (self._api.real_datetime, self._api.real_date):
            copyreg.dispatch_table.setdefault(real, _nothing)
        self._freezer.stop()


@contextmanager
def _few_modules_scanned(api: Any) -> Iterator[None]:
    """Hide modules without clocks from freezegun, and let it recognise others by their size.

    It would look at each module of the process, and compare the names of those that it has scanned
    before: that took more than half of the set-up of a check in a process with a thousand modules.
    Modules under test are still compared by names. A freezegun version that is written in another
    way is unchanged.
    """
    under_test = set(map(identity, modules_under_test()))
    with Patches() as replaced:
        if getattr(api, "sys", None) is sys:
            replaced.put(api, "sys", _FewModules(modules_to_scan(under_test)))
        by_names = getattr(api, "_get_module_attributes_hash", None)
        if by_names is not None:
            by_size = partial(_size_of_module, under_test, by_names)
            replaced.put(api, "_get_module_attributes_hash", by_size)
        yield


def _size_of_module(under_test: set[int], by_names: Any, module: ModuleType) -> str:
    if identity(module) in under_test:
        return str(by_names(module))
    return f"{id(module)}-{len(members_of(module))}"


class _FewModules:
    """The module ``sys``, in which only these are imported."""

    def __init__(self, modules: dict[str, Any]) -> None:
        self.modules = modules

    def __getattr__(self, name: str) -> Any:
        return getattr(sys, name)


def modules_to_scan(under_test: set[int]) -> dict[str, Any]:
    """Return the imported modules that may have a clock among their globals.

    The others are known by their size from then on, unless code answers for their globals.
    """
    found = {}
    for name, module in sys.modules.copy().items():
        if type(module) is ModuleType and identity(module) not in under_test:
            size = (identity(module), len(vars(module)))
            if _without_clocks.get(name) == size:
                continue
            if _with_clocks.get(name) != size:
                if not _may_have_clocks(vars(module)):
                    _without_clocks[name] = size
                    continue
                _with_clocks[name] = size
        found[name] = module
    return found


def _may_have_clocks(members: dict[str, Any]) -> bool:
    values = map(identity, members.values())
    return not (_ANSWERS.isdisjoint(members) and _clocks().isdisjoint(values))


@cache
def _clocks() -> frozenset[int]:
    return frozenset(identity(clock) for pair in frozen_pairs() for clock in pair)


_ANSWERS = frozenset({"__getattr__", "__dir__"})

_with_clocks: dict[str, tuple[int, int]] = {}
_without_clocks: dict[str, tuple[int, int]] = {}
"""The names of such modules, with the identity and the size of each."""


def _nothing(_moment: Any) -> str:
    raise AssertionError("it is taken away at once")


def _shown(factory: Any) -> datetime:
    """Return the time that a freezegun factory shows."""
    instant: datetime = factory.time_to_freeze
    return instant + timedelta(microseconds=_passed())


def _passed() -> int:
    """Return the logical clock, in microseconds, of the code that reads the clock now."""
    name = reader()
    if is_of_client(name):
        return 0
    if here.actor is not None:
        here.controller.record.readings += 1
    actor = current_actor() if is_under_test_name(name) else None
    execution = None if actor is None else controlled()
    if actor is None or execution is None:
        return 0
    is_step = _take_step(execution, actor, name)
    _note_stopped_clock(execution, actor, name)
    passed = execution.readings.next(actor, is_step=is_step)
    note_if_shown_to_two(execution, actor, passed, name)
    return passed


def _take_step(execution: ExecutionContext, actor: Actor, name: str) -> bool:
    """Take a step before a reading if two users of that module may be shown one time.

    A coroutine takes none: what it reads belongs to the footprint of its last step.
    """
    controller = execution.controller
    if controller.memory is None or name not in controller.memory.sharing.clocks:
        return False
    if actor.is_task:
        return bool(controller.memory.join_reading(actor, ORDER))
    users = sum("/" not in one for one in controller.actors)
    is_step = execution.readings.count_reading(actor, users)
    if is_step:
        execution.step(f"read the clock ({name})", ORDER, kind="memory")
    return is_step


def _note_stopped_clock(execution: ExecutionContext, actor: Actor, name: str) -> None:
    """Note where an early tick could have come beside this reading, but there is no switch point.

    The code before an actor's first step becomes a step of its own. Elsewhere the clock stands
    still between two readings of one step, and between a command and the reading after it: both
    bound the verdict.
    """
    is_repeated = execution.readings.note_reading(actor)
    controller = execution.controller
    is_entry = controller.fused is actor and not actor.is_task
    is_after_timed = not is_entry and controller.has_taken_timed(actor)
    if not (is_repeated or is_entry or is_after_timed) or not controller.could_tick():
        return
    if is_entry and controller.parting is not None:
        controller.parting.sharing.note_start(actor.name)
    if is_repeated:
        controller.simplify(f"no time passing between readings of the clock in one step ({name})")
    if is_after_timed:
        controller.simplify(f"no time passing after a step until the clock is read ({name})")


class _Quick:
    """Fast versions of ``time.time`` and others, without freezegun's conversion through a date.

    Client libraries read the time several times a command. When other code freezes time on top of
    this, freezegun's own functions answer.
    """

    def __init__(self, freezer: Any, factory: Any) -> None:
        self.seconds = 0.0
        for name in ("time", "monotonic", "perf_counter"):
            # By this table freezegun restores names in modules imported meanwhile.
            slow = getattr(time, name)
            stand_in = self._stand_in(slow, factory)
            freezer.reals[id(stand_in)] = freezer.reals[id(slow)]
            setattr(time, name, stand_in)
        slow_ns = time.time_ns
        show_ns = self._stand_in_ns(slow_ns, factory)
        freezer.reals[id(show_ns)] = freezer.reals[id(slow_ns)]
        time.time_ns = show_ns

    def _stand_in(self, slow: Callable[[], float], factory: Any) -> Callable[[], float]:
        from freezegun.api import freeze_factories

        @wraps(slow)
        def show() -> float:
            is_ours = bool(freeze_factories) and freeze_factories[-1] is factory
            return self.seconds + _passed() * MICROSECOND if is_ours else slow()

        return show

    def _stand_in_ns(self, slow: Callable[[], int], factory: Any) -> Callable[[], int]:
        """Make a clock of nanoseconds, which a float would cut: two microseconds may be 1792 ns."""
        from freezegun.api import freeze_factories

        @wraps(slow)
        def show() -> int:
            is_ours = bool(freeze_factories) and freeze_factories[-1] is factory
            return (round(self.seconds * 1_000_000) + _passed()) * 1000 if is_ours else slow()

        return show
