"""Judges one execution by all guarantees, with the most telling violation first."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.execution import Execution
from pytest_supercache.core.verdict import Violation, described
from pytest_supercache.oracle import preconditions
from pytest_supercache.oracle.admissions import CAP_HOLDS
from pytest_supercache.oracle.answers import ANSWERS
from pytest_supercache.oracle.atomic_reads import READ_ATOMIC
from pytest_supercache.oracle.dirty_reads import NO_DIRTY_READS
from pytest_supercache.oracle.durability import DURABLE_WRITES
from pytest_supercache.oracle.guarantee import (
    Guarantee,
    NeverJudgedError,
    NothingToJudgeError,
    NotJudgedError,
)
from pytest_supercache.oracle.isolation import ISOLATED_USERS
from pytest_supercache.oracle.linearizable import LINEARIZABLE
from pytest_supercache.oracle.loads import MAX_LOADS
from pytest_supercache.oracle.lost_fields import NO_LOST_FIELD
from pytest_supercache.oracle.lost_invalidation import NO_LOST_INVALIDATION
from pytest_supercache.oracle.monotonic_reads import MONOTONIC_READS
from pytest_supercache.oracle.monotonic_writes import MONOTONIC_WRITES
from pytest_supercache.oracle.resurrection import NO_RESURRECTION
from pytest_supercache.oracle.revocation import REVOCATION_HOLDS
from pytest_supercache.oracle.sequential import SEQUENTIALLY_CONSISTENT
from pytest_supercache.oracle.session import READ_YOUR_WRITES
from pytest_supercache.oracle.settled import COHERENT_WHEN_SETTLED
from pytest_supercache.oracle.staleness import BOUNDED_STALENESS
from pytest_supercache.oracle.ttl import TTL_RESPECTED

KNOWN = {
    guarantee.name: guarantee
    for guarantee in (
        COHERENT_WHEN_SETTLED,
        READ_YOUR_WRITES,
        MONOTONIC_READS,
        MONOTONIC_WRITES,
        LINEARIZABLE,
        SEQUENTIALLY_CONSISTENT,
        BOUNDED_STALENESS,
        NO_LOST_INVALIDATION,
        MAX_LOADS,
        ISOLATED_USERS,
        NO_RESURRECTION,
        TTL_RESPECTED,
        READ_ATOMIC,
        DURABLE_WRITES,
        NO_DIRTY_READS,
        REVOCATION_HOLDS,
        CAP_HOLDS,
        NO_LOST_FIELD,
    )
}
"""The guarantees that histories are judged by."""

NAMED = {ANSWERS.name: ANSWERS, **KNOWN}
"""The guarantees that a scenario may name; ``answers`` is judged in any case."""

DEFAULT = (COHERENT_WHEN_SETTLED, replace(READ_YOUR_WRITES, is_default=True))
"""The guarantees that are judged if none is named."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The violations of one execution, and what could not be judged on it.

    ``never_judged`` are guarantees, each with its reason, that no execution of the flow can show to
    be broken or kept.
    """

    violations: tuple[Violation, ...] = ()
    not_judged: tuple[str, ...] = ()
    never_judged: tuple[str, ...] = ()


def judge(execution: Execution, guarantees: Iterable[Guarantee]) -> Judgement:
    """Judge an execution: answers first, then single steps, the body's own checks, guarantees.

    Raises:
        SupercacheError: a guarantee of the project has failed to judge.
    """
    violations: list[Violation] = []
    unjudged: list[tuple[str, NotJudgedError]] = []
    missing = ANSWERS.find_violation(execution)
    if missing is not None:
        violations.append(missing)
    violations.extend(execution.broken)
    if execution.failure is not None:
        violations.append(
            Violation(
                guarantee="test body",
                summary=described(execution.failure),
                evidence={"error": execution.failure},
            )
        )
    for guarantee in guarantees:
        if guarantee.name == ANSWERS.name:
            continue
        try:
            found = _violation(guarantee, execution)
        except NotJudgedError as error:
            unjudged.append((guarantee.name, error))
        else:
            if found is not None:
                violations.append(found)
    return _judgement(violations, unjudged)


def _violation(guarantee: Guarantee, execution: Execution) -> Violation | None:
    lack = "" if guarantee.find_lack is None else guarantee.find_lack(execution.history)
    if lack and guarantee.is_default:
        return None
    if lack:
        raise NothingToJudgeError(lack)
    try:
        found: object = guarantee.find_violation(execution)
    except NotJudgedError:
        raise
    except Exception as error:
        if not _is_of_the_project(guarantee):
            raise
        raise SupercacheError(
            f"guarantee {guarantee.name!r} raised {described(error)}. {_EXPECTED}"
        ) from error
    is_of_keys = found is None and guarantee.find_lack is not None
    if is_of_keys and (misnamed := preconditions.misnamed(execution.history)):
        raise NotJudgedError(misnamed)
    if found is None or isinstance(found, Violation):
        return found
    raise SupercacheError(f"guarantee {guarantee.name!r} returned {found!r:.200}. {_EXPECTED}")


_EXPECTED = (
    "It is called with an execution and returns a Violation, or None if it holds; where it cannot "
    "judge, it raises NotJudgedError"
)


def _is_of_the_project(guarantee: Guarantee) -> bool:
    find = guarantee.find_violation
    find = getattr(find, "func", find)  # of one with parameters
    return not getattr(find, "__module__", "").startswith("pytest_supercache.")


def _judgement(
    violations: list[Violation], unjudged: list[tuple[str, NotJudgedError]]
) -> Judgement:
    unproven = [(n, error) for n, error in unjudged if not isinstance(error, NothingToJudgeError)]
    never = [(name, error) for name, error in unjudged if isinstance(error, NeverJudgedError)]
    return Judgement(
        tuple(violations),
        tuple(f"{name} was not judged: {error}" for name, error in unproven),
        tuple(f"{name} cannot be judged: {error}" for name, error in never),
    )
