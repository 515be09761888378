"""Keeps an error of a hook from the code under test, which would take it for its own."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from pytest_supercache.runtime.memory.current import Current

CALLER = 2
"""The depth of the frame that called a hook, as the hook itself asks for it."""


def reporting_errors(hook: Callable[..., Any]) -> Callable[..., Any]:
    """Make a hook end with a hazard where it fails, so that its instruction is performed anyway.

    A hook performs nothing for the code under test, so an error in it is ours: raised there, it
    would be a crash that is no bug, or be handled and lead elsewhere. Running out of stack or of
    memory is not ours; the instruction that follows meets it as well.
    """

    @wraps(hook)
    def reported(*operands: Any) -> Any:
        try:
            return hook(*operands)
        except (RecursionError, MemoryError):
            raise
        except Exception as error:
            if Current.execution is None:
                raise
            Current.execution.note_error(error)
            return operands[0] if operands else None

    return reported
