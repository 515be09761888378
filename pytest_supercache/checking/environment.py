"""Sets up everything that executions need, once per check, and runs executions in it.

Layers, wrapped methods, virtual time and cooperative locks are made once; each execution only
resets them. Nothing of them is left when the environment is closed.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.execution import Execution
from pytest_supercache.core.fault import Vector
from pytest_supercache.core.schedule import Schedule, Scheduler
from pytest_supercache.core.settings import Exploration
from pytest_supercache.core.trace import Layers, Step
from pytest_supercache.declare import adapters
from pytest_supercache.declare.registry import REGISTRY
from pytest_supercache.layers.servers import AnyServer
from pytest_supercache.layers.stack import Stack
from pytest_supercache.runtime.aio.loop_tools import async_pairs, tools_watched
from pytest_supercache.runtime.aio.run_body import driven
from pytest_supercache.runtime.kernel.active import ActiveSwitch
from pytest_supercache.runtime.kernel.actor import Abandoned
from pytest_supercache.runtime.kernel.calling import current_actor, looking
from pytest_supercache.runtime.kernel.controller import Controller
from pytest_supercache.runtime.kernel.crew import Crew
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext
from pytest_supercache.runtime.kernel.expiries import Expiries
from pytest_supercache.runtime.kernel.faults import Injection
from pytest_supercache.runtime.kernel.record import Record
from pytest_supercache.runtime.kernel.state import stay
from pytest_supercache.runtime.kernel.thread_locals import LocalsOfTest
from pytest_supercache.runtime.kernel.timekeeper import Timekeeper
from pytest_supercache.runtime.kernel.watchdog import guard
from pytest_supercache.runtime.memory.finding import MemoryFinder, memory_found
from pytest_supercache.runtime.memory.sharing import Sharing
from pytest_supercache.runtime.observe.line_grain import lines_parted
from pytest_supercache.runtime.observe.watching import Watching
from pytest_supercache.runtime.process.django_databases import DjangoDatabases
from pytest_supercache.runtime.process.escape_detection import escapes_detected
from pytest_supercache.runtime.process.fingerprints import fingerprint
from pytest_supercache.runtime.process.garbage import Collector, break_cycles, collector_disabled
from pytest_supercache.runtime.process.interrupt import CtrlC, ctrl_c_heard
from pytest_supercache.runtime.process.isolation import Isolation
from pytest_supercache.runtime.process.late_stand_ins import real_primitives_released
from pytest_supercache.runtime.process.library_doors import LibraryDoors
from pytest_supercache.runtime.process.module_clients import clients_replaced
from pytest_supercache.runtime.process.native_connections import note_native_connections
from pytest_supercache.runtime.process.only_one import only_one
from pytest_supercache.runtime.process.pinned import pinned
from pytest_supercache.runtime.process.rebinding import Rebinding, cooperative
from pytest_supercache.runtime.process.seeded import Seeding, seeded
from pytest_supercache.runtime.process.state import ModuleState
from pytest_supercache.runtime.process.virtual_time import clock_pairs, frozen
from pytest_supercache.runtime.redis.async_doors import AsyncDoors
from pytest_supercache.runtime.redis.doors import Doors
from pytest_supercache.runtime.sql.sqlite import is_of_another_thread
from pytest_supercache.runtime.sync.derived_pools import derived_pools
from pytest_supercache.runtime.sync.pool_workers import workers_of
from pytest_supercache.search.replay import Replay
from pytest_supercache.world.ended import end
from pytest_supercache.world.history import Given
from pytest_supercache.world.unrun import ran
from pytest_supercache.world.world import World

if TYPE_CHECKING:
    from pytest_supercache.core.progress import Progress

Body = Callable[[World], Any]
Door = Doors | LibraryDoors | DjangoDatabases


_OF_ITS_THREAD = (
    "the body asks a threading.local for {!r}, which was set on the thread of the test. A body "
    "runs on a thread of its own: set it in the body, or keep it in a contextvars.ContextVar, with "
    "which a body begins"
)
_SQLITE_OF_ITS_THREAD = (
    "the body uses an SQLite connection that another thread has made. A body runs on a thread of "
    "its own: connect in the body, or with check_same_thread=False"
)


class SerialEnd(NamedTuple):
    """The outcome of a serial run."""

    broken: frozenset[str]
    """The guarantees that were broken."""
    answers: tuple[tuple[str, object], ...]
    """The answers to each user, as far as they are plain values."""
    commands: tuple[tuple[str, str], ...]
    """Actor and label of each command to a layer: these are steps in every run."""
    orders_readings: bool
    """Whether readings of the clock were steps: each shows a later time than those before it."""


class Observers(NamedTuple):
    """The observers of a check, and of what it leaves in the process."""

    on_step: "Callable[[Step], None] | None" = None
    """Called with each step of a race under a recorded schedule, before its effect."""
    on_execution: "Callable[[Progress], None] | None" = None
    """Called after each execution of a search."""
    judges: Mapping[str, str] = MappingProxyType({})
    """Fixtures and hooks that may judge what is left: their names in messages, by package."""


UNOBSERVED = Observers()


class CheckEnvironment:
    """Runs executions; made by :func:`open_environment`."""

    def __init__(
        self,
        stack: Stack,
        doors: tuple[Door, ...],
        rebinding: Rebinding,
        seeding: Seeding,
        state: ModuleState,
        isolation: Isolation,
        watching: Watching,
        settings: Exploration,
        given: Given,
        crew: Crew,
        ctrl_c: CtrlC,
        collector: Collector,
        finding: MemoryFinder,
    ) -> None:
        self.stack = stack
        self._crew = crew
        self._ctrl_c = ctrl_c
        self._collector = collector
        self._finding = finding
        self._watching = watching
        self._state = state
        self._isolation = isolation
        self._doors = doors
        self._rebinding = rebinding
        self._seeding = seeding
        self._settings = settings
        self._given = given
        self.globals_before: Mapping[str, int] = {}
        """Hashes of the module globals of the code under test before the search."""
        self.ways_out: dict[str, None] = {}
        """How code under test has left control, also in executions that are not judged."""
        self.locals_of_test = LocalsOfTest()
        self.replaced: tuple[str, ...] = ()
        """What fixtures have put in the place of code under test."""
        self.first_end: SerialEnd | None = None
        """The outcome of the very first run; None: unknown."""
        self.kept_before = ""
        """Why this check does not begin as in a fresh process; empty if it does."""
        self.filled_before = ""
        """How the first run of an earlier check of the same code differed; empty: none is known."""
        self.fills = False
        """Whether the first run of this check took other steps than later ones."""
        self.keeps = False
        """Whether this check has kept what no execution gives back."""
        self.observers = UNOBSERVED

    @property
    def given(self) -> frozenset[str]:
        """The resources that have content at the start of an execution."""
        return frozenset(f"{layer}:{key}" for layer, held in self._given.items() for key in held)

    @property
    def sharing(self) -> Sharing:
        """What is known of memory that actors share."""
        return self._finding.sharing

    def know(self, sharing: Sharing) -> None:
        """Know what another process has learnt about shared memory."""
        self._finding.sharing = sharing

    def as_recorded(self, schedule: Schedule | None) -> AbstractContextManager[None]:
        """Know only the shared memory that a recorded schedule names; None changes nothing."""
        return nullcontext() if schedule is None else self._finding.as_recorded(schedule.memory)

    def as_at_first(self) -> AbstractContextManager[None]:
        """Know as little of shared memory as the first execution of the check did."""
        return self._finding.as_at_first()

    def restore_own(self) -> None:
        """Restore the test's own memory, as far as the body uses it, to what it held at first."""
        self._finding.restore_own()

    def own_changed(self) -> list[str]:
        """Return the names of what does not hold what it held at first."""
        return self._finding.own_changed()

    def own_kept(self) -> AbstractContextManager[None]:
        """Restore in the end what the test's own memory holds now."""
        return self._finding.own_kept()

    def is_shared_in(self, schedule: Schedule | None) -> bool:
        """Say whether every step of a recorded schedule touched the memory of its node."""
        return schedule is not None and self.sharing.as_recorded(schedule.memory).is_everything

    @property
    def backend(self) -> str:
        """The server behind the existing cache, with its version."""
        return self.stack.existing_cache.server.description

    def execute(
        self,
        body: Body,
        scheduler: Scheduler,
        *,
        unlimited_ticks: bool = False,
        shared_memory: bool = False,
        record: bool = False,
        outside: bool = False,
        look: bool = False,
        ignores_time: bool = False,
        vector: Vector = (),
    ) -> Execution:
        """Run ``body`` once.

        Args:
            body: registers actors on the world it is given and runs them.
            scheduler: chooses the next actor.
            unlimited_ticks: early ticks have no budget (serial runs, replays).
            shared_memory: treat what happens between steps as memory of the node.
            record: keep the content of all layers after every step.
            outside: ask the scheduler on the calling thread (Hypothesis).
            look: read all layers in the end, even if the body does not settle.
            ignores_time: it does not matter for the verdict when steps are taken by the clock.
            vector: the faults that are to strike.

        Raises:
            SupercacheError: the body or the schedule is at fault, not the code under test.
            KeyboardInterrupt: Ctrl-C was pressed.
        """
        self._ctrl_c.raise_dropped()
        self._collector.enable()
        world: World | None = None

        def snapshot() -> Layers:
            assert world is not None, "steps are only taken in a world"
            with looking():
                return world.content()

        expiries = Expiries()
        faults = Injection(vector, assume=self._settings.assume)
        kept = Record(self.stack.clock, snapshot if record else None)
        time = self._timekeeper(
            expiries, unlimited=unlimited_ticks, ignores_time=ignores_time and not vector
        )
        controller = self._controller(scheduler, time, kept, faults, shared_memory=shared_memory)
        execution = ExecutionContext(controller, self.stack.switch, expiries, faults)
        execution.on_step = self.observers.on_step if isinstance(scheduler, Replay) else None
        world = World(self.stack, execution, self._given)
        self._collector.disable()
        self._start_over(execution)
        try:
            with self._under_control(execution, body):
                self.stack.clock.remember()
                whole = partial(_play, controller, body, world)
                actor = guard(execution, whole, self._settings.step_timeout, outside=outside)
            kept.close()  # the last step: no other one has followed
            self._name_real_time(controller, expiries)
            if controller.phase == "before":  # else the race has done it
                note_native_connections(controller)
            self._name_what_judges_miss(controller)
        finally:
            self._forget()
        failure = None if type(actor.error) is Abandoned else actor.error
        failure = self._mistake(failure) or failure
        if look:
            world.take_stock()
        found = self._noted(world.execution(failure or world.misuse()))
        break_cycles(controller, actor)
        end(world)
        return found

    @contextmanager
    def _under_control(self, execution: ExecutionContext, body: Body) -> Iterator[None]:
        finding = self._finding.during(execution, body)
        with finding, workers_of(execution), real_primitives_released(execution):
            yield

    def _noted(self, execution: Execution) -> Execution:
        """Note how code under test has left control; return the execution."""
        self.ways_out.update(dict.fromkeys(execution.ways_out))
        return execution

    def _controller(
        self,
        scheduler: Scheduler,
        time: Timekeeper,
        kept: Record,
        faults: Injection,
        *,
        shared_memory: bool,
    ) -> Controller:
        controller = Controller(
            scheduler,
            time,
            kept,
            shared_memory=shared_memory,
            enter_node=self._entering(faults),
            swaps_state=self._swaps_state(),
            grain=self._settings.grain,
        )
        controller.new_thread, controller.polls = self._crew.thread, self._settings.polls
        controller.hands_context_on = self._crew.hands_context_on
        controller.locals_of_test = self.locals_of_test
        controller.look_outside = note_native_connections
        return controller

    def _timekeeper(self, expiries: Expiries, *, unlimited: bool, ignores_time: bool) -> Timekeeper:
        return Timekeeper(
            self.stack.clock,
            ticks=self._settings.ticks,
            unlimited=unlimited,
            assume=self._settings.assume,
            expiry=partial(self._next_expiry, expiries),
            held=self.stack.bus.held_until,
            last_lease=self.stack.existing_cache.last_deadline,
            endings=(expiries.at, self.stack.existing_cache.leases),
            ignores_time=ignores_time,
        )

    def _start_over(self, execution: ExecutionContext) -> None:
        """Restore everything to its content at the start of every execution."""
        self._crew.begin()
        self._seeding.start(self._settings.seed)
        self._finding.restore()
        self._state.reset()
        self._isolation.reset()
        steps = execution.record.steps
        self.stack.reset(self._given, lambda: (len(steps), _current_name()))
        self.stack.open_to_faults(execution.published, execution.faults.skews)

    def _forget(self) -> None:
        """Discard what an execution has left: connections, contents of state, modules."""
        for door in self._doors:
            door.forget_connections()
        self.stack.existing_cache.forget_connections()
        self.stack.close_to_faults()
        self._state.leave()
        self._isolation.leave()

    def _mistake(self, error: BaseException | None) -> SupercacheError | None:
        """Return the error to report if an execution says nothing of the code under test.

        Args:
            error: what the body has raised, if anything.
        """
        complaint = self.stack.clock.complaint()  # that code did not see the clock of the check
        if complaint is None and (name := self.locals_of_test.missed_by(error)):
            complaint = _OF_ITS_THREAD.format(name)
        if complaint is None and is_of_another_thread(error):
            complaint = _SQLITE_OF_ITS_THREAD
        return None if complaint is None else SupercacheError(complaint)

    def _swaps_state(self) -> bool:
        return self._state.is_declared or self._isolation.is_used

    def _enter_node(self, node: str | None) -> None:
        """Give code what belongs to a node: contents of its state, its copies of modules."""
        self._state.enter(node)
        self._isolation.enter(node)

    def _next_expiry(self, expiries: Expiries, leases_only: bool) -> float | None:
        """Return when the next entry expires: a key of the existing cache, or one of a watch."""
        known = self.stack.deadlines(leases_only)
        watched = expiries.next(self.stack.clock.now(), leases_only=leases_only)
        if watched is not None:
            known.append(watched)
        return min(known) if known else None

    def steps_have_changed(self) -> bool:
        """Say whether an import or new knowledge changes footprints from now on."""
        has_noticed = self._watching.notice() | self._finding.notice() | self._state.notice()
        for door in self._doors:
            has_noticed |= door.notice()
        has_grown = self.sharing.take_growth() | self.stack.existing_cache.leases.take_growth()
        if not has_noticed:
            return has_grown
        pairs = [pair for door in self._doors for pair in door.pairs]
        self._rebinding.add([*self._watching.pairs, *pairs])
        self._rebinding.rebind_new_modules()
        return True

    def _entering(self, faults: Injection) -> Callable[[str | None], None]:
        """Return the callback that sets state and time whenever code of a node runs."""
        if not faults.skews:
            return self._enter_node if self._swaps_state() else stay

        def enter(node: str | None) -> None:
            self._enter_node(node)
            self.stack.clock.show_ahead(faults.ahead(node))

        return enter

    def _name_real_time(self, controller: Controller, expiries: Expiries) -> None:
        """Report a TTL that matters, on a server with real time, as a reason for UNKNOWN."""
        if controller.real_servers and expiries.has_any("existing_cache"):
            controller.hazard(
                f"a time to live was sent to a real server ({', '.join(controller.real_servers)}), "
                "whose time cannot be moved"
            )
        cache = self.stack.existing_cache
        expires = self._settings.faults is not None and "expire" in self._settings.faults.named()
        matters = (
            bool(cache.leases)
            or expires
            or self._settings.ticks != "auto"
            or self.stack.clock.now() > 0
        )
        if cache.keeps_real_time() and cache.timed and matters:
            controller.hazard(
                f"{min(cache.timed)}: keys of {self.backend} expire by real time, which cannot be "
                "moved; use the default backend, fakeredis, for flows in which time matters"
            )

    def _name_what_judges_miss(self, controller: Controller) -> None:
        """Report as a hazard the changed memory that a later judge will find restored."""
        judges = self.observers.judges
        if not judges:
            return
        for name, package in self._finding.changed_for_judges(judges).items():
            judge = judges.get(package) or next(iter(judges.values()))
            controller.hazard(
                f"{judge} may look at {name} after the check, and what an execution changes there "
                "is restored before the next one begins. Let the body of the test assert what must "
                "hold, or let a fixture make the object in which it collects failures"
            )

    def hash_globals(self) -> None:
        """Remember the content of the module globals, for :func:`not_deterministic`."""
        self.globals_before = fingerprint()

    def notice_new_modules(self) -> bool:
        """Make modules imported since cooperative; True if there were any."""
        return self._rebinding.rebind_new_modules()


