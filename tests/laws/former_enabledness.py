"""The three former answers to "may this actor take its next step now?", against the present one.

They stood in the races of a search, in the orders of an interleaving, and in the runtime. They are
kept as they were, as oracles. Compare any seed and count:

    python -m tests.laws.former_enabledness --seed 7 --count 1000
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random

from pytest_supercache.core.footprint import ANYTHING, EVERYTHING, Footprint, touches
from pytest_supercache.core.schedule import CLOCK
from pytest_supercache.core.trace import Pending, Step, StepId
from pytest_supercache.core.waiting import SET, allows
from pytest_supercache.core.waits import CounterState, LockState, Wait, WaitState
from pytest_supercache.runtime.kernel.actor import Actor, Announced
from pytest_supercache.runtime.kernel.state import ExecutionState
from pytest_supercache.search.dpor import Exhaustive
from pytest_supercache.search.enabledness import Enabledness
from pytest_supercache.search.events import Dependence, StepEvent, events_of, order, positions
from tests.random_programs import KINDS, Programs, Run, random_programs


@dataclass(slots=True)
class Late:
    """A step that might have come earlier; ``at`` its position, or the number of events."""

    at: int
    actor: str
    step: Step | Pending


class FormerRaces:
    """What ``search.races`` asked: could a step have been taken before an earlier event?"""

    def __init__(self, events: Sequence[StepEvent], initial_waits: Mapping[str, WaitState]) -> None:
        self._events = events
        self._initial_waits = initial_waits
        self._after = [0] * len(events)
        self._own: dict[str, int] = {}
        self._ids: dict[StepId, int] = {}
        self._setters: dict[str, int] = {}
        for at, event in enumerate(events):
            for earlier in positions(event.before):
                self._after[earlier] |= 1 << at
            self._own[event.actor] = self._own.get(event.actor, 0) | 1 << at
            self._ids[event.step.actor, event.step.index] = at
            for flag in event.step.flags_set:
                self._setters[flag] = self._setters.get(flag, 0) | 1 << at

    def answers(self, lates: Sequence[Late]) -> Iterator[tuple[Late, int, bool]]:
        """Yield each late step, the set of events without its rival, and whether it could run."""
        for late in lates:
            below = (1 << late.at) - 1
            for at in range(late.at):
                if self._own.get(late.actor, 0) & self._after[at] & below:
                    continue
                if self._events[at].actor in {late.actor, CLOCK}:
                    continue
                kept = self._not_after(at) & below
                yield late, ((1 << at) - 1) | kept, self._could_run(late, at, kept)

    def _not_after(self, at: int) -> int:
        """Return the later events that do not depend on the one at ``at``."""
        later = ((1 << len(self._events)) - 1) & ~((2 << at) - 1)
        return later & ~self._after[at]

    def _could_run(self, late: Late, at: int, kept: int) -> bool:
        """Say whether ``late`` is enabled after the events before ``at`` and those in ``kept``."""
        step = late.step
        if step.cause is not None and not self._is_there(step.cause, at, kept):
            return False
        if step.deadline is not None and self._has_fired(step.deadline, at):
            after = "" if step.wait is None else step.wait.after
            return not after or self._is_set(after, at, kept)
        if step.recheck:
            return self._is_news(late, at, kept)
        if step.wait is None:
            return step.deadline is None
        return allows(
            late.actor,
            step.wait,
            lambda flag: self._is_set(flag, at, kept),
            lambda name: self._state(name, at, kept),
        )

    def _is_set(self, flag: str, at: int, kept: int) -> bool:
        """Say whether a flag is set after the events before ``at`` and those in ``kept``."""
        if self._initial_waits.get(flag) == SET:
            return True
        setters = self._setters.get(flag, 0)
        return bool(setters & (((1 << at) - 1) | kept))

    def _is_there(self, cause: StepId, at: int, kept: int) -> bool:
        position = self._ids.get(cause)
        return position is None or position < at or bool(kept >> position & 1)

    def _has_fired(self, deadline: float, at: int) -> bool:
        earlier = self._events[:at]
        return any(event.is_tick and event.step.time >= deadline for event in earlier)

    def _is_news(self, late: Late, at: int, kept: int) -> bool:
        """Say whether something that a condition reads was written since its last check."""
        taken = self._own.get(late.actor, 0) & ((1 << late.at) - 1)
        seen = (((1 << at) - 1) | kept) & ~((1 << taken.bit_length()) - 1)
        reads = late.step.footprint.reads
        if EVERYTHING in reads:
            return bool(seen)
        steps = (self._events[z].step for z in positions(seen))
        return any(touches(step.footprint.writes, reads) and not step.futile for step in steps)

    def _state(self, name: str, at: int, kept: int) -> WaitState | None:
        """Return a wait object's value after the events before ``at`` and those in ``kept``."""
        for z in reversed(positions(kept & ~((1 << at) - 1))):
            step = self._events[z].step
            if step.wait is not None and step.wait.object == name and step.wait_after is not None:
                return step.wait_after
        for z in range(at - 1, -1, -1):
            step = self._events[z].step
            if step.wait is not None and step.wait.object == name and step.wait_after is not None:
                return step.wait_after
        return self._initial_waits.get(name)


