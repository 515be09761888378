"""Classifies wrong answers that no cache entry held: of two look-ups, or of another's load."""

from itertools import pairwise

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.operation import RACE
from pytest_supercache.core.trace import Step
from pytest_supercache.core.verdict import Violation
from pytest_supercache.oracle.observed import shown
from pytest_supercache.oracle.roles import Act, Role, acts_in_race, is_database, is_entry
from pytest_supercache.oracle.stale import Classified, same_operation, same_work
from pytest_supercache.oracle.versions import same


def _answering(execution: Execution, violation: Violation) -> list[int]:
    """Return the positions, in the history, of the operations whose answer may be the wrong one."""
    evidence = violation.evidence
    wanted = evidence.get("read", evidence.get("then", evidence.get("step")))
    seen = evidence.get("seen", evidence.get("answer"))
    return [
        at
        for at, operation in enumerate(execution.history)
        if operation.phase == RACE
        and operation.kind not in {"write", "delete"}
        and operation.step == wanted
        and operation.user == violation.user
        and (not shown(operation) or any(same(value, seen) for _, value in shown(operation)))
    ]


def _keys_of(execution: Execution, violation: Violation, at: int) -> list[str]:
    """Return the keys that a wrong answer may be about."""
    operation = execution.history.operations[at]
    named = [violation.key, operation.key, *(key for key, _ in shown(operation))]
    return list(dict.fromkeys(key for key in named if key is not None))


# -- from another's load --------------------------------------------------------------------------


def joined_old_flight(execution: Execution, violation: Violation) -> Classified | None:
    """Return ``joined-old-flight`` if an answer comes from a load that began before the change.

    The caller has not loaded, and began after the commit. Another caller loaded before the commit
    and has not returned. The answer comes from what that caller shared before its load, so it
    cannot be a value that was stored.
    """
    for at in _answering(execution, violation):
        for key in _keys_of(execution, violation, at):
            acts = acts_in_race(execution, key)
            mine = [act for act in acts if act.step.operation == at]
            if any(act.role is Role.LOAD for act in mine):
                continue
            if not mine:
                found = _awaited_flight(execution, key, acts, at)
                if found is not None:
                    return found
                continue
            before = [a for a in acts if a.role is Role.COMMIT and a.at < mine[0].at]
            for look in (act for act in mine if act.role is Role.LOOK_UP and before):
                found = _flight(execution, key, acts, look, before[-1])
                if found is not None:
                    return found
    return None


def _awaited_flight(execution: Execution, key: str, acts: list[Act], at: int) -> Classified | None:
    """Return the class if an operation touches no layer, and returns when an old load has gone on.

    The code between two awaits is no step: that the answer has waited shows whose it is.
    """
    race = execution.race
    own = [n for n, step in enumerate(race) if step.operation == at]
    if not own:
        return None
    commits = [act for act in acts if act.role is Role.COMMIT and act.at < own[0]]
    before = next(n for n, step in enumerate(execution.steps) if step is race[0])
    returned = execution.history.operations[at].returned_at
    for load in (act for act in acts if act.role is Role.LOAD and commits):
        look = Act(own[-1], race[own[-1]], Role.JOIN, None)
        later = [n for n, step in enumerate(race) if n > own[-1] and same_work(_other(step), load)]
        has_waited = returned is not None and any(n < returned - before for n in later)
        if load.at < commits[-1].at and has_waited and _is_answer(execution, key, load, look):
            return Classified.of("joined-old-flight", None, load, commits[-1], look)
    return None


def _other(step: Step) -> Act:
    return Act(0, step, Role.OTHER, None)


def _flight(
    execution: Execution, key: str, acts: list[Act], look: Act, commit: Act
) -> Classified | None:
    """Return the class if a look-up finds what was put there before a load, and the load is old."""
    puts = [
        act
        for act in acts
        if act.role in {Role.STORE, Role.DROP}
        and is_entry(act, look.place or "", look.name)
        and act.at < look.at
    ]
    if not puts or puts[-1].role is not Role.STORE:
        return None
    put = puts[-1]
    loads = [act for act in acts if act.role is Role.LOAD and same_work(act, put)]
    load = next((act for act in loads if put.at < act.at < commit.at), None)
    is_at_work = any(
        at > look.at and same_work(_other(step), put) for at, step in enumerate(execution.race)
    )
    if load is None or not is_at_work or not _is_answer(execution, key, load, look):
        return None
    joined = Act(look.at, look.step, Role.JOIN, look.place, look.name)
    return Classified.of("joined-old-flight", look.place, load, commit, joined)


def _is_answer(execution: Execution, key: str, load: Act, look: Act) -> bool:
    """Say whether an operation answers what was loaded, as far as that is known."""
    operation = execution.history.operations[look.step.operation or 0]
    if is_database(load) or operation.kind != "read":
        return True
    return any(
        one.key == key
        and execution.steps[one.at - 1] is load.step
        and same(operation.answer, one.value)
        for one in execution.history.loads
    )


# -- of two look-ups ------------------------------------------------------------------------------


def split_look_up(execution: Execution, violation: Violation) -> Classified | None:
    """Return ``split-look-up`` if an operation looks twice and answers that there is nothing.

    One of its look-ups finds the entry, and the other does not, because somebody stored or removed
    it in between; nothing else follows.
    """
    answering = _answering(execution, violation)
    if violation.user is None:  # a check of the body does not say which answer is wrong
        answering = [
            at
            for at, operation in enumerate(execution.history)
            if operation.phase == RACE and operation.kind not in {"write", "delete"}
        ]
    for at in answering:
        if execution.history.operations[at].answer is None:
            for name in _looked_up(execution, at):
                found = _of_two_looks(acts_in_race(execution, name), at, name)
                if found is not None:
                    return found
    return None


def _of_two_looks(acts: list[Act], at: int, name: str) -> Classified | None:
    """Return the class if the last two steps of an operation look up what changes in between."""
    mine = [act for act in acts if act.step.operation == at]
    looks = [act for act in mine if act.role is Role.LOOK_UP and act.name == name]
    if len(looks) < 2 or mine[-1] is not looks[-1] or any(a.role is Role.LOAD for a in mine):
        return None
    first, second = list(pairwise(looks))[-1]
    between = [
        act
        for act in acts
        if first.at < act.at < second.at
        and act.role in {Role.STORE, Role.DROP}
        and is_entry(act, first.place or "", first.name)
        and not same_operation(act, first)
    ]
    return (
        Classified.of("split-look-up", first.place, first, between[-1], second) if between else None
    )


def _looked_up(execution: Execution, at: int) -> list[str]:
    """Return the names of the entries that an operation touches."""
    found: dict[str, None] = {}
    for step in execution.race:
        if step.operation == at:
            for resource in sorted(step.footprint.reads):
                found[resource.partition(":")[2]] = None
    return [name for name in found if name]
