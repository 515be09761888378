"""Hypothesis chooses: one bounded draw per step over the actors that may go on.

One draw a step found a stale set in 8.5 executions on average where a drawn list of integers took
54 and a state machine 79. Hypothesis keeps what it found in its database and tries it first in the
next run; every item has a key of its own there. Its shrinker stops at local minima of schedules, so
ours runs afterwards.
"""

from collections.abc import Callable
from random import Random
from typing import NoReturn

from hypothesis import Phase, Verbosity, find, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from pytest_supercache.core.schedule import Choices
from pytest_supercache.core.verdict import End
from pytest_supercache.search.search import Attempt, SearchEnded


class _Drawn:
    """Draws at every point that has more than one way to go on, and remembers what."""

    def __init__(self, data: st.DataObject) -> None:
        self._data = data
        self.numbers: list[tuple[int, int]] = []  # the largest possible, the drawn one

    def choose(self, choices: Choices) -> str | None:
        if len(choices.enabled) == 1:
            return choices.enabled[0]
        # The first alternative is to go on without a preemption: Hypothesis tends towards zero.
        ordered = sorted(choices.enabled, key=lambda name: name != choices.last)
        number = self._data.draw(st.integers(0, len(ordered) - 1))
        self.numbers.append((len(ordered) - 1, number))
        return ordered[number]


class _Stopped(BaseException):
    """Leaves Hypothesis, which would examine any other exception by asking again."""


class _Trial:
    """What Hypothesis is asked to falsify: that no schedule fails."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._found: _Drawn | None = None
        self.stopped: Exception | None = None

    def fails(self, data: st.DataObject) -> bool:
        """Try the schedule that ``data`` draws."""
        if self._found is not None:  # asked again, to be sure; the budget may be used up by now
            return all(data.draw(st.integers(0, most)) == n for most, n in self._found.numbers)
        drawn = _Drawn(data)
        try:
            self._attempt(drawn)
        except SearchEnded as ended:
            if ended.end is not End.FOUND:
                self._stop(ended)
            self._found = drawn
        except Exception as error:  # noqa: BLE001 - raised again outside of Hypothesis
            self._stop(error)
        return self._found is not None

    def _stop(self, reason: Exception) -> NoReturn:
        self.stopped = reason
        raise _Stopped from reason


class Generated:
    """Search driven by Hypothesis.

    Args:
        executions: how many examples to try at most.
        database_key: under which name examples of this item are kept.
        seed: repeat the choices of this seed; None: as Hypothesis decides.
    """

    def __init__(self, executions: int, database_key: bytes, seed: int | None) -> None:
        self._executions = executions
        self._database_key = database_key
        self._seed = seed

    def explore(self, attempt: Attempt) -> End:
        """Let Hypothesis try schedules until one fails or it has no more examples."""
        trial = _Trial(attempt)
        try:
            self._find(trial.fails)
        except NoSuchExample:
            return End.OUT_OF_BUDGET
        except BaseException:
            if trial.stopped is not None:  # whatever Hypothesis makes of having been left
                raise trial.stopped from None
            raise
        return End.FOUND

    def _find(self, fails: Callable[[st.DataObject], bool]) -> None:
        find(
            st.data(),
            fails,
            settings=settings(
                max_examples=self._executions,
                deadline=None,
                phases=(Phase.reuse, Phase.generate),
                verbosity=Verbosity.quiet,
            ),
            random=None if self._seed is None else Random(self._seed),
            database_key=self._database_key,
        )
