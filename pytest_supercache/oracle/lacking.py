"""Says what a history lacks if a guarantee has nothing in it to judge.

A guarantee about answers holds of every history without an answer. Actors that call the system
themselves, or by verbs that declare nothing, record none: then that would be no evidence.
"""

from pytest_supercache.core.operation import History
from pytest_supercache.oracle.observed import shown
from pytest_supercache.oracle.versions import written

_REMEDY = (
    "Let actors read and write through world.user(name, system), or declare what a verb shows and "
    "writes with @verb(observes=..., writes=...)"
)


def answers(history: History) -> str:
    """Require that somebody is shown a value."""
    return "" if any(map(shown, history.operations)) else f"no operation shows a value. {_REMEDY}"


def writes(history: History) -> str:
    """Require that somebody writes."""
    return "" if any(map(written, history.operations)) else f"no operation writes. {_REMEDY}"


def writes_and_answers(history: History) -> str:
    """Require that somebody writes, and that somebody is shown a value."""
    return writes(history) or answers(history)
