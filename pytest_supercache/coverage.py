"""One sentence that says what a check has covered, and what it has not."""

from collections import Counter
from dataclasses import dataclass
from math import factorial, prod

from pytest_supercache.core.settings import Exploration
from pytest_supercache.core.trace import Execution

Scope = dict[str, str | int]


def scope_of(
    execution: Execution,
    settings: Exploration,
    *,
    backend: str,
    shared: bool,
    timers_started: bool,
    simplified: tuple[str, ...],
) -> Scope:
    """Describe within which bounds a verdict is meant."""
    keys = {operation.key for operation in execution.history if operation.key is not None}
    ticks = settings.ticks
    if ticks == "auto":
        ticks = 1 if timers_started else 0
    scope: Scope = {
        "users": len(execution.users),
        "keys": len(keys),
        "faults": 0,
        "early ticks": ticks,
        "memory": "shared" if shared else "declared",
        "grain": settings.grain,
        "search": settings.search,
        "backend": backend,
    }
    if simplified:
        scope["simplified"] = ", ".join(simplified)
    if settings.assume is not None:
        scope["assumption"] = f"no operation pauses {settings.assume.pause * 1000:g} ms or more"
    return scope


def bounds(scope: Scope) -> str:
    """Write the bounds in brackets."""
    parts = [_count(scope, "users"), _count(scope, "keys")]
    parts = [part for part in parts if not part.startswith("0")]
    parts += [f"faults {scope['faults']}", f"early ticks {scope['early ticks']}"]
    atomic = "code between cache commands atomic"
    if scope["memory"] == "shared":
        atomic = "code between cache commands and their answers atomic"
    parts += [atomic, *([str(scope["simplified"])] if "simplified" in scope else [])]
    return f"({', '.join([*parts, str(scope['backend'])])})"


@dataclass(frozen=True, slots=True)
class Reduction:
    """What a search rests on that executes one schedule for many.

    ``schedules`` is how many there are, None when they were too many to count; ``checks`` is how
    many further ones were executed to see whether equivalent ones end alike.
    """

    schedules: int | None
    checks: int
    is_exact: bool  # every single schedule was executed


def exhausted(executions: int, reduction: Reduction | None, scope: Scope) -> str:
    """Say that nothing is left to try."""
    condition = f"while {scope['assumption']}: " if "assumption" in scope else ""
    return f"{condition}{_everything(executions, reduction)} {bounds(scope)}"


def _everything(executions: int, reduction: Reduction | None) -> str:
    if reduction is None:
        return f"each of all {executions:,} schedules was executed"
    traces = f"all {executions:,} interleavings" if executions != 1 else "the only interleaving"
    of = "" if reduction.schedules is None else f" (of {reduction.schedules:,} schedules)"
    if reduction.is_exact:
        if reduction.schedules == executions:
            return f"each of all {executions:,} schedules was executed"
        return f"{traces} = all {reduction.schedules:,} schedules, each executed"
    was = "were" if executions != 1 else "was"
    return (
        f"{traces}{of} {was} executed, assuming that steps share only what they declare; checked "
        f"by {reduction.checks:,} further runs, no difference"
    )


def cut_off(executions: int, scope: Scope, level: int | None) -> str:
    """Say how far a search came that did not finish."""
    complete = ""
    if level:
        complete = f"all schedules with fewer than {level} preemptions among them; "
    counted = "1 schedule was" if executions == 1 else f"{executions:,} schedules were"
    if scope["search"] in {"random", "hypothesis"}:
        complete = "some of them perhaps more than once; "
    return f"{counted} executed, {complete}not all {bounds(scope)}"


@dataclass(frozen=True, slots=True)
class Share:
    """How many of all interleavings fail, and how many of all schedules, if these are counted."""

    failing: int
    interleavings: int
    failing_schedules: int
    schedules: int | None


def found(executions: int, violating: int, share: Share | None, scope: Scope) -> str:
    """Say how much was tried until something was found, or how much of everything fails."""
    if not executions:
        return f"users who simply take turns show it; no interleaving was needed {bounds(scope)}"
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
        "schedules, not of production)"
    )


def why_unfinished(executions: int, seconds: float, settings: Exploration, first: Execution) -> str:
    """Say why a search that found nothing did not finish, and what to do."""
    if settings.search in {"random", "hypothesis"}:
        return (
            f"{settings.search} search found nothing, and it can prove nothing: it does not know "
            "what is left. Use search 'all-schedules' for a proof"
        )
    size = f"; steps like those of the first run can be ordered in {orders(first):,} ways at most"
    if executions >= settings.executions:
        return (
            f"the budget of {settings.executions:,} executions ran out{size}. Give more with "
            "--supercache-executions, or make the flow smaller"
        )
    if seconds > settings.time:
        return (
            f"the budget of {settings.time:g} s ran out after {executions:,} executions{size}. "
            "Give more with --supercache-time, or make the flow smaller"
        )
    return f"only schedules with at most {settings.preemptions} preemptions were tried"


def orders(execution: Execution) -> int:
    """Return in how many ways the actors' steps can be merged: n! / (a! b! ...)."""
    steps = Counter(step.actor for step in execution.race)
    return factorial(steps.total()) // prod(factorial(count) for count in steps.values())


def _count(scope: Scope, what: str) -> str:
    number = scope[what]
    return f"{number} {what if number != 1 else what[:-1]}"
