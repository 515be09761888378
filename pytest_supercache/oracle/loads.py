"""``max_loads``: the origin is not asked for one key more often than agreed.

Definition: in any window of W virtual seconds at most N loads of a key from the origin begin;
without a window, in the whole race (dog-piles: Vattani, Chierichetti, Lowenstein, "Optimal
Probabilistic Cache Stampede Prevention", VLDB 2015; leases in NSDI 2013, section 3.2.1). Loads of
`before` and `finally` do not count. It needs loads recorded: the origin watched. Cost: sort and
sweep. Counted over the whole race it is trace-invariant; with a window it is real-time: a load may
come before or after a tick that it does not depend on, and the pattern is "these N+1 loads between
two ticks less than W apart".
"""

from collections.abc import Iterator

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.operation import RACE, Load
from pytest_supercache.core.verdict import Violation
from pytest_supercache.oracle.guarantee import Guarantee, Parameter, Unit
from pytest_supercache.oracle.observed import Observed
from pytest_supercache.oracle.real_time import Pattern


def _find_too_many_loads(
    execution: Execution, loads: int, window: float | None = None, key: str | None = None
) -> Violation | None:
    observed = Observed(execution)
    observed.require_origin()
    for name, found in _loads_by_key(execution, key).items():
        times = [execution.history.time_at(load.at) for load in found]
        for first in range(len(found) - loads):
            if window is None or times[first + loads] - times[first] < window:
                return _violation(name, found[first : first + loads + 1], loads, window)
    return None


def _loads_by_key(execution: Execution, key: str | None) -> dict[str, list[Load]]:
    found: dict[str, list[Load]] = {}
    for load in execution.history.loads:
        if load.phase == RACE and key in {None, load.key}:
            found.setdefault(load.key, []).append(load)
    return found


def _violation(key: str, found: list[Load], loads: int, window: float | None) -> Violation:
    within = "" if window is None else f" within {window:g} s"
    by = ", ".join(dict.fromkeys(load.by for load in found if load.by is not None))
    times = f"{len(found)} times"
    return Violation(
        guarantee="max_loads",
        summary=f"{key} was loaded from the origin {times}{within}"
        f"{f' by {by}' if by else ''}; {loads} allowed",
        key=key,
        evidence={"steps": [load.at for load in found], "allowed": loads, "window": window},
        at=found[-1].at,
    )


def _find_patterns(
    execution: Execution, loads: int, window: float | None = None, key: str | None = None
) -> Iterator[Pattern]:
    if window is None:
        return
    observed = Observed(execution)
    for found in _loads_by_key(execution, key).values():
        positions = [load.at - 1 for load in found]
        yield from map(Pattern, observed.crowds(positions, loads, window))


MAX_LOADS = Guarantee(
    "max_loads",
    _find_too_many_loads,
    parameters=(
        Parameter(
            name="loads",
            unit=Unit.COUNT,
            description="How many loads of one key are allowed.",
            is_required=True,
        ),
        Parameter(
            name="window",
            unit=Unit.SECONDS,
            description="Within so many seconds; without it, in the whole race.",
        ),
        Parameter(name="key", unit=Unit.KEY, description="Only this key; without it, every key."),
    ),
    real_time=True,
    find_patterns=_find_patterns,
    real_time_with="window",
    asks_nodes=False,
)
