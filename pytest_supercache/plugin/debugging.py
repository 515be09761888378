"""``--supercache-break=STEP``: a debugger in the code under test, at a step of a replay.

It opens on the thread of the actor that takes the step, just before the step has its effect; all
other actors are blocked.
"""

import pdb
import sys
from types import FrameType
from typing import TYPE_CHECKING, Any

import pytest

from pytest_supercache.runtime.kernel.under_test import is_under_test_name

if TYPE_CHECKING:
    from pytest_supercache.core.trace import Step

PATIENCE = 86_400.0
"""The seconds that a step may take while a person debugs."""

_OURS = ("checking", "core", "declare", "layers", "play", "plugin", "runtime", "search", "world")
_NOT_STEPPED = [
    *(f"pytest_supercache.{room}*" for room in _OURS),
    *("redis", "redis.*", "fakeredis", "fakeredis.*", "freezegun.*", "threading", "contextlib"),
    *("asyncio", "asyncio.*"),
]


class Breakpoint:
    """Opens the debugger once, at the first step that matches."""

    def __init__(self, wanted: str, config: pytest.Config) -> None:
        self._wanted = wanted
        self._config = config
        self._seen: list[str] = []
        self.is_met = False
        self.has_quit = False

    def __call__(self, step: "Step") -> None:
        """Open the debugger if a step, which is about to have its effect, matches."""
        if self.is_met:
            return
        number, label = names = names_of(step)
        self._seen.append(f"{number}. {step.actor}: {label}")
        if self._wanted not in {*names, f"{step.actor}: {label}"}:
            return
        self.is_met = True
        frame = _code_under_test(sys._getframe(1))
        _Debugger(self._config, self).stop_at(frame, self._seen[-1])

    @property
    def complaint(self) -> str | None:
        """The complaint if no step matched, with the steps there were; None once it has stopped."""
        if self.is_met:
            return None
        steps = "".join(f"\n  {one}" for one in dict.fromkeys(self._seen))  # of every replay
        return (
            f"--supercache-break={self._wanted}: no step of a user is called so. Give its number, "
            f"its text, or USER: TEXT, as in{steps or ' the picture'}"
        )


def names_of(step: "Step") -> tuple[str, str]:
    """Return the number of a step in pictures, and its text."""
    return str(0 if step.choice is None else step.choice + 1), step.label


def refuse_without_replay(config: pytest.Config, *, replays: bool) -> None:
    """Refuse a breakpoint without a replay, or without ``--pdb``.

    Raises:
        UsageError: naming the option that is missing.
    """
    if config.getoption("supercache_break") is None:
        return
    if not replays:
        raise pytest.UsageError(
            "--supercache-break=STEP is about a replay: give --supercache-replay=TOKEN as well, or "
            "run a reproducer (reports/repro_*.py)"
        )
    if not config.getoption("usepdb"):
        raise pytest.UsageError("--supercache-break=STEP opens a debugger: give --pdb as well")


def _code_under_test(frame: FrameType) -> FrameType:
    """Return the innermost frame of code under test, or ``frame`` if there is none."""
    found: FrameType | None = frame
    while found is not None:
        if is_under_test_name(str(found.f_globals.get("__name__", "?"))):
            return found
        found = found.f_back
    return frame


class _Debugger(pdb.Pdb):
    """A debugger for one thread that starts inside of a call, in the frame of a caller."""

    def __init__(self, config: pytest.Config, stop: Breakpoint) -> None:
        self._stop = stop
        self._capture: Any = config.pluginmanager.getplugin("capturemanager")
        if self._capture is not None:
            self._capture.suspend(in_=True)
        super().__init__(nosigint=True, skip=_NOT_STEPPED)
        self._is_over = False

    def stop_at(self, frame: FrameType, named: str) -> None:
        """Interact with the user at ``frame``; trace from there if they step."""
        self.reset()
        outer: FrameType | None = frame
        while outer is not None:
            outer.f_trace = self.trace_dispatch
            self.botframe = outer
            outer = outer.f_back
        self.message(f"\nsupercache: before step {named}")
        self.interaction(frame, None)
        if not self._is_over:
            sys.settrace(self.trace_dispatch)

    def user_exception(self, frame: FrameType, exc_info: Any) -> None:
        """Stop at errors of the code under test; a coroutine's end is one to its awaiter."""
        if not self.is_skipped_module(str(frame.f_globals.get("__name__"))):
            super().user_exception(frame, exc_info)

    def set_continue(self) -> None:
        """Continue without the user, unless they have set breakpoints."""
        super().set_continue()
        self._is_over = not self.breaks
        if self._is_over and self._capture is not None:
            self._capture.resume()

    def set_quit(self) -> None:
        """Let the execution run on: an exception would look like the code's own."""
        self._stop.has_quit = True
        self.clear_all_breaks()
        self.set_continue()
