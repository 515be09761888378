"""What makes two findings the same conflict, whatever the names, values and numbers.

A hash of what stays when users, keys, nodes, values, irrelevant steps, the backend or the part of
the schedules that was explored change: the guarantee, the label, the class, the layer, and what
kinds of steps and operations made it so. What else touches the key depends on who came first, so
it counts only where no class says what matters.
"""

import json
from hashlib import sha256

from pytest_supercache.core.operation import RACE, Operation
from pytest_supercache.core.trace import Execution
from pytest_supercache.core.verdict import Label, Violation
from pytest_supercache.oracle.classify import NAMED_BY_GUARANTEE, Classified, layer_role
from pytest_supercache.oracle.roles import Role, acts_on, layer_of

LENGTH = 12
_MATTER = {Role.LOAD, Role.COMMIT, Role.STORE, Role.DROP, Role.PUBLISH, Role.DELIVER}


def fingerprint_of(
    execution: Execution, violation: Violation, label: Label | None, classified: Classified
) -> str:
    """Return the fingerprint of a finding, as hexadecimal digits."""
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
    parts = [
        violation.guarantee,
        None if label is None else label.value,
        classified.slug,
        layer_role(classified),
        sorted(kinds),
        sorted(_verbs(execution, violation, classified)),
        *([sorted(fault.kind for fault in faults)] if faults else []),
    ]
    return sha256(json.dumps(parts).encode()).hexdigest()[:LENGTH]


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
