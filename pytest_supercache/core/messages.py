"""Finds the messages that never arrive: lost on the way, or sent to a node that does not listen."""

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.trace import Step

MESSAGES = "messages@"
"""What the pseudo-actor that delivers to a node is called, before the node's name."""


def never_told(execution: Execution, step: Step) -> tuple[str, ...]:
    """Return the nodes that a step has published to, and that no message of it has reached."""
    if step.kind != "super_cache" or not execution.complete:
        return ()
    names = sorted(name for name in step.footprint.writes if name.startswith(MESSAGES))
    told = {one.actor for one in execution.steps if one.cause == (step.actor, step.index)}
    return tuple(name.removeprefix(MESSAGES) for name in names if name not in told)


def in_words(nodes: tuple[str, ...], *, of: int) -> str:
    """Return what is said of a message that some of its receivers never got."""
    if not nodes:
        return ""
    if len(nodes) == of:
        return ", which reaches nobody"
    return f", which never reaches node{'s' * (len(nodes) > 1)} {' and '.join(nodes)}"


def published_to(step: Step) -> int:
    """Return how many nodes a step publishes to."""
    return sum(name.startswith(MESSAGES) for name in step.footprint.writes)
