"""Notices that two users who know nothing of each other were shown one time.

In production one of them would have been earlier.
"""

from pytest_supercache.runtime.kernel.actor import Actor
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext
from pytest_supercache.runtime.memory.effects import is_rewritten


def note_if_shown_to_two(
    execution: ExecutionContext, actor: Actor, passed: int, module: str
) -> None:
    """Have a module's readings of the clock be steps once two users were shown one time.

    If they are steps, or are not to be, the verdict says so. In a library whose calls are declared,
    a step would come in the middle of one.

    Args:
        execution: the running one.
        actor: has read the clock.
        passed: its logical clock, in microseconds.
        module: the name of the module that has read it.
    """
    if not execution.readings.is_shown_to_two(actor, execution.now(), passed):
        return
    controller = execution.controller
    is_seen = controller.memory is not None and is_rewritten(module)
    if not is_seen or not controller.memory.sharing.note_clock(module):
        controller.simplify(
            f"no difference between readings of the clock by users who know nothing of each other "
            f"({module})"
        )
