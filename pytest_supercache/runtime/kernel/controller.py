"""Who goes next: the inline controller of one execution.

The thread that arrives at a switch point asks the scheduler itself and goes on without a handoff
when it is chosen again. One thread runs at a time, and only the thread with the baton gets here, so
nothing is locked. Only the watchdog (`runtime.kernel.watchdog`) looks in from outside.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from pytest_supercache.core.errors import ReplayDivergedError, SupercacheError
from pytest_supercache.core.footprint import ANYTHING
from pytest_supercache.core.schedule import CLOCK, Choices, Scheduler, is_fault
from pytest_supercache.core.switch import RUN, Background
from pytest_supercache.runtime.kernel import moves
from pytest_supercache.runtime.kernel.actor import (
    DONE,
    NEW,
    PARKED,
    RUNNING,
    Abandoned,
    Actor,
    ActorThread,
    Announced,
    BackgroundActor,
)
from pytest_supercache.runtime.kernel.alone import wait_alone
from pytest_supercache.runtime.kernel.baton import Baton
from pytest_supercache.runtime.kernel.before_race import freeze_start_state
from pytest_supercache.runtime.kernel.calling import be, be_nobody, current_actor
from pytest_supercache.runtime.kernel.ending import STEPS_MAX, let_leave, note_blocked, note_limit
from pytest_supercache.runtime.kernel.notes import Notes
from pytest_supercache.runtime.kernel.pacing import hand_over
from pytest_supercache.runtime.kernel.passing import pass_by, turn_of_loop
from pytest_supercache.runtime.kernel.polling import release_polls
from pytest_supercache.runtime.kernel.record import Record
from pytest_supercache.runtime.kernel.repeating import repeat
from pytest_supercache.runtime.kernel.timekeeper import Timekeeper
from pytest_supercache.runtime.kernel.under_test import own_mistake

if TYPE_CHECKING:
    from pytest_supercache.core.trace import Pending


def stay(_node: str | None) -> None:
    """Enter a node where no node has anything of its own."""


class Controller(Notes):
    """The state of one execution.

    Args:
        scheduler: is asked who goes next.
        time: moves the clock.
        record: keeps the steps.
        shared_memory: every step may touch the memory of its node.
        enter_node: swaps in the module-level state of a node.
        swaps_state: whether there is any.
        grain: where the points are at which choices are made.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        time: Timekeeper,
        record: Record,
        *,
        shared_memory: bool = False,
        enter_node: Callable[[str | None], None] = stay,
        swaps_state: bool = False,
        grain: str = "command",
    ) -> None:
        super().__init__(shared_memory=shared_memory, grain=grain)
        self.scheduler = scheduler
        self._script: Sequence[str] = getattr(scheduler, "script", ())
        self.time = time
        self.record = record
        self.enter_node = enter_node
        self._enters_nodes = enter_node is not stay
        self.swaps_state = swaps_state

        self.actors: dict[str, Actor] = {}
        self.phase = "before"
        self.choices: list[str] = []
        self.preemptions = 0
        self.loops: list[Any] = []  # event loops that run in this execution
        self.new_thread: Callable[..., ActorThread] = ActorThread
        self.polls = self.releases = 0  # see runtime.polling
        self.blocked: tuple[Pending, ...] = ()
        self.waiting: tuple[Pending, ...] = ()
        self.complete = True
        self.given_up = False  # by the watchdog
        self.progress = 0  # moves at every switch point; the watchdog reads it
        self.finished: Any = Baton()  # given when the race is over
        self.backgrounds: dict[str, BackgroundActor] = {}
        self.memory: Any = None  # what actors touch, if that is looked at
        self.ready: frozenset[str] = frozenset()  # at the last choice
        self.fused: Actor | None = None  # was chosen for the first time: entry and first step
        self._crash: BaseException | None = None
        self.mistake: Exception | None = None  # of this package, not of code under test

    def started(self) -> list[Actor]:
        """Return the actors that code under test has started itself."""
        return [actor for actor in self.actors.values() if actor.born]

    def leaving(self) -> bool:
        """Say whether the calling thread is only unwinding: its steps do not count any more."""
        actor = current_actor()
        return self.given_up or (actor is not None and actor.dismissed)

    # -- the race ------------------------------------------------------------------------------

    def race(self, actors: Iterable[Actor], backgrounds: Iterable[Background]) -> None:
        """Run every actor to its end, or until nobody can go on, under the schedule."""
        self.begin_race(actors, backgrounds)
        self.pass_on(self._next())
        self.finished.take()
        note_blocked(self)
        self.end_race()

    def begin_race(self, actors: Iterable[Actor], backgrounds: Iterable[Background]) -> None:
        """Know who takes part; nobody has been chosen yet."""
        self.phase = "race"
        freeze_start_state(self)
        self.actors = {actor.name: actor for actor in actors} | self.actors
        self.backgrounds = {work.name: BackgroundActor(work) for work in backgrounds}
        if self.memory is not None:
            self.memory.begin_race(self.actors.values(), self.backgrounds.values())
        self.time.has_moves = any(map(is_fault, self.backgrounds))
        hand_over(self)

    def end_race(self) -> None:
        """Let threads leave their code, and raise what ended the race before its end."""
        let_leave(self)
        self.phase = "settle"
        if self.given_up:
            raise Abandoned
        if self._crash is not None:
            raise self._crash

    # -- arriving and choosing -----------------------------------------------------------------

    def arrive(self, actor: Actor, announced: Announced) -> None:
        """Come to a switch point on the actor's own thread; returns when its step is taken.

        Raises:
            Abandoned: the execution has ended; leave.
        """
        if actor.is_task:
            pass_by(self, actor, announced)
            return
        if self.announce(actor, announced):
            return
        chosen = self._next()
        if chosen is not actor:
            self.pass_on(chosen)
            actor.baton.take()
            self.leave_if_over(actor)
        actor.state = RUNNING

    def announce(self, actor: Actor, announced: Announced) -> bool:
        """Note what an actor is about to do; True when it is done at once, else it is parked."""
        self.progress += 1
        self.leave_if_over(actor)
        self.record.close()
        if announced.deadline is not None:
            self._note_wait(actor, announced)
        actor.pending = announced
        if actor.direct:
            if not self.may_take(actor, announced):
                wait_alone(self, actor, announced)
            self.take(actor)
            return True
        if self.fused is actor:
            self.fused = None
            if self.may_take(actor, announced):
                self.take(actor)
                return True
        actor.state = PARKED
        return False

    def _note_wait(self, actor: Actor, announced: Announced) -> None:
        self.time.note_wait(actor, announced)
        if self.fused is actor:
            moves.read_clock(self, actor, announced)

    def ask(self) -> Actor | None:
        """Say who goes on, for an event loop that has nothing to do."""
        self.record.close()
        self.fused = None  # others have come up meanwhile
        return self._next()

    def leave_if_over(self, actor: Actor) -> None:
        """Raise Abandoned if the execution has ended."""
        if self.given_up or actor.dismissed:
            raise Abandoned

    def _next(self) -> Actor | None:
        """Ask the scheduler until an actor with a thread is chosen; None: the race is over."""
        if self.phase != "race":
            return None  # the body goes on
        try:
            while True:
                if self.loops and (turn := turn_of_loop(self.loops)) is not None:
                    return turn
                chosen = self._choose()
                if chosen is None:
                    return None
                actor = self.actors.get(chosen)
                if actor is None:
                    self._move(chosen)
                    continue
                if actor.state is NEW:
                    moves.begin(self, actor)
                else:
                    self.take(actor)
                return actor
        except BaseException as error:  # noqa: BLE001 - raised again where the race was begun
            self.crashed(error)
            self.mistake = self.mistake or own_mistake(error)
            self.complete = False
        return None

    def _move(self, chosen: str) -> None:
        """Let a pseudo-actor move."""
        if chosen == CLOCK:
            moves.tick(self)
        else:
            moves.perform(self, self.backgrounds[chosen])

    def _choose(self) -> str | None:
        at = len(self.choices)
        if not at:
            self.record.begin_race()
        if at < len(self._script) and repeat(self, self._script[at]):
            return self._script[at]
        enabled = self._enabled()
        if not enabled and release_polls(self):
            enabled = self._enabled()
        if not enabled or len(self.record.steps) >= STEPS_MAX:
            note_limit(self)
            return None
        name = self.record.last
        last = None if name is None else self.actors.get(name)
        resting = last is None or not last.in_flight
        choices = Choices(tuple(enabled), name, at, resting, self.record.steps)
        choice = self.scheduler.choose(choices)
        if choice is None:
            self.complete = False
            return None
        if choice not in enabled:
            raise ReplayDivergedError(
                f"at choice {at + 1} the scheduler says {choice!r}, but only "
                f"{', '.join(enabled)} may go on"
            )
        self.preemptions += choices.preempts(choice)
        self.choices.append(choice)
        return choice

    def _enabled(self) -> list[str]:
        enabled = []
        for name, actor in self.actors.items():
            state = actor.state
            if state is NEW or (state is PARKED and self.may_take(actor, actor.pending)):
                enabled.append(name)
        for name, work in self.backgrounds.items():
            if work.pending() is not None:
                enabled.append(name)
        self.ready = frozenset(enabled)
        if self.time.may_tick(self.actors.values(), self.ready):
            enabled.append(CLOCK)
        return enabled

    def is_ready(self, actor: Actor) -> bool:
        """Say whether an actor could go on."""
        is_parked = actor.state is PARKED
        return self.may_take(actor, actor.pending) if is_parked else actor.state is NEW

    def may_take(self, actor: Actor, announced: Announced | None) -> bool:
        """Say whether an actor may take the step that it has announced."""
        assert announced is not None, f"{actor.name} has announced nothing"
        wait = announced.wait
        if announced.fired:
            return wait is None or not wait.after or self.record.waits.is_set(wait.after)
        if wait is None and announced.recheck_from is None:
            return True
        if announced.recheck_from is not None:
            return self.record.wrote_since(announced.recheck_from, announced.footprint.reads)
        return self.record.allows(actor.name, wait)

    def pass_on(self, chosen: Actor | None) -> None:
        """Hand the baton to an actor; None: to the body."""
        if chosen is None:
            self.finished.give()
        elif chosen.state is NEW:
            chosen.state = RUNNING
            if self._enters_nodes:
                self.enter_node(chosen.node)
            chosen.begin(self.live, self.new_thread)
        else:
            chosen.wake()

    def live(self, actor: Actor) -> None:
        """Run an actor's code on its thread, then pass the baton on."""
        be(actor, self)
        try:
            if actor.born:
                actor.baton.take()
                self.leave_if_over(actor)
                actor.state = RUNNING
            actor.result = actor.target()
        except Abandoned:
            pass
        except SupercacheError as error:  # the scenario is at fault, not the code under test
            self.crashed(error)
        except BaseException as error:  # noqa: BLE001 - judged by the guarantee `answers`
            actor.error = error
        self.ended(actor)
        self._leave(actor)
        be_nobody()

    def _leave(self, actor: Actor) -> None:
        """Pass the baton on from a thread whose actor has ended."""
        finished = self.finished
        if self.given_up or actor.dismissed:
            finished.give()
            return
        self.record.close()
        chosen = self._next()

        def give() -> None:
            if self.given_up:  # while the thread was cleaned up
                finished.give()
            else:
                self.pass_on(chosen)

        if isinstance(actor.thread, ActorThread) and not self._enters_nodes:
            actor.thread.hand_on(give)
        else:  # another node's state is swapped in by code under test, which is somebody's
            give()

    def crashed(self, error: BaseException) -> None:
        """Keep what ended the execution before its end, to be raised where the race was begun."""
        self._crash = self._crash or error

    def ended(self, actor: Actor) -> None:
        """Note that an actor's code has come to its end."""
        if actor.section is not None:
            self.memory.sections.held_at_switch_point(actor)
        self.progress += 1
        actor.state, actor.pending = DONE, None
        if not actor.taken and not actor.dismissed and (self.fused is actor or not actor.is_task):
            moves.add_move(self, actor, RUN, "hand", ANYTHING)
        if self.fused is actor:
            self.fused = None

    # -- taking steps --------------------------------------------------------------------------

    def take(self, actor: Actor) -> None:
        """Record that an actor takes the step it has announced."""
        announced = actor.pending
        assert announced is not None, f"{actor.name} was chosen without a pending step"
        phase, choice = moves.place_of_step(self)
        pending = moves.all_pending(self) if self.record.is_full and choice is not None else ()
        self.record.take(actor, announced, phase, choice, pending)
        actor.outside += actor.operation is None or not actor.operations
        actor.taken += 1
        actor.is_by_hand = announced.kind == "hand"
        if actor.spin is not None and (announced.footprint.writes or announced.deadline):
            actor.spin = None
        actor.pending = None
        if self._enters_nodes:
            self.enter_node(actor.node)
