"""Computes what identifies a conflict, whatever the names, values and numbers.

A hash of what stays when users, keys, nodes, values, irrelevant steps, the backend or the part of
the schedules that was explored change: the system, the guarantee, the label, the class, the layer,
and what kinds of steps and operations made it so. What else touches the key depends on who came
first, so it counts only where no class says what matters. Most crashes look alike by that; so
errors are told apart by their types and by the path of functions of the code under test to where
they were raised, with all errors that led to them, and waits by the path to where they wait.
A flow in Python has no system: the classes and modules of the code under test on the way to its
steps stand for one.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.operation import RACE, Operation
from pytest_supercache.core.verdict import Label, Violation
from pytest_supercache.oracle.classify import (
    NAMED_BY_GUARANTEE,
    UNCLASSIFIED,
    Classified,
    layer_role,
)
from pytest_supercache.oracle.roles import Act, Role, acts_in_race, layer_of

LENGTH = 12
FUNCTIONS_MAX = 100
"""The largest number of functions of a path that count, the innermost ones."""

_INLINED = ("<listcomp>", "<dictcomp>", "<setcomp>")
_MATTER = {Role.LOAD, Role.COMMIT, Role.STORE, Role.DROP, Role.PUBLISH, Role.DELIVER}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictPlace:
    """Where a conflict was found: in which flow of which system, and in which functions."""

    flow: str
    system: str = ""
    raised: tuple[tuple[str, tuple[str, ...]], ...] = ()  # the error, then those that led to it
    body: str = ""  # the function that plays the flow: neither it nor a step of it is under test
    module: str = ""  # where that is written: its other functions may belong to the test, too
    verbs: frozenset[str] = frozenset()  # functions that make steps of scenario files

    @property
    def scenario(self) -> str:
        """The flow without system and case."""
        return self.flow.partition("[")[0]

    def is_body(self, function: str) -> bool:
        """Say whether a function plays the flow."""
        return function == self.body

    def is_step(self, function: str) -> bool:
        """Say whether a function is a step: a verb, or defined in the body and no method."""
        return function in self.verbs or function.rpartition(".")[0] == f"{self.body}.<locals>"


def fingerprint_of(
    execution: Execution,
    violation: Violation,
    label: Label | None,
    classified: Classified,
    found: ConflictPlace,
) -> str:
    """Return the fingerprint of a finding, as hexadecimal digits."""
    parts = _without_called(execution, violation, label, classified, found)
    has_path = violation.guarantee == "answers"  # to what was raised, or to where somebody waits
    if not found.system and not has_path and classified.slug != UNCLASSIFIED:
        parts.append(_called(execution, violation, classified, found))
    return _hash(parts)


def _without_called(
    execution: Execution,
    violation: Violation,
    label: Label | None,
    classified: Classified,
    found: ConflictPlace,
) -> list[object]:
    """Return the parts of a fingerprint, without the classes that a flow in Python calls."""
    verbs = _verbs_of_error(execution, violation) or _verbs_of_waits(execution, violation)
    verbs = verbs or _verbs(execution, violation, classified)
    parts = [*_shape(execution, violation, label, classified, verbs), found.system]
    if found.raised:
        first, *others = [[kind, _path(functions, found)] for kind, functions in found.raised]
        parts.append([first, *_sorted(one for one in others if one != first)])
    elif execution.blocked:
        parts.append(_sorted(_path(pending.functions, found) for pending in execution.blocked))
    left = (violation.evidence or {}).get("left")
    if left is not None:
        parts.append(str(left))
    if classified.slug == UNCLASSIFIED:
        parts.append([found.scenario, _place_in_flow(violation)])
    return parts


def former_fingerprints_of(
    execution: Execution,
    violation: Violation,
    label: Label | None,
    classified: Classified,
    found: ConflictPlace,
) -> tuple[str, ...]:
    """Return the fingerprints of older versions, the newest first, so that waivers can move.

    The newest had no classes that a flow in Python calls. The one before had of an error its type
    and its innermost function, of a wait its innermost function. The oldest had neither functions
    nor the system.
    """
    shape = _shape(
        execution, violation, label, classified, _verbs(execution, violation, classified)
    )
    without_called = _without_called(execution, violation, label, classified, found)
    place = [found.scenario, _place_in_flow(violation)]
    newer, oldest = [*shape, found.system], [*shape]
    if found.raised:
        kind, functions = found.raised[0]
        newer.append([kind, "".join(functions[-1:])])
    elif execution.blocked:
        newer.append(sorted({"".join(pending.functions[-1:]) for pending in execution.blocked}))
    if classified.slug == UNCLASSIFIED:
        error = (violation.evidence or {}).get("error")
        raised = type(error).__name__ if isinstance(error, BaseException) else ""
        newer.append(place)
        oldest.append([*place, raised])
    return tuple(
        one
        for one in dict.fromkeys([_hash(without_called), _hash(newer), _hash(oldest)])
        if one != fingerprint_of(execution, violation, label, classified, found)
    )


def _path(functions: Iterable[str], found: ConflictPlace) -> list[str]:
    """Return the path to the innermost function, without the functions of the scenario.

    A recursion counts as the call that ended it, so its depth does not matter. Comprehensions are
    left out, because they have been no functions of their own since Python 3.12.
    """
    names = [name for name in functions if not name.endswith(_INLINED)]
    for is_scenarios in (found.is_body, found.is_step):
        if len(names) > 1 and is_scenarios(names[0]):
            del names[0]
    path = list[str]()
    for name in names:
        if name in path:
            del path[path.index(name) :]
        path.append(name)
    return path[-FUNCTIONS_MAX:]


def _called(
    execution: Execution, violation: Violation, classified: Classified, found: ConflictPlace
) -> list[str]:
    """Return the classes and modules whose functions take the steps of a flow that matter.

    These are the steps that made the class; where none did, those of the user that saw it (of all
    users, if nobody did) that touch the key. All on the way to a step count, because the outermost
    may be a helper of the tests through which each of two systems is called. A function that may
    belong to the test is passed over where others are on the way.
    """
    history = execution.history.operations
    steps = [act.step for act in classified.acts] or [
        act.step
        for act in _acts_on_its_key(execution, violation)
        if violation.user is None
        or (act.step.operation is not None and history[act.step.operation].user == violation.user)
    ]
    called = set[str]()
    for step in steps:
        names = [name for name in step.functions if not _is_scenarios(name, found)]
        clear = [name for name in names if not _may_belong_to_the_test(name, found)]
        called.update(name.rpartition(".")[0] for name in clear or names[-1:])
    return sorted(called)


def _may_belong_to_the_test(function: str, found: ConflictPlace) -> bool:
    """Say whether a function is a lambda, was made inside another one, or is beside the test."""
    place = function.rpartition(".")[0]
    return function.endswith("<lambda>") or place.endswith("<locals>") or place == found.module


def _is_scenarios(function: str, found: ConflictPlace) -> bool:
    return found.is_body(function) or found.is_step(function)


def _acts_on_its_key(execution: Execution, violation: Violation) -> list[Act]:
    return [] if violation.key is None else acts_in_race(execution, violation.key)


def _sorted(parts: Iterable[object]) -> list[str]:
    return sorted({json.dumps(part) for part in parts})


def _hash(parts: list[object]) -> str:
    return sha256(json.dumps(parts).encode()).hexdigest()[:LENGTH]


def _shape(
    execution: Execution,
    violation: Violation,
    label: Label | None,
    classified: Classified,
    verbs: set[str],
) -> list[object]:
    """Return the parts of a fingerprint that the steps alone give."""
    acts = list(classified.acts)
    if not acts and classified.slug not in NAMED_BY_GUARANTEE:
        acts = _acts_on_its_key(execution, violation)
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
        sorted(verbs),
        *([sorted(fault.kind for fault in faults)] if faults else []),
    ]


def _verbs_of_error(execution: Execution, violation: Violation) -> set[str]:
    """Return the verb of the operation that raised the error; empty if none did."""
    error = (violation.evidence or {}).get("error")
    if not isinstance(error, BaseException):
        return set()
    return {
        one.kind
        for one in execution.history
        if (one.user, one.key) == (violation.user, violation.key)
        and one.error is not None
        and type(one.error).__qualname__ == type(error).__qualname__  # of another run, perhaps
    }


def _verbs_of_waits(execution: Execution, violation: Violation) -> set[str]:
    """Return the verbs of operations that wait for ever, if that broke the guarantee."""
    if "blocked" not in (violation.evidence or {}):
        return set()
    waiting = {pending.actor for pending in execution.blocked}
    return {
        operation.kind
        for operation in execution.history
        if operation.user in waiting and operation.phase == RACE and not operation.returned
    }


def _verbs(execution: Execution, violation: Violation, classified: Classified) -> set[str]:
    """Return the verbs of the steps that made the class; else those of its user, or of all."""
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
    """Return the step of the flow that saw the violation, without its user's name.

    It counts where no class names the conflict: guarantee and verbs alone are alike in most of
    what breaks, and a waiver for one failed expectation would let all others pass.
    """
    step = (violation.evidence or {}).get("step")
    return str(step).removeprefix(violation.user or "") if isinstance(step, str) else ""
