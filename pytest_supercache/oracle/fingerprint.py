"""What makes two findings the same conflict, whatever the names, values and numbers.

A hash of what stays when users, keys, nodes, values, irrelevant steps, the backend or the part of
the schedules that was explored change: the system, the guarantee, the label, the class, the layer,
and what kinds of steps and operations made it so. What else touches the key depends on who came
first, so it counts only where no class says what matters. Errors and waits are told apart by the
error's type and the function of the code under test that raised it or waits: most crashes look
alike otherwise.
"""

import json
from dataclasses import dataclass
from hashlib import sha256

from pytest_supercache.core.operation import RACE, Operation
from pytest_supercache.core.trace import Execution
from pytest_supercache.core.verdict import Label, Violation
from pytest_supercache.oracle.classify import (
    NAMED_BY_GUARANTEE,
    UNCLASSIFIED,
    Classified,
    layer_role,
)
from pytest_supercache.oracle.roles import Role, acts_on, layer_of

LENGTH = 12
_MATTER = {Role.LOAD, Role.COMMIT, Role.STORE, Role.DROP, Role.PUBLISH, Role.DELIVER}


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundIn:
    """Where a conflict was found: in which flow of which system, and in which functions of it."""

    flow: str
    system: str = ""
    raised_in: str = ""  # the function of the code under test that the error left

    @property
    def scenario(self) -> str:
        """The flow without system and case."""
        return self.flow.partition("[")[0]


def fingerprint_of(
    execution: Execution,
    violation: Violation,
    label: Label | None,
    classified: Classified,
    found: FoundIn,
) -> str:
    """Return the fingerprint of a finding, as hexadecimal digits."""
    parts = [*_shape(execution, violation, label, classified), found.system]
    error = (violation.evidence or {}).get("error")
    if isinstance(error, BaseException):
        kind = type(error)
        parts.append([f"{kind.__module__}.{kind.__qualname__}", found.raised_in])
    elif execution.blocked:
        parts.append(sorted({pending.function for pending in execution.blocked}))
    if classified.slug == UNCLASSIFIED:
        parts.append([found.scenario, _place_in_flow(violation)])
    return _hash(parts)


def former_fingerprint_of(
    execution: Execution,
    violation: Violation,
    label: Label | None,
    classified: Classified,
    found: FoundIn,
) -> str:
    """Return the fingerprint as it was without system and function, so that waivers can move."""
    parts = _shape(execution, violation, label, classified)
    if classified.slug == UNCLASSIFIED:
        error = (violation.evidence or {}).get("error")
        raised = type(error).__name__ if isinstance(error, BaseException) else ""
        parts.append([found.scenario, _place_in_flow(violation), raised])
    return _hash(parts)


def _hash(parts: list[object]) -> str:
    return sha256(json.dumps(parts).encode()).hexdigest()[:LENGTH]


def _shape(
    execution: Execution, violation: Violation, label: Label | None, classified: Classified
) -> list[object]:
    """Return what is known of a conflict by its steps alone."""
    key = violation.key
    acts = list(classified.acts)
    if not acts and key is not None and classified.slug not in NAMED_BY_GUARANTEE:
        acts = acts_on(execution.race, key)
    kinds = {
        f"{act.role.value} {layer_of(act.place)}"
        for act in acts
        if act.role in _MATTER and act.place is not None
    }
    faults = execution.schedule.vector
    return [
        violation.guarantee,
        None if label is None else label.value,
        classified.slug,
        layer_role(classified),
        sorted(kinds),
        sorted(_verbs(execution, violation, classified)),
        *([sorted(fault.kind for fault in faults)] if faults else []),
    ]


def _verbs(execution: Execution, violation: Violation, classified: Classified) -> set[str]:
    """Return what users did in the steps that made the class; else the one who saw it, or all."""
    history = execution.history.operations
    made = {act.step.operation for act in classified.acts} - {None}
    verbs = {history[at].kind for at in made if at is not None}
    return verbs or {
        operation.kind
        for operation in history
        if operation.phase == RACE
        and (violation.key is None or _touches(operation, violation.key))
        and violation.user in {None, operation.user}
    }


def _touches(operation: Operation, key: str) -> bool:
    named = {name for name, _ in (*operation.sightings, *operation.writes)}
    return operation.key == key or key in named


def _place_in_flow(violation: Violation) -> str:
    """Return the step of the flow that saw it, without its user's name.

    It counts where no class names the conflict: guarantee and verbs alone are alike in most of
    what breaks, and a waiver for one failed expectation would let all others pass.
    """
    step = (violation.evidence or {}).get("step")
    return str(step).removeprefix(violation.user or "") if isinstance(step, str) else ""
