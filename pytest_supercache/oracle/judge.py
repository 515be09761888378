"""All guarantees over one execution, in an order that puts the most telling violation first."""

from collections.abc import Iterable
from dataclasses import dataclass

from pytest_supercache.core.trace import Execution
from pytest_supercache.core.verdict import Violation, described
from pytest_supercache.oracle.answers import ANSWERS
from pytest_supercache.oracle.guarantee import Guarantee, NotJudgedError
from pytest_supercache.oracle.session import READ_YOUR_WRITES
from pytest_supercache.oracle.settled import COHERENT_WHEN_SETTLED

KNOWN = {guarantee.name: guarantee for guarantee in (COHERENT_WHEN_SETTLED, READ_YOUR_WRITES)}
"""What a scenario may name; ``answers`` is always on."""

DEFAULT = (COHERENT_WHEN_SETTLED, READ_YOUR_WRITES)
"""What is judged when nothing is named."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one execution breaks, and what could not be judged on it."""

    violations: tuple[Violation, ...] = ()
    not_judged: tuple[str, ...] = ()


def judge(execution: Execution, guarantees: Iterable[Guarantee]) -> Judgement:
    """Judge an execution: answers first, then single steps, the body's own checks, guarantees."""
    violations: list[Violation] = []
    not_judged: list[str] = []
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
        try:
            found = guarantee.find_violation(execution)
        except NotJudgedError as error:
            not_judged.append(f"{guarantee.name} was not judged: {error}")
        else:
            if found is not None:
                violations.append(found)
    return Judgement(tuple(violations), tuple(not_judged))
