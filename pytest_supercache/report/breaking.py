"""Finds the event that breaks the guarantee: a step, an answer, a wait that never ends.

What is wrong at the end, when everything has settled, is seen long after it came about. There the
event is the last step that stores the wrong value; if the value was there before the right one, the
last step of the story, after which nothing replaces it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.result import StoryPart
from pytest_supercache.core.trace import Layers, Step
from pytest_supercache.core.verdict import Violation
from pytest_supercache.oracle.roles import Act, Role, acts_on, sources_of
from pytest_supercache.oracle.story import without_fault
from pytest_supercache.report.agreement import ORIGIN, canonical, first_disagreement

STEP, ANSWER, PROBE, BLOCKED = "step", "answer", "probe", "blocked"
STAY_INCONSISTENT = "from this step on the layers stay inconsistent"
STAYS = "here the wrong value is stored, and it stays"
NOT_REPLACED = "after this step nothing replaces the wrong value"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakingEvent:
    """What breaks the guarantee, and the sentence that says so beside it.

    ``at`` is the position of a step, of the operation that is answered, of a probe, or of an actor
    that waits for ever, depending on the kind.
    """

    kind: str
    at: int
    says: str


_PUT = (Role.STORE, Role.CHANGE, Role.COMMIT)
_ANSWERS = {
    "answers": "nobody expects this error",
    "expect": "this answer is not what the scenario expects",
}


def breaking_event(
    execution: Execution, violation: Violation, story: Sequence[StoryPart] = ()
) -> BreakingEvent | None:
    """Return the event that breaks the guarantee; None if no single event does."""
    name = violation.guarantee
    apart = first_disagreement(execution)
    if _is_of_the_end(execution, violation):
        found = _stored(execution, violation) or _left(execution, story, apart or 0)
        if found is not None:
            return found
    if violation.at is not None:
        answered = _answered(execution, violation)
        if answered is not None:
            says = _ANSWERS.get(name, f"this answer violates {name}")
            return BreakingEvent(kind=ANSWER, at=answered, says=says)
        return BreakingEvent(kind=STEP, at=violation.at - 1, says=f"this step violates {name}")
    if execution.blocked and "blocked" in violation.evidence:
        return BreakingEvent(kind=BLOCKED, at=0, says="nobody ends this wait")
    if apart is not None and name == "coherent_when_settled":
        return BreakingEvent(kind=STEP, at=apart, says=STAY_INCONSISTENT)
    return _probe(execution, violation)


def _is_of_the_end(execution: Execution, violation: Violation) -> bool:
    """Say whether it is broken by what is left when everything has settled."""
    if violation.guarantee == "coherent_when_settled":
        return True
    if violation.guarantee != "expect" or violation.at is None:
        return False
    answered = _answered(execution, violation)
    return answered is not None and execution.history.operations[answered].phase == "finally"


def _stored(execution: Execution, violation: Violation) -> BreakingEvent | None:
    """Return the last step that stores the wrong value in a place which has it at the end.

    None: no place shows it, or it was stored before the origin got what it has at the end.
    """
    evidence, key = violation.evidence or {}, violation.key
    wrong = evidence.get("value", evidence.get("answer"))
    steps = [step for step in execution.steps if step.phase != "before"]
    if wrong is None or key is None or not steps:
        return None
    stores = [
        act.at
        for act in acts_on(steps, key, sources_of(execution.steps, key))
        if _stores(execution, steps, act, canonical(wrong))
        and _held(steps[-1].content, act) == canonical(wrong)
    ]
    commits = [
        act.at for act in acts_on(steps, key) if act.place == ORIGIN and act.role is Role.COMMIT
    ]
    if not stores or stores[-1] < max(commits, default=0):
        return None
    return BreakingEvent(kind=STEP, at=execution.steps.index(steps[stores[-1]]), says=STAYS)


def _stores(execution: Execution, steps: Sequence[Step], act: Act, wrong: str) -> bool:
    """Say whether a step puts the wrong value into a place, also if the place has it already."""
    if _held(act.step.content, act) != wrong:
        return False
    before = steps[act.at - 1].content if act.at else execution.start
    is_struck = without_fault(act.step.label) != act.step.label
    return _held(before, act) != wrong or (act.role in _PUT and not is_struck)


def _held(content: Layers | None, act: Act) -> str:
    return canonical((content or {}).get(act.place or "", {}).get(act.name))


def _left(execution: Execution, story: Sequence[StoryPart], apart: int) -> BreakingEvent | None:
    """Return the last step of the story; None: the layers differ only later, from ``apart`` on."""
    told = [part.position for part in story if part.position is not None]
    if not told or told[-1] < apart or execution.steps[told[-1]].phase == "before":
        return None
    return BreakingEvent(kind=STEP, at=told[-1], says=NOT_REPLACED)


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
