"""Executes every schedule exactly once, those with the fewest preemptions first.

A run follows a prefix and then goes on without preemption; at every choice after the prefix, each
other actor that could have gone begins a new prefix. Prefixes wait in the level of their number of
preemptions, so the first violation found has the fewest that suffice (iterative context bounding:
Musuvathi and Qadeer, PLDI 2007), while no schedule is executed twice. There is no reduction here:
two straight programs of a and b steps take (a+b)!/(a!b!) runs.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from pytest_supercache.core.errors import NotDeterministicError
from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.schedule import Choices
from pytest_supercache.core.verdict import End
from pytest_supercache.search.search import Attempt

Signature = tuple[str, str, Footprint] | None


class UpTo(NamedTuple):
    """The number of schedules with at most ``preemptions`` preemptions, which were all executed.

    ``more`` are known to have one preemption more; each of them may lead to others.
    """

    preemptions: int
    schedules: int
    more: int


@dataclass(slots=True)
class _Prefix:
    """Choices to repeat, and what the run that they come from recorded there."""

    choices: tuple[str, ...] = ()
    preemptions: int = 0
    enabled: list[tuple[str, ...]] = field(default_factory=list)
    signatures: list[Signature] = field(default_factory=list)
    shared: int = 0  # how many leading signatures must repeat: all but the new last choice


class _Following:
    """Follows a prefix, then never preempts; records every point of choice."""

    def __init__(self, prefix: _Prefix) -> None:
        self._prefix = prefix
        self.points: list[Choices] = []
        self.taken: list[str] = []  # at each of them

    def choose(self, choices: Choices) -> str | None:
        at = choices.taken
        if at < len(self._prefix.choices):
            if choices.enabled != self._prefix.enabled[at]:
                raise NotDeterministicError(
                    f"after the same {at} choices {', '.join(choices.enabled) or 'nobody'} may go "
                    f"on where it was {', '.join(self._prefix.enabled[at])} before"
                )
            choice = self._prefix.choices[at]
        else:
            choice = choices.last if choices.last in choices.enabled else choices.enabled[0]
        assert choice is not None, "a scheduler is only asked when somebody may go on"
        self.points.append(choices)
        self.taken.append(choice)
        return choice


class AllSchedules:
    """Exhaustive search without reduction.

    Args:
        preemptions_max: stop after the schedules with this many preemptions; None: execute all.
        is_hopeless: called before each run with the number of waiting prefixes, each of which is
            at least one schedule; True stops the search.
    """

    def __init__(
        self,
        preemptions_max: int | None = None,
        is_hopeless: Callable[[int], bool] = lambda _waiting: False,
    ) -> None:
        self._preemptions_max = preemptions_max
        self._is_hopeless = is_hopeless
        self._waiting: defaultdict[int, list[_Prefix]] = defaultdict(list)
        self.level = 0
        """The present number of preemptions: all schedules with fewer have been executed."""
        self.done: UpTo | None = None
        """The schedules that have been executed, without those of an unfinished level."""

    @property
    def owed(self) -> int:
        """A lower bound of the number of schedules left with the present number of preemptions."""
        return len(self._waiting[self.level])

    def explore(self, attempt: Attempt) -> End:
        """Execute every schedule, level by level."""
        waiting = self._waiting
        waiting[0].append(_Prefix())
        executed = 0
        while waiting:
            self.level = min(waiting)
            if self._preemptions_max is not None and self.level > self._preemptions_max:
                return End.OUT_OF_BUDGET
            stack = waiting[self.level]
            while stack:
                if self._is_hopeless(sum(map(len, waiting.values()))):
                    return End.OUT_OF_BUDGET
                prefix = stack.pop()
                following = _Following(prefix)
                execution = attempt(following)
                executed += not execution.missed
                repeated = execution.signatures()
                self._compare(prefix, following, repeated)
                for branch in _branches(prefix, following, repeated):
                    waiting[branch.preemptions].append(branch)
            del waiting[self.level]
            self.done = UpTo(self.level, executed, len(waiting.get(self.level + 1, ())))
        return End.EXHAUSTED

    def _compare(self, prefix: _Prefix, following: _Following, repeated: list[Signature]) -> None:
        if len(following.points) < len(prefix.choices):
            raise NotDeterministicError(
                f"after the same {len(following.points)} choices nobody may go on where it was "
                f"{', '.join(prefix.enabled[len(following.points)])} before"
            )
        for at in range(prefix.shared):
            if repeated[at] != prefix.signatures[at]:
                raise NotDeterministicError(
                    f"choice {at + 1} of the same schedule was {_shown(prefix.signatures[at])} "
                    f"in one run and {_shown(repeated[at])} in another"
                )


def _branches(prefix: _Prefix, following: _Following, signatures: list[Signature]) -> list[_Prefix]:
    """Return the prefixes that differ from this run in one choice after its own prefix."""
    enabled = [choices.enabled for choices in following.points]
    taken = tuple(following.taken)
    branches = []
    preemptions = 0
    for at, choices in enumerate(following.points):
        if at >= len(prefix.choices):
            for other in choices.enabled:
                if other != taken[at]:
                    more = preemptions + choices.preempts(other)
                    branch = _Prefix((*taken[:at], other), more, enabled, signatures, at)
                    branches.append(branch)
        preemptions += choices.preempts(taken[at])
    return branches


def _shown(signature: Signature) -> str:
    return "nothing" if signature is None else f"{signature[0]}: {signature[1]!r}"
