"""Who goes next: the inline controller of one execution.

The thread that arrives at a switch point asks the scheduler itself and goes on without a handoff
when it is chosen again. One thread runs at a time; everything here is done by whoever has the
baton, so nothing is locked. Only the watchdog (:mod:`pytest_supercache.runtime.watchdog`) looks in
from outside.
"""

from collections.abc import Callable, Iterable

from pytest_supercache.core.errors import ReplayDivergedError, SupercacheError
from pytest_supercache.core.footprint import ANYTHING, EVERYTHING, Footprint
from pytest_supercache.core.schedule import CLOCK, Choices, Scheduler
from pytest_supercache.core.switch import Background
from pytest_supercache.core.trace import Pending, Step
from pytest_supercache.runtime.actor import (
    Abandoned,
    Actor,
    ActorThread,
    Announced,
    BackgroundActor,
    State,
    WaitsForEverError,
)
from pytest_supercache.runtime.baton import Baton
from pytest_supercache.runtime.calling import be, current_actor
from pytest_supercache.runtime.record import Record
from pytest_supercache.runtime.timekeeper import TICKS_MAX, Timekeeper

STEPS_MAX = 10_000
"""Steps in one execution; more is UNKNOWN: something polls without waiting."""

UNWIND_SECONDS = 1.0
"""How long a parked actor may take to leave its code when an execution ends."""


