"""Writes the sentence that says what a check has covered, and what it has not."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import combinations
from math import ceil, floor, log10

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.footprint import NOTHING, dependent, touches
from pytest_supercache.core.operation import RACE, History
from pytest_supercache.core.orders import Share
from pytest_supercache.core.result import Counterexample
from pytest_supercache.core.settings import SAMPLERS, Exploration
from pytest_supercache.core.switch import RUN
from pytest_supercache.core.trace import Layers, Step
from pytest_supercache.core.waits import LockState
from pytest_supercache.oracle.answers import ANSWERS
from pytest_supercache.oracle.guarantee import Guarantee
from pytest_supercache.oracle.versions import same, written
from pytest_supercache.search.all_schedules import UpTo
from pytest_supercache.search.counting import TreeSize, merges_of, schedules_like
from pytest_supercache.search.pct import MissBound, Pct
from pytest_supercache.search.sampler import Sampler

Scope = dict[str, str | int]

PROCESSES_MAX = 10_000
"""The largest number of processes that is told: nobody has more."""


def scope_of(
    execution: Execution,
    settings: Exploration,
    *,
    backend: str,
    shared: bool,
    early_ticks: int,
    simplified: tuple[str, ...],
    raced: tuple[str, ...] = (),
    atomic: tuple[str, ...] = (),
    faults: int = 0,
    reach: "Reach",
    given: frozenset[str] = frozenset(),
    guarantees: tuple[Guarantee, ...] = (),
    own_checks: str = "",
    isolation: tuple[tuple[str, str], ...] = (),
    left_by_body: tuple[str, ...] = (),
    replaced: tuple[str, ...] = (),
) -> Scope:
    """Return the bounds within which a verdict holds.

    ``own_checks`` are the checks of the body itself, in words; errors and deadlocks always are.
    ``given`` are the resources of the layers that have content at the start.
    """
    keys = {operation.key for operation in execution.history if operation.key is not None}
    judged = [one.name for one in guarantees if one.name != ANSWERS.name]
    scope: Scope = {
        "users": len(execution.users),
        "keys": len(keys),
        "operations": sum(operation.phase == RACE for operation in execution.history),
        "faults": faults,
        "early ticks": early_ticks,
        "memory": _memory(settings, shared=shared),
        "grain": settings.grain,
        "search": settings.search,
        "backend": backend,
        "guarantees": ", ".join(judged) or "none",
    }
    scope |= _hardly_judged(guarantees, judged, execution.history, own_checks)
    scope |= _reached(reach, given, is_apart=not raced and _are_apart(execution))
    scope |= _idle(reach, execution, sees_memory=settings.finds_memory)
    if raced:
        scope["shared memory"] = _listed(raced)
    if atomic:
        scope["declared atomic"] = ", ".join(atomic)
    told = {
        "left by the body": _listed(left_by_body),
        "replaced by fixtures": _listed(replaced),
        "isolation": _levels(isolation),
        "simplified": ", ".join(simplified),
    }
    scope |= {name: what for name, what in told.items() if what}
    if settings.assume is not None:
        scope["assumption"] = f"no operation pauses {settings.assume.pause * 1000:g} ms or more"
    return scope


def orders_of(scope: Scope, schedules: int) -> Scope:
    """Return whether an exhausted search found several users who could come in one order only.

    Steps that share nothing come in one order as far as a search can tell: that is told elsewhere.
    """
    is_fixed = schedules == 1 and int(scope["users"]) > 1 and "in common" not in scope
    return {"orders": "one"} if is_fixed else {}


def _hardly_judged(
    guarantees: tuple[Guarantee, ...], judged: list[str], history: History, own_checks: str
) -> Scope:
    """Return by what a run was judged if no guarantee could be broken, or none was named."""
    if not judged:
        return {"judged only": _and("errors", "deadlocks", own_checks)}
    if any(_has_subject(one, history) for one in guarantees):
        return {}
    return {"no subject": ", ".join(judged)}


def _has_subject(guarantee: Guarantee, history: History) -> bool:
    """Say whether a run has what could break a guarantee; errors and deadlocks are no guarantee."""
    if guarantee.name == ANSWERS.name:
        return False
    return guarantee.has_subject is None or guarantee.has_subject(history)


def _reached(reach: "Reach", given: frozenset[str], *, is_apart: bool) -> Scope:
    """Return what the code of the actors has to do with the layers, where that may be a mistake."""
    if not reach.layers:
        return {"reaches": reach.farthest, "given": int(bool(given))}
    is_of_origin = any(one.startswith(_ORIGIN) for one in given)  # a workaround may use no cache
    in_vain = tuple(sorted(given)) if is_of_origin and not reach.has_met_given else ()
    told: Scope = {"given in vain": _listed(in_vain)} if in_vain else {}
    return told | ({"in common": "nothing"} if is_apart else {})


def _changes_nothing(history: History) -> bool:
    """Say whether users write, and each time what was given: nobody could tell it from the old."""
    writes = [one for operation in history if operation.phase == RACE for one in written(operation)]
    given = {key: (value,) for key, value in history.given.items()}
    known = history.given_in_caches | given
    return bool(writes) and all(
        any(same(value, before) for before in known.get(key, ())) for key, value in writes
    )


def _idle(reach: "Reach", execution: Execution, *, sees_memory: bool) -> Scope:
    """Return what makes a race show little: no cache takes part in it, or nothing is changed."""
    caches = ""
    if reach.layers and not _may_have_cache(reach, execution):
        caches = "none"
    elif reach.layers and _kept_nothing(reach, execution, sees_memory=sees_memory):
        caches = "kept nothing"
    writes = "what was there" if _changes_nothing(execution.history) else ""
    told: Scope = {"caches": caches, "writes": writes}
    return {name: what for name, what in told.items() if what}


def _kept_nothing(reach: "Reach", execution: Execution, *, sees_memory: bool) -> bool:
    """Say whether a cache was asked, and never had an answer.

    Memory may be a cache, too. Only where nodes are asked in the end, somebody would have found it.
    """
    is_in_memory = sees_memory and _is_in_memory(reach, execution)
    is_asked = reach.asks or (is_in_memory and bool(execution.settled.probes))
    return is_asked and reach.loads and not (reach.spares or reach.keeps)


def _may_have_cache(reach: "Reach", execution: Execution) -> bool:
    """Say whether anything that was reached may be a cache, such as memory that users share.

    If each node has only one user, private memory may be a cache as well.
    """
    return reach.caches or _is_in_memory(reach, execution)


def _is_in_memory(reach: "Reach", execution: Execution) -> bool:
    nodes = {operation.node for operation in execution.history if operation.phase == RACE}
    are_together = len(execution.users) > 1 and len(nodes) == 1
    return reach.shares_memory if are_together else reach.writes_memory


def _are_apart(execution: Execution) -> bool:
    """Say whether there are several users, and no step of one depends on a step of another.

    A misspelt key has this effect.
    """
    steps = [step for step in execution.race if step.kind not in _WITHOUT_DATA]
    pairs = [(one, other) for one, other in combinations(steps, 2) if one.actor != other.actor]
    return len(execution.users) > 1 and not any(
        dependent(one.footprint, other.footprint) for one, other in pairs
    )


@dataclass(slots=True)
class Reach:
    """What the code of the actors has reached in any execution: layers, memory, locks."""

    layers: bool = False
    """Whether a step was one of a layer, or of anything else that holds data outside of memory."""
    caches: bool = False
    """Whether one of these steps was of something else than the origin and databases."""
    locks: bool = False
    """Whether there was any other step: of a lock, a thread, a clock."""
    reads_memory: bool = False
    writes_memory: bool = False
    shares_memory: bool = False
    """Whether one has written memory that another one uses."""
    has_met_given: bool = False
    """Whether a step might have touched something that the layers had from the start."""
    asks: bool = False
    """Whether a step looked something up in a cache."""
    loads: bool = False
    """Whether somebody has asked the origin, or a database, for something that may be kept."""
    spares: bool = False
    """Whether anybody was answered without a step of the origin."""
    keeps: bool = False
    """Whether a cache held something in the end that had been looked up."""

    def note(self, execution: Execution, given: frozenset[str] = frozenset()) -> None:
        """Take in the steps of one execution."""
        if given and not self.has_met_given:
            self.has_met_given = any(_touches(step, given) for step in execution.steps)
        if not self.caches:
            visible = [step for step in execution.race if _is_visible(step)]
            kinds = {step.kind for step in visible} - _WITHOUT_DATA
            self.layers |= bool(kinds)
            self.caches = bool(kinds - _OF_ORIGIN)
            self.locks |= bool(visible)
        if not (self.keeps or self.spares):
            self._note_answers(execution)

    def _note_answers(self, execution: Execution) -> None:
        """Note whether answers came from a cache."""
        asking, loading = set[int | str | None](), Counter[int | str | None]()
        asked, may_ask = set[str](), set[int | str | None]()
        for step in execution.steps:
            who = _asker(step)
            if step.kind in _OF_ORIGIN:
                loading[who] += 1
            elif step.kind not in _WITHOUT_DATA and not step.footprint.writes:
                asking.add(who)
                asked |= step.footprint.reads
            elif _may_look_up(step):
                may_ask.add(who)
        left = execution.settled.layers or execution.stock
        self.asks |= bool(asking or (may_ask and execution.settled.probes))
        history = execution.history
        found = any(load.value is not None for load in history.loads)
        self.loads |= found if history.origin_watched else bool(loading)
        self.keeps |= touches(frozenset(asked), frozenset(_resources_of_caches(left)))
        self.spares |= bool((asking | may_ask) - loading.keys())
        self.spares |= len(execution.settled.probes) > loading[_PROBE]

    def add(self, other: "Reach") -> None:
        """Take in what was reached in another process."""
        for one in fields(self):
            reached = getattr(self, one.name) or getattr(other, one.name)
            setattr(self, one.name, reached)

    @property
    def farthest(self) -> str:
        """The farthest that the code has reached, in a word."""
        reached = (
            ("layers", self.layers), ("memory", self.writes_memory),
            ("memory that is only read", self.reads_memory), ("locks", self.locks),
        )  # fmt: skip
        return next((what for what, is_reached in reached if is_reached), "nothing")


_WITHOUT_DATA = frozenset(
    {"await", "busy", "clock", "line", "lock", "memory", "pool", "thread", "user"}
)
"""Kinds of steps that do not show whether the code has reached data outside of its memory."""

_OF_ORIGIN = frozenset({"origin"})

_ORIGIN = "origin:"

_PROBE = "probe"


def _resources_of_caches(layers: Layers) -> Iterator[str]:
    for place, content in layers.items():
        if place != "origin":
            yield from (f"{place}:{key}" for key in content)


def _may_look_up(step: Step) -> bool:
    """Say whether a step of users is a declared call that may look something up, and write, too.

    The memory of such a cache is not looked into: that it kept nothing only shows where it is asked
    in the end.
    """
    is_declared = step.phase == RACE and step.kind == "watched"
    return is_declared and not all(name.startswith(_ORIGIN) for name in step.footprint.reads)


def _asker(step: Step) -> int | str | None:
    """Return for what a step was taken: an operation, all the probes, or else an actor."""
    if step.phase == _PROBE:
        return _PROBE
    return step.actor if step.operation is None else step.operation


def _memory(settings: Exploration, *, shared: bool) -> str:
    if shared:
        return "shared"
    return "auto" if settings.finds_memory else "declared"


def _and(*parts: str) -> str:
    *first, last = [part for part in parts if part]
    return f"{', '.join(first)} and {last}"


_OF_USERS = frozenset({"before", RACE})  # other steps ask for every key


def _touches(step: Step, given: frozenset[str]) -> bool:
    """Say whether a step of users might touch one of these resources, on whichever node."""
    if step.phase not in _OF_USERS or step.kind in _WITHOUT_DATA:
        return False
    resources = step.footprint.reads | step.footprint.writes
    return touches(frozenset(map(_without_node, resources)), given)


def _without_node(resource: str) -> str:
    place, colon, key = resource.partition(":")
    return f"{place.partition('@')[0]}{colon}{key}"


def _is_visible(step: Step) -> bool:
    """Say whether a step touches anything, and is not the one made up for code without steps."""
    return step.footprint != NOTHING and (step.kind, step.label) != ("hand", RUN)


def bounds(scope: Scope) -> str:
    """Write the bounds in brackets."""
    parts = [_count(scope, "users"), _count(scope, "keys")]
    parts = [part for part in parts if not part.startswith("0")]
    parts += [_faults(scope), _early_ticks(int(scope["early ticks"]))]
    switches = _SWITCHES.get(str(scope["grain"]), "cache commands")
    if scope["memory"] == "shared" and scope["grain"] not in _SWITCHES:
        switches = "cache commands and their answers"
    if "shared memory" in scope:
        switches += f" and at shared memory ({scope['shared memory']})"
    if "declared atomic" in scope:
        parts.append(f"taken as atomic, as declared: {scope['declared atomic']}")
    if scope["memory"] == "declared":
        parts.append("only declared memory searched")
    if "judged only" in scope:
        parts.append(f"judged only for {scope['judged only']}, by no guarantee")
    parts += [
        f"context switches only at {switches}",
        *([f"transactions of {scope['isolation']}"] if "isolation" in scope else []),
        *([str(scope["simplified"])] if "simplified" in scope else []),
    ]
    return f"({', '.join([*parts, str(scope['backend'])])})"


def _levels(isolation: tuple[tuple[str, str], ...]) -> str:
    """Return the isolation levels at which each database had transactions."""
    levels: dict[str, list[str]] = {}
    for database, level in isolation:
        levels.setdefault(database, []).append(level)
    return ", ".join(f"{database} at {' and '.join(levels[database])}" for database in levels)


def _listed(names: tuple[str, ...]) -> str:
    """Return a few names, and the number of the others."""
    shown = ", ".join(names[:LOCATIONS_SHOWN])
    more = len(names) - LOCATIONS_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


LOCATIONS_SHOWN = 4
"""The largest number of shared locations, or locks, that a sentence names."""

LOCKS_SHARE = 3
"""UNKNOWN names locks if at least one step in this many acquires or releases one."""

_SWITCHES = {
    "wire": "what is sent and what is received",
    "await": "commands, answers and awaits",
    "line": "commands, answers and the lines of the functions that are named",
}
"""Where context switches are at the finer grains, in words."""


def _early_ticks(number: int) -> str:
    if not number:
        return "the clock never advanced early"
    return f"the clock advanced early at most {number} time{'s' if number != 1 else ''}"


def _faults(scope: Scope) -> str:
    number = int(scope["faults"])
    if not number:
        return "no injected faults"
    most = f"at most {number} injected fault{'s' if number != 1 else ''}"
    if "fault vectors" not in scope:
        return most
    count = scope["fault vectors"]
    return f"{most}, in {count} set{'' if count == 1 else 's'} of {scope['fault kinds']}"


@dataclass(frozen=True, slots=True)
class Reduction:
    """The evidence for a reduced search, which executes one schedule per interleaving.

    ``schedules`` is how many there are, None when they were too many to count; ``checks`` is how
    many further ones were executed to see whether equivalent ones end alike.
    """

    schedules: int | None
    checks: int
    is_exact: bool  # every single schedule was executed


def exhausted(executions: int, reduction: Reduction | None, scope: Scope) -> str:
    """Return the sentence for a search that has left nothing to try."""
    condition = f"while {scope['assumption']}: " if "assumption" in scope else ""
    return f"{condition}{_everything(executions, reduction)} {bounds(scope)}"


def _everything(executions: int, reduction: Reduction | None) -> str:
    schedules = f"exhaustive: {_all(executions, 'schedule')} executed"
    if reduction is None or (reduction.is_exact and reduction.schedules == executions):
        return schedules
    traces = "the only interleaving" if executions == 1 else f"all {executions:,} interleavings"
    was = "was" if executions == 1 else "were"
    if reduction.is_exact:
        return f"exhaustive: {traces} {was} executed, in all {reduction.schedules:,} schedules"
    of = "" if reduction.schedules is None else f" (of {reduction.schedules:,} schedules)"
    return (
        f"exhaustive: {traces}{of} {was} executed, assuming that steps share only what they "
        f"declare; {reduction.checks:,} further runs of the same interleavings ended alike"
    )


def _all(number: int, noun: str) -> str:
    return f"the only {noun} was" if number == 1 else f"all {number:,} {noun}s were"


def cut_off(executions: int, scope: Scope, up_to: UpTo | None) -> str:
    """Return the sentence for a search that did not finish: how far it came."""
    complete = ""
    counted = "1 schedule was" if executions == 1 else f"{executions:,} schedules were"
    if up_to is not None:
        limit = f"at most {_times(up_to.preemptions)}" if up_to.preemptions else "no preemption"
        complete = f"no violation with {limit} (all {up_to.schedules:,} executed); "
    if scope["search"] in SAMPLERS:
        complete = "some of them perhaps more than once; "
    return f"{counted} executed, {complete}not all {bounds(scope)}"


def _times(preemptions: int) -> str:
    return f"{preemptions} preemption{'s' if preemptions != 1 else ''}"


def found(executions: int, violating: int, share: Share | None, scope: Scope) -> str:
    """Return the sentence for a finding: how much was tried, or how much of everything fails."""
    if not executions:
        return f"it fails even when users take turns; no overlap was needed {bounds(scope)}"
    if share is not None:
        return f"{_share(share)} {bounds(scope)}"
    counted = "1 schedule was" if executions == 1 else f"{executions:,} schedules were"
    failing = "1 of them fails" if violating == 1 else f"{violating:,} of them fail"
    return f"{counted} executed, {failing} {bounds(scope)}"


def _share(share: Share) -> str:
    fail = "fails" if share.failing == 1 else "fail"
    text = f"{share.failing:,} of all {share.interleavings:,} interleavings {fail}"
    if share.schedules is None:
        return text
    percent = 100 * share.failing_schedules / share.schedules
    return (
        f"{text}, {share.failing_schedules:,} of {share.schedules:,} schedules ({percent:.3g} % of "
        "possible schedules; not a production failure rate)"
    )


def of_slowness(found: Counterexample | None) -> tuple[str, ...]:
    """Return how slow an actor has to be for a conflict to show, and how to rule that out."""
    if found is None or not found.execution.waited:
        return ()
    longest = max(found.execution.waited)
    return (
        f"somebody who could go on waits {longest:g} s in this conflict. If nobody is that slow, "
        "say so with assume: {pause: ...} (docs/faults.md); ticks: 0 looks for conflicts in "
        "which nobody is slow",
    )


def of_what_is_kept(problem: str | None, passed_over: str) -> str:
    """Say that an unfinished search is kept for the next run, or why it is not.

    Args:
        problem: why it is not.
        passed_over: what was written since an earlier run kept one that does not count, in words.
    """
    if problem is None:
        kept = "what was executed is kept by --supercache-store: another run goes on from there"
        if not passed_over:
            return kept
        return (
            f"{kept}. This one began anew: an earlier run's files, packages, settings or variables "
            f"were others ({passed_over})"
        )
    return f"--supercache-store has not kept all that was executed: {problem}"


def of_earlier_runs(before: int, executions: int) -> str:
    """Return how many of the executions earlier runs have made, if any."""
    if not before:
        return ""
    return (
        f"{before:,} of the {executions:,} executions are those of earlier runs of the same code, "
        "kept by --supercache-store"
    )


def found_by_turns(executions: int, scope: Scope) -> str:
    """Say that earlier searches held, and that with this fault a serial run fails."""
    counted = "1 schedule was" if executions == 1 else f"{executions:,} schedules were"
    return (
        f"with this fault it fails even when users take turns; {counted} executed before, and held "
        f"{bounds(scope)}"
    )


def why_unfinished(
    executions: int,
    seconds: float,
    settings: Exploration,
    first: Execution,
    sampler: Sampler | None = None,
    up_to: UpTo | None = None,
    *,
    different: tuple[int, int] = (0, 0),
    elsewhere: float = 0.0,
) -> str:
    """Say why a search that found nothing did not finish, what it means, and what to do.

    Args:
        executions: how many schedules it executed.
        seconds: how long that took, serial orders included.
        settings: the budgets and the manner.
        first: a run of the same body.
        sampler: what drew the last schedules, if anything did.
        up_to: which schedules were all executed.
        different: how many different schedules, and different interleavings, were executed.
        elsewhere: the seconds for which other processes executed some of them.
    """
    used = (
        f"{executions:,} of at most {settings.executions:,} executions and {seconds:.1f} of at "
        f"most {settings.time:g} s were used"
    )
    if settings.search in SAMPLERS:
        why = f"{settings.search} search found nothing, and it can prove nothing: it does not know "
        why += "what is left"
        advice = "Use search 'auto' for a proof, with more executions or time if that needs it"
    elif executions >= settings.executions or (
        seconds <= settings.time and settings.preemptions is None
    ):
        why = f"the budget of {settings.executions:,} executions ran out"
        advice = "give more with --supercache-executions, or make the flow smaller"
    elif seconds > settings.time:
        why = f"the budget of {settings.time:g} s ran out"
        advice = "give more with --supercache-time, or make the flow smaller"
    else:
        assert settings.preemptions is not None, "nothing else ends a search early"
        why = f"only schedules with at most {_times(settings.preemptions)} were tried"
        advice = "leave out --supercache-preemptions to try all"
    pace = (seconds + elsewhere) / max(executions, 1)
    size = _size(first, sampler, different)
    told = [why, used, size, *_processes(sampler, pace), *_chances(executions, sampler)]
    next_step = _next_step(up_to, pace)
    advice = f"{next_step}{advice}"
    return f"{'; '.join(told)}. {advice[0].upper()}{advice[1:]}{_of_locks(first)}"


def _next_step(up_to: UpTo | None, pace: float) -> str:
    """Return the cost of one more preemption, if known; ``pace``: seconds per run."""
    if up_to is None or not up_to.more:
        return ""
    schedules = up_to.schedules + up_to.more
    seconds = schedules * pace
    return (
        f"The cheapest next step is --supercache-preemptions={up_to.preemptions + 1}, with as many "
        "executions as it needs: at least "
        f"{schedules:,} schedules, {f'{seconds:,.0f}' if seconds >= 1 else 'less than 1'} s at "
        "this pace. For a proof, "
    )


def _of_locks(execution: Execution) -> str:
    """Return a sentence on the locks that make a flow long, if they do."""
    steps = execution.race
    counts = Counter(
        step.wait.object.partition(":")[2]
        for step in steps
        if step.wait is not None and type(step.wait_before) is LockState
    )
    if counts.total() * LOCKS_SHARE < len(steps):
        return ""
    named = ", ".join(name for name, _ in counts.most_common(LOCATIONS_SHOWN))
    return (
        f". {counts.total()} of the {len(steps)} steps of a run acquire or release {named}: a lock "
        "makes no steps if no command, no other lock and no unprotected memory is used under it, "
        "and a call that is declared with watch(...) is one step"
    )


def _size(first: Execution, sampler: Sampler | None, different: tuple[int, int]) -> str:
    """Say how many schedules there are: estimated from samples, if any, else by the first run."""
    size = None if sampler is None else sampler.size
    schedules = None if size is None else _estimated(size.schedules, different[0])
    if size is not None and schedules is not None:
        of = size.interleavings
        is_possible = of is not None and (of.mean or 0) <= (size.schedules.mean or 0)
        interleavings = _estimated(of, different[1]) if of is not None and is_possible else None
        make = f", which make {interleavings} interleavings" if interleavings else ""
        walks = f"{size.schedules.walks:,} random walks"
        return f"there are {schedules} schedules{make} (estimated by {walks})"
    exact = schedules_like(first)
    if exact is not None:
        return f"the steps of the first run can be ordered in {_rounded(exact)} ways"
    return f"the steps of the first run can be ordered in {_rounded(merges_of(first))} ways at most"


def _processes(sampler: Sampler | None, pace: float) -> list[str]:
    """Say what it takes to execute every interleaving, if their number is known well enough.

    Args:
        sampler: what drew the last schedules.
        pace: seconds per run; each interleaving is executed twice, to check the reduction.
    """
    size = None if sampler is None or sampler.size is None else sampler.size.interleavings
    if size is None or size.mean is None or size.error is None or size.error > size.mean / 2:
        return []
    hours = 2 * (size.mean + size.error) * pace / 3600
    if hours > PROCESSES_MAX:
        return []
    needed = ceil(hours)
    return [
        "one process would probably execute them all in less than an hour"
        if needed == 1
        else f"{needed:,} processes would probably execute them all in an hour"
    ]


def _estimated(size: TreeSize, least: int) -> str | None:
    """Write an estimate; a lower bound if ``least`` exceeds what the estimate allows."""
    if size.mean is None or size.error is None:
        return None
    if size.mean + size.error < least:
        return f"at least {_rounded(least)}"
    likely = max(size.mean, least)
    # Below that the estimate is exact but for rounding: every walk gave the same.
    is_exact = size.error < max(size.mean * 1e-6, 0.5)
    if is_exact:
        return f"about {_rounded(likely)}"
    unit = 10.0 ** max(floor(log10(size.error)) - 1, 0)  # two digits of the error are enough
    mean, error = (round(number / unit) * unit for number in (likely, size.error))
    return f"about {_rounded(max(mean, least))} +- {_rounded(error)}"


def _chances(executions: int, sampler: Sampler | None) -> list[str]:
    """Return how likely it is that something was missed, as far as the sampler knows."""
    if isinstance(sampler, Pct):
        return [_missed(sampler.bound)] if sum(sampler.bound.runs.values()) else []
    if sampler is None or not executions:
        return []
    most = 1 - 0.05 ** (1 / executions)
    return [
        f"with 95 % confidence at most {_at_most(most)} of schedules drawn this way fail (which "
        "says nothing about production)"
    ]


def _missed(bound: MissBound) -> str:
    runs = sum(bound.runs.values())
    missed = ", ".join(
        f"one that needs {depth} orderings with probability at most {_at_most(bound.missed(depth))}"
        for depth in sorted(bound.runs)
    )
    return (
        f"{runs:,} runs of PCT (probabilistic concurrency testing: {bound.actors} actors, at most "
        f"{bound.steps} steps) miss a violation: {missed}"
    )


def _at_most(chance: float) -> str:
    """Write a probability with two digits, rounded up: it is a bound."""
    if not 0 < chance < 1:
        return f"{chance:.2g}"
    unit = 10.0 ** (floor(log10(chance)) - 1)
    return f"{ceil(chance / unit - 1e-9) * unit:.2g}"


def _rounded(number: float) -> str:
    """Write a number of schedules: in full up to nine digits, else as a power of ten."""
    if number < 10**9:
        return f"{round(number):,}"
    exponent, mantissa = divmod(log10(number), 1)  # floats do not reach that far, logarithms do
    return f"{10**mantissa:.1f}e{exponent:.0f}"


def _count(scope: Scope, what: str) -> str:
    number = scope[what]
    return f"{number} {what if number != 1 else what[:-1]}"


NO_KEY_EXPIRED = "no key expired during the flow (ticks: 1, or more, let it)"

_NOW = "clock:now"
"""The resource read by commands that set or ask for a time to live."""


def outlives_a_key(execution: Execution) -> bool:
    """Say whether the race reads a key that has a TTL, or finds it there with ``SET NX``."""
    return any(
        step.phase == "race"
        and resource in step.footprint.reads
        and (resource not in step.footprint.writes or step.futile)
        for resource in execution.expiring
        for step in _after_first(execution.steps, resource)
    )


def _after_first(steps: Sequence[Step], resource: str) -> Sequence[Step]:
    """Return the steps after the first one that gives a resource a time to live."""
    first = next((at for at, s in enumerate(steps) if _is_given_time(s, resource)), len(steps))
    return steps[first + 1 :]


def _is_given_time(step: Step, resource: str) -> bool:
    return resource in step.footprint.writes and _NOW in step.footprint.reads
