"""Who goes next: the inline controller of one execution.

The thread that arrives at a switch point asks the scheduler itself and goes on without a handoff
when it is chosen again. One thread runs at a time; everything here is done by whoever has the
baton, so nothing is locked. Only the watchdog (:mod:`pytest_supercache.runtime.watchdog`) looks in
from outside.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from pytest_supercache.core.errors import ReplayDivergedError, SupercacheError
from pytest_supercache.core.footprint import EVERYTHING, Footprint, touches
from pytest_supercache.core.schedule import CLOCK, Choices, Scheduler
from pytest_supercache.core.settings import Assume
from pytest_supercache.core.switch import Background
from pytest_supercache.core.trace import Layers, Pending, Step
from pytest_supercache.core.waits import LockState, Wait, WaitState
from pytest_supercache.layers.clock import VirtualClock
from pytest_supercache.runtime.actor import (
    Abandoned,
    Actor,
    Announced,
    BackgroundActor,
    State,
    tick_step,
)
from pytest_supercache.runtime.baton import Baton

TICKS_MAX = 100
"""Forced ticks in one execution; more is UNKNOWN (design, search.md section 5)."""

STEPS_MAX = 10_000
"""Steps in one execution; more is UNKNOWN: something polls without waiting."""

SHARED_LAYERS = frozenset({"origin", "existing_cache"})
"""Layers that exist once; every other one exists once per node."""

UNWIND_SECONDS = 1.0
"""How long a parked actor may take to leave its code when an execution ends."""

_local = threading.local()


def current_actor() -> Actor | None:
    """Return the actor whose code the calling thread runs, if it is under control."""
    return getattr(_local, "actor", None)


class Controller:
    """The state of one execution: its actors, wait objects, steps and choices."""

    def __init__(
        self,
        clock: VirtualClock,
        scheduler: Scheduler,
        *,
        ticks: int | str = "auto",
        assume: Assume | None = None,
        shared_memory: bool = False,
        ttl_deadline: Callable[[bool], float | None] = lambda _leases_only: None,
        snapshot: Callable[[], Layers] | None = None,
        enter_node: Callable[[str | None], None] | None = None,
    ) -> None:
        self.clock = clock
        self.scheduler = scheduler
        self.early_ticks = 1 if ticks == "auto" else int(ticks)
        self.ttls_tick = ticks != "auto"
        self.assume = assume
        self.shared_memory = shared_memory
        self.ttl_deadline = ttl_deadline
        self.snapshot = snapshot
        self.enter_node = enter_node

        self.actors: dict[str, Actor] = {}
        self.backgrounds: dict[str, BackgroundActor] = {}
        self.waits: dict[str, WaitState] = {}
        self.steps: list[Step] = []
        self.choices: list[str] = []
        self.hazards: list[str] = []
        self.phase = "before"
        self.complete = True
        self.given_up = False  # by the watchdog
        self.timers_started = False
        self.blocked: tuple[Pending, ...] = ()
        self.progress = 0  # moves at every switch point; the watchdog reads it
        self.ticks = 0
        self.preemptions = 0
        self.finished = Baton()  # given when the race is over
        self._last: str | None = None
        self._fused: Actor | None = None
        self._unsnapped = False
        self._crash: BaseException | None = None
        self._ready_now: frozenset[str] = frozenset()

    # -- for the code under test -------------------------------------------------------------

    def step(
        self,
        label: str,
        footprint: Footprint,
        *,
        kind: str,
        wait: Wait | None = None,
        deadline: float | None = None,
        recheck_from: int | None = None,
    ) -> None:
        """Announce a step of the calling actor; returns when it may run."""
        actor = current_actor()
        assert actor is not None, f"{label!r} was announced by a thread that is not an actor's"
        footprint = self._widened(actor, footprint)
        announced = Announced(label, kind, footprint, wait, deadline, recheck_from=recheck_from)
        self._arrive(actor, announced)

    def wait_step(
        self, label: str, footprint: Footprint, wait: Wait, deadline: float | None
    ) -> bool:
        """Take a step on a wait object; False when its deadline passed first (a timeout wins)."""
        actor = current_actor()
        assert actor is not None, "only actors wait"
        announced = Announced(label, "lock", self._widened(actor, footprint), wait, deadline)
        self._arrive(actor, announced)
        return not announced.fired

    def _widened(self, actor: Actor, footprint: Footprint) -> Footprint:
        """Add what surrounds a step: the watched calls it is inside, and shared memory."""
        if actor.inherited:
            for outer in actor.inherited:
                footprint = footprint | outer
        if self.shared_memory and actor.node is not None:
            memory = frozenset({f"memory:{actor.node}"})
            footprint = footprint | Footprint(memory, memory)
        return footprint

    def answered(self, label: str) -> None:
        """Part the answer of a step from what the code does with it, in shared memory only."""
        if self.shared_memory:
            self.step(f"answer of {label}", Footprint(), kind="memory")

    @contextmanager
    def inside(self, label: str, footprint: Footprint) -> Iterator[None]:
        """Take the step before a watched call; steps inside it inherit its footprint."""
        self.step(label, footprint, kind="watched")
        actor = current_actor()
        assert actor is not None, "a watched call is announced by the actor that makes it"
        actor.inherited.append(footprint)
        try:
            yield
        finally:
            actor.inherited.pop()

    def enter(self, node: str | None) -> None:
        """Let module-level state be that of ``node``, whose code runs from here on."""
        if self.enter_node is not None:
            self.enter_node(node)

    def place_of(self, layer: str) -> str:
        """Name a layer's place for the calling actor: layers in a process exist once per node."""
        actor = current_actor()
        if layer in SHARED_LAYERS or actor is None or actor.node is None:
            return layer
        return f"{layer}@{actor.node}"

    def hazard(self, reason: str) -> None:
        """Note a reason why this execution proves nothing."""
        if reason not in self.hazards:
            self.hazards.append(reason)

    # -- the race ----------------------------------------------------------------------------

    def race(self, actors: list[Actor], backgrounds: list[Background]) -> None:
        """Run every actor to its end, or until nobody can go on, under the schedule."""
        self.phase = "race"
        self.actors = {actor.name: actor for actor in actors}
        self.backgrounds = {work.name: BackgroundActor(work) for work in backgrounds}
        self._pass_on(self._next())
        self.finished.take()
        self._close_step()
        self.blocked = tuple(
            actor.as_pending(enabled=False)
            for actor in actors
            if actor.state is not State.DONE and not actor.daemon and self.complete
        )
        self.unwind()
        self.phase = "settle"
        if self.given_up:
            raise Abandoned
        if self._crash is not None:
            raise self._crash

    def unwind(self) -> None:
        """Let parked actors leave their code, one after the other; locks come free on the way."""
        for actor in self.actors.values():
            actor.dismissed = True
            if actor.state is State.PARKED:
                actor.baton.give()
                if not self.finished.take_within(UNWIND_SECONDS):
                    self.hazard(f"{actor.name} did not leave its code when the execution ended")

    def leaving(self) -> bool:
        """Say whether the calling thread is only unwinding: its steps do not count any more."""
        actor = current_actor()
        return self.given_up or (actor is not None and actor.dismissed)

    def drain(self, works: Iterable[Background]) -> None:
        """Perform background work outside the race until nothing is pending, in this order."""
        works = list(works)
        taken = True
        while taken:
            taken = False
            for work in works:
                pending = work.pending()
                if pending is not None:
                    taken = True
                    self._close_step()
                    self._record_background(BackgroundActor(work), Announced(pending[0], "message", pending[1]))
                    work.perform()
        self._close_step()

    # -- arriving and choosing ---------------------------------------------------------------

    def _arrive(self, actor: Actor, announced: Announced) -> None:
        self.progress += 1
        if self.given_up or actor.dismissed:
            raise Abandoned
        self._close_step()
        if announced.deadline is not None and announced.kind != "user":
            self.timers_started = True
        if actor.direct:
            self._take_directly(actor, announced)
            return
        actor.pending = announced
        if self._fused is actor:
            self._fused = None
            if self._is_ready(actor):
                self._take(actor)
                return
        actor.state = State.PARKED
        chosen = self._next()
        if chosen is actor:
            actor.state = State.RUNNING
            return
        self._pass_on(chosen)
        actor.baton.take()
        if self.given_up or actor.dismissed:
            raise Abandoned
        actor.state = State.RUNNING

    def _next(self) -> Actor | None:
        """Ask the scheduler until an actor with a thread is chosen; None: the race is over."""
        try:
            while True:
                chosen = self._choose()
                if chosen is None:
                    return None
                if chosen == CLOCK:
                    self._tick()
                elif chosen in self.backgrounds:
                    self._perform(self.backgrounds[chosen])
                else:
                    actor = self.actors[chosen]
                    if actor.state is State.NEW:
                        self._fused = actor
                    else:
                        self._take(actor)
                    return actor
        except BaseException as error:  # noqa: BLE001 - ends the race on the body's thread instead
            self._crash = error
            self.complete = False
            return None

    def _choose(self) -> str | None:
        enabled = [actor.name for actor in self.actors.values() if self._is_ready(actor)]
        enabled += [name for name, work in self.backgrounds.items() if work.announced()]
        self._ready_now = frozenset(enabled)
        if self._may_tick(enabled):
            enabled.append(CLOCK)
        if not enabled or not self._within_limits():
            return None
        choices = Choices(tuple(enabled), self._last, len(self.choices), self._is_resting())
        choice = self.scheduler.choose(choices)
        if choice is None:
            self.complete = False
            return None
        if choice not in enabled:
            raise ReplayDivergedError(
                f"at choice {len(self.choices) + 1} the schedule says {choice!r}, but only "
                f"{', '.join(enabled)} may go on. The scenario or the code under test has changed, "
                "or it depends on real time or randomness."
            )
        self.preemptions += choices.preempts(choice)
        self.choices.append(choice)
        return choice

    def _is_resting(self) -> bool:
        last = self.actors.get(self._last) if self._last is not None else None
        return last is None or not last.in_flight

    def _within_limits(self) -> bool:
        if len(self.steps) < STEPS_MAX:
            return True
        self.hazard(
            f"an execution took {STEPS_MAX} steps without an end; something polls. Let it wait on "
            "a lock, an event or world.wait_until instead"
        )
        self.complete = False
        return False

    def _pass_on(self, chosen: Actor | None) -> None:
        if chosen is None:
            self.finished.give()
        elif chosen.state is State.NEW:
            self._start(chosen)
        else:
            chosen.baton.give()

    def _start(self, actor: Actor) -> None:
        actor.state = State.RUNNING
        self.enter(actor.node)
        actor.thread = threading.Thread(
            target=self._live, args=(actor,), name=actor.name, daemon=True
        )
        actor.thread.start()

    def _live(self, actor: Actor) -> None:
        """Run an actor's code on its thread, then pass the baton on."""
        _local.actor = actor
        try:
            actor.result = actor.target()
        except Abandoned:
            pass
        except SupercacheError as error:  # the scenario is at fault, not the code under test
            self._crash = self._crash or error
        except BaseException as error:  # noqa: BLE001 - judged by the guarantee `answers`
            actor.error = error
        self.progress += 1
        actor.state = State.DONE
        actor.pending = None
        if self.given_up or actor.dismissed:
            self.finished.give()
            return
        self._close_step()
        if self._fused is actor:
            self._fused = None
        self._pass_on(self._next())

    # -- taking steps ------------------------------------------------------------------------

    def _is_ready(self, actor: Actor) -> bool:
        if actor.state is State.NEW:
            return True
        announced = actor.pending
        if actor.state is State.DONE or announced is None:
            return False
        if announced.fired:
            return True
        if announced.deadline is not None and announced.wait is None:
            return False
        if announced.recheck_from is not None:
            written = self.steps[announced.recheck_from :]
            return any(touches(step.footprint.writes, announced.footprint.reads) for step in written)
        return self._allows(actor.name, announced.wait)

    def _allows(self, actor: str, wait: Wait | None) -> bool:
        if wait is None or not wait.guarded:
            return True
        return self.waits[wait.object].allows(actor, wait.verb)

    def _take(self, actor: Actor) -> None:
        announced = actor.pending
        assert announced is not None, f"{actor.name} was chosen without a pending step"
        self._record(actor.name, actor.node, actor.taken, announced, actor.operation)
        actor.taken += 1
        actor.pending = None
        self.enter(actor.node)

    def _take_directly(self, actor: Actor, announced: Announced) -> None:
        if announced.deadline is not None and announced.deadline > self.clock.now():
            self.clock.move_to(announced.deadline)
            announced.fired = True
        if not announced.fired and not self._allows(actor.name, announced.wait):
            assert announced.wait is not None
            raise ReplayDivergedError(
                f"{actor.name} would wait for ever at {announced.label!r}: it runs alone (before, "
                f"after or outside the race), and {self.waits[announced.wait.object]} is not free"
            )
        actor.pending = announced
        self._take(actor)

    def _perform(self, background: BackgroundActor) -> None:
        announced = background.announced()
        assert announced is not None, f"{background.name} was chosen without anything to do"
        self._record_background(background, announced)
        background.work.perform()
        self._close_step()

    def _record_background(self, background: BackgroundActor, announced: Announced) -> None:
        self._record(background.name, background.node, background.taken, announced, None)
        background.taken += 1

    def _record(
        self, name: str, node: str | None, index: int, announced: Announced, operation: int | None
    ) -> None:
        racing = self.phase == "race"
        step = Step(
            name,
            index,
            announced.label,
            announced.kind,
            announced.footprint,
            node,
            self.phase,
            operation,
            len(self.choices) - 1 if racing else None,
            announced.wait,
            time=self.clock.now(),
        )
        if racing:
            step.pending = self._all_pending()
        if announced.wait is not None and not announced.fired:
            step.wait_before = self.waits[announced.wait.object]
            step.wait_after = step.wait_before.after(name, announced.wait.verb)
            self.waits[announced.wait.object] = step.wait_after
        self.steps.append(step)
        self._last = name
        self._unsnapped = self.snapshot is not None

    def _all_pending(self) -> tuple[Pending, ...]:
        ready = self._ready_now
        return tuple(
            actor.as_pending(enabled=actor.name in ready)
            for actor in self.actors.values()
            if actor.state is not State.DONE
        ) + tuple(
            Pending(name, announced.label, announced.footprint, enabled=True)
            for name, work in self.backgrounds.items()
            if (announced := work.announced()) is not None
        )

    def _close_step(self) -> None:
        """Record what every layer holds, now that the effect of the last step is complete."""
        if self._unsnapped and self.snapshot is not None:
            self.steps[-1].layers = self.snapshot()
            self._unsnapped = False

    # -- time --------------------------------------------------------------------------------

    def _deadline(self) -> float | None:
        """Return the next instant at which something happens by itself."""
        now = self.clock.now()
        deadlines = [
            actor.pending.deadline
            for actor in self.actors.values()
            if actor.pending is not None
            and actor.pending.deadline is not None
            and not actor.pending.fired
        ]
        expiry = self.ttl_deadline(not self.ttls_tick)
        if expiry is not None and expiry > now:
            deadlines.append(expiry)
        return min(deadlines, default=None)

    def _may_tick(self, enabled: list[str]) -> bool:
        """Say whether the clock may move: forced when nobody can go on, else as a choice."""
        if not enabled:
            waiting = any(
                actor.pending is not None and actor.pending.deadline is not None
                for actor in self.actors.values()
            )
            return waiting and self._deadline() is not None and self._count_forced_tick()
        if self.early_ticks < 1 or not (self.timers_started or self.ttls_tick):
            return False
        deadline = self._deadline()
        if deadline is None:
            return False
        if self.assume is None:
            return True
        moved = deadline - self.clock.now()
        return all(
            actor.carried + moved < self.assume.pause
            for actor in self.actors.values()
            if actor.in_flight and actor.name in self._ready_now
        )

    def _count_forced_tick(self) -> bool:
        if self.ticks < TICKS_MAX:
            return True
        self.hazard(f"the clock was moved {TICKS_MAX} times and somebody still waits")
        self.complete = False
        return False

    def _tick(self) -> None:
        deadline = self._deadline()
        assert deadline is not None, "the clock was chosen without a deadline"
        moved = deadline - self.clock.now()
        if self._ready_now:
            self.early_ticks -= 1
        for actor in self.actors.values():
            if actor.in_flight and actor.name in self._ready_now:
                actor.carried += moved
        everything = frozenset({EVERYTHING})
        step = tick_step(f"+{moved * 1000:g} ms", self.ticks, Footprint(everything, everything))
        step.phase, step.choice = self.phase, len(self.choices) - 1
        step.pending = self._all_pending()
        self._close_step()
        self.clock.move_to(max(deadline, self.clock.now()))
        step.time = self.clock.now()
        self.steps.append(step)
        self.ticks += 1
        self._unsnapped = self.snapshot is not None
        self._close_step()
        for actor in self.actors.values():
            pending = actor.pending
            if pending is not None and pending.deadline is not None:
                pending.fired = pending.fired or pending.deadline <= self.clock.now()

    def name_foreign_thread(self) -> None:
        """Note that a thread which is not an actor reached a place that we watch."""
        name = threading.current_thread().name
        self.hazard(
            f"the code under test has started a thread of its own ({name}); such threads are not "
            "controlled in this version"
        )

    # -- wait objects ------------------------------------------------------------------------

    def wait_state(self, name: str, initial: WaitState) -> WaitState:
        """Return the state of a wait object, which begins as ``initial``."""
        return self.waits.setdefault(name, initial)

    def force(self, name: str, state: WaitState) -> None:
        """Set a wait object without a step: while an abandoned execution unwinds."""
        self.waits[name] = state


def run_alone(controller: Controller, name: str, target: Callable[[], Any]) -> Actor:
    """Run ``target`` on a thread of its own whose steps are taken at once; returns when it ended.

    The caller must be outside: it waits for ``actor.baton`` under the watchdog.
    """
    actor = Actor(name, None, target, direct=True)

    def live() -> None:
        _local.actor = actor
        try:
            actor.result = target()
        except BaseException as error:  # noqa: BLE001 - handed to the caller
            actor.error = error
        actor.state = State.DONE
        controller.progress += 1
        actor.baton.give()

    actor.thread = threading.Thread(target=live, name=name, daemon=True)
    return actor


FREE_LOCK = LockState()
