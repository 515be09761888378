"""Makes each reading of a declared clock a step, and explores equal readings of truncated clocks.

Two readings of a clock that a library truncates to milliseconds may fall into the same millisecond,
or not. Virtual time moves by a microsecond at a reading, so that the next millisecond begins only
when the search says so: by the step of a pseudo-actor, enabled from a reading on until it is taken.
It wakes no actor and lets nothing expire; where something is due before, only a tick is possible.
"""

from collections.abc import Callable
from datetime import date, time
from typing import TYPE_CHECKING, Any
from weakref import ref

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.schedule import CUT_CLOCK
from pytest_supercache.layers.clock import EPOCH, VirtualClock
from pytest_supercache.runtime.kernel.actor import Actor, BackgroundActor
from pytest_supercache.runtime.kernel.calling import current_actor, looking
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext
from pytest_supercache.runtime.kernel.polling import asked_before, note_nothing
from pytest_supercache.runtime.observe.call_footprint import CLOCK_STEP, READS_CLOCK

if TYPE_CHECKING:
    from pytest_supercache.core.trace import StepId

_RESOLUTIONS = (
    (1e-6, "1 us"), (1e-5, "10 us"), (1e-4, "100 us"), (1e-3, "1 ms"), (1e-2, "10 ms"),
    (0.1, "100 ms"), (1.0, "1 s"), (60.0, "1 min"), (3600.0, "1 h"), (86400.0, "1 d"),
)  # fmt: skip
"""The resolutions, in seconds, that are tried on a clock, with their names."""

_DAY = 86400.0
_MICROSECONDS = 1_000_000
_EPOCH_MICROSECONDS = round(EPOCH.timestamp()) * _MICROSECONDS
_COMPARED = (int, float, str, bytes, date, time, tuple)
"""Types of readings that are compared; comparing others could run code under test."""


class DeclaredClock:
    """A watched function that reads a clock.

    Args:
        name: the name of the function.
        resolution: the unit to which the function truncates time, in seconds; None: it is learnt
            from the function's answers at the first reading of each execution. An execution that
            relied on what another one has learnt could not be replayed alone.
    """

    def __init__(self, name: str, resolution: float | None) -> None:
        self._name = name
        self._is_learnt = resolution is None
        self._resolution = resolution
        self._learnt_in: ref[ExecutionContext] | None = None

    def read(self, execution: ExecutionContext, read: Callable[[], Any]) -> Any:
        """Read the clock in a step, at an instant after that of every earlier reading."""
        actor = current_actor()
        assert actor is not None, "a clock is read by an actor"
        is_known = self._learnt_in is not None and self._learnt_in() is execution
        if self._is_learnt and not is_known:
            self._learnt_in, self._resolution = ref(execution), None
        question = f"read the clock ({self._name})"
        since = asked_before(execution, question)
        if since is not None and (actor.direct or actor.is_task):
            # It blocks all other actors, including the one that begins the next unit.
            _instants(execution, self._resolution or CLOCK_STEP).perform()
            since = None
        execution.step(
            question, READS_CLOCK, kind="watched", recheck_from=since, polls=since is not None
        )
        execution.controller.time.clock.advance(CLOCK_STEP)
        answer = self._show(execution, actor, read)
        if self._resolution is not None and self._resolution > CLOCK_STEP:
            instants = _instants(execution, self._resolution)
            instants.note_reading(execution, actor)
            if instants.is_repeated(actor, self._name, answer):
                note_nothing(execution, question)
                return answer  # nothing new, so its answer is no switch point
        execution.answered("the clock")
        return answer

    def _show(self, execution: ExecutionContext, actor: Actor, read: Callable[[], Any]) -> Any:
        """Return the present reading, and learn the resolution if it is not known."""
        taken = len(execution.record.steps)
        answer = read()
        if self._resolution is None:
            kinds = {s.kind for s in execution.record.steps[taken:] if s.actor == actor.name}
            if not kinds <= {"memory"}:
                self._resolution = self._not_learnt(execution, "it takes steps of its own")
            elif not isinstance(answer, _COMPARED):
                kind = type(answer).__qualname__
                self._resolution = self._not_learnt(execution, f"it answers {kind} objects")
            else:
                self._resolution = self._learn(execution, read)
        return answer

    def _learn(self, execution: ExecutionContext, read: Callable[[], Any]) -> float:
        """Learn the resolution, unless the answers depend on earlier calls."""
        with looking():  # no steps, and no time passes
            before = read()
            resolution = _learnt(read, execution.controller.time.clock)
            after = read()
        if after == before:
            return resolution
        return self._not_learnt(execution, "what it answers depends on earlier calls")

    def _not_learnt(self, execution: ExecutionContext, why: str) -> float:
        """Note as a hazard that equal, or different, readings are not tried; return the default."""
        execution.controller.hazard(
            f"how far {self._name} cuts the time cannot be learnt by calling it, because {why}. "
            "Say so in its watch: clock=0.001 for milliseconds, clock=0.000001 if it does not cut"
        )
        return CLOCK_STEP


