"""Runs a body on its own thread, and detects a step that never arrives.

The watchdog is the thread that called ``check``. It holds none of the scheduler's locks, so it sees
a hang anywhere: in a factory, in an actor's entry code, in a probe. It also calls schedulers that
must run on that thread (Hypothesis draws only there).
"""

import decimal
import os
import sys
import threading
import traceback
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any, NamedTuple

from pytest_supercache.core.schedule import Choices, Scheduler
from pytest_supercache.runtime.kernel import ending
from pytest_supercache.runtime.kernel.active import begin, end
from pytest_supercache.runtime.kernel.actor import Actor, State
from pytest_supercache.runtime.kernel.baton import Baton
from pytest_supercache.runtime.kernel.calling import bind_thread, unbind_thread
from pytest_supercache.runtime.kernel.children import children_ended
from pytest_supercache.runtime.kernel.controller import Controller
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext
from pytest_supercache.runtime.kernel.left_threads import keep_tasks, note_left, refuse_more
from pytest_supercache.runtime.kernel.own_code import PACKAGE_FOLDER
from pytest_supercache.runtime.kernel.real_channels import explain_channel
from pytest_supercache.runtime.kernel.real_locks import explain

_REFERENCE = f"{PACKAGE_FOLDER}{os.sep}reference{os.sep}"  # code under test


class OutsideScheduler:
    """Calls another scheduler on the watchdog's thread."""

    def __init__(self, inner: Scheduler, bell: Any) -> None:
        self._inner = inner
        self._bell = bell
        self._answered = Baton()
        self._question: Choices | None = None
        self._answer: str | None = None
        self.error: BaseException | None = None

    def choose(self, choices: Choices) -> str | None:
        """Hand ``choices`` to the watchdog's thread and wait for its answer."""
        self._question = choices
        self._bell.give()
        self._answered.take()
        return self._answer

    def answer(self) -> bool:
        """Answer a pending question on the watchdog's thread; False: there was none."""
        question, self._question = self._question, None
        if question is None:
            return False
        try:
            self._answer = None if self.error else self._inner.choose(question)
        except BaseException as error:  # noqa: BLE001 - raised again by `guard`, on this thread
            self.error = error
            self._answer = None
        self._answered.give()
        return True


def guard(
    execution: ExecutionContext, body: Callable[[], Any], limit: float, *, outside: bool
) -> Actor:
    """Run ``body`` alone on a thread of its own and watch it.

    Args:
        execution: the execution of the body.
        body: builds the world, races the actors, runs the probes.
        limit: seconds without any progress after which the execution is abandoned.
        outside: call the scheduler on the calling thread.

    Returns:
        The actor that ran the body, with its result or error.

    Raises:
        TooManyLeftError: earlier executions have left too many hung threads.
        Exception: a bug of this package.
    """
    refuse_more()
    controller = execution.controller
    actor = _alone(controller, body)
    asked = OutsideScheduler(controller.scheduler, actor.baton) if outside else None
    if asked is not None:
        controller.scheduler = asked
    begin(execution)
    try:
        with children_ended(controller.hazard):
            _run(execution, actor, asked, limit)
    finally:
        end()
        keep_tasks(controller.left_tasks)
    if asked is not None and asked.error is not None:
        raise asked.error
    if controller.mistake is not None:  # the body was told, too, but it is no answer of its code
        raise controller.mistake
    if isinstance(actor.error, KeyboardInterrupt):
        raise actor.error
    return actor


def _run(
    execution: ExecutionContext, actor: Actor, asked: OutsideScheduler | None, limit: float
) -> None:
    try:
        assert actor.thread is not None
        actor.thread.start()
        _watch(execution, actor, asked, limit)
        _join(execution, actor)
    except BaseException:
        execution.controller.hazard("interrupted")
        _give_up(execution, actor)
        _join(execution, actor)
        raise


def _join(execution: ExecutionContext, body: Actor) -> None:
    """Join the threads of actors that have ended, so that none is left when the check returns.

    Their batons are closed now, not by garbage collection: an error raised by code under test forms
    a reference cycle with the variables of its frames.
    """
    everybody = (*execution.controller.actors.values(), body)
    for actor in everybody:
        if actor.thread is None:
            continue
        if actor.state is State.DONE or execution.controller.given_up:
            actor.thread.join(ending.UNWIND_SECONDS)
        if actor.state is State.DONE:
            actor.thread = actor.baton = None
            actor.target, actor.function = _nothing, None
        elif actor.thread.is_alive():
            note_left(actor.thread)
    if all(actor.state is State.DONE for actor in everybody):
        execution.controller.finished = None
    execution.threads.clear()


