"""``cap_holds``: a key admits no more than the agreed number.

Definition: in any window of W virtual seconds at most N operations are admitted for one key;
without a window, in the whole flow (rate limits, quotas, seats, stock: a counter that is read
before it is raised admits one too many). An operation admits a key if it is a verb's whose
``observes`` gives ``true`` for it, or one that a test records by ``world.operation`` and answers
with True; it is admitted when its answer comes. Those of `before` and `finally` count. It needs an
operation that says so. Cost: sort and sweep. Counted over the whole flow it is trace-invariant;
with a window it is real-time: an answer may come before or after a tick that it does not depend on,
and the pattern is "these N+1 answers between two ticks less than W apart".
"""

from collections.abc import Iterator

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.operation import Operation
from pytest_supercache.core.verdict import Violation
from pytest_supercache.oracle import preconditions
from pytest_supercache.oracle.guarantee import Guarantee, NothingToJudgeError, Parameter, Unit
from pytest_supercache.oracle.observed import Observed, admissions
from pytest_supercache.oracle.real_time import Pattern
from pytest_supercache.oracle.who import who

_Admitted = tuple[int, Operation]
"""The position of an operation in the history, and the operation."""


def _find_too_many(
    execution: Execution, cap: int, window: float | None = None, key: str | None = None
) -> Violation | None:
    history = execution.history
    if lack := preconditions.admissions(history):
        raise NothingToJudgeError(lack)
    for name, found in _admitted_by_key(execution, key).items():
        found.sort(key=lambda one: _answered_at(one[1]))
        times = [history.time_at(_answered_at(operation)) for _, operation in found]
        for first in range(len(found) - cap):
            if window is None or times[first + cap] - times[first] < window:
                over = [operation for _, operation in found[first : first + cap + 1]]
                return _violation(name, over, cap, window)
    return None


def _admitted_by_key(execution: Execution, key: str | None) -> dict[str, list[_Admitted]]:
    found: dict[str, list[_Admitted]] = {}
    for at, operation in enumerate(execution.history.operations):
        for name, is_admitted in admissions(operation).items():
            if is_admitted and key in {None, name}:
                found.setdefault(name, []).append((at, operation))
    return found


def _answered_at(operation: Operation) -> int:
    assert operation.returned_at is not None, "only answers admit"
    return operation.returned_at


def _violation(key: str, over: list[Operation], cap: int, window: float | None) -> Violation:
    within = "" if window is None else f" within {window:g} s"
    callers = ", ".join(dict.fromkeys(map(who, over)))
    return Violation(
        guarantee="cap_holds",
        summary=f"{key} admitted {len(over)}{within}: {callers}; {cap} allowed",
        key=key,
        user=over[-1].user,
        node=over[-1].node,
        evidence={
            "admitted": [operation.step for operation in over],
            "allowed": cap,
            "window": window,
        },
        at=over[-1].returned_at,
    )


def _find_patterns(
    execution: Execution, cap: int, window: float | None = None, key: str | None = None
) -> Iterator[Pattern]:
    if window is None:
        return
    observed = Observed(execution)
    for found in _admitted_by_key(execution, key).values():
        own = [observed.own_steps(at) for at, _ in found]
        last = [steps[1] for steps in own if steps is not None]
        yield from map(Pattern, observed.crowds(last, cap, window))


CAP_HOLDS = Guarantee(
    "cap_holds",
    _find_too_many,
    parameters=(
        Parameter(
            name="cap",
            unit=Unit.COUNT,
            description="How many may be admitted for one key.",
            is_required=True,
        ),
        Parameter(
            name="window",
            unit=Unit.SECONDS,
            description="The length of the window; without it, the whole flow counts.",
        ),
        Parameter(name="key", unit=Unit.KEY, description="Only this key; without it, every key."),
    ),
    real_time=True,
    find_patterns=_find_patterns,
    real_time_with="window",
    find_lack=preconditions.admissions,
    asks_nodes=False,
)
