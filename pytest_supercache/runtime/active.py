"""The execution that runs now: how doors, locks and layers find the controller."""

import threading

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.waits import Wait
from pytest_supercache.runtime.controller import Controller, current_actor

_running: list[tuple[Controller, int]] = []


def running() -> Controller | None:
    """Return the controller of the execution that runs now, if any."""
    return _running[-1][0] if _running else None


def begin(controller: Controller) -> None:
    """Make ``controller`` the one that runs; the calling thread is the one that watches it."""
    _running.append((controller, threading.get_ident()))


def end(controller: Controller) -> None:
    """Forget ``controller``."""
    _running.remove((controller, threading.get_ident()))


def controlled() -> Controller | None:
    """Return the running controller if the calling thread is under its control.

    A thread that is neither an actor nor the watchdog was started by the code under test: what it
    does is in no schedule, and the execution says so.
    """
    if not _running:
        return None
    controller, watchdog = _running[-1]
    if current_actor() is not None:
        return controller
    if threading.get_ident() != watchdog:
        controller.name_foreign_thread()
    return None


class ActiveSwitch:
    """The switch that layers are built with: it forwards to the execution that runs now."""

    def step(
        self, label: str, footprint: Footprint, *, kind: str, wait: Wait | None = None
    ) -> None:
        """Announce a step; without an execution the call is simply let through."""
        controller = controlled()
        if controller is not None:
            controller.step(label, footprint, kind=kind, wait=wait)

    def answered(self, label: str) -> None:
        """Tell the running execution that an answer has arrived."""
        controller = controlled()
        if controller is not None:
            controller.answered(label)
