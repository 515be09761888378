"""Announces the steps of coroutines: the async counterparts of `execution_context`.

The body's own code, and an event loop that a thread of the code under test runs for itself, have no
task to park: there the step is the thread's.
"""

import asyncio
from asyncio import _get_running_loop as get_running_loop
from collections.abc import Callable
from typing import Any

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.waits import Wait
from pytest_supercache.runtime.kernel.actor import Actor
from pytest_supercache.runtime.kernel.calling import current_actor
from pytest_supercache.runtime.kernel.coroutines import is_inner
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext, raise_late
from pytest_supercache.runtime.kernel.faults import Failure
from pytest_supercache.runtime.kernel.task_actor import TaskActor


async def step(
    execution: ExecutionContext,
    label: str,
    footprint: Footprint,
    *,
    kind: str,
    wait: Wait | None = None,
    deadline: float | None = None,
    recheck_from: int | None = None,
    polls: bool = False,
    has_answer: bool = False,
    failure: Failure = ConnectionError,
) -> bool:
    """Announce a step of the calling task and return when it may run.

    Returns:
        False when the step had a deadline that passed before it could be taken otherwise.
    """
    actor = current_actor()
    assert actor is not None, f"{label!r} was announced by code that is not an actor's"
    announced = execution.announced(
        actor, label, footprint, kind, wait, deadline,
        recheck_from=recheck_from, polls=polls, failure=failure,
    )  # fmt: skip
    announced.has_answer = has_answer
    if isinstance(actor, TaskActor):
        if execution.faults.skews:
            _name_skew(execution)
        await actor.home.arrive(actor, announced)
    else:
        if (loop := get_running_loop()) is not None and not actor.direct:
            _note_other_tasks(execution, actor, loop)
        execution.controller.arrive(actor, announced)
    if execution.on_step is not None or not execution.is_undisturbed:
        execution.begun(actor, announced)
    return not announced.fired


def _note_other_tasks(execution: ExecutionContext, actor: Actor, loop: Any) -> None:
    """Note that ready tasks on the loop of a thread run only after the step of the current one."""
    execution.controller.simplify("tasks of a loop that a thread runs in their own order")
    current = asyncio.current_task(loop)
    for task in asyncio.all_tasks(loop):
        is_ready = getattr(task, "_fut_waiter", None) is None
        if task is not current and is_ready and not is_inner(task.get_coro()):
            execution.controller.leave_unproven(
                f"{actor.name} runs an event loop on its thread, and several tasks on it take "
                "steps, in one order only. Let the user be a coroutine (async def): its tasks are "
                "raced"
            )


def _name_skew(execution: ExecutionContext) -> None:
    execution.controller.hazard(
        "the fault clock_skew is not available for coroutines in this version: tasks of all "
        "nodes share one thread, whose clock cannot be ahead for some of them"
    )


async def call(
    execution: ExecutionContext,
    label: str,
    footprint: Footprint,
    make: Callable[[], Any],
    *,
    kind: str,
    failure: Failure = ConnectionError,
    parts_answer: bool = True,
    recheck_from: int | None = None,
) -> Any:
    """Take the step of a call, then make the call; its answer or error is another switch point.

    ``parts_answer`` is False where the code receives the answer only with that of a later step.
    With ``recheck_from`` the call repeats an earlier one, and waits for a write from that step on.
    """
    await step(
        execution, label, footprint, kind=kind, failure=failure, has_answer=True,
        recheck_from=recheck_from, polls=recheck_from is not None,
    )  # fmt: skip
    if execution.is_undisturbed:
        return await make()
    actor = current_actor()
    assert actor is not None, "a call is made by an actor"
    late, actor.late = actor.late, None
    try:
        answer = await make()
    except Exception:
        await answered(execution, label)
        raise
    if parts_answer:
        await answered(execution, label)
    if late is not None:
        raise late
    return answer


async def answered(execution: ExecutionContext, label: str) -> None:
    """Make the answer of a step a switch point of its own, where memory is shared."""
    parting, actor = execution.controller.parting, current_actor()
    is_parted = parting is not None and actor is not None and parting.answer_is_step(actor, label)
    if execution.controller.shared_memory or is_parted:
        await step(execution, f"answer of {label}", Footprint(), kind="memory")
    if execution.faults.vector:
        raise_late(current_actor())


async def inside(
    execution: ExecutionContext, label: str, footprint: Footprint, make: Callable[[], Any]
) -> Any:
    """Make a watched call as one step; steps inside it inherit its footprint."""
    actor = current_actor()
    assert actor is not None, "a watched call is announced by the actor that makes it"

    async def inner() -> Any:
        actor.inherited.append(footprint)
        try:
            return await make()
        finally:
            actor.inherited.pop()

    return await call(execution, label, footprint, inner, kind="watched")
