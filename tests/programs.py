"""Programs without threads: the smallest thing that a search can explore.

A program is a list of moves; a move says whether it may go and what it does. Every choice of a
scheduler is one move, so that what a search does can be counted and compared with brute force.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.footprint import NOTHING, Footprint
from pytest_supercache.core.operation import History
from pytest_supercache.core.schedule import Choices, Schedule, Scheduler
from pytest_supercache.core.trace import Pending, Step, StepId
from pytest_supercache.core.waits import Wait


def always(state: dict[str, Any]) -> bool:
    """Guard of a move that never waits."""
    return True


def nothing(state: dict[str, Any]) -> None:
    """Effect of a move that changes nothing."""


@dataclass(frozen=True)
class Move:
    """One step of a program."""

    label: str
    effect: Callable[[dict[str, Any]], None] = nothing
    guard: Callable[[dict[str, Any]], bool] = always
    footprint: Footprint = NOTHING
    wait: Wait | None = None
    cause: StepId | None = None
    recheck: bool = False


Programs = dict[str, list[Move]]


def straight(steps: int, label: str = "step") -> list[Move]:
    """Make a program of so many moves that never wait."""
    return [Move(f"{label} {number}") for number in range(steps)]


def acquire(lock: str, actor: str) -> Move:
    """Wait for a lock and take it."""
    return Move(
        f"acquire {lock}",
        effect=lambda state: state.update({lock: actor}),
        guard=lambda state: state.get(lock) is None,
    )


def release(lock: str) -> Move:
    """Give a lock back."""
    return Move(f"release {lock}", effect=lambda state: state.update({lock: None}))


@dataclass
class Simulator:
    """Runs programs under schedulers and remembers every run."""

    programs: Callable[[], Programs]
    runs: list[Execution] = field(default_factory=list)
    states: list[dict[str, Any]] = field(default_factory=list)
    offered: list[list[tuple[str, ...]]] = field(default_factory=list)

    def attempt(self, scheduler: Scheduler) -> Execution:
        """Run the programs once."""
        programs = self.programs()
        state: dict[str, Any] = {}
        positions = dict.fromkeys(programs, 0)
        taken: list[str] = []
        steps: list[Step] = []
        offered: list[tuple[str, ...]] = []
        preemptions = 0
        last = None
        while enabled := _enabled(programs, positions, state):
            choices = Choices(enabled, last, len(taken), steps=steps)
            offered.append(enabled)
            choice = scheduler.choose(choices)
            assert choice in enabled, f"{choice} may not go on"
            preemptions += choices.preempts(choice)
            move = programs[choice][positions[choice]]
            steps.append(
                Step(choice, positions[choice], move.label, "hand", move.footprint,
                     choice=len(taken))
            )  # fmt: skip
            move.effect(state)
            positions[choice] += 1
            taken.append(choice)
            last = choice
        execution = Execution(
            schedule=Schedule(tuple(taken)),
            steps=steps,
            history=History(),
            preemptions=preemptions,
            blocked=tuple(
                Pending(name, program[positions[name]].label, NOTHING, enabled=False)
                for name, program in programs.items()
                if positions[name] < len(program)
            ),
        )
        self.runs.append(execution)
        self.states.append(state)
        self.offered.append(offered)
        return execution

    @property
    def schedules(self) -> list[tuple[str, ...]]:
        """The choices of every run."""
        return [run.schedule.choices for run in self.runs]


def _enabled(
    programs: Programs, positions: dict[str, int], state: dict[str, Any]
) -> tuple[str, ...]:
    return tuple(
        name
        for name, program in programs.items()
        if positions[name] < len(program) and program[positions[name]].guard(state)
    )


class Forced:
    """Follows given choices, then takes whoever comes first."""

    def __init__(self, choices: tuple[str, ...]) -> None:
        self._choices = choices

    def choose(self, choices: Choices) -> str:
        """Name the next one."""
        if choices.taken < len(self._choices):
            return self._choices[choices.taken]
        return choices.enabled[0]


def every_run(programs: Callable[[], Programs]) -> Iterator[tuple[Execution, dict[str, Any]]]:
    """Enumerate all runs by brute force: extend every prefix by everybody who may go on."""
    waiting: list[tuple[str, ...]] = [()]
    while waiting:
        prefix = waiting.pop()
        simulator = Simulator(programs)
        run = simulator.attempt(Forced(prefix))
        if len(run.schedule.choices) == len(prefix):
            yield run, simulator.states[0]
            continue
        waiting += [(*prefix, name) for name in simulator.offered[0][len(prefix)]]
