"""Asks the scheduler at each switch point, and runs the chosen actor.

The thread that arrives at a switch point asks the scheduler itself and continues without a handoff
when it is chosen again. One thread runs at a time, and only the thread with the baton gets here, so
nothing is locked. Only the watchdog (`runtime.kernel.watchdog`) reads this state from outside.
"""

from collections.abc import Iterable
from contextvars import copy_context

from pytest_supercache.core.errors import ReplayDivergedError, SupercacheError
from pytest_supercache.core.execution import STEPS_MAX
from pytest_supercache.core.footprint import ANYTHING
from pytest_supercache.core.schedule import CLOCK, Choices, is_fault
from pytest_supercache.core.switch import RUN, Background
from pytest_supercache.core.waits import WaitsForEverError
from pytest_supercache.runtime.kernel import unannounced
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
    leave,
    refuse,
)
from pytest_supercache.runtime.kernel.blocking_calls import (
    note_effects_between,
    take_blocking_call,
    turn_of_loop,
)
from pytest_supercache.runtime.kernel.calling import bind_thread, current_actor, unbind_thread
from pytest_supercache.runtime.kernel.ending import (
    ends_here,
    let_leave,
    note_blocked,
    note_limit,
    unwind,
)
from pytest_supercache.runtime.kernel.pacing import hand_over
from pytest_supercache.runtime.kernel.state import ExecutionState
from pytest_supercache.runtime.kernel.timekeeper import TICKS_MAX
from pytest_supercache.runtime.kernel.timeless import Timeless
from pytest_supercache.runtime.kernel.under_test import own_mistake
from pytest_supercache.runtime.kernel.waking import waker

RELEASES_MAX = 100
"""How often blocked polls may be repeated although nothing has changed; more is UNKNOWN."""

STEPS_OF_OTHERS_MAX = 10_000
"""How many steps others may take during one wait of the body; more is UNKNOWN."""


