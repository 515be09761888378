"""Names the conflict class: the first row that fits, from the failing execution alone.

The rows are those of docs/conflicts.md, in that order. A violation that fits none is
``unclassified``, which is an honest answer.
"""

from collections.abc import Iterable, Sequence

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.operation import RACE
from pytest_supercache.core.trace import Pending
from pytest_supercache.core.verdict import Violation
from pytest_supercache.core.waits import LockState, PoolState, Wait, WaitState
from pytest_supercache.oracle.anomalies import anomalies
from pytest_supercache.oracle.answers import (
    ANSWERS,
    blocked_loop_of,
    is_check_of_the_flow,
    is_of_a_victim,
)
from pytest_supercache.oracle.fault_effects import StruckFaults
from pytest_supercache.oracle.leases import late_unlock, lease_expired, moves_time
from pytest_supercache.oracle.lost_writes import lost_write, written_back
from pytest_supercache.oracle.roles import (
    Act,
    Role,
    acts_on,
    asks_presence,
    changes_in_place,
    entries_written,
    held,
    is_entry,
    layer_of,
    sources_of,
)
from pytest_supercache.oracle.stale import Classified, StaleRead, same_operation, stale
from pytest_supercache.oracle.substitute_origin import is_made_of_another
from pytest_supercache.oracle.unstored_answers import joined_old_flight, split_look_up
from pytest_supercache.oracle.versions import canonical, same

__all__ = [
    "UNCLASSIFIED",
    "Classified",
    "classify",
    "former_classes",
    "keys_of",
    "layer_role",
    "most_telling",
]

UNCLASSIFIED = "unclassified"

_BY_GUARANTEE = {
    "isolated_users": "cross-user-reply",
    "ttl_respected": "additive-ttl",
    "read_your_writes": "read-your-writes",
    "monotonic_reads": "non-monotonic-reads",
    "no_resurrection": "resurrection",
    "read_atomic": "fractured-read",
    "durable_writes": "write-behind-loss",
    "no_dirty_reads": "uncommitted-visible",
}

NAMED_BY_GUARANTEE = frozenset(
    {*_BY_GUARANTEE.values(), "dirty-fill", "stampede", "aligned-expiry"}
)
"""Classes that follow from the guarantee; ``resurrection`` may also follow from steps."""


_CHECKS = frozenset({"expect", "test body"})
"""What a flow says of single answers: it says that one is wrong, and not what kind of wrong."""

_RANKS = (
    frozenset({"cross-user-reply", "uncommitted-visible", "dirty-fill", "write-behind-loss"}),
    frozenset({"read-your-writes", "non-monotonic-reads"}),
    frozenset({"stampede", "aligned-expiry"}),
    frozenset({UNCLASSIFIED}),
)
"""Classes by what they tell of a wrong answer; all others, which say what the steps did, stand
between the first of these, which say whose value it was, and the second, a broken session.
"""


def most_telling(
    execution: Execution, violations: Sequence[Violation]
) -> tuple[Violation, Classified]:
    """Return the broken guarantee that names the conflict best, and the class.

    The first one stands, unless it only checks single answers, or its class says no cause.
    """
    first, *others = violations
    classified = classify(execution, first)
    is_check = first.guarantee in _CHECKS or is_check_of_the_flow(first)
    is_weak = is_check or _rank(classified) > 1
    if (first.guarantee == ANSWERS.name and not is_check) or not is_weak:
        return first, classified
    found = [(first, classified), *((other, classify(execution, other)) for other in others)]
    return min(found, key=lambda one: _rank(one[1]))


_YOUNG = frozenset(
    {
        "stamped-after-read", "late-unlock", "joined-old-flight", "split-look-up",
        "write-back-resurrection", "lost-update", "write-skew", "phantom", "non-repeatable-read",
    }
)  # fmt: skip
"""Classes that the first version did not have."""


def former_classes(
    execution: Execution, violations: Sequence[Violation], classified: Classified
) -> list[Classified]:
    """Return the classes that older versions have given, so that waivers can move.

    They judged the first violation alone, by its guarantee or by the rows that there were. A failed
    ``assert`` of an actor was a crash, and so was the error of a deadlock in a database, or that of
    a call which would have blocked its event loop for ever.
    """
    found = [classify(execution, violations[0])]
    if is_check_of_the_flow(violations[0]):
        found.append(Classified(slug="crash"))
    if is_of_a_victim(violations[0]) or blocked_loop_of(violations[0]) is not None:
        found.append(Classified(slug="crash"))
    if classified.slug in _YOUNG:
        slug = _BY_GUARANTEE.get(violations[0].guarantee, UNCLASSIFIED)
        place = None if slug == UNCLASSIFIED else _shown_by(execution, violations[0])
        found.append(Classified(slug=slug, place=place))
    return [one for one in found if one != classified]


