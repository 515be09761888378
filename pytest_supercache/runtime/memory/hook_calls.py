"""Calls hooks so that neither their errors nor their own doings pass for those of the code.

Hooks perform nothing for the code under test, except by :func:`perform`: any other error in one is
ours. Raised there, it would be a crash that is no bug, or be handled and lead elsewhere. What
Python calls while a hook runs, such as an audit hook that hears of the frames we look at, is not
done by the code under test either.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from pytest_supercache.runtime.kernel.calling import here
from pytest_supercache.runtime.memory.current import Current

CALLER = 2
"""The argument of ``sys._getframe`` by which a hook gets the frame that has called it."""


def always() -> bool:
    """Say that a hook is meant."""
    return True


def called_safely(
    hook: Callable[..., Any], is_meant: Callable[[], bool] = always
) -> Callable[..., Any]:
    """Return a hook that does nothing inside another one, and ends with a hazard if it fails.

    Its instruction is performed in any case. Running out of stack or of memory is not ours; the
    instruction meets it as well.

    Args:
        hook: the hook.
        is_meant: called before it; False leaves it out.
    """

    @wraps(hook)
    def called(*operands: Any) -> Any:
        if here.in_hook is False:
            here.in_hook = True
            try:
                if is_meant():
                    return hook(*operands)
            except (RecursionError, MemoryError):
                raise
            # A hook may fail in any way that a defect of ours can; none is for the code to handle.
            except Exception as error:
                if error is here.in_hook or not _is_dealt_with(error):
                    raise
            finally:
                here.in_hook = False
        return operands[0] if operands else None

    return called


def _is_of_nobody() -> bool:
    """Say whether the calling thread hung in an execution that is over, and whose memory is let go.

    It may go on in a hook, beside a later execution.
    """
    controller, execution = here.controller, Current.execution
    return controller is not None and (execution is None or not execution.is_of(controller))


def _is_dealt_with(error: Exception) -> bool:
    """Note an error of ours in the execution that runs; say whether the code can go on."""
    if _is_of_nobody():
        return True
    if Current.execution is not None:
        Current.execution.note_error(error)
    return Current.execution is not None


def perform(function: Callable[..., Any], *operands: Any) -> Any:
    """Call a function for the code under test from inside a hook; its errors are the code's own."""
    try:
        return unhooked(function, *operands)
    except Exception as error:
        if here.in_hook is not False:
            here.in_hook = error
        raise


def unhooked(function: Callable[..., Any], *operands: Any) -> Any:
    """Call a function of ours that may end objects of the code under test, whose hooks count."""
    was, here.in_hook = here.in_hook, False
    try:
        return function(*operands)
    finally:
        here.in_hook = was