class NextInstant:
    """The pseudo-actor that begins the next unit of a truncated clock, such as a millisecond.

    Args:
        execution: the execution whose clock is moved.
        resolution: the length of a unit, in seconds.
    """

    node: str | None = None
    kind = "clock"

    def __init__(self, execution: ExecutionContext, resolution: float) -> None:
        self._controller = execution.controller
        self._step = max(1, round(resolution * _MICROSECONDS))
        self._label = f"the next {text_of_resolution(resolution)} begins"
        self.name = name_of(resolution)
        self.cause: StepId | None = None
        self._is_open = False
        self._answers: dict[tuple[str, str], Any] = {}

    def is_repeated(self, actor: Actor, name: str, answer: Any) -> bool:
        """Say whether a reading equals the last one of the same actor."""
        last = self._answers.get((actor.name, name))
        self._answers[actor.name, name] = answer
        return isinstance(answer, _COMPARED) and type(last) is type(answer) and last == answer

    def note_reading(self, execution: ExecutionContext, actor: Actor) -> None:
        """Enable the step after a reading, which the next reading may differ from."""
        if not actor.direct and not self._is_open:
            self._is_open, self.cause = True, execution.last_step()

    def pending(self) -> tuple[str, Footprint] | None:
        """Return the step if it is enabled: after a reading, if nothing is due before it."""
        controller = self._controller
        if not self._is_open or controller.time.is_exhausted or _moves_clock(controller.scheduler):
            return None
        actors, boundary = list(controller.actors.values()), self._boundary()
        deadline = controller.time.deadline(actors)
        if deadline is not None and deadline <= boundary:
            return None
        if not controller.time.can_pass_to(boundary, actors):
            return None
        return self._label, READS_CLOCK

    def perform(self) -> None:
        """Move the clock to the next unit."""
        self._is_open, self.cause = False, None
        self._controller.time.pass_to(self._boundary(), self._controller.actors.values())

    @property
    def _clock(self) -> VirtualClock:
        return self._controller.time.clock

    def _boundary(self) -> float:
        """Return the start of the next unit, plus a microsecond against rounding errors."""
        now = round(self._clock.now() * _MICROSECONDS) + _EPOCH_MICROSECONDS
        following = (now // self._step + 1) * self._step + 1
        return (following - _EPOCH_MICROSECONDS) / _MICROSECONDS


def name_of(resolution: float) -> str:
    """Return the name of the pseudo-actor for clocks of a resolution."""
    return CUT_CLOCK + text_of_resolution(resolution).replace(" ", "")


def text_of_resolution(seconds: float) -> str:
    """Return a resolution as text for people."""
    return next((text for known, text in _RESOLUTIONS if known == seconds), f"{seconds:g} s")


def _instants(execution: ExecutionContext, resolution: float) -> NextInstant:
    """Return the execution's pseudo-actor for clocks of a resolution, created if missing."""
    backgrounds = execution.controller.backgrounds
    name = name_of(resolution)
    if name not in backgrounds:
        backgrounds[name] = BackgroundActor(NextInstant(execution, resolution))
    work = backgrounds[name].work
    assert isinstance(work, NextInstant), f"{name} is the name of other work"
    return work


def _learnt(read: Callable[[], Any], clock: VirtualClock) -> float:
    """Return the smallest tried interval that changes the reading; if none, ``CLOCK_STEP``."""
    ahead, midnight = clock.ahead, _DAY - clock.now() % _DAY
    try:
        clock.show_ahead(midnight)
        first = read()
        for seconds, _ in _RESOLUTIONS:
            clock.show_ahead(midnight + seconds)
            if read() != first:
                return seconds
    finally:
        clock.show_ahead(ahead)
    return CLOCK_STEP


def _moves_clock(scheduler: Any) -> bool:
    """Say whether the scheduler itself lets time pass between steps."""
    return bool(getattr(scheduler, "moves_clock", False))