class FormerAbility:
    """Says whether an actor is enabled after a closed set of an interleaving's events.

    Args:
        events: the interleaving.
        waiting: the pending steps of actors at the end.
        waits: the wait objects before any event.
    """

    def __init__(
        self,
        events: Sequence[StepEvent],
        waiting: Sequence[Pending],
        waits: Mapping[str, WaitState],
    ) -> None:
        self.events = events
        self._befores = {1 << at: event.before for at, event in enumerate(events)}
        self._all = (1 << len(events)) - 1
        self._waits = waits
        self._waiting = {pending.actor: pending for pending in waiting}
        self.actors = dict.fromkeys(self._waiting, 0)  # the events of each, which are ordered
        self._free = 0  # events whose turn it is as soon as it is their actor's
        for at, event in enumerate(events):
            self.actors[event.actor] = self.actors.get(event.actor, 0) | 1 << at
            self._free |= event.is_free << at
        self.ticks = self.actors.pop(CLOCK, 0)

    @cached_property
    def _first(self) -> dict[str, WaitState | None]:
        """The wait objects before any event."""
        return {
            event.step.wait.object: event.step.wait_before
            for event in reversed(self.events)
            if event.step.wait is not None
        }

    @cached_property
    def _ids(self) -> dict[StepId, int]:
        """The position of the event of each step."""
        return {(e.step.actor, e.step.index): at for at, e in enumerate(self.events)}

    def choices(self, mask: int) -> tuple[int, list[tuple[int, bool]]]:
        """Return how many actors are enabled after a closed set, and which events may come next.

        These are bits, each with whether its actor is enabled; that of a tick is not.
        """
        able, outside = 0, ~mask
        ready = []
        for actor, own in self.actors.items():
            left = own & outside
            coming = left & -left
            can = self._can(actor, coming, mask)
            able += can
            if coming and not self._befores[coming] & outside:
                ready.append((coming, can))
        tick = self.ticks & outside
        tick &= -tick
        if tick and not self._befores[tick] & outside:
            ready.append((tick, False))
        return able, ready

    def ready(self, mask: int) -> list[int]:
        """Return the events outside a closed set that may come next, the earliest first."""
        found, outside = [], ~mask
        for own in (*self.actors.values(), self.ticks):
            left = own & outside
            coming = left & -left
            if coming and not self._befores[coming] & outside:
                found.append(coming.bit_length() - 1)
        found.sort()
        return found

    def can_go_on(self, actor: str, mask: int) -> bool:
        """Say whether an actor could take its next step after a closed set."""
        left = self.actors.get(actor, 0) & ~mask
        return self._can(actor, left & -left, mask)

    def _can(self, actor: str, coming: int, mask: int) -> bool:
        """Say the same, given the event of the actor's next step as a bit; 0: there is none."""
        if coming & self._free:
            return True
        step = self.events[coming.bit_length() - 1].step if coming else self._waiting.get(actor)
        if step is None or (step.cause is not None and not self._is_in(step.cause, mask)):
            return False
        if step.recheck and not self._has_fired(step.deadline, mask):
            return self._is_news(step, self.actors.get(actor, 0) & mask, mask)
        if not coming and self._is_allowed(actor, step, self._all):
            return False  # it cannot at the end: nobody has ever touched what it waits for
        return self._is_allowed(actor, step, mask)

    def _is_in(self, cause: StepId, mask: int) -> bool:
        at = self._ids.get(cause)
        return at is None or bool(mask >> at & 1)

    def _is_news(self, step: Step | Pending, taken: int, mask: int) -> bool:
        later = mask & ~((1 << taken.bit_length()) - 1)
        reads = step.footprint.reads
        if EVERYTHING in reads:
            return bool(later)
        others = (self.events[z].step for z in positions(later))
        return any(touches(one.footprint.writes, reads) and not one.futile for one in others)

    def _is_allowed(self, actor: str, step: Step | Pending, mask: int) -> bool:
        has_fired = self._has_fired(step.deadline, mask)
        if step.wait is None:
            return has_fired or step.deadline is None
        if has_fired:
            return not step.wait.after or self._is_set(step.wait.after, mask)
        return allows(
            actor,
            step.wait,
            lambda flag: self._is_set(flag, mask),
            lambda name: self._state(name, mask),
        )

    def _has_fired(self, deadline: float | None, mask: int) -> bool:
        if deadline is None:
            return False
        ticks = (self.events[z] for z in positions(mask) if self.events[z].is_tick)
        return any(tick.step.time >= deadline for tick in ticks)

    def _is_set(self, flag: str, mask: int) -> bool:
        if self._waits.get(flag) == SET:
            return True
        return any(flag in self.events[z].step.flags_set for z in positions(mask))

    def _state(self, name: str, mask: int) -> WaitState | None:
        state = self._waits.get(name, self._first.get(name))
        for z in positions(mask):
            other = self.events[z].step
            if other.wait is not None and other.wait.object == name:
                state = other.wait_after or state
        return state


