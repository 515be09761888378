"""Search x execute x judge: the one place where they meet, and the owner of the budget.

Read this first. A body is run under one schedule after another; every execution is judged; the
search decides what comes next. What is found is made small, replayed, and only then reported.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from pytest_supercache import coverage
from pytest_supercache.core.errors import (
    NotDeterministicError,
    ReplayDivergedError,
    SupercacheError,
)
from pytest_supercache.core.result import CheckResult
from pytest_supercache.core.schedule import Schedule
from pytest_supercache.core.settings import Assume, Exploration, refuse_unavailable
from pytest_supercache.core.verdict import End, Label, Verdict
from pytest_supercache.layers.servers import AnyServer, start_server
from pytest_supercache.oracle.guarantee import Guarantee
from pytest_supercache.oracle.judge import DEFAULT
from pytest_supercache.runtime.state import changed_globals, fingerprint
from pytest_supercache.search.all_schedules import AllSchedules
from pytest_supercache.search.random_walk import RandomWalk
from pytest_supercache.search.search import Search, SearchEnded
from pytest_supercache.search.serial import Serial
from pytest_supercache.stand import Body, Given, Stand, test_stand
from pytest_supercache.trial import (
    Found,
    HazardMet,
    SharedMemoryNeeded,
    Trial,
    repeat_first,
    take_turns,
)
from pytest_supercache.witness import DoesNotReplay, confirm, smallest


def check(
    body: Body,
    *,
    search: str = "auto",
    grain: str = "command",
    seed: int = 0,
    executions: int = 20_000,
    time: float = 120.0,
    ticks: int | str = "auto",
    preemptions: int | None = None,
    memory: str = "auto",
    faults: Any = None,
    guarantees: Iterable[Guarantee] = (),
    assume: Assume | None = None,
    stop_at_first: bool = True,
    executor: Any = None,
) -> CheckResult:
    """Run ``body`` under every schedule that the search chooses, and judge each execution.

    Args:
        body: called with a :class:`~pytest_supercache.world.World`, once per execution.
        search: ``auto``, ``all-schedules``, ``random`` or ``hypothesis``.
        grain: where switch points are; this version knows ``command``.
        seed: of the random search, and of ``random`` and ``uuid`` in the code under test.
        executions: how many schedules to execute at most.
        time: real seconds after which the search stops.
        ticks: how often the clock may move although somebody could go on; ``auto``: once, when the
            code under test started a sleep, a timed wait or a lock lease.
        preemptions: try only schedules with at most so many; HOLDS only if there are no others.
        memory: ``declared``, ``shared`` or ``auto`` (docs/architecture.md, "Memory").
        faults: not available in this version.
        guarantees: what must hold beside the body's own checks; ``answers`` is always on.
        assume: what production promises.
        stop_at_first: stop at the first violation instead of counting all.
        executor: not available in this version.

    Returns:
        The verdict, with a counterexample if it is VIOLATED.

    Raises:
        SupercacheError: an option is wrong, or the body misuses its world.
    """
    for name, value in (("faults", faults), ("executor", executor)):
        if value is not None:
            raise SupercacheError(f"check({name}=...): not available in this version")
    settings = Exploration(
        search=search, grain=grain, seed=seed, executions=executions, time=time, ticks=ticks,
        preemptions=preemptions, memory=memory, assume=assume, stop_at_first=stop_at_first,
    )  # fmt: skip
    server = start_server("fakeredis")
    return check_on(server, body, settings, guarantees=tuple(guarantees))


def check_on(
    server: AnyServer,
    body: Body,
    settings: Exploration,
    *,
    guarantees: tuple[Guarantee, ...] = DEFAULT,
    given: Given | None = None,
    state: Iterable[str] = (),
    clients: Iterable[str] = (),
    item: str = "check",
    preflight: Body | None = None,
    replay: Schedule | None = None,
    hypothesis_seed: int | None = None,
    core: int = 0,
) -> CheckResult:
    """Check ``body`` with everything spelled out; :func:`check` and the plugin both come here."""
    refuse_unavailable(settings)
    with test_stand(
        server, settings, given or {}, state=state, clients=clients, core=core
    ) as stand:
        if preflight is not None:
            _look_ahead(stand, preflight)

        def explore(*, shared: bool) -> CheckResult:
            trial = Trial(
                stand=stand, body=body, settings=settings, guarantees=guarantees, shared=shared
            )
            return _Check(trial, item, replay, hypothesis_seed).result()

        try:
            return explore(shared=settings.memory == "shared")
        except SharedMemoryNeeded as needed:
            note = (
                f"memory is treated as shared: {needed} was answered without a step. Declare what "
                "it looks into with watch(...) to make the search cheaper"
            )
        except ReplayDivergedError:
            if replay is None or settings.memory != "auto":
                raise
            note = "the token fits only with memory treated as shared"
        result = explore(shared=True)
        return replace(result, notes=(*result.notes, note))


def _look_ahead(stand: Stand, preflight: Body) -> None:
    """Run a body once that raises when something is wrong with the system as it is declared."""
    execution = stand.execute(preflight, Serial(()), unlimited_ticks=True)
    if isinstance(execution.failure, SupercacheError):
        raise execution.failure
    stand.stack.forget_nodes()
    stand.notice_new_modules()


class _Check:
    """One check from the first serial run to the result."""

    def __init__(
        self, trial: Trial, item: str, replay: Schedule | None, hypothesis_seed: int | None
    ) -> None:
        self._trial = trial
        self._item = item
        self._replay = replay
        self._hypothesis_seed = hypothesis_seed
        self._level: int | None = None  # all schedules with fewer preemptions were executed

    def result(self) -> CheckResult:
        """Explore and conclude."""
        trial, before = self._trial, fingerprint()
        try:
            if self._replay is not None:
                return self._replayed(self._replay)
            label, trial.found = take_turns(trial)
            if trial.found is not None and trial.settings.stop_at_first:
                return self._violated(End.FOUND, label)
            return self._concluded(self._explored(), label)
        except HazardMet as hazard:
            return self._unknown(hazard.reasons)
        except NotDeterministicError as error:
            return self._unknown((_not_deterministic(error, before),))
        except DoesNotReplay as error:
            return self._unknown((str(error),))

    def _explored(self) -> End:
        """Let the chosen searches try schedules, one after the other, until one has the answer."""
        trial = self._trial
        for search in self._searches():
            try:
                end = search.explore(trial.attempt)
            except SearchEnded as ended:
                end = ended.end
            trial.outside = False
            if isinstance(search, AllSchedules):
                self._level = search.level
            elif trial.found is not None:
                self._level = None  # not the smallest: it was not found in that order
            if end is not End.OUT_OF_BUDGET or trial.is_over_budget():
                return end
        return End.OUT_OF_BUDGET

    def _searches(self) -> Iterator[Search]:
        settings = self._trial.settings
        if settings.search == "hypothesis":
            from pytest_supercache.search.generated import Generated

            self._trial.outside = True  # Hypothesis draws on the thread that called it only
            key = f"pytest-supercache:{self._item}".encode()
            yield Generated(settings.executions, key, self._hypothesis_seed)
        if settings.search in {"auto", "all-schedules"}:
            is_hopeless = self._is_hopeless if settings.search == "auto" else _never
            yield AllSchedules(settings.preemptions, is_hopeless)
        if settings.search == "random" or (
            settings.search == "auto" and settings.preemptions is None
        ):
            yield RandomWalk(settings.seed)

    def _is_hopeless(self, waiting: int) -> bool:
        """Say whether all schedules cannot fit the budget: then random ones get the other half."""
        done, budget = self._trial.executions, self._trial.settings.executions
        return done >= budget // 2 and waiting > budget - done

    def _replayed(self, schedule: Schedule) -> CheckResult:
        """Execute one recorded schedule and judge it: no search, no proof."""
        trial = self._trial
        execution = trial.replay(schedule)
        violations = trial.judge(execution).violations
        trial.executions = 1
        if not violations:
            return self._unknown((_REPLAYED_AND_HELD,))
        trial.violating = 1
        label, _ = take_turns(trial)
        trial.found = Found(execution, violations)
        self._level = execution.preemptions  # a replay shows what it was given, not a smaller one
        return self._violated(End.FOUND, label)

    def _concluded(self, end: End, label: Label) -> CheckResult:
        trial = self._trial
        if trial.found is not None:
            return self._violated(end, label)
        if trial.not_judged:
            return self._unknown(trial.not_judged)
        if end is not End.EXHAUSTED:
            assert trial.first is not None, "a search has executed something"
            why = coverage.why_unfinished(
                trial.executions, trial.seconds(), trial.settings, trial.first
            )
            return self._unknown((why,))
        repeat_first(trial)
        return CheckResult(
            verdict=Verdict.HOLDS,
            executions=trial.executions,
            blocked=trial.blocked,
            interleavings=trial.executions,
            exhausted=True,
            coverage=coverage.exhausted(trial.executions, trial.scope()),
            seconds=trial.seconds(),
            scope=trial.scope(),
        )

    def _violated(self, end: End, label: Label) -> CheckResult:
        trial = self._trial
        assert trial.found is not None, "a violation needs a finding"
        found, minimal = smallest(trial, trial.found, is_smallest=self._level is not None)
        counterexample = confirm(trial, found, self._item, minimal=minimal and self._replay is None)
        exhausted = end is End.EXHAUSTED
        return CheckResult(
            verdict=Verdict.VIOLATED,
            label=label,
            executions=trial.executions,
            violating=trial.violating,
            blocked=trial.blocked,
            interleavings=trial.executions if exhausted else None,
            exhausted=exhausted,
            coverage=coverage.found(trial.executions, trial.violating, trial.scope()),
            counterexample=counterexample,
            seconds=trial.seconds(),
            scope=trial.scope(),
        )

    def _unknown(self, reasons: Iterable[str]) -> CheckResult:
        trial = self._trial
        scope = trial.scope()
        return CheckResult(
            verdict=Verdict.UNKNOWN,
            executions=trial.executions,
            violating=trial.violating,
            blocked=trial.blocked,
            coverage=coverage.cut_off(trial.executions, scope, self._level) if scope else "",
            reasons=tuple(reasons),
            seconds=trial.seconds(),
            scope=scope,
        )


def _not_deterministic(error: NotDeterministicError, before: dict[str, str]) -> str:
    """Write the reason, with the module globals that may be it."""
    changed = changed_globals(before, fingerprint())
    hint = ""
    if changed:
        hint = (
            f". Module globals that have changed meanwhile: {', '.join(changed)}; if they are "
            "state of the code under test, declare them with @system(state=[...])"
        )
    return f"the code under test is not deterministic: {error}{hint}"


def _never(_waiting: int) -> bool:
    return False


_REPLAYED_AND_HELD = (
    "the recorded schedule was replayed and everything held; one schedule proves nothing. Run the "
    "scenario without --supercache-replay to search it"
)
