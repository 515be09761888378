"""Schedules like those of real traffic: steps take time, and the first ready actor goes on.

Not a search: its runs are a sample of what happens under stated latencies (core/odds.py), which is
what odds are made of. Every draw belongs to a run, an actor and a kind of latency, so that variants
of a system meet the same weather wherever they do the same (common random numbers).
"""

import random
from collections.abc import Sequence

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.odds import Latency, Simulation
from pytest_supercache.core.pace import Flow, Upcoming
from pytest_supercache.core.schedule import CLOCK, Choices, is_fault
from pytest_supercache.core.trace import Step

_BY_KIND = {"command": "existing_cache", "origin": "origin", "message": "messages"}
_BY_PLACE = ("origin", "existing_cache")
_ROUND_TRIPS = frozenset(_BY_PLACE)


def latency_of(kind: str, footprint: Footprint) -> str:
    """Return the latency of a step: by its kind, or else by the places that it touches."""
    named = _BY_KIND.get(kind)
    if named is not None:
        return named
    if kind in {"watched", "hand"}:
        both = footprint.reads | footprint.writes
        touched = {resource.partition(":")[0] for resource in both}
        return next((place for place in _BY_PLACE if place in touched), "code")
    return "code"


class Traffic:
    """One run of traffic; the same seed and number give the same one.

    A command takes effect in the middle of its round trip; a quick way there says nothing of the
    way back, so each is half of a draw of its own. The first step of each user is anywhere
    in the first ``simulation.within`` seconds, and so is a fault that may come any time.
    """

    moves_clock = True

    def __init__(self, simulation: Simulation, seed: int, run: int) -> None:
        self._simulation = simulation
        self._name = f"{seed}/{run}"
        self._flow: Flow | None = None
        self._sources: dict[tuple[str, str], random.Random] = {}
        self._known: dict[str, tuple[int, str]] = {}  # the step that each actor's instant is for
        self._ready: dict[str, float] = {}
        self._way_back: dict[str, float] = {}  # of the answer to each actor's last step
        self._is_new = True

    def start(self, flow: Flow) -> None:
        """Begin a race."""
        self._flow = flow

    def choose(self, choices: Choices) -> str | None:
        """Return the actor that is ready first, and let time pass until then."""
        flow = self._flow
        assert flow is not None, "a race begins before anybody is chosen"
        for step in flow.upcoming():
            if self._known.get(step.actor) != (step.number, step.label):
                self._look_back(step.actor, choices.steps)
                self._known[step.actor] = (step.number, step.label)
                self._ready[step.actor] = self._instant(step, flow.now())
        self._is_new = False
        names = [name for name in choices.enabled if name != CLOCK]
        # Of those who were ready and had to wait, whoever came first goes first.
        first = min(names, key=lambda name: (self._ready[name], name), default=None)
        at = None if first is None else max(self._ready[first], flow.now())
        due = flow.deadline() if CLOCK in choices.enabled else None
        if first is None or at is None or (due is not None and due <= at):
            return CLOCK
        flow.pass_to(at)
        return first

    def _look_back(self, actor: str, steps: Sequence[Step]) -> None:
        """Draw the way back of the answer to an actor's first step, which could not be foreseen."""
        was_start = self._known.get(actor, (0, ""))[1] == "start"
        if was_start and steps and steps[-1].actor == actor:
            self._trip(actor, latency_of(steps[-1].kind, steps[-1].footprint))

    def _instant(self, step: Upcoming, now: float) -> float:
        """Return when a step that is announced now will be ready to take effect."""
        if is_fault(step.actor) or (self._is_new and step.kind == "start"):
            return self._draw(step.actor, "start") * self._simulation.within
        begun = now + self._way_back.pop(step.actor, 0.0)
        return begun + self._trip(step.actor, latency_of(step.kind, step.footprint))

    def _trip(self, actor: str, name: str) -> float:
        """Draw the duration of a step; return the part of it until the step takes effect."""
        latency = self._of(name)
        seconds = latency.at(self._draw(actor, name))
        if name not in _ROUND_TRIPS:
            return seconds
        self._way_back[actor] = latency.at(self._draw(actor, name)) / 2
        return seconds / 2

    def _of(self, name: str) -> Latency:
        latency = getattr(self._simulation.latencies, name)
        assert isinstance(latency, Latency), f"{name} is no latency"
        return latency

    def _draw(self, actor: str, what: str) -> float:
        source = self._sources.get((actor, what))
        if source is None:
            source = random.Random(f"{self._name}/{actor}/{what}")
            self._sources[actor, what] = source
        return source.random()