def former_may_take(state: ExecutionState, actor: Actor, announced: Announced) -> bool:
    """Say what the runtime said: whether an actor may take the step that it has announced."""
    wait, waits = announced.wait, state.record.waits
    if announced.fired:
        return wait is None or not wait.after or waits.is_set(wait.after)
    if wait is None and announced.recheck_from is None:
        return True
    if announced.recheck_from is not None:
        return state.record.wrote_since(announced.recheck_from, announced.footprint.reads)
    return allows(actor.name, wait, waits.is_set, waits.states.get)


def closed_sets(events: Sequence[StepEvent]) -> set[int]:
    """Return every set of events that is closed under happens-before."""
    found, level = {0}, {0}
    while level:
        level = {
            mask | 1 << at
            for mask in level
            for at, event in enumerate(events)
            if not (mask >> at & 1 or event.before & ~mask)
        } - found
        found |= level
    return found


def differences(
    events: Sequence[StepEvent], waiting: Sequence[Pending], waits: Mapping[str, WaitState]
) -> Iterator[str]:
    """Compare all answers about one interleaving; yield where they are not the same."""
    now = Enabledness(events, waits, waiting)
    ability = FormerAbility(events, waiting, waits)
    for mask in closed_sets(events):
        if ability.choices(mask) != now.choices(mask) or ability.ready(mask) != now.ready(mask):
            yield f"choices after {mask:b}"
        for actor in ability.actors:
            if ability.can_go_on(actor, mask) != now.can_go_on(actor, mask):
                yield f"whether {actor} can go on after {mask:b}"
    lates = [Late(at, event.actor, event.step) for at, event in enumerate(events)]
    lates += [Late(len(events), pending.actor, pending) for pending in waiting]
    lates = [late for late in lates if late.actor != CLOCK]
    for late, mask, could in FormerRaces(events, waits).answers(lates):
        if could != now.may_take(late.actor, late.step, mask):
            yield f"whether {late.actor} may take {late.step.label} after {mask:b}"


def compare(programs: Programs, early: int) -> tuple[int, list[str]]:
    """Return how many interleavings the programs have, and where the answers differ on them."""
    found: list[str] = []
    counted = 0

    def see(_key: object, events: Sequence[StepEvent], run: object) -> None:
        nonlocal counted
        counted += 1
        found.extend(differences(events, run.waiting, search.waits))  # type: ignore[attr-defined]

    search = Exhaustive(see)
    search.explore(lambda scheduler: Run(programs, early, marks=False).play(scheduler).execution())
    return counted, found


def disagreements(seed: int, count: int) -> Iterator[str]:
    """Compare the answers on ``count`` programs of each kind; yield each difference."""
    for kind, kinds in KINDS.items():
        random = Random(f"{seed} {kind}")
        for _ in range(count):
            programs = random_programs(random, kinds.split())
            early = random.randrange(2) if kind == "timed" else 0
            for difference in compare(programs, early)[1]:
                yield f"{kind} {programs}: {difference}"


