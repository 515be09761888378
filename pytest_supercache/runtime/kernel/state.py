"""Holds the state of one execution: its actors, the choices made, and which actors are enabled.

The controller runs actors; the modules that end an execution, take steps inside coroutines, or
record unannounced steps work on this state, too, without a controller.
"""

from collections.abc import Callable, Sequence
from typing import Any

from pytest_supercache.core.schedule import Scheduler
from pytest_supercache.core.trace import Pending, StepId
from pytest_supercache.core.waiting import is_enabled
from pytest_supercache.runtime.kernel.actor import (
    DONE,
    NEW,
    PARKED,
    Actor,
    ActorThread,
    Announced,
    BackgroundActor,
    leave,
)
from pytest_supercache.runtime.kernel.baton import Baton
from pytest_supercache.runtime.kernel.calling import current_actor
from pytest_supercache.runtime.kernel.notes import Notes
from pytest_supercache.runtime.kernel.record import Record
from pytest_supercache.runtime.kernel.thread_locals import LocalsOfTest
from pytest_supercache.runtime.kernel.timekeeper import Timekeeper


def stay(_node: str | None) -> None:
    """Do nothing on entering a node: nodes have no module-level state of their own."""


class ExecutionState(Notes):
    """The state of one execution.

    Args:
        scheduler: chooses the next actor.
        time: moves the clock.
        record: keeps the steps.
        shared_memory: every step may touch the memory of its node.
        enter_node: swaps in the module-level state of a node.
        swaps_state: whether there is any such state.
        grain: where the switch points are.
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
        self.script: Sequence[str] = getattr(scheduler, "script", ())
        self.is_replay: bool = getattr(scheduler, "is_replay", False)
        self.time = time
        self.record = record
        self.enter_node = enter_node
        self.enters_nodes = enter_node is not stay
        self.swaps_state = swaps_state

        self.actors: dict[str, Actor] = {}
        self.phase = "before"
        self.choices: list[str] = []
        self.preemptions = 0
        self.loops: list[Any] = []  # event loops that run in this execution
        self.left_tasks: list[Any] = []  # that did not end with their loop
        self.new_thread: Callable[..., ActorThread] = ActorThread
        self.locals_of_test = LocalsOfTest()
        self.hands_context_on = False  # whether a thread begins with its starter's variables
        self.look_outside: Callable[[Notes], object] = lambda _: None
        """Notes who else, outside of the controlled part, could end a wait that seems endless."""
        self.polls = self.releases = 0  # of questions that are repeated
        self.blocked: tuple[Pending, ...] = ()
        self.waiting: tuple[Pending, ...] = ()
        self.complete = True
        self.given_up = False  # by the watchdog
        self.progress = 0  # moves at every switch point; the watchdog reads it
        self.finished: Any = Baton()  # given when the race is over
        self.backgrounds: dict[str, BackgroundActor] = {}
        self.announced: dict[StepId, int] = {}  # after how many steps each step of a task was
        self.memory: Any = None  # the actors' memory accesses, if they are recorded
        self.timeless: Any = None  # marks the steps that early ticks do not depend on
        self.parting: Any = None  # tells which starts and answers are steps: that, or a `Parting`
        self.ready: frozenset[str] = frozenset()  # at the last choice
        self.fused: Actor | None = None  # chosen for the first time: entry and first step are one
        self.crash: BaseException | None = None
        self.mistake: Exception | None = None  # of this package, not of code under test

    def started(self) -> list[Actor]:
        """Return the actors that code under test has started itself."""
        return [actor for actor in self.actors.values() if actor.born]

    def leaving(self) -> bool:
        """Say whether the calling thread is only unwinding, so that its steps do not count."""
        actor = current_actor()
        return self.given_up or (actor is not None and actor.dismissed)

    def leave_if_over(self, actor: Actor) -> None:
        """Raise Abandoned if the execution has ended."""
        if self.given_up or actor.dismissed:
            leave(actor)

    def crashed(self, error: BaseException) -> None:
        """Keep an error that ended the execution early, to be raised where the race was begun."""
        self.crash = self.crash or error

    def is_ready(self, actor: Actor) -> bool:
        """Say whether an actor is enabled."""
        if actor.state is NEW:
            return actor.pending is None or self.may_take(actor, actor.pending)
        return actor.state is PARKED and self.may_take(actor, actor.pending)

    def may_take(self, actor: Actor, announced: Announced | None) -> bool:
        """Say whether an actor may take the step that it has announced."""
        assert announced is not None, f"{actor.name} has announced nothing"
        since, record = announced.recheck_from, self.record
        if announced.wait is None and since is None:
            return True
        return is_enabled(
            actor.name,
            announced.wait,
            record.waits.is_set,
            record.waits.states.get,
            fired=None if announced.deadline is None else announced.fired,
            news=None if since is None else record.wrote_since(since, announced.footprint.reads),
        )

    def could_tick(self) -> bool:
        """Say whether the clock could move early now, if there were a switch point here."""
        return self.phase == "race" and self.time.could_tick(self.actors.values())

    def has_taken_timed(self, actor: Actor) -> bool:
        """Say whether a thread's code goes on after a step that may depend on times to live."""
        steps = self.record.steps
        if not steps or steps[-1].actor != actor.name or actor.is_task or actor.direct:
            return False
        is_of_data = steps[-1].kind in {"command", "super_cache", "watched"}
        return is_of_data and not actor.inherited and self.time.has_expiries

    def place_of_step(self) -> tuple[str, int | None]:
        """Return the phase of a step that is taken now, and the index of its choice, if any.

        Steps of tasks before the first choice precede the race in every schedule.
        """
        if self.phase == "race" and self.choices:
            return "race", len(self.choices) - 1
        return ("before" if self.phase == "race" else self.phase), None

    def all_pending(self) -> tuple[Pending, ...]:
        """Return every actor's next step at the last choice; empty unless the record is full."""
        if not self.record.is_full:
            return ()
        found = [
            actor.as_pending(enabled=name in self.ready)
            for name, actor in self.actors.items()
            if actor.state is not DONE
        ]
        for name, work in self.backgrounds.items():
            announced = work.announced()
            if announced is not None and name in self.ready:
                found.append(Pending(name, announced.label, announced.footprint, enabled=True))
        return tuple(found)

    def take(self, actor: Actor) -> None:
        """Record that an actor takes the step it has announced."""
        announced = actor.pending
        assert announced is not None, f"{actor.name} was chosen without a pending step"
        phase, choice = self.place_of_step()
        pending = self.all_pending() if self.record.is_full and choice is not None else ()
        self.record.take(actor, announced, phase, choice, pending)
        actor.outside += actor.operation is None or not actor.operations
        actor.taken += 1
        actor.is_by_hand = announced.kind == "hand"
        if actor.spin is not None and (announced.footprint.writes or announced.deadline):
            actor.spin = None
        actor.pending = None
        if self.enters_nodes:
            self.enter_node(actor.node)