@contextmanager
def open_environment(
    server: AnyServer,
    settings: Exploration,
    given: Given,
    *,
    state: Iterable[str] = (),
    clients: Iterable[str] = (),
    isolate: Iterable[str] = (),
) -> Iterator[CheckEnvironment]:
    """Set up an environment on ``server`` and take it down afterwards.

    Args:
        server: the one behind the existing cache.
        settings: how executions are to be run.
        given: the content of the layers at the start of each execution.
        state: module-level state of the code under test, ``"package.module:name"`` each.
        clients: Redis clients to lead to the existing cache, likewise.
        isolate: modules that each node imports for itself.

    Raises:
        SupercacheError: another check goes on in this process.
    """
    with ExitStack() as undo:
        undo.enter_context(only_one())
        finding = undo.enter_context(memory_found(settings))
        ctrl_c = undo.enter_context(ctrl_c_heard())  # left last: Ctrl-C may come during the undoing
        undo.enter_context(pinned())
        collector = undo.enter_context(collector_disabled())
        crew = Crew()
        undo.callback(crew.close)
        stack = Stack(server, ActiveSwitch())
        undo.callback(stack.close)
        libraries = LibraryDoors()
        doors: tuple[Door, ...] = (
            *(kind(stack.existing_cache, settings.grain) for kind in (Doors, AsyncDoors)),
            libraries,
            DjangoDatabases(lambda: stack.tmp_path),
        )
        for door in doors:
            undo.callback(door.close)
            door.open()
        module_state = ModuleState(dict.fromkeys(state), adapters.state(sys.modules))
        seeding = undo.enter_context(seeded())
        undo.enter_context(frozen(stack.clock))  # first: a clock that is watched shows frozen time
        watches = REGISTRY.watches.values()
        lines = undo.enter_context(lines_parted(watches, settings.grain))
        watching = Watching(watch for watch in watches if not watch.lines)
        undo.callback(watching.stop)
        watching.start()
        pairs = [*seeding.pairs, *clock_pairs(), *watching.pairs, *async_pairs(), *libraries.pairs]
        rebinding = undo.enter_context(cooperative(pairs))
        escapes = escapes_detected(server.addresses)
        of_code = clients_replaced(clients, stack.existing_cache), finding.remembered()
        for context in (derived_pools(), tools_watched(), escapes, *of_code):
            undo.enter_context(context)

        def prepare(copies: dict[str, ModuleType]) -> None:
            lines.add_copies(copies)
            finding.rewrite_copies(copies.values())
            rebinding.rebind_copies(copies.values(), watching.apply_to_copies(copies))

        isolation = Isolation(isolate, prepare)
        yield CheckEnvironment(
            stack, doors, rebinding, seeding, module_state, isolation, watching, settings, given,
            crew, ctrl_c, collector, finding,
        )  # fmt: skip


def _play(controller: Controller, body: Body, world: World) -> Any:
    return ran(driven(controller, body(world)), "the body", body)


def _current_name() -> str | None:
    actor = current_actor()
    return None if actor is None else actor.name
