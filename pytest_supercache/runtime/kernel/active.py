"""Holds the running execution, where doors, locks and layers find it."""

import threading

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.trace import StepId
from pytest_supercache.core.waits import Wait
from pytest_supercache.runtime.kernel import async_context
from pytest_supercache.runtime.kernel.actor import leave as leave_execution
from pytest_supercache.runtime.kernel.calling import here
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext

_running: list[tuple[ExecutionContext, int, frozenset[int]]] = []


def begin(execution: ExecutionContext) -> None:
    """Make ``execution`` the running one, with the calling thread as its watchdog.

    Threads that exist already take no part in it.
    """
    others = frozenset(threading._active)  # type: ignore[attr-defined] # noqa: SLF001 - who is here
    _running.append((execution, threading.get_ident(), others))


def end() -> None:
    """Forget the running execution."""
    _running.pop()


def controlled() -> ExecutionContext | None:
    """Return the running execution if the calling thread runs one of its actors; else None.

    A thread that is neither an actor nor the watchdog was started by the code under test: what it
    does is in no schedule, and the execution notes that as a hazard.
    """
    if not _running:
        return None
    execution, watchdog, others = _running[-1]
    if here.actor is not None:
        if here.controller is not execution.controller:
            leave_execution(here.actor)  # it was given up: its code must not act in this one
        return execution
    if not here.is_looking and threading.get_ident() not in {watchdog, *others}:
        execution.name_foreign_thread()
    return None


def running() -> ExecutionContext | None:
    """Return the running execution if the calling thread runs an actor of it, or its body."""
    if not _running:
        return None
    execution, watchdog, _ = _running[-1]
    is_body = threading.get_ident() == watchdog and not here.is_looking
    return execution if is_body or here.actor is not None else None


def hearing() -> ExecutionContext | None:
    """Return the running execution that hears how the calling thread leaves control, else None.

    Besides its actors, that is a thread which imports an isolated module for one of its nodes.
    """
    return _running[-1][0] if here.is_importing and _running else controlled()


def name_unreachable(server: str, error: BaseException) -> None:
    """Note as a hazard that code under test could not connect to ``server``.

    Code that runs without its cache or database would pass, whatever it does with them.
    """
    execution = hearing()
    if execution is not None:
        shown = " ".join(str(error).split())
        execution.controller.leave_control(
            f"the code under test could not connect to {server} ({shown}). Is it running? What "
            "the code does without it says nothing of what it does with it. An error on purpose is "
            "a fault: error_before"
        )


def leave() -> None:
    """Forget every execution in a forked process: their threads exist only in the parent."""
    _running.clear()


class ActiveSwitch:
    """The switch of the layers of one check; it forwards to the running execution."""

    def _controlled(self, label: str) -> ExecutionContext | None:
        execution = controlled()
        if execution is not None and execution.switch is not self:
            execution.controller.hazard(
                f"{label}: on a layer of another check, or of a fixture, which was kept. Use the "
                "layers that the system's factory is given, in every execution anew"
            )
        return execution

    def step(
        self, label: str, footprint: Footprint, *, kind: str, wait: Wait | None = None
    ) -> None:
        """Announce a step; do nothing when no execution runs."""
        execution = self._controlled(label)
        if execution is not None:
            execution.step(label, footprint, kind=kind, wait=wait)

    def last_step(self) -> StepId | None:
        """Return the last step of the calling actor; None when no execution runs."""
        execution = controlled()
        return None if execution is None else execution.last_step()

    def answered(self, label: str) -> None:
        """Tell the running execution that an answer has arrived."""
        execution = controlled()
        if execution is not None:
            execution.answered(label)

    async def astep(
        self, label: str, footprint: Footprint, *, kind: str, wait: Wait | None = None
    ) -> None:
        """Announce a step of the calling task; do nothing when no execution runs."""
        execution = self._controlled(label)
        if execution is not None:
            await async_context.step(execution, label, footprint, kind=kind, wait=wait)

    async def aanswered(self, label: str) -> None:
        """Tell the running execution that an answer has arrived in the calling task."""
        execution = controlled()
        if execution is not None:
            await async_context.answered(execution, label)