class Controller:
    """The state of one execution.

    Args:
        scheduler: is asked who goes next.
        time: moves the clock.
        record: keeps the steps.
        shared_memory: every step may touch the memory of its node.
        enter_node: swaps in the module-level state of a node.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        time: Timekeeper,
        record: Record,
        *,
        shared_memory: bool = False,
        enter_node: Callable[[str | None], None] = lambda _node: None,
    ) -> None:
        self.scheduler = scheduler
        self.time = time
        self.record = record
        self.shared_memory = shared_memory
        self.enter_node = enter_node

        self.actors: dict[str, Actor] = {}
        self.phase = "before"
        self.choices: list[str] = []
        self.preemptions = 0
        self.hazards: list[str] = []
        self.simplified: list[str] = []
        self.blocked: tuple[Pending, ...] = ()
        self.waiting: tuple[Pending, ...] = ()
        self.complete = True
        self.given_up = False  # by the watchdog
        self.progress = 0  # moves at every switch point; the watchdog reads it
        self.finished = Baton()  # given when the race is over
        self._backgrounds: dict[str, BackgroundActor] = {}
        self._ready: frozenset[str] = frozenset()  # at the last choice
        self._fused: Actor | None = None  # was chosen for the first time: entry and first step
        self._crash: BaseException | None = None

    def hazard(self, reason: str) -> None:
        """Note a reason why this execution proves nothing."""
        if reason not in self.hazards:
            self.hazards.append(reason)

    def simplify(self, what: str) -> None:
        """Note what was taken for simpler than it is: the coverage sentence says so."""
        if what not in self.simplified:
            self.simplified.append(what)

    def leaving(self) -> bool:
        """Say whether the calling thread is only unwinding: its steps do not count any more."""
        actor = current_actor()
        return self.given_up or (actor is not None and actor.dismissed)

    # -- the race ------------------------------------------------------------------------------

    def race(self, actors: Iterable[Actor], backgrounds: Iterable[Background]) -> None:
        """Run every actor to its end, or until nobody can go on, under the schedule."""
        self.phase = "race"
        self.actors = {actor.name: actor for actor in actors}
        self._backgrounds = {work.name: BackgroundActor(work) for work in backgrounds}
        self._pass_on(self._next())
        self.finished.take()
        self.record.close()
        if self.complete:
            left = [actor for actor in self.actors.values() if actor.state is not State.DONE]
            self.waiting = tuple(actor.as_pending(enabled=False) for actor in left)
            self.blocked += tuple(
                actor.as_pending(enabled=False) for actor in left if not actor.daemon
            )
        self._unwind()
        self.phase = "settle"
        if self.given_up:
            raise Abandoned
        if self._crash is not None:
            raise self._crash

    def _unwind(self) -> None:
        """Let parked actors leave their code, one after the other; locks come free on the way."""
        for actor in self.actors.values():
            actor.dismissed = True
            if actor.state is State.PARKED:
                actor.baton.give()
                if not self.finished.take_within(UNWIND_SECONDS):
                    self.hazard(f"{actor.name} did not leave its code when the execution ended")

    def drain(self, works: Iterable[Background]) -> None:
        """Perform background work outside the race until nothing is pending, in this order."""
        backgrounds = [BackgroundActor(work) for work in works]
        taken = True
        while taken:
            taken = False
            for background in backgrounds:
                if background.announced() is not None:
                    taken = True
                    self._perform(background)

    # -- arriving and choosing -----------------------------------------------------------------

    def arrive(self, actor: Actor, announced: Announced) -> None:
        """Come to a switch point on the actor's own thread; returns when its step is taken.

        Raises:
            Abandoned: the execution has ended; leave.
        """
        self.progress += 1
        self._leave_if_over(actor)
        self.record.close()
        if announced.deadline is not None and not announced.is_paused and announced.kind != "user":
            self.time.timers_started = True
        actor.pending = announced
        if actor.direct:
            self._wait_alone(actor, announced)
            self._take(actor)
            return
        if self._fused is actor:
            self._fused = None
            if self._may_take(actor, announced):
                self._take(actor)
                return
        actor.state = State.PARKED
        chosen = self._next()
        if chosen is not actor:
            self._pass_on(chosen)
            actor.baton.take()
            self._leave_if_over(actor)
        actor.state = State.RUNNING

    def _leave_if_over(self, actor: Actor) -> None:
        if self.given_up or actor.dismissed:
            raise Abandoned

    def _next(self) -> Actor | None:
        """Ask the scheduler until an actor with a thread is chosen; None: the race is over."""
        try:
            while (chosen := self._choose()) is not None:
                if chosen == CLOCK:
                    self._tick()
                elif chosen in self._backgrounds:
                    self._perform(self._backgrounds[chosen])
                else:
                    actor = self.actors[chosen]
                    if actor.state is State.NEW:
                        self._begin(actor)
                    else:
                        self._take(actor)
                    return actor
        except BaseException as error:  # noqa: BLE001 - raised again where the race was begun
            self._crash = self._crash or error
            self.complete = False
        return None

    def _choose(self) -> str | None:
        enabled = [actor.name for actor in self.actors.values() if self._is_ready(actor)]
        enabled += [name for name, work in self._backgrounds.items() if work.announced()]
        self._ready = frozenset(enabled)
        if self.time.may_tick(self.actors.values(), self._ready):
            enabled.append(CLOCK)
        if self._is_over_limit(enabled) or not enabled:
            return None
        choices = Choices(
            tuple(enabled), self.record.last, len(self.choices), self._is_resting(),
            self.record.steps,
        )  # fmt: skip
        choice = self.scheduler.choose(choices)
        if choice is None:
            self.complete = False
            return None
        if choice not in enabled:
            raise ReplayDivergedError(
                f"at choice {len(self.choices) + 1} the scheduler says {choice!r}, but only "
                f"{', '.join(enabled)} may go on"
            )
        self.preemptions += choices.preempts(choice)
        self.choices.append(choice)
        return choice

    def _is_resting(self) -> bool:
        last = self.actors.get(self.record.last or "")
        return last is None or not last.in_flight

    def _is_over_limit(self, enabled: list[str]) -> bool:
        if len(self.record.steps) >= STEPS_MAX:
            self.hazard(
                f"an execution took {STEPS_MAX} steps without an end; something polls. Let it wait "
                "on a lock, an event or world.wait_until instead"
            )
        elif (
            self.time.is_exhausted
            and not enabled
            and any(actor.waits_for_time for actor in self.actors.values())
        ):
            self.hazard(f"the clock has moved {TICKS_MAX} times and somebody still waits for it")
        else:
            return False
        self.complete = False
        return True

    def _is_ready(self, actor: Actor) -> bool:
        if actor.state is not State.PARKED:
            return actor.state is State.NEW
        assert actor.pending is not None, f"{actor.name} is parked without a pending step"
        return self._may_take(actor, actor.pending)

    def _may_take(self, actor: Actor, announced: Announced) -> bool:
        if announced.fired:
            return True
        if announced.deadline is not None and announced.wait is None:
            return False
        if announced.recheck_from is not None:
            return self.record.wrote_since(announced.recheck_from, announced.footprint.reads)
        return self.record.allows(actor.name, announced.wait)

    def _pass_on(self, chosen: Actor | None) -> None:
        if chosen is None:
            self.finished.give()
        elif chosen.state is State.NEW:
            chosen.state = State.RUNNING
            self.enter_node(chosen.node)
            chosen.thread = ActorThread(
                target=self._live, args=(chosen,), name=chosen.name, daemon=True
            )
            chosen.thread.start()
        else:
            chosen.baton.give()

    def _live(self, actor: Actor) -> None:
        """Run an actor's code on its thread, then pass the baton on."""
        be(actor, self)
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
        if not actor.taken and not actor.dismissed:
            self._add_move(actor, "run", "hand", ANYTHING)
        if self.given_up or actor.dismissed:
            self.finished.give()
            return
        self.record.close()
        if self._fused is actor:
            self._fused = None
        self._pass_on(self._next())

    # -- taking steps --------------------------------------------------------------------------

    def _take(self, actor: Actor) -> None:
        announced = actor.pending
        assert announced is not None, f"{actor.name} was chosen without a pending step"
        racing = self.phase == "race"
        self.record.take(
            actor.name, actor.node, actor.taken, announced, phase=self.phase,
            operation=actor.operation,
            choice=len(self.choices) - 1 if racing else None,
            cause=actor.cause,
            pending=self._all_pending() if racing else (),
            point=actor.point if racing else None,
        )  # fmt: skip
        actor.move_on()
        self.enter_node(actor.node)

    def _wait_alone(self, actor: Actor, announced: Announced) -> None:
        """Outside the race there is nobody to wait for: time passes at once, a lock never frees."""
        clock = self.time.clock
        if announced.deadline is not None and announced.deadline > clock.now():
            if announced.wait is not None and self.record.allows(actor.name, announced.wait):
                return
            clock.move_to(announced.deadline)
            announced.fired = True
        elif not self.record.allows(actor.name, announced.wait):
            raise WaitsForEverError(
                f"{announced.label!r} would wait for ever: nothing else runs now that could end it"
            )

    def _perform(self, background: BackgroundActor) -> None:
        announced = background.announced()
        assert announced is not None, f"{background.name} was chosen without anything to do"
        racing = self.phase == "race"
        self.record.close()
        self.record.take(
            background.name, background.node, background.taken, announced, phase=self.phase,
            choice=len(self.choices) - 1 if racing else None,
            pending=self._all_pending() if racing else (),
            cause=background.work.cause,
        )  # fmt: skip
        background.taken += 1
        background.work.perform()
        self.record.close()

    def _begin(self, actor: Actor) -> None:
        """Choose an actor for the first time: its first lines run before its first step.

        In shared memory these lines are a step of their own.
        """
        self._fused = actor
        if self.shared_memory:
            self._fused = None
            memory = frozenset({f"memory:{actor.node}"})
            self._add_move(actor, "start", "memory", Footprint(memory, memory))
            actor.operation_began = actor.taken

    def _add_move(self, actor: Actor, label: str, kind: str, footprint: Footprint) -> None:
        """Record a choice of an actor that had no step to announce."""
        self.record.close()
        self.record.add(
            Step(
                actor.name, actor.taken, label, kind, footprint, actor.node,
                phase=self.phase, choice=len(self.choices) - 1, pending=self._all_pending(),
                time=self.time.clock.now(),
            )
        )  # fmt: skip
        self.record.last = actor.name
        actor.taken += 1

    def _tick(self) -> None:
        pending = self._all_pending()
        index = self.time.moved
        moved = self.time.tick(self.actors.values())
        everything = frozenset({EVERYTHING})
        self.record.add(
            Step(
                CLOCK, index, f"+{moved * 1000:g} ms", "clock", Footprint(everything, everything),
                phase=self.phase, choice=len(self.choices) - 1, pending=pending,
                time=self.time.clock.now(),
            )
        )  # fmt: skip
        self.record.close()

    def _all_pending(self) -> tuple[Pending, ...]:
        """Describe what everyone was about to do at the last choice."""
        return tuple(
            actor.as_pending(enabled=actor.name in self._ready)
            for actor in self.actors.values()
            if actor.state is not State.DONE
        ) + tuple(
            Pending(name, announced.label, announced.footprint, enabled=True)
            for name, work in self._backgrounds.items()
            if (announced := work.announced()) is not None
        )