def _rank(classified: Classified) -> int:
    """Return how little a class tells: 0 for whose value it was, 1 for what the steps did."""
    at = next((n for n, slugs in enumerate(_RANKS) if classified.slug in slugs), None)
    return 1 if at is None else at + (at > 0)


def classify(execution: Execution, violation: Violation) -> Classified:
    """Return the class of the conflict behind a violation."""
    if violation.guarantee == ANSWERS.name and not is_check_of_the_flow(violation):
        return Classified(slug=_without_answer(execution, violation))
    if violation.guarantee == "max_loads":
        has_expired = _both_expired(execution, violation.key)
        return Classified(slug="aligned-expiry" if has_expired else "stampede")
    if violation.guarantee == "no_dirty_reads" and not _read_in_the_race(execution, violation):
        return Classified(slug="dirty-fill", place=_shown_by(execution, violation))
    joined = joined_old_flight(execution, violation)
    if joined is not None:
        return joined
    if violation.guarantee in _BY_GUARANTEE:
        slug = _BY_GUARANTEE[violation.guarantee]
        return Classified(slug=slug, place=_shown_by(execution, violation))
    return _by_steps(execution, violation) or Classified(slug=UNCLASSIFIED)


def _by_steps(execution: Execution, violation: Violation) -> Classified | None:
    """Return the first class whose definition the steps meet."""
    found = late_unlock(execution) or lost_write(execution, violation)
    if found is not None:
        return found
    for key in keys_of(execution, violation):
        scene = StaleRead.of(execution, violation, key)
        found = (
            lease_expired(scene)
            or _two_writers(execution, scene.acts)
            or written_back(execution, scene.acts)
            or stale(scene, violation)
        )
        if found is not None:
            return found
    return split_look_up(execution, violation) or next(anomalies(execution), None)


def layer_role(classified: Classified) -> str:
    """Return the layer that went wrong, without its node."""
    return layer_of(classified.place) if classified.place is not None else "none"


def _read_in_the_race(execution: Execution, violation: Violation) -> bool:
    """Say whether a user was shown the value, rather than a probe after the race."""
    read = violation.evidence.get("read")
    return any(
        operation.phase == RACE and operation.user == violation.user
        for operation in execution.history
        if operation.step == read
    )


def _shown_by(execution: Execution, violation: Violation) -> str | None:
    """Return the layer that gave the answer that breaks a guarantee."""
    key = violation.key
    if key is None:
        return None
    wanted = violation.evidence.get("read", violation.evidence.get("then"))
    read = [
        at
        for at, operation in enumerate(execution.history)
        if operation.step == wanted and operation.user == violation.user
    ]
    looks = [
        act
        for act in acts_on(execution.steps, key, sources_of(execution.steps, key))
        if act.step.operation in read and act.role in {Role.LOOK_UP, Role.LOAD}
    ]
    return looks[-1].place if looks else None


def keys_of(execution: Execution, violation: Violation) -> list[str]:
    """Return the key that a violation is about, or else all that steps of the race write."""
    if violation.key is not None:
        return [violation.key]
    return sorted({name for step in execution.race for name in entries_written(step)})


# -- no answer ------------------------------------------------------------------------------------


def _without_answer(execution: Execution, violation: Violation) -> str:
    if execution.blocked:
        return "deadlock" if _is_cycle(execution.blocked, execution) else "lost-wakeup"
    if is_of_a_victim(violation):
        return "deadlock"
    if (error := blocked_loop_of(violation)) is not None:
        return "deadlock" if error.holder else "lost-wakeup"
    return "serializer-mix" if StruckFaults.of(execution).of_version("serializer") else "crash"


def _is_cycle(blocked: Iterable[Pending], execution: Execution) -> bool:
    """Say whether the waits form a cycle: each blocked actor waits for another blocked one."""
    names = {pending.actor for pending in blocked}
    states: dict[str, WaitState] = {}
    for step in execution.race:
        if step.wait is not None and step.wait_after is not None:
            states[step.wait.object] = step.wait_after
    return all(names & _awaited(pending.wait, states) for pending in blocked)


