"""Random programs with waiting, run without threads, and every interleaving of them by brute force.

Compare any seed and count with the exhaustive search:

    python -m tests.random_programs --seed 7 --count 1000
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.footprint import ANYTHING, Footprint, touches
from pytest_supercache.core.operation import History
from pytest_supercache.core.schedule import CLOCK, Choices, Schedule, Scheduler
from pytest_supercache.core.trace import Pending, Step, StepId, is_unconditional
from pytest_supercache.core.waits import CounterState, FlagState, LockState, Wait, WaitState
from pytest_supercache.search.dpor import Exhaustive
from pytest_supercache.search.events import Dependence, TraceKey, events_of, order, trace_key

State = dict[str, Any]
Local = dict[str, Any]

WAITS: dict[str, WaitState] = {
    "lock": LockState(),
    "queue": CounterState(0),
    "semaphore": CounterState(2),
    **{f"flag {key}": FlagState() for key in "xyz"},
}


def reading(*keys: str) -> Footprint:
    return Footprint(frozenset(keys))


def writing(*keys: str) -> Footprint:
    return Footprint(frozenset(keys), frozenset(keys))


@dataclass(frozen=True)
class Move:
    """One step: what it declares, what it does, what it waits for."""

    label: str
    footprint: Footprint
    effect: Callable[[State, Local, Step], None] = lambda state, local, step: None
    wait: Wait | None = None
    until: Callable[[State], bool] | None = None  # a condition, checked again after writes
    timeout: float | None = None
    spawns: Sequence[str] = ()


Programs = dict[str, list[Move]]


@dataclass
class Run:
    """One execution of programs under a scheduler; ``early`` ticks of the clock are choices."""

    programs: Programs
    early: int = 0
    state: State = field(default_factory=dict)
    waits: dict[str, WaitState] = field(default_factory=lambda: dict(WAITS))
    steps: list[Step] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    now: float = 0.0
    last: str | None = None
    complete: bool = True
    saw_deadline: bool = False
    marks: bool = True  # steps that early ticks do not depend on

    def __post_init__(self) -> None:
        spawned = {name for moves in self.programs.values() for m in moves for name in m.spawns}
        self.at = dict.fromkeys(self.programs, 0)
        self.index = dict.fromkeys([*self.programs, CLOCK], 0)
        self.local: dict[str, Local] = {name: {} for name in self.programs}
        self.checked: dict[str, int] = {}  # how many steps there were at the last failed check
        self.deadlines: dict[str, float] = {}
        self.deadlines_before: dict[str, float] = {}  # at the latest choice
        self.began: dict[str, StepId | None] = {
            name: None for name in self.programs if name not in spawned
        }

    def play(self, scheduler: Scheduler) -> "Run":
        while enabled := self.enabled():
            choices = Choices(enabled, self.last, len(self.taken), steps=self.steps)
            choice = scheduler.choose(choices)
            if choice is None:
                self.complete = False
                break
            assert choice in enabled, f"{choice} is not among {enabled}"
            self._take(choice)
        return self

    def pending(self, name: str) -> Move | None:
        if name not in self.began or self.local[name].get("ended"):
            return None
        moves = self.programs[name]
        return moves[self.at[name]] if self.at[name] < len(moves) else None

    def enabled(self) -> tuple[str, ...]:
        for name in self.programs:  # whoever arrives at a timed wait starts its clock
            move = self.pending(name)
            if move is not None and move.timeout is not None and name not in self.deadlines:
                self.deadlines[name] = self.now + move.timeout
        if self.marks and self.steps:
            step = self.steps[-1]
            starts_no_wait = self.deadlines == self.deadlines_before
            asks = step.actor == CLOCK or "clock" in step.footprint.reads
            step.is_timeless = starts_no_wait and not asks and is_unconditional(step)
        able = [name for name in self.programs if self._is_able(name)]
        later = [deadline for deadline in self.deadlines.values() if deadline > self.now]
        self.saw_deadline = self.saw_deadline or bool(later and self.early)
        if later and (not able or self.early):
            able.append(CLOCK)
        return tuple(able)

    def _is_able(self, name: str) -> bool:
        move = self.pending(name)
        if move is None:
            return False
        if name in self.deadlines and self.deadlines[name] <= self.now:
            return True
        if move.until is not None and name in self.checked:
            since = self.steps[self.checked[name] :]
            return any(touches(step.footprint.writes, move.footprint.reads) for step in since)
        if move.timeout is not None and move.wait is None:
            return False
        wait = move.wait
        return wait is None or not wait.guarded or self.waits[wait.object].allows(name, wait.verb)

    def _take(self, name: str) -> None:
        if name == CLOCK:
            is_early = len(self.enabled()) > 1
            self.early -= is_early
            self.now = min(d for d in self.deadlines.values() if d > self.now)
            step = Step(CLOCK, self.index[CLOCK], "tick", "clock", ANYTHING, choice=len(self.taken))
            step.is_early = is_early and self.marks
        else:
            move = self.pending(name)
            assert move is not None
            step = Step(
                name, self.index[name], move.label, "hand", move.footprint,
                choice=len(self.taken), wait=move.wait, recheck=name in self.checked,
                cause=self.began[name],
                deadline=self.deadlines.get(name),
                fired=self.deadlines.get(name, self.now + 1) <= self.now,
            )  # fmt: skip
        step.time = self.now
        self.deadlines_before = dict(self.deadlines)
        self.index[name] += 1
        self.steps.append(step)
        self.taken.append(name)
        if name != CLOCK:
            self.last = name
            self._effect(name, move, step)

    def _effect(self, name: str, move: Move, step: Step) -> None:
        self.deadlines.pop(name, None)
        if move.wait is not None:
            step.wait_before = step.wait_after = self.waits[move.wait.object]
            if not step.fired:
                step.wait_after = step.wait_before.after(name, move.wait.verb)
                self.waits[move.wait.object] = step.wait_after
        if move.until is not None and not move.until(self.state):
            self.checked[name] = len(self.steps)
            return
        self.checked.pop(name, None)
        self.at[name] += 1
        move.effect(self.state, self.local[name], step)
        if not self.local[name].pop("begins nobody", False):
            self.began.update(dict.fromkeys(move.spawns, (name, step.index)))
        self.at[name] += self.local[name].pop("skip", 0)  # moves that are not made after all

    def execution(self) -> Execution:
        waiting = tuple(
            Pending(name, move.label, move.footprint, enabled=False, wait=move.wait,
                    deadline=self.deadlines.get(name), recheck=name in self.checked,
                    cause=self.began[name])
            for name in self.programs
            if self.complete and (move := self.pending(name)) is not None
        )  # fmt: skip
        return Execution(
            schedule=Schedule(tuple(self.taken)), steps=self.steps, history=History(),
            blocked=waiting, waiting=waiting, complete=self.complete,
            saw_deadline=self.saw_deadline,
            results={"outcome": self.outcome()},
        )  # fmt: skip

    def outcome(self) -> str:
        """What can be told from outside: the end state and what every actor saw."""
        left = [name for name in self.programs if self.pending(name) is not None]
        return repr((sorted(self.state.items()), self.local, left))


class Upto:
    """Follows choices and stops after them, remembering who could go on."""

    def __init__(self, choices: tuple[str, ...]) -> None:
        self._choices = choices
        self.enabled: tuple[str, ...] = ()

    def choose(self, choices: Choices) -> str | None:
        if choices.taken < len(self._choices):
            return self._choices[choices.taken]
        self.enabled = choices.enabled
        return None


def brute_force(programs: Programs, early: int, most: int) -> set[tuple[TraceKey, str]] | None:
    """Enumerate every interleaving with its outcome, class by class; None: more than ``most``.

    Here every tick is a barrier. That an early one does not depend on all steps only tells which of
    the interleavings that were found are the same.
    """
    dependence = Dependence()
    found: set[tuple[TraceKey, str]] = set()
    level: dict[TraceKey, tuple[str, ...]] = {frozenset(): ()}
    while level:
        following: dict[TraceKey, tuple[str, ...]] = {}
        for choices in level.values():
            upto = Upto(choices)
            run = Run(programs, early).play(upto)
            if not upto.enabled:
                found.add((_key(run, dependence), run.outcome()))
            for name in upto.enabled:
                longer = Run(programs, early, marks=False).play(Upto((*choices, name)))
                following.setdefault(_key(longer, dependence), (*choices, name))
        if len(following) > most:
            return None
        level = following
    return found


def _key(run: Run, dependence: Dependence) -> TraceKey:
    events, _ = events_of(run.steps, run.taken, dependence)
    order(events, 0, dependence)
    return trace_key(events)


def explore(programs: Programs, early: int = 0) -> tuple[list[tuple[TraceKey, str]], Exhaustive]:
    """Let the exhaustive search run the programs; return what it saw, in order."""
    seen: list[tuple[TraceKey, str]] = []
    search = Exhaustive(lambda key, _events, run: seen.append((key, run.results["outcome"])))
    search.explore(lambda scheduler: Run(programs, early).play(scheduler).execution())
    return seen, search


# -- what random programs are made of ---------------------------------------------------------


def _note(key: str) -> Callable[[State, Local, Step], None]:
    return lambda state, local, step: local.setdefault("saw", []).append(state.get(key))


def _put(key: str, value: int) -> Callable[[State, Local, Step], None]:
    return lambda state, local, step: state.update({key: value})


def _end_unless(key: str, value: int) -> Callable[[State, Local, Step], None]:
    def effect(state: State, local: Local, step: Step) -> None:
        local["ended"] = (state.get(key) or 0) != value

    return effect


def _either(key: str, second: str, third: str, value: int) -> Move:
    """A step whose footprint is wider than what it touches: which key depends on a third."""

    def effect(state: State, local: Local, step: Step) -> None:
        if state.get(key):
            state[second] = value
        else:
            local.setdefault("saw", []).append(state.get(third))

    footprint = Footprint(frozenset({key, second, third}), frozenset({second}))
    return Move(f"either {key}{second}{third}{value}", footprint, effect)


def _end_if_held(state: State, local: Local, step: Step) -> None:
    assert isinstance(step.wait_before, LockState)
    local["ended"] = step.wait_before.holder is not None


def _fired(state: State, local: Local, step: Step) -> None:
    local.setdefault("saw", []).append(step.fired)


def _note_time(state: State, local: Local, step: Step) -> None:
    local.setdefault("saw", []).append(step.time)


def _wait(name: str, verb: str, *, guarded: bool = False, **more: Any) -> Move:
    return Move(f"{verb} {name}", writing(name), wait=Wait(name, verb, guarded=guarded), **more)


def random_move(random: Random, kinds: list[str], spawnable: list[str]) -> Move:
    """Draw one step."""
    key, second, third = (random.choice("xyz") for _ in range(3))
    value = random.randrange(2)
    kind = random.choice(kinds)
    flag = f"flag {key}"
    if kind == "spawn" and spawnable:
        name = spawnable.pop()
        return Move(f"spawn {name}", writing(f"started:{name}"), spawns=[name])
    made: dict[str, Callable[[], Move]] = {
        "read": lambda: Move(f"read {key}", reading(key), _note(key)),
        "spawn": lambda: Move(f"read {key}", reading(key), _note(key)),
        "write": lambda: Move(f"write {key}{value}", writing(key), _put(key, value)),
        "end": lambda: Move(f"end unless {key}{value}", reading(key), _end_unless(key, value)),
        "either": lambda: _either(key, second, third, value),
        "acquire": lambda: _wait("lock", "acquire", guarded=True),
        "try": lambda: _wait("lock", "try", effect=_end_if_held),
        "timed": lambda: _wait("lock", "acquire", guarded=True, timeout=1.0 + value, effect=_fired),
        "now": lambda: Move("now", reading("clock"), _note_time),
        "sleep": lambda: Move("sleep", reading("clock"), timeout=1.0 + value),
        "release": lambda: _wait("lock", "release"),
        "get": lambda: _wait("queue", "acquire", guarded=True),
        "put": lambda: _wait("queue", "release"),
        "enter": lambda: _wait("semaphore", "acquire", guarded=True),
        "leave": lambda: _wait("semaphore", "release"),
        "set": lambda: _wait(flag, "set"),
        "clear": lambda: _wait(flag, "clear"),
        "await": lambda: Move(f"await {flag}", reading(flag), wait=Wait(flag, "await", True)),
        "both": lambda: Move(
            f"until {key} and {second}", reading(key, second),
            until=lambda state: bool(state.get(key) and state.get(second)),
        ),
        "not both": lambda: Move(
            f"until not ({key} and {second})", reading(key, second),
            until=lambda state: not (state.get(key) and state.get(second)),
        ),
        "equal": lambda: Move(
            f"until {key} == {second}", reading(key, second),
            until=lambda state: (state.get(key) or 0) == (state.get(second) or 0),
        ),
    }  # fmt: skip
    return made[kind]()


KINDS = {
    "plain": "read write end either",
    "locks": "read write either end acquire release try",
    "queue": "read write end get put",
    "semaphore": "read write enter leave enter end",
    "flags": "read write end set clear await await",
    "conditions": "read write write end both equal",
    "conditions and locks": "write write end acquire release both equal",
    "timed": "read write end acquire release timed sleep",
    "time asked": "read write write either now sleep sleep acquire release",
    "time and starts": "read write spawn spawn timed sleep now",
    "spawn": "read write end spawn spawn acquire release",
    "everything": "read write end either acquire release try timed spawn get put enter leave set "
    "clear await both equal",
}


def random_programs(random: Random, kinds: list[str]) -> Programs:
    """Draw two to four programs of one to three steps; some are only begun by another one."""
    names = [f"a{number}" for number in range(random.randrange(2, 5))]
    spawnable = names[1:] if "spawn" in kinds else []
    random.shuffle(spawnable)
    programs = {}
    for name in names:
        others = [other for other in spawnable if other > name]
        programs[name] = [random_move(random, kinds, others) for _ in range(random.randrange(1, 4))]
        for move in programs[name]:
            for spawned in move.spawns:
                spawnable.remove(spawned)
    begun_by = {name for moves in programs.values() for move in moves for name in move.spawns}
    for name in begun_by:
        first = programs[name][0]
        begun = Footprint(first.footprint.reads | {f"started:{name}"}, first.footprint.writes)
        programs[name][0] = Move(
            first.label, begun, first.effect, first.wait, first.until, first.timeout, first.spawns
        )
    return programs


def disagreements(seed: int, count: int, most: int = 150) -> Iterator[str]:
    """Compare the search with brute force on so many programs of each kind; yield differences."""
    for kind, kinds in KINDS.items():
        random = Random(f"{seed} {kind}")
        compared = 0
        while compared < count:
            programs = random_programs(random, kinds.split())
            early = random.randrange(3) if kind.startswith("time") else 0
            expected = brute_force(programs, early, most)
            if expected is None:
                continue
            compared += 1
            try:
                seen, search = explore(programs, early)
            except Exception as error:  # noqa: BLE001 - any error is a disagreement
                yield f"{kind} {_shown(programs, early)}: {error!r}"
                continue
            if len(seen) != len(expected) or set(seen) != expected or search.blocked:
                yield f"{kind} {_shown(programs, early)}: {len(seen)} of {len(expected)}"


def _shown(programs: Programs, early: int) -> str:
    moves = {name: [move.label for move in moves] for name, moves in programs.items()}
    return f"{moves}, {early} early ticks"


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