# -- traces of steps that no program has to take, with everything that may hold a step back --------

FLAGS = ("f", "g", "h")
OBJECTS: dict[str, WaitState] = {"lock": LockState(), "counter": CounterState(1)}


def random_wait(random: Random, actor: str, index: int, *, is_timed: bool) -> Wait | None:
    """Draw what a step waits for; one with a deadline always has a timer."""
    if not is_timed and random.random() < 0.3:
        return None
    some = tuple(flag for flag in FLAGS if random.random() < 0.3)
    return Wait(
        random.choice(["", *OBJECTS]), random.choice(["acquire", "release"]),
        guarded=random.random() < 0.5, flags=some if random.random() < 0.5 else (),
        any_of=some if random.random() < 0.5 else (), enough=random.randrange(1, 3),
        sets=tuple(flag for flag in FLAGS if random.random() < 0.3),
        sets_on_change=random.random() < 0.2,
        timer=f"timer:{actor}#{index}" if is_timed else "",
        after=random.choice(FLAGS) if random.random() < 0.2 else "",
    )  # fmt: skip


def random_footprint(random: Random) -> Footprint:
    """Draw what a step touches: a few places, or everything."""
    places = frozenset(place for place in "xyz" if random.random() < 0.4)
    reads = frozenset({EVERYTHING}) if random.random() < 0.15 else places
    return Footprint(reads, places if random.random() < 0.5 else frozenset())


def random_step(random: Random, actor: str, index: int, steps: Sequence[Step]) -> Step:
    """Draw a step, taken or not, of an actor."""
    is_timed = random.random() < 0.3
    wait = random_wait(random, actor, index, is_timed=is_timed)
    earlier = [(step.actor, step.index) for step in steps if step.actor != actor]
    return Step(
        actor, index, f"{actor} {index}", "hand", random_footprint(random), wait=wait,
        deadline=float(random.randrange(1, 4)) if is_timed else None,
        recheck=random.random() < 0.3, futile=random.random() < 0.2,
        cause=random.choice(earlier) if earlier and random.random() < 0.2 else None,
    )  # fmt: skip


def random_trace(random: Random) -> tuple[list[StepEvent], list[Pending], dict[str, WaitState]]:
    """Draw an interleaving, what its actors wait for at the end, and the objects before it."""
    steps: list[Step] = []
    counts = dict.fromkeys(("a", "b", "c", CLOCK), 0)
    waits: dict[str, WaitState] = dict(OBJECTS)
    if random.random() < 0.3:
        waits["f"] = SET
    initial, time = dict(waits), 0.0
    for choice in range(random.randrange(2, 9)):
        actor = random.choice(["a", "b", "c", "a", "b", "c", CLOCK])
        if actor == CLOCK:
            time += 1.0
            step = Step(CLOCK, counts[CLOCK], "tick", "clock", ANYTHING, time=time)
        else:
            step = random_step(random, actor, counts[actor], steps)
            if step.wait is not None and step.wait.object:
                step.wait_before = waits[step.wait.object]
                step.wait_after = step.wait_before.after(actor, step.wait.verb)
                waits[step.wait.object] = step.wait_after
        step.choice = choice
        counts[actor] += 1
        steps.append(step)
    dependence = Dependence()
    events, _ = events_of(steps, [step.actor for step in steps], dependence)
    order(events, 0, dependence)
    last = [random_step(random, actor, counts[actor], steps) for actor in "abc"]
    left = [
        Pending(step.actor, step.label, step.footprint, False, step.wait, step.deadline,
                step.recheck, step.cause)
        for step in last if random.random() < 0.5
    ]  # fmt: skip
    everything = (1 << len(events)) - 1
    now = Enabledness(events, initial)
    waiting = [  # a check that could be repeated would be
        pending for pending in left
        if not pending.recheck or not now.may_take(pending.actor, pending, everything)
    ]  # fmt: skip
    return events, waiting, {} if random.random() < 0.2 else initial


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=300, help="programs of each kind")
    given = parser.parse_args()
    wrong = 0
    for difference in disagreements(given.seed, given.count):
        wrong += 1
        sys.stdout.write(f"{difference}\n")
    sys.stdout.write(f"{given.count * len(KINDS)} programs, {wrong} disagreements\n")
