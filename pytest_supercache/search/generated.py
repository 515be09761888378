"""Lets Hypothesis choose: one bounded draw per step over the actors that may go on.

One draw a step found a stale set in 8.5 executions on average where a drawn list of integers took
54 and a state machine 79. Hypothesis keeps what it found in its database and tries it first in the
next run; every item has a key of its own there. Its shrinker stops at local minima of schedules, so
ours runs afterwards.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any, NoReturn
from unittest import SkipTest

from hypothesis import (
    HealthCheck,
    Phase,
    Verbosity,
    __version__,
    currently_in_test_context,
    find,
    given,
    reject,
    reproduce_failure,
    settings,
)
from hypothesis import strategies as st
from hypothesis._settings import local_settings
from hypothesis.control import _current_build_context
from hypothesis.errors import (
    DidNotReproduce,
    InvalidArgument,
    NoSuchExample,
    UnsatisfiedAssumption,
)
from hypothesis.statistics import collector, describe_statistics

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.execution import Execution
from pytest_supercache.core.schedule import Choices, Schedule, Scheduler
from pytest_supercache.core.verdict import End
from pytest_supercache.search.search import Attempt, SearchEnded

_COLLECTOR: Any = collector  # typed as if it could hold nothing


class _Drawn:
    """Draws at every point with more than one enabled actor, and records the draws."""

    def __init__(self, data: st.DataObject) -> None:
        self._data = data
        self.numbers: list[tuple[int, int]] = []  # the largest possible, the drawn one

    def choose(self, choices: Choices) -> str | None:
        if len(choices.enabled) == 1:
            return choices.enabled[0]
        ordered = _ordered(choices)
        number = self._data.draw(st.integers(0, len(ordered) - 1))
        self.numbers.append((len(ordered) - 1, number))
        return ordered[number]


def _ordered(choices: Choices) -> list[str]:
    """Sort actors so that going on without a preemption comes first: Hypothesis prefers zero."""
    return sorted(choices.enabled, key=lambda name: name != choices.last)


class _Stopped(BaseException):
    """Leaves Hypothesis, which would examine any other exception by trying again."""


class _Falsified:
    """The claim that Hypothesis tries to falsify: that no schedule fails."""

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

    @property
    def drawn(self) -> list[int]:
        """The numbers of the schedule that failed."""
        return [] if self._found is None else [number for _, number in self._found.numbers]

    def _stop(self, reason: Exception) -> NoReturn:
        self.stopped = reason
        raise _Stopped from reason


class Generated:
    """Search driven by Hypothesis.

    It uses the current profile: its database, ``derandomize``, and phases without reuse. As a
    part of an example of ``@given`` the search must do the same whenever the example is tried
    again, so it has a seed then and remembers nothing.

    Args:
        executions: the largest number of examples.
        item: the name under which examples are stored.
        seed: of the choices; None: as Hypothesis decides.
        reproduce: version and blob of ``@reproduce_failure``: try nothing else.
    """

    def __init__(
        self,
        executions: int,
        item: str,
        seed: int | None,
        reproduce: tuple[str, bytes] | None = None,
    ) -> None:
        self._executions = executions
        self._item = item
        self._key = f"pytest-supercache:{item}".encode()
        self._is_nested = currently_in_test_context()
        self._seed = 0 if seed is None and self._is_nested else seed
        self._reproduce = reproduce
        self._found: list[int] = []
        self.statistics = ""
        """The text for ``--hypothesis-show-statistics``; empty when the search was broken off."""

    def explore(self, attempt: Attempt) -> End:
        """Let Hypothesis try schedules until one fails, or until it has no more examples."""
        runner = _Falsified(attempt)
        profile = self._profile()
        database: Any = profile.database
        before = self._kept(database)
        if not profile.phases:
            return End.OUT_OF_BUDGET
        try:
            with local_settings(profile), _COLLECTOR.with_value(self._keep_statistics):
                self._run(runner.fails)
        except (
            NoSuchExample,
            SkipTest,
        ):  # it skips a test of which the profile lets it try nothing
            return End.OUT_OF_BUDGET
        except BaseException:
            if runner.stopped is not None:  # whatever Hypothesis makes of having been left
                for example in self._kept(database) - before:  # it takes that for a failure
                    database.delete(self._key, example)
                raise runner.stopped from None
            raise
        self._found = runner.drawn
        return End.FOUND

    def _profile(self) -> settings:
        """Return the current profile, changed for a search; nesting is allowed on purpose."""
        current = settings.default
        assert current is not None, "Hypothesis always has a profile"
        return settings(
            current,
            max_examples=self._executions,
            deadline=None,
            phases=[p for p in (Phase.reuse, Phase.generate) if p in current.phases],
            verbosity=Verbosity.quiet,
            suppress_health_check=list(HealthCheck),
        )

    def _kept(self, database: Any) -> set[bytes]:
        return set() if database is None else set(database.fetch(self._key))

    def _run(self, fails: Callable[[st.DataObject], bool]) -> None:
        if self._reproduce is not None:
            _reproduced(fails, *self._reproduce)
            return
        find(
            st.data(),
            fails,
            random=None if self._seed is None else Random(self._seed),
            settings=settings.default,
            database_key=self._key,
        )

    def _keep_statistics(self, statistics: Any) -> None:
        statistics["nodeid"] = self._item
        self.statistics = describe_statistics(statistics)

    def remember(self, schedule: Schedule, execute: Callable[[Scheduler], Execution]) -> str:
        """Store a smaller schedule than the found one in the database of Hypothesis.

        Args:
            schedule: one that fails like the found one.
            execute: runs a schedule as the search does.

        Returns:
            The decorator that repeats it; empty if this version of Hypothesis cannot tell.
        """
        try:
            from hypothesis.core import encode_failure
            from hypothesis.database import choices_to_bytes
        except ImportError:  # an older Hypothesis writes examples in another way
            return ""
        followed = _Followed(schedule)
        execute(followed)
        database = settings.default.database if settings.default is not None else None
        if database is not None and self._seed is None and self._reproduce is None:
            database.delete(self._key, choices_to_bytes(self._found))
            database.save(self._key, choices_to_bytes(followed.numbers))
        return f"@reproduce_failure({__version__!r}, {encode_failure(followed.numbers)!r})"


class _Followed:
    """Follows a schedule, and records the numbers that Hypothesis would have to draw for it."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self.numbers: list[int] = []

    def choose(self, choices: Choices) -> str | None:
        name = self._schedule.choices[choices.taken]
        if len(choices.enabled) > 1:
            self.numbers.append(_ordered(choices).index(name))
        return name


