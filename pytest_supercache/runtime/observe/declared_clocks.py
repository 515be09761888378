"""Declared clocks: each reading is a step, and a cut clock shows equal readings, too.

A clock that a library cuts to milliseconds is read twice within one millisecond, or not. Virtual
time moves by a microsecond at a reading, so that the next millisecond begins only when the search
says so: that is the move of a pseudo-actor, open from a reading on until it is made. It wakes
nobody and lets nothing expire; where something comes due before, only a tick goes on.
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
from pytest_supercache.runtime.kernel.polling import asked_before, note_nothing
from pytest_supercache.runtime.kernel.stepping import Stepping
from pytest_supercache.runtime.observe.call_footprint import CLOCK_STEP, READS_CLOCK

if TYPE_CHECKING:
    from pytest_supercache.core.trace import StepId

_RESOLUTIONS = (
    (1e-6, "1 us"), (1e-5, "10 us"), (1e-4, "100 us"), (1e-3, "1 ms"), (1e-2, "10 ms"),
    (0.1, "100 ms"), (1.0, "1 s"), (60.0, "1 min"), (3600.0, "1 h"), (86400.0, "1 d"),
)  # fmt: skip
"""What is tried, in seconds, to learn how far apart two instants must be to show as two."""

_DAY = 86400.0
_MICROSECONDS = 1_000_000
_EPOCH_MICROSECONDS = round(EPOCH.timestamp()) * _MICROSECONDS
_COMPARED = (int, float, str, bytes, date, time, tuple)
"""Readings of other types are not compared: that could run code of the code under test."""


class DeclaredClock:
    """A function that reads a clock, for as long as it is watched.

    Args:
        name: of the function.
        resolution: how far apart two instants may be that it shows as one, in seconds; None: it is
            learnt from what the function answers at the first reading of each execution. An
            execution that relied on what another one has learnt could not be replayed alone.
    """

    def __init__(self, name: str, resolution: float | None) -> None:
        self._name = name
        self._is_learnt = resolution is None
        self._resolution = resolution
        self._execution: Callable[[], Stepping | None] = lambda: None  # it was learnt in this one

    def read(self, execution: Stepping, read: Callable[[], Any]) -> Any:
        """Read it in a step, at an instant later than that of every reading before."""
        actor = current_actor()
        assert actor is not None, "a clock is read by an actor"
        if self._is_learnt and self._execution() is not execution:
            self._execution, self._resolution = ref(execution), None
        question = f"read the clock ({self._name})"
        since = asked_before(execution, question)
        if since is not None and (actor.direct or actor.is_task):
            # It keeps others from going on, whoever would let the next unit begin included.
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
                return answer  # no news, so there is nothing to part from what follows
        execution.answered("the clock")
        return answer

    def _show(self, execution: Stepping, actor: Actor, read: Callable[[], Any]) -> Any:
        """Return what it shows now, and learn its resolution if that is not known."""
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

    def _learn(self, execution: Stepping, read: Callable[[], Any]) -> float:
        """Learn the resolution, unless the clock remembers the instants that are tried."""
        with looking():  # no steps, and no time passes
            before = read()
            resolution = _learnt(read, execution.controller.time.clock)
            after = read()
        if after == before:
            return resolution
        return self._not_learnt(execution, "what it answers depends on earlier calls")

    def _not_learnt(self, execution: Stepping, why: str) -> float:
        """Note that the result is UNKNOWN: equal readings, or different ones, are not tried."""
        execution.controller.hazard(
            f"how far {self._name} cuts the time cannot be learnt by calling it, because {why}. "
            "Say so in its watch: clock=0.001 for milliseconds, clock=0.000001 if it does not cut"
        )
        return CLOCK_STEP


class NextInstant:
    """The pseudo-actor that lets the next millisecond begin, or whatever a clock is cut to.

    Args:
        execution: its clock is moved.
        resolution: how long one of them is, in seconds.
    """

    node: str | None = None
    kind = "clock"

    def __init__(self, execution: Stepping, resolution: float) -> None:
        self._controller = execution.controller
        self._step = max(1, round(resolution * _MICROSECONDS))
        self._label = f"the next {text_of_resolution(resolution)} begins"
        self.name = name_of(resolution)
        self.cause: StepId | None = None
        self._is_open = False
        self._answers: dict[tuple[str, str], Any] = {}

    def is_repeated(self, actor: Actor, name: str, answer: Any) -> bool:
        """Say whether a reading is what the same actor has read last."""
        last = self._answers.get((actor.name, name))
        self._answers[actor.name, name] = answer
        return isinstance(answer, _COMPARED) and type(last) is type(answer) and last == answer

    def note_reading(self, execution: Stepping, actor: Actor) -> None:
        """Offer the move once more: there is a reading that the next one may differ from."""
        if not actor.direct and not self._is_open:
            self._is_open, self.cause = True, execution.last_step()

    def pending(self) -> tuple[str, Footprint] | None:
        """Announce the move, if there is a reading and nothing comes due before it."""
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
        """Let it begin."""
        self._is_open, self.cause = False, None
        self._controller.time.pass_to(self._boundary(), self._controller.actors.values())

    @property
    def _clock(self) -> VirtualClock:
        return self._controller.time.clock

    def _boundary(self) -> float:
        """Return when it begins: a microsecond later, that no rounding hides it."""
        now = round(self._clock.now() * _MICROSECONDS) + _EPOCH_MICROSECONDS
        following = (now // self._step + 1) * self._step + 1
        return (following - _EPOCH_MICROSECONDS) / _MICROSECONDS


def name_of(resolution: float) -> str:
    """Name the pseudo-actor that moves clocks of a resolution."""
    return CUT_CLOCK + text_of_resolution(resolution).replace(" ", "")


def text_of_resolution(seconds: float) -> str:
    """Write a resolution for people."""
    return next((text for known, text in _RESOLUTIONS if known == seconds), f"{seconds:g} s")


def _instants(execution: Stepping, resolution: float) -> NextInstant:
    """Return the pseudo-actor of an execution for clocks of a resolution."""
    backgrounds = execution.controller.backgrounds
    name = name_of(resolution)
    if name not in backgrounds:
        backgrounds[name] = BackgroundActor(NextInstant(execution, resolution))
    work = backgrounds[name].work
    assert isinstance(work, NextInstant), f"{name} is the name of other work"
    return work


def _learnt(read: Callable[[], Any], clock: VirtualClock) -> float:
    """Return how far apart instants must be that it shows as two; never so: that of the clock."""
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
    """Say whether time passes between steps anyway."""
    return bool(getattr(scheduler, "moves_clock", False))