def _nothing() -> None:
    pass


def _alone(controller: Controller, body: Callable[[], Any]) -> Actor:
    """Make the actor that runs the body; its steps are taken at once, without the scheduler."""
    actor = Actor("body", None, body, direct=True)
    context = _context_of_body()

    def live() -> None:
        bind_thread(actor, controller)
        try:
            controller.locals_of_test.give()
            actor.result = context.run(body)
        except BaseException as error:  # noqa: BLE001 - handed to the caller
            actor.error = error
        try:
            controller.end_body()
        except BaseException as error:  # noqa: BLE001 - handed to the caller
            actor.error = actor.error or error
        actor.state = State.DONE
        controller.progress += 1
        thread.hand_on(actor.baton.give)
        unbind_thread()

    thread = controller.new_thread(target=live, name="body")
    actor.thread = thread
    return actor


def _context_of_body() -> Context:
    """Return the caller's context variables, which fixtures may have set, for one execution.

    What the body sets ends with the execution. So does what it sets in the ``decimal`` context, the
    one object of Python itself that is kept there and can be changed.
    """
    context = copy_context()
    context.run(lambda: decimal.setcontext(decimal.getcontext().copy()))
    return context


def _watch(
    execution: ExecutionContext, actor: Actor, asked: OutsideScheduler | None, limit: float
) -> None:
    controller = execution.controller
    seen = controller.progress
    has_waited_longer = False
    while actor.state is not State.DONE:
        if actor.baton.take_within(limit):
            if asked is not None:
                asked.answer()
            continue
        if controller.progress != seen:
            seen = controller.progress
            continue
        found = _describe_hang(controller, actor, limit)
        if not (found.has_stack or has_waited_longer):  # nobody hangs in code: it may yet come
            has_waited_longer = True
            continue
        controller.hazard(found.text)
        _give_up(execution, actor)
        return


def _give_up(execution: ExecutionContext, actor: Actor) -> None:
    """End the execution from outside; parked actors unwind first and release their locks."""
    controller = execution.controller
    controller.given_up = True
    controller.complete = False
    if actor.state is not State.DONE:
        controller.finished.give()
        if not actor.baton.take_within(2.0):  # the body itself hangs: the others do not have to
            ending.unwind(controller, controller.started())


class Hang(NamedTuple):
    """The description of a step that never arrived."""

    text: str
    has_stack: bool
    """Whether a running actor has code outside of this package on its stack."""


_REMEDY = (
    "  what is awaited there is not under control: hold one lock of `threading` around each use of "
    "it. If it is only slow, raise --supercache-step-timeout"
)


def _describe_hang(controller: Controller, body: Actor, limit: float) -> Hang:
    """Say which step never arrived, with the stack of every thread of the execution."""
    frames = sys._current_frames()
    lines = [f"a step did not arrive within {limit:g} s; it blocks outside any switch point:"]
    everyone = [*list(controller.actors.values()), body]
    has_stack = False
    for actor in everyone:
        frame = frames.get(actor.thread.ident) if actor.thread and actor.thread.ident else None
        if actor.state is State.DONE or frame is None or _waits_for_baton(actor, body, controller):
            continue
        lines.append(f"  {actor.name} ({actor.state.value}):")
        stack = [entry for entry in traceback.extract_stack(frame) if not _is_ours(entry.filename)]
        has_stack |= bool(stack) and actor.state is not State.PARKED
        lines += [
            f"    {entry.filename}:{entry.lineno} in {entry.name}: {entry.line}"
            for entry in stack[-8:]
        ] or ["    no line of the code under test: it begins, ends, or waits for its turn"]
        if actor.state is not State.PARKED:
            explained = explain(actor, everyone, _is_ours) or explain_channel(actor, _is_ours)
            lines += [f"    {told}" for told in explained]
    if not has_stack:
        states = ", ".join(f"{actor.name} is {actor.state.value}" for actor in everyone)
        lines.append(
            f"  no running actor is in code under test, so there is no stack to show ({states});"
        )
        lines.append("  this machine may have been too busy for the execution: run it again")
    else:
        lines.append(_REMEDY)
    return Hang("\n".join(lines), has_stack)


def _waits_for_baton(actor: Actor, body: Actor, controller: Controller) -> bool:
    """Say whether an actor is the body and only waits for the race to end, without a loop."""
    return (
        actor is body
        and actor.loop is None
        and controller.phase == "race"
        and bool(controller.actors)
    )


def _is_ours(filename: str) -> bool:
    return filename.startswith((threading.__file__, PACKAGE_FOLDER)) and _REFERENCE not in filename
