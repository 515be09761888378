"""Finds the event that breaks the guarantee: a step, an answer, a wait that never ends."""

from dataclasses import dataclass

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.verdict import Violation
from pytest_supercache.report.agreement import first_disagreement

STEP, ANSWER, PROBE, BLOCKED = "step", "answer", "probe", "blocked"
STAY_INCONSISTENT = "from this step on the layers stay inconsistent"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakingEvent:
    """What breaks the guarantee, and the sentence that says so beside it.

    ``at`` is the position of a step, of the operation that is answered, of a probe, or of an actor
    that waits for ever, depending on the kind.
    """

    kind: str
    at: int
    says: str


_ANSWERS = {
    "answers": "nobody expects this error",
    "expect": "this answer is not what the scenario expects",
}


def breaking_event(execution: Execution, violation: Violation) -> BreakingEvent | None:
    """Return the event that breaks the guarantee; None if no single event does."""
    name = violation.guarantee
    if violation.at is not None:
        answered = _answered(execution, violation)
        if answered is not None:
            says = _ANSWERS.get(name, f"this answer violates {name}")
            return BreakingEvent(kind=ANSWER, at=answered, says=says)
        return BreakingEvent(kind=STEP, at=violation.at - 1, says=f"this step violates {name}")
    if execution.blocked and "blocked" in violation.evidence:
        return BreakingEvent(kind=BLOCKED, at=0, says="nobody ends this wait")
    apart = first_disagreement(execution)
    if apart is not None and name == "coherent_when_settled":
        return BreakingEvent(kind=STEP, at=apart, says=STAY_INCONSISTENT)
    return _probe(execution, violation)


def _answered(execution: Execution, violation: Violation) -> int | None:
    """Return the position of the operation whose answer the violation is about."""
    for at, operation in enumerate(execution.history):
        is_its = violation.user == operation.user and violation.node == operation.node
        if is_its and operation.returned_at == violation.at:
            return at
    return None


def _probe(execution: Execution, violation: Violation) -> BreakingEvent | None:
    asked = list(execution.settled.probes)
    wanted = (violation.node, violation.key)
    if wanted not in asked:
        return None
    says = f"this answer violates {violation.guarantee}"
    return BreakingEvent(kind=PROBE, at=asked.index((str(wanted[0]), str(wanted[1]))), says=says)
