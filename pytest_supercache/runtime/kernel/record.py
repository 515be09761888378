"""Records an execution: its steps, its wait objects, and the content of layers after each step."""

from collections.abc import Callable

from pytest_supercache.core.footprint import EVERYTHING, touches
from pytest_supercache.core.trace import Layers, Pending, Step
from pytest_supercache.core.waiting import Waits
from pytest_supercache.layers.clock import VirtualClock
from pytest_supercache.runtime.kernel.actor import Actor, Announced, BackgroundActor
from pytest_supercache.runtime.kernel.functions_under_test import functions_of, sources_of


class Record:
    """Steps in the order they were taken, and the state of every wait object.

    Args:
        clock: gives each step its virtual time.
        snapshot: returns the contents of all layers; None: contents are not recorded.
    """

    def __init__(self, clock: VirtualClock, snapshot: Callable[[], Layers] | None) -> None:
        self.steps: list[Step] = []
        self.waits = Waits()
        self.snapshot = snapshot
        self.is_full = snapshot is not None  # with all that the report of a counterexample needs
        self.start: Layers = {}  # contents of every layer when the race began
        self.memory_at_start: Layers = {}  # contents of shared memory when the race began
        self._memory: Callable[[], Layers] | None = None
        self.readings = 0  # of the clock, by code under test and most of its libraries
        self.last: str | None = None  # the actor of the last step; a tick has none
        self._clock = clock
        self._is_open = False  # the contents after the last step are still to be recorded

    def take(
        self,
        actor: Actor | BackgroundActor,
        announced: Announced,
        phase: str,
        choice: int | None,
        pending: tuple[Pending, ...],
    ) -> None:
        """Record that ``actor`` takes the step it announced."""
        name, wait, before, after = actor.name, announced.wait, None, None
        if wait is not None:
            before, after = self.waits.perform(name, wait)
        step = Step(
            name, actor.taken, announced.label, announced.kind, announced.footprint, actor.node,
            phase, actor.operation, choice, wait, before, after, pending, None, self._clock.now(),
            announced.deadline, announced.fired, announced.recheck_from is not None, False,
            announced.cause or actor.cause, (),
            None if choice is None else actor.point,  # faults strike in the race
        )  # fmt: skip
        if self.is_full:
            stack = actor.stack()
            step.functions, step.sources = functions_of(stack), sources_of(stack)
            del stack  # it holds the frame of this call
        self.steps.append(step)
        self._is_open = self.is_full
        self.last = name

    def add(self, step: Step) -> None:
        """Append a step before it has taken effect."""
        self.steps.append(step)
        self._is_open = self.is_full

    def close(self) -> None:
        """Record the contents of every layer after the effect of the last step."""
        if self._is_open and self.snapshot is not None:
            self._is_open = False
            self.steps[-1].layers = self.snapshot()
            if self._memory is not None:
                self.steps[-1].memory = self._memory()

    def begin_race(self) -> None:
        """Remember the state of wait objects, layers and shared memory before the first choice."""
        self.close()
        self.waits.mark()
        if self.snapshot is not None:
            self.start = self.snapshot()
        if self._memory is not None:
            self.memory_at_start = self._memory()

    def show_memory(self, look: Callable[[], Layers]) -> None:
        """Record the contents of shared memory, too, from now on, as ``look`` returns them."""
        self.close()
        self._memory = look

    def keep_memory(self) -> None:
        """Freeze the recorded contents of shared memory: later steps record the present ones."""
        if self._memory is not None:
            self.close()
            last = self._memory()
            self._memory = lambda: last

    def wrote_since(self, position: int, resources: frozenset[str]) -> bool:
        """Say whether a step from ``position`` on may have written one of ``resources``.

        An actor that reads everything also waits for memory, which any step may have changed.
        """
        if EVERYTHING in resources:
            return len(self.steps) > position
        return any(
            touches(step.footprint.writes, resources) and not step.futile
            for step in self.steps[position:]
        )

    def note_futile(self, kinds: tuple[str, ...]) -> None:
        """Note that the step just taken changed nothing, if it is of one of ``kinds``."""
        if self.steps and self.steps[-1].kind in kinds:
            self.steps[-1].futile = True