class Controller(ExecutionState):
    """Runs the actors of one execution, one at a time, in the order its scheduler chooses."""

    # -- the race ------------------------------------------------------------------------------

    def race(self, actors: Iterable[Actor], backgrounds: Iterable[Background]) -> None:
        """Run the actors under the schedule until all have ended or none is enabled."""
        self.begin_race(actors, backgrounds)
        self.pass_on(self._next())
        self.finished.take()
        note_blocked(self)
        self.end_race()

    def begin_race(self, actors: Iterable[Actor], backgrounds: Iterable[Background]) -> None:
        """Register the actors and background work of the race, before the first choice."""
        self.phase = "race"
        self._freeze_start_state()
        self.actors = {actor.name: actor for actor in actors} | self.actors
        for actor in self.actors.values() if self.hands_context_on else ():
            if actor.state is NEW and not actor.is_task:
                actor.context = copy_context()
        self.backgrounds = {work.name: BackgroundActor(work) for work in backgrounds}
        if self.memory is not None:
            self.memory.begin_race(self.actors.values(), self.backgrounds.values())
        self.time.has_moves = any(map(is_fault, self.backgrounds))
        hand_over(self)

    def end_race(self) -> None:
        """Unwind the threads, and raise the error that ended the race early, if there is one."""
        if self.loops:
            note_effects_between(self)
        let_leave(self)
        self.phase = "settle"
        if self.given_up:
            leave(current_actor())
        if self.crash is not None:
            raise self.crash

    def _freeze_start_state(self) -> None:
        """Note which actors have begun, and enable polling actors if what they read has changed.

        Raises:
            SupercacheError: code does not see the clock that the search moves.
        """
        complaint = self.time.clock.complaint()
        if complaint is not None:
            raise SupercacheError(complaint)
        for actor in self.actors.values():
            pending = actor.pending if actor.state is PARKED else None
            if pending is not None and pending.recheck_from is not None and self.is_ready(actor):
                pending.recheck_from = None
        begun = [actor.name for actor in self.actors.values() if actor.state is not NEW]
        self.begun = tuple(begun)

    # -- arriving and choosing -----------------------------------------------------------------

    def arrive(self, actor: Actor, announced: Announced) -> None:
        """Announce a step on the actor's own thread, and return when it is taken.

        Raises:
            Abandoned: the execution has ended; leave.
        """
        if actor.is_task:
            take_blocking_call(self, actor, announced)
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
        """Register an actor's next step; True when it is taken at once, False: the actor parks."""
        self.progress += 1
        self.leave_if_over(actor)
        self.record.close()
        if announced.deadline is not None:
            self._note_wait(actor, announced)
        actor.pending = announced
        if actor.is_task and self.choices:
            self.announced[actor.name, actor.taken] = len(self.record.steps)
            if self.choices[-1] != actor.name:
                announced.cause = waker(self, actor)
        if actor.direct:
            self._take_alone(actor, announced)
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
            unannounced.read_clock(self, actor, announced)

    def ask(self) -> Actor | None:
        """Return the actor to run next, for an event loop that has nothing to do."""
        self.record.close()
        self.fused = None  # others have come up meanwhile
        return self._next()

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
                    self._take_unannounced(chosen)
                    continue
                if actor.state is NEW:
                    unannounced.begin(self, actor)
                else:
                    self.take(actor)
                return actor
        except BaseException as error:  # noqa: BLE001 - raised again where the race was begun
            self.crashed(error)
            self.mistake = self.mistake or own_mistake(error)
            self.complete = False
        return None

    def _take_unannounced(self, chosen: str) -> None:
        """Take the step of a pseudo-actor."""
        if chosen == CLOCK:
            unannounced.tick(self)
        else:
            unannounced.perform(self, self.backgrounds[chosen])

    def _choose(self) -> str | None:
        at = len(self.choices)
        if not at:
            self.record.begin_race()
        self._mark_timeless(at)
        for loop in self.loops:
            loop.ready.hold_back()
        if at < len(self.script) and self._repeat(self.script[at]):
            return self.script[at]
        enabled = self._enabled()
        if not enabled and self._release_polls():
            enabled = self._enabled()
        if not enabled or len(self.record.steps) >= STEPS_MAX:
            note_limit(self)
            return None
        name = self.record.last
        last = None if name is None else self.actors.get(name)
        resting = last is None or last.is_resting
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

    def _mark_timeless(self, at: int) -> None:
        """Mark the steps of the latest choice that an early tick does not depend on."""
        if not at and self.parting is not None and self.time.is_open:
            self.timeless = Timeless(self, self.parting.sharing)
        if self.timeless is not None:
            self.timeless.mark()

    def _repeat(self, choice: str) -> bool:
        """Make a choice of the script, if the other enabled actors need not be recorded.

        A preemption is counted as by :meth:`core.schedule.Choices.preempts`.

        Returns:
            False when nothing was done and the scheduler has to be asked.
        """
        if self.record.is_full or not self.time.is_idle:
            return False
        actor, last = self.actors.get(choice), self.record.last
        if actor is None or not self.is_ready(actor):
            return False
        if last is not None and last != choice:
            other = self.actors.get(last)
            if other is None:
                return False
            self.preemptions += self.is_ready(other)
        self.choices.append(choice)
        return True

    def _release_polls(self) -> bool:
        """Enable the blocked polls of non-daemon actors; False: none, or the limit is reached."""
        waiting = [
            actor.pending
            for actor in self.actors.values()
            if actor.state is PARKED and not actor.daemon and actor.pending is not None
            and actor.pending.polls and actor.pending.recheck_from is not None
        ]  # fmt: skip
        if not waiting:
            return False
        self.releases += 1
        if self.releases > RELEASES_MAX:
            self.hazard(
                f"{waiting[0].label!r} was asked {RELEASES_MAX} times while nothing else could go "
                "on; code that polls should wait on an event, a condition or a queue instead"
            )
            self.complete = False
            return False
        for pending in waiting:
            pending.recheck_from = None
        return True

    def _enabled(self) -> list[str]:
        enabled = []
        for name, actor in self.actors.items():
            if self.is_ready(actor):
                enabled.append(name)
        for name, work in self.backgrounds.items():
            if work.pending() is not None:
                enabled.append(name)
        self.ready = frozenset(enabled)
        is_busy = any(not loop.ready.is_empty for loop in self.loops)  # time passes later
        if not is_busy and self.time.may_tick(self.actors.values(), self.ready):
            enabled.append(CLOCK)
        return enabled

    def pass_on(self, chosen: Actor | None) -> None:
        """Hand the baton to ``chosen``; to the body if that is None."""
        if chosen is None:
            self.finished.give()
        elif chosen.state is NEW:
            chosen.state = RUNNING
            if self.enters_nodes:
                self.enter_node(chosen.node)
            chosen.begin(self.live, self.new_thread)
        else:
            chosen.wake()

    def live(self, actor: Actor) -> None:
        """Run an actor's code on its thread, then pass the baton on."""
        bind_thread(actor, self)
        try:
            if actor.born:
                actor.baton.take()
                self.leave_if_over(actor)
                actor.state = RUNNING
            actor.result = actor.run()
        except Abandoned:
            pass
        except SupercacheError as error:  # the scenario is at fault, not the code under test
            self.crashed(error)
        except BaseException as error:  # noqa: BLE001 - judged by the guarantee `answers`
            actor.error = error
        self.ended(actor)
        self._leave(actor)
        unbind_thread()

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

        if isinstance(actor.thread, ActorThread) and not self.enters_nodes:
            actor.thread.hand_on(give)
        else:  # another node's state is swapped in by code under test, which is somebody's
            give()

    def ended(self, actor: Actor) -> None:
        """Note that an actor's code has ended."""
        if actor.section is not None:
            self.memory.sections.held_at_switch_point(actor)
        self.progress += 1
        actor.state, actor.pending = DONE, None
        actor.ended_at = len(self.record.steps)
        if not actor.taken and not actor.dismissed and (self.fused is actor or not actor.is_task):
            unannounced.add_step(self, actor, RUN, "hand", ANYTHING)
        if self.fused is actor:
            self.fused = None

    # -- outside the race: others run only while the body waits, in a fixed order ---------------

    def _take_alone(self, body: Actor, announced: Announced) -> None:
        """Take a step of the body, if need be after steps of others.

        Raises:
            Abandoned: it takes steps without an end, or waits although the race has failed, which
                may have left locks behind that nobody will release.
        """
        if ends_here(self, body, announced):
            leave(body)
        if not self.may_take(body, announced):
            self._wait_alone(body, announced)
        self.take(body)

    def _wait_alone(self, body: Actor, announced: Announced) -> None:
        """Run other actors until the body may take its step.

        Raises:
            WaitsForEverError: no actor can end the wait.
        """
        moved = 0
        for _ in range(STEPS_OF_OTHERS_MAX):
            if self.may_take(body, announced):
                return
            if self.let_run():
                continue
            if announced.polls:  # nobody will change the answer: the code may do something else
                return
            moved += 1
            if moved > TICKS_MAX or not self.pass_time(announced):
                break
        else:
            self.hazard(f"{announced.label!r} waits while others take {STEPS_OF_OTHERS_MAX} steps")
        self.look_outside(self)
        would = f"{announced.label!r} would wait for ever: nothing else runs now that could end it"
        refuse(body, WaitsForEverError(would))

    def let_run(self) -> bool:
        """Run the first enabled thread to its next switch point; False: none is enabled."""
        for actor in list(self.actors.values()):
            if actor.born and not actor.dismissed and self.is_ready(actor):
                if actor.state is PARKED:
                    self.take(actor)
                self.pass_on(actor)
                self.finished.take()
                if self.given_up:
                    leave(current_actor())
                return True
        return False

    def drain(self, works: Iterable[Background]) -> None:
        """Perform background work outside the race, in this order, until nothing is pending."""
        backgrounds = [BackgroundActor(work) for work in works]
        taken = True
        while taken:
            taken = False
            for background in backgrounds:
                if background.announced() is not None:
                    taken = True
                    unannounced.perform(self, background)
            taken = taken or self.let_run()

    def pass_time(self, own: Announced | None = None, *, timer: float | None = None) -> bool:
        """Move the clock to the next deadline; False when nothing waits for time.

        Args:
            own: the step that the body waits to take.
            timer: when the next timer of the body's event loop is due.
        """
        clock = self.time.clock
        waiting = [] if own is None else [own]
        waiting += [
            actor.pending
            for actor in self.actors.values()
            if (actor.born or actor.is_task) and actor.waits_for_time and actor.pending is not None
        ]
        deadlines = [step.deadline for step in waiting if step.deadline is not None]
        if timer is not None:
            deadlines.append(timer)
        if not deadlines:
            return False
        clock.move_to(max(min(deadlines), clock.now()))
        for step in waiting:
            if step.deadline is not None and step.deadline <= clock.now():
                step.fired = True
                if step.wait is not None:
                    self.record.waits.fire((step.wait.timer,))
        return True

    def end_body(self) -> None:
        """Note the actors that are blocked at the end of the body, then unwind all of them.

        A non-daemon thread that waits for something no actor will do counts as blocked; one that
        waits for time is not judged.
        """
        actors = self.started()
        if not actors:
            return
        if self.complete and not self.given_up and not self.blocked:
            for _ in range(STEPS_OF_OTHERS_MAX):
                if not self.let_run():
                    break
            self.blocked += tuple(
                actor.as_blocked()
                for actor in actors
                if actor.state is PARKED and not actor.daemon and not actor.waits_for_time
            )
        unwind(self, actors)
