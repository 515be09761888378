"""A guarantee is a value: a name and the function that finds where it is broken."""

from collections.abc import Callable
from dataclasses import dataclass

from pytest_supercache.core.operation import History
from pytest_supercache.core.trace import Execution, Settled
from pytest_supercache.core.verdict import Violation


class NotJudgedError(Exception):
    """Raised by a guarantee that cannot be judged on what was recorded; never a pass."""


FindViolation = Callable[[Execution], Violation | None]


@dataclass(frozen=True, slots=True)
class Guarantee:
    """What must hold in every execution.

    ``find_violation`` returns the evidence, or None when the guarantee holds. It raises
    :class:`NotJudgedError` when what was recorded does not suffice to say.
    """

    name: str
    find_violation: FindViolation


def check_history(
    history: History, guarantee: Guarantee, settled: Settled | None = None
) -> Violation | None:
    """Judge a recorded history by one guarantee.

    Raises:
        NotJudgedError: the history does not say enough.
    """
    from pytest_supercache.core.schedule import Schedule

    execution = Execution(
        schedule=Schedule(), steps=[], history=history, settled=settled or Settled()
    )
    return guarantee.find_violation(execution)