class _Repeated(Exception):  # noqa: N818 - what is hoped for
    """The schedule of ``@reproduce_failure`` has failed again."""


def _reproduced(fails: Callable[[st.DataObject], bool], version: str, blob: bytes) -> None:
    """Try only the example of a blob.

    Raises:
        SupercacheError: it is of another version of Hypothesis, or it no longer fails.
    """

    def test(data: st.DataObject) -> None:
        if fails(data):
            raise _Repeated

    try:
        reproduce_failure(version, blob)(given(st.data())(test))()
    except _Repeated:
        return
    except (DidNotReproduce, InvalidArgument) as error:
        raise SupercacheError(f"@reproduce_failure: {error}") from error


def suited(test: Any) -> None:
    """Adapt the settings of a test with ``@given`` to an exploration, where they are the default.

    It has no deadline; and lines that only failing examples run explain nothing, because
    these are lines of the search.
    """
    applied, usual = test._hypothesis_internal_use_settings, settings.default  # noqa: SLF001 - as its plugin does
    if usual is None:
        return
    if applied.deadline == usual.deadline:
        applied = settings(applied, deadline=None)
    if applied.phases == usual.phases:
        applied = settings(applied, phases=[p for p in usual.phases if p is not Phase.explain])
    test._hypothesis_internal_use_settings = applied


Rejected = UnsatisfiedAssumption
"""Raised by ``assume`` and ``reject``: the example is not a valid one."""


class Example:
    """The example of ``@given`` that the calling thread tries; its body runs on other threads."""

    def __init__(self) -> None:
        self._context: Any = _current_build_context.value
        self._is_first = True

    @contextmanager
    def again(self) -> Iterator[None]:
        """Let the calling thread take part in the example, but report its results only once."""
        example = self._context
        told = vars(example) | {"observations": example.data.target_observations}
        with _current_build_context.with_value(example):
            if not self._is_first:
                example.is_final = False
                example.data.target_observations = {}
            try:
                yield
            finally:
                if not self._is_first:
                    example.is_final = told["is_final"]
                    example.data.target_observations = told["observations"]
                self._is_first = False


def draws(value: Any) -> bool:
    """Say whether a value comes from ``st.data()``."""
    return isinstance(value, st.DataObject)


def reject_example() -> None:
    """Tell Hypothesis that an example of ``@given`` is not a valid one."""
    reject()
