"""Names who called an operation: a user, or outside the race the node that was asked."""

from pytest_supercache.core.operation import RACE, SCENARIO, Operation

_MOMENTS = {"before": "before the race, ", "finally": "after everything settled, "}


def who(operation: Operation) -> str:
    """Return the name inside of a sentence: ``alice``, or ``node a`` outside the race."""
    return f"node {operation.node}" if _is_of_scenario(operation) else operation.user


def subject(operation: Operation) -> str:
    """Return the beginning of a sentence: the name, after the moment if that is not the race."""
    return f"{_moment(operation)}{who(operation)}"


def call_in_words(operation: Operation) -> str:
    """Return the call: ``alice's read k``, or ``after everything settled, read k on node a``."""
    asked = operation.kind if operation.key is None else f"{operation.kind} {operation.key}"
    if not _is_of_scenario(operation):
        return f"{operation.user}'s {asked}"
    return f"{_moment(operation)}{asked} on node {operation.node}"


def _is_of_scenario(operation: Operation) -> bool:
    return operation.user == SCENARIO and operation.phase != RACE


def _moment(operation: Operation) -> str:
    return _MOMENTS.get(operation.phase, "") if _is_of_scenario(operation) else ""
