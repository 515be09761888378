"""Search x execute x judge: the one place where they meet, and the owner of the budget.

Read this first. A body is run under one schedule after another; every execution is judged; the
search decides what comes next. What is found is made small, replayed, and only then reported.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from time import perf_counter as real_perf_counter
from typing import Any

from pytest_supercache import coverage
from pytest_supercache.core.errors import NotDeterministicError, ReplayDivergedError, SupercacheError
from pytest_supercache.core.result import CheckResult, Counterexample
from pytest_supercache.core.schedule import Schedule, Scheduler
from pytest_supercache.core.settings import SEARCHES, Assume, Exploration
from pytest_supercache.core.trace import Execution
from pytest_supercache.core.verdict import End, Label, Verdict, Violation
from pytest_supercache.layers.servers import (
    FakeRedisServer,
    ForeignServer,
    RealServer,
    start_server,
)
from pytest_supercache.oracle.guarantee import Guarantee
from pytest_supercache.oracle.judge import DEFAULT, Judgement, judge
from pytest_supercache.search.all_schedules import AllSchedules
from pytest_supercache.search.random_walk import RandomWalk
from pytest_supercache.search.replay import Replay
from pytest_supercache.search.search import Search, SearchEnded
from pytest_supercache.search.serial import Serial, serial_orders
from pytest_supercache.stand import Body, Given, Stand, test_stand

REPLAYS = 10
"""How often a counterexample must repeat before its token is printed."""

REPEATS = 3
"""How often the first schedule is repeated to see that the code is deterministic."""

SHRINK_EXECUTIONS = 2_000
"""How many schedules with fewer preemptions are tried for a smaller witness."""


class _SharedMemoryNeeded(Exception):  # noqa: N818 - a change of plan, not an error
    """An operation was answered without a step: memory that nobody declared."""


@dataclass(slots=True)
class _Found:
    execution: Execution
    violations: tuple[Violation, ...]
    serial: bool = False


@dataclass(slots=True)
class _Run:
    """The state of one check."""

    stand: Stand
    body: Body
    settings: Exploration
    guarantees: tuple[Guarantee, ...]
    item: str
    shared: bool
    started: float
    database_key: bytes
    hypothesis_seed: int | None
    executions: int = 0
    violating: int = 0
    blocked: int = 0
    first: Execution | None = None
    found: _Found | None = None
    level: int | None = None
    reasons: dict[str, None] = field(default_factory=dict)
    outside: bool = False

    def attempt(self, scheduler: Scheduler) -> Execution:
        """Execute and judge one schedule of the search."""
        if self.executions >= self.settings.executions or self.seconds() > self.settings.time:
            raise SearchEnded(End.OUT_OF_BUDGET)
        execution = self.execute(scheduler)
        judgement = self.judge(execution)
        self.executions += 1
        self.blocked += bool(execution.blocked)
        if judgement.violations:
            self.violating += 1
            if self.found is None:
                self.found = _Found(execution, judgement.violations)
            if self.settings.stop_at_first:
                raise SearchEnded(End.FOUND)
        return execution

    def execute(self, scheduler: Scheduler, **options: Any) -> Execution:
        """Execute one schedule, whoever wants it."""
        execution = self.stand.execute(
            self.body, scheduler, shared_memory=self.shared, outside=self.outside, **options
        )
        if isinstance(execution.failure, SupercacheError):
            raise execution.failure
        if execution.hazards:
            raise _Hazard(execution.hazards)
        if execution.unseen and self.settings.memory == "auto" and not self.shared:
            raise _SharedMemoryNeeded(execution.unseen[0])
        if self.first is None:
            self.first = execution
        return execution

    def judge(self, execution: Execution) -> Judgement:
        """Judge one execution and note what could not be judged."""
        judgement = judge(execution, self.guarantees)
        if not judgement.violations:
            self.reasons.update(dict.fromkeys(judgement.not_judged))
        return judgement

    def seconds(self) -> float:
        """Real seconds since the check began."""
        return real_perf_counter() - self.started


class _Hazard(Exception):  # noqa: N818 - a reason for UNKNOWN
    """An execution that proves nothing, and why."""

    def __init__(self, reasons: Iterable[str]) -> None:
        self.reasons = tuple(reasons)
        super().__init__("; ".join(self.reasons))


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
    guarantees: Iterable[Guarantee] | None = None,
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
        preemptions: try only schedules with at most so many; never HOLDS then.
        memory: ``declared``, ``shared`` or ``auto`` (docs/architecture.md, "Memory").
        faults: not available in this version.
        guarantees: what must hold; None: ``coherent_when_settled`` and ``read_your_writes`` as far
            as they can be judged. ``answers`` is always on.
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
    return check_on(
        server, body, settings, guarantees=() if guarantees is None else tuple(guarantees)
    )


def check_on(
    server: FakeRedisServer | RealServer | ForeignServer,
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
    validate(settings)
    started = real_perf_counter()
    with test_stand(
        server, settings, given or {}, state=state, clients=clients, core=core
    ) as stand:
        run = _Run(
            stand=stand, body=body, settings=settings, guarantees=guarantees, item=item,
            shared=settings.memory == "shared", started=started,
            database_key=f"pytest-supercache:{item}".encode(), hypothesis_seed=hypothesis_seed,
        )  # fmt: skip
        if preflight is not None:
            _look_ahead(run, preflight)
        try:
            return _explore(run, replay)
        except _SharedMemoryNeeded as needed:
            note = (
                f"memory is treated as shared: {needed} was answered without a step. Declare what "
                "it looks into with watch(...) to make the search cheaper"
            )
            run = replace(
                run, shared=True, executions=0, violating=0, blocked=0, first=None, reasons={}
            )
            result = _explore(run, replay)
            return replace(result, notes=(*result.notes, note))


def _look_ahead(run: _Run, preflight: Body) -> None:
    """Run a body once that raises when something is wrong with the system as it is declared."""
    execution = run.stand.execute(preflight, Serial(()), unlimited_ticks=True)
    if isinstance(execution.failure, SupercacheError):
        raise execution.failure
    run.stand.stack.forget_nodes()
    run.stand.notice_new_modules()


def validate(settings: Exploration) -> None:
    """Refuse what this version cannot do.

    Raises:
        SupercacheError: naming the option, what it may be, and what to use instead.
    """
    if settings.search not in SEARCHES:
        raise SupercacheError(
            f"search={settings.search!r} is not known; expected one of {', '.join(SEARCHES)}"
        )
    if settings.search in {"exhaustive", "pct", "uniform"}:
        raise SupercacheError(
            f"search={settings.search!r} is not available in this version. Use 'all-schedules' to "
            "execute every schedule, 'random', 'hypothesis', or 'auto'."
        )
    if settings.grain != "command":
        raise SupercacheError(
            f"grain={settings.grain!r} is not available in this version; 'command' is"
        )
    if settings.ticks != "auto" and settings.ticks not in {0, 1, 2}:
        raise SupercacheError(f"ticks={settings.ticks!r}: expected 'auto', 0, 1 or 2")
    if settings.memory not in {"auto", "declared", "shared"}:
        raise SupercacheError(
            f"memory={settings.memory!r}: expected 'auto', 'declared' or 'shared'"
        )
    if settings.executions < 1 or settings.time <= 0:
        raise SupercacheError("executions must be at least 1 and time more than 0 s")


def _explore(run: _Run, replay: Schedule | None) -> CheckResult:
    try:
        if replay is not None:
            return _replay_only(run, replay)
        label = _take_turns(run)
        end = End.FOUND if run.found and run.settings.stop_at_first else _search(run)
        return _conclude(run, end, label)
    except _Hazard as hazard:
        return _unknown(run, hazard.reasons)
    except NotDeterministicError as error:
        return _unknown(run, (f"the code under test is not deterministic: {error}",))


def _take_turns(run: _Run) -> Label:
    """Run the users one after the other in every order; repeat the first run; return the label."""
    users = _users(run)
    failing = total = 0
    for order in serial_orders(users, run.settings.seed):
        execution = run.execute(Serial(order), unlimited_ticks=True)
        violations = run.judge(execution).violations
        total += 1
        failing += bool(violations)
        if violations and run.found is None:
            run.found = _Found(execution, violations, serial=True)
    if failing == total:
        return Label.PLAIN_BUG
    return Label.ORDER_BUG if failing else Label.CONFLICT


def _users(run: _Run) -> tuple[str, ...]:
    """Learn who the users are, and that the same schedule always leads to the same steps."""
    first = run.execute(Serial(()), unlimited_ticks=True)
    if run.stand.notice_new_modules():
        first = run.execute(Serial(()), unlimited_ticks=True)
    for _ in range(REPEATS):
        again = run.execute(Serial(()), unlimited_ticks=True)
        _compare(first, again)
    names = dict.fromkeys(p.actor for step in first.race[:1] for p in step.pending)
    names.update(dict.fromkeys(step.actor for step in first.race))
    return tuple(name for name in names if "@" not in name)


def _compare(first: Execution, again: Execution) -> None:
    if first.schedule != again.schedule:
        raise NotDeterministicError("users took turns in the same order, but others could go on")
    for one, other in zip(first.steps, again.steps, strict=False):
        if one.signature != other.signature:
            raise NotDeterministicError(
                f"{one.actor} took the step {one.label!r} in one run and {other.label!r} "
                f"({other.actor}) in another, under the same schedule"
            )
    if len(first.steps) != len(again.steps):
        raise NotDeterministicError(
            f"the same schedule took {len(first.steps)} steps in one run and {len(again.steps)} "
            "in another"
        )


def _search(run: _Run) -> End:
    """Let the chosen search try schedules until it ends or the budget does."""
    for search, outside in _searches(run):
        run.outside = outside
        try:
            end = search.explore(run.attempt)
        except SearchEnded as ended:
            end = ended.end
        run.outside = False
        if isinstance(search, AllSchedules):
            run.level = search.level
        if end is not End.OUT_OF_BUDGET:
            return end
    return End.OUT_OF_BUDGET


def _searches(run: _Run) -> Iterable[tuple[Search, bool]]:
    """Yield the search, or for ``auto`` what comes after it; and whether it is asked outside."""
    settings = run.settings
    if settings.search == "random":
        yield RandomWalk(settings.seed), False
    elif settings.search == "hypothesis":
        from pytest_supercache.search.generated import Generated

        yield Generated(settings.executions, run.database_key, run.hypothesis_seed), True
    else:
        yield AllSchedules(settings.preemptions), False


def _replay_only(run: _Run, schedule: Schedule) -> CheckResult:
    """Execute one recorded schedule and judge it: no search, no proof."""
    execution = run.execute(Replay(schedule), unlimited_ticks=True)
    violations = run.judge(execution).violations
    run.executions = 1
    if not violations:
        return _unknown(
            run,
            ("the recorded schedule was replayed and everything held; one schedule proves nothing",),
        )
    run.found = _Found(execution, violations)
    run.violating = 1
    return _conclude(run, End.FOUND, _take_turns_quietly(run))


def _take_turns_quietly(run: _Run) -> Label:
    found = run.found
    label = _take_turns(run)
    run.found = found
    return label


def _conclude(run: _Run, end: End, label: Label) -> CheckResult:
    if run.found is not None:
        return _violated(run, end, label)
    scope = _scope(run)
    if run.reasons:
        return _unknown(run, tuple(run.reasons))
    if end is End.EXHAUSTED:
        return CheckResult(
            verdict=Verdict.HOLDS,
            executions=run.executions,
            blocked=run.blocked,
            interleavings=run.executions,
            exhausted=True,
            coverage=coverage.exhausted(run.executions, scope),
            seconds=run.seconds(),
            scope=scope,
        )
    return _unknown(run, (_budget_reason(run),))


def _budget_reason(run: _Run) -> str:
    if run.settings.search in {"random", "hypothesis"}:
        return (
            f"{run.settings.search} search found nothing, and it can prove nothing: it does not "
            "know what is left. Use search 'all-schedules' for a proof"
        )
    if run.settings.preemptions is not None and run.executions < run.settings.executions:
        return f"only schedules with at most {run.settings.preemptions} preemptions were tried"
    if run.executions >= run.settings.executions:
        return (
            f"the budget of {run.settings.executions:,} executions ran out. Give more with "
            "--supercache-executions, or make the flow smaller"
        )
    return (
        f"the budget of {run.settings.time:g} s ran out after {run.executions:,} executions. "
        "Give more with --supercache-time, or make the flow smaller"
    )


def _violated(run: _Run, end: End, label: Label) -> CheckResult:
    assert run.found is not None
    found, minimal = _smaller(run, run.found)
    counterexample, problem = _confirm(run, found, minimal)
    scope = _scope(run)
    if counterexample is None:
        return _unknown(run, (problem,))
    return CheckResult(
        verdict=Verdict.VIOLATED,
        label=label,
        executions=run.executions,
        violating=run.violating,
        blocked=run.blocked,
        interleavings=run.executions if end is End.EXHAUSTED else None,
        exhausted=end is End.EXHAUSTED,
        coverage=coverage.found(run.executions, run.violating, scope),
        counterexample=counterexample,
        seconds=run.seconds(),
        scope=scope,
    )


def _smaller(run: _Run, found: _Found) -> tuple[_Found, bool]:
    """Look for a witness with fewer preemptions; say whether none can exist.

    "Smaller" means: fewest preemptions. All-schedules finds the smallest first, so it need not be
    asked again.
    """
    most = found.execution.preemptions
    if most == 0 or run.level is not None:
        return found, True
    best = found
    tried = 0

    def attempt(scheduler: Scheduler) -> Execution:
        nonlocal best, tried
        if tried >= SHRINK_EXECUTIONS or run.seconds() > 2 * run.settings.time:
            raise SearchEnded(End.OUT_OF_BUDGET)
        tried += 1
        execution = run.execute(scheduler)
        violations = judge(execution, run.guarantees).violations
        if violations:
            best = _Found(execution, violations)
            raise SearchEnded(End.FOUND)
        return execution

    search = AllSchedules(preemptions_max=most - 1)
    run.outside = False
    try:
        search.explore(attempt)
    except SearchEnded as ended:
        return best, ended.end is End.FOUND
    return best, True


def _confirm(run: _Run, found: _Found, minimal: bool) -> tuple[Counterexample | None, str]:
    """Replay the finding; only what repeats every time may be reported."""
    schedule = found.execution.schedule
    violation = found.violations[0]
    again = 0
    recorded = found.execution
    for number in range(REPLAYS):
        try:
            execution = run.execute(Replay(schedule), unlimited_ticks=True, record=number == 0)
        except ReplayDivergedError as error:
            return None, f"a violation was found that does not replay: {error}"
        violations = judge(execution, run.guarantees).violations
        again += any(other.identity == violation.identity for other in violations)
        if number == 0:
            recorded = execution
    if again < REPLAYS:
        return None, (
            f"a violation was found ({violation.summary}), but it replayed only {again} times of "
            f"{REPLAYS}: the code under test is not deterministic"
        )
    return (
        Counterexample(
            token=schedule.token(run.item),
            schedule=schedule,
            preemptions=found.execution.preemptions,
            violation=violation,
            violations=found.violations,
            execution=recorded,
            replays=f"{again}/{REPLAYS}",
            minimal=minimal,
            serial=found.serial,
        ),
        "",
    )


def _unknown(run: _Run, reasons: Iterable[str]) -> CheckResult:
    scope = _scope(run)
    return CheckResult(
        verdict=Verdict.UNKNOWN,
        executions=run.executions,
        violating=run.violating,
        blocked=run.blocked,
        coverage=coverage.cut_off(run.executions, scope, run.level) if scope else "",
        reasons=tuple(reasons),
        seconds=run.seconds(),
        scope=scope,
    )


def _scope(run: _Run) -> Mapping[str, str | int]:
    if run.first is None:
        return {}
    return coverage.scope_of(run.first, run.settings, run.stand.backend, shared=run.shared)