def _awaited(wait: Wait | None, states: dict[str, WaitState]) -> set[str]:
    """Return the actors that could end a wait: lock holders, awaited actors, jobs in the pool."""
    if wait is None:
        return set()
    actors = {
        flag.partition(":")[2]
        for flag in (*wait.flags, *wait.any_of)
        if flag.startswith(("ended:", "done:"))
    }
    state = states.get(wait.object)
    if isinstance(state, LockState) and state.holder is not None:
        actors.add(state.holder)
    elif isinstance(state, PoolState):
        actors |= state.running
    return actors


# -- time -----------------------------------------------------------------------------------------


def _both_expired(execution: Execution, key: str | None) -> bool:
    """Say whether the entry had a time to live, and time has passed."""
    has_ttl = key is None or any(
        resource.partition(":")[2].endswith(key) for resource in execution.expiring
    )
    return has_ttl and any(map(moves_time, execution.race))


# -- two writers ----------------------------------------------------------------------------------


def _two_writers(execution: Execution, acts: list[Act]) -> Classified | None:
    """Return the class of two writers without an origin: by what each has read before it stores."""
    if any(act.role in {Role.LOAD, Role.CHANGE, Role.COMMIT} for act in acts):
        return None
    stores = [act for act in acts if act.role is Role.STORE and not _is_claim(acts, act)]
    pairs = [
        (first, last)
        for last in stores
        for first in stores
        if first.at < last.at and not same_operation(first, last)
        if is_entry(first, last.place or "", last.name)
    ]
    updates = (_lost_update(execution, acts, first, last) for first, last in pairs)
    crossed = (_crossed(stores, first, last) for first, last in pairs)
    return next((found for found in (*updates, *crossed) if found is not None), None)


def _is_claim(acts: list[Act], store: Act) -> bool:
    """Say whether an operation stores an entry only to delete it again, as it does with a lock."""
    return any(
        act.role is Role.DROP
        and act.at > store.at
        and same_operation(act, store)
        and is_entry(act, store.place or "", store.name)
        for act in acts
    )


def _lost_update(execution: Execution, acts: list[Act], first: Act, last: Act) -> Classified | None:
    """Return ``cached-rmw`` if both have read, before the first store, the entry that they store.

    What a step makes of the value that it finds itself, such as a count, is made of no earlier one.
    """
    if changes_in_place(first) or changes_in_place(last):
        return None
    looks = [_looked_up(acts, store, before=first) for store in (first, last)]
    if any(look is None for look in looks) or first.step.actor == last.step.actor:
        return None
    known = [look for look in looks if look is not None]
    is_other = any(
        is_made_of_another(execution, look, store)
        for look, store in zip(known, (first, last), strict=True)
    )
    if is_other or _are_one_fill(known, first, last):
        return None
    return Classified.of("cached-rmw", last.place, *known, first, last)


def _are_one_fill(looks: list[Act], first: Act, last: Act) -> bool:
    """Say whether two have missed an entry, and each has stored the same in it: no count."""
    missed = all(held(look) is None for look in looks)
    if not missed or held(first) is None or not same(held(first), held(last)):
        return False
    is_count = isinstance(canonical(held(last)), int | float)
    return first.step.kind != "command" or not is_count


def _looked_up(acts: list[Act], store: Act, *, before: Act) -> Act | None:
    """Return the last act by which an operation read the entry that it stores later."""
    return next(
        (
            act
            for act in reversed(acts)
            if act.role is Role.LOOK_UP
            and not asks_presence(act.step)
            and act.at < before.at
            and same_operation(act, store)
            and is_entry(act, store.place or "", store.name)
        ),
        None,
    )


def _crossed(stores: list[Act], first: Act, last: Act) -> Classified | None:
    """Return ``dual-write`` if two have stored in another layer in the opposite order."""
    for mine in stores:
        for theirs in stores:
            is_elsewhere = mine.place == theirs.place != last.place
            both = same_operation(mine, last) and same_operation(theirs, first)
            if is_elsewhere and both and mine.at < theirs.at and theirs.at < first.at:
                return Classified.of("dual-write", last.place, mine, theirs, first, last)
    return None
