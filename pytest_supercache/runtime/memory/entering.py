"""Switch points where Python code begins in the middle of C code, or of a generator's run.

That is code which C calls back (a key function, a comparison, a memo function), and the body of a
generator that several threads advance. C code that calls Python code again and again may come to an
end: it remembers how far it is, which no variable shows.
"""

import dis
from typing import Any

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.identity import identity
from pytest_supercache.runtime.kernel.own_code import RUNTIME
from pytest_supercache.runtime.memory.effects import is_rewritten

CALLED_BACK_MAX = 6
"""The largest number of switch points in the callbacks of one call of C code."""

CALLING_FOR_C = frozenset(
    f"{RUNTIME}{name}"
    for name in (
        "memory.callbacks",
        "memory.calls",
        "memory.hook_calls",
        "memory.items",
        "memory.memos",
        "memory.iteration_hooks",
        "memory.touching",
        "process.seeded",
    )
)
"""Modules whose frames lie between code under test and what it calls through C, or through us."""


_LOOPING = frozenset(
    {
        "PRECALL", "CALL", "CALL_KW", "CALL_FUNCTION_EX", "CONTAINS_OP", "COMPARE_OP",
        "LIST_EXTEND", "SET_UPDATE", "DICT_UPDATE", "DICT_MERGE", "UNPACK_SEQUENCE", "UNPACK_EX",
    }
)  # fmt: skip
"""Instructions whose C code may call Python code many times: a function of C, a comparison of two
lists, what takes all of an iterator."""


class Entering:
    """The code that each actor is about to enter in one execution, and its footprint."""

    def __init__(self) -> None:
        self._generators: dict[str, tuple[Any, Footprint]] = {}
        self._called: dict[str, list[list[Footprint]]] = {}
        self._calls: dict[int, int] | None = None  # by frame: how often its call has called back
        self.is_due = False
        """Whether any actor is about to enter such code."""

    @property
    def is_watched(self) -> bool:
        """Whether callbacks are counted: code may loop, so it matters which callback this is."""
        return self._calls is not None

    def watch(self) -> None:
        """Count, from now on, the callbacks of each call of C code."""
        if self._calls is None:
            self._calls, self.is_due = {}, True

    def note_calling(self, frame: Any) -> None:
        """Note that a frame is about to call something, or to compare."""
        if self._calls is not None:
            self._calls[identity(frame)] = 0

    def count(self, frame: Any) -> None:
        """Count a callback; its code is about to run in this frame."""
        if self._calls is None:
            return
        caller = frame.f_back
        while caller is not None and caller.f_globals.get("__name__") in CALLING_FOR_C:
            caller = caller.f_back
        if (
            caller is not None
            and is_rewritten(caller.f_globals.get("__name__"))
            and dis.opname[caller.f_code.co_code[caller.f_lasti]] in _LOOPING
        ):
            self._calls[identity(caller)] = self.callbacks(caller) + 1

    def callbacks(self, frame: Any) -> int:
        """Return how often the call that a frame is in has called back so far."""
        return 0 if self._calls is None else self._calls.get(identity(frame), 0)

    def expect(self, actor: str, generator: Any, footprint: Footprint) -> None:
        """Note that an actor is about to run a generator that others run, too."""
        self._generators[actor] = (generator, footprint)
        self.is_due = True

    def call(self, actor: str, footprint: Footprint) -> None:
        """Note that an actor calls C code, which may call Python code."""
        self._called.setdefault(actor, []).append([footprint] * CALLED_BACK_MAX)
        self.is_due = True

    def called(self, actor: str) -> None:
        """Note that the C code has returned; its caller may itself be called by C code."""
        if calls := self._called.get(actor):
            calls.pop()
        if not calls:
            self._called.pop(actor, None)
        self._is_still_due()

    def _is_still_due(self) -> None:
        self.is_due = self.is_watched or bool(self._generators or self._called)

    def steps(self, actor: str, frame: Any) -> list[tuple[str, Footprint]]:
        """Return the steps before the body of a frame that the actor has just entered."""
        found = []
        generator, footprint = self._generators.pop(actor, (None, Footprint()))
        self._is_still_due()
        if generator is not None and generator.gi_frame is frame:
            found.append((f"run {generator.__name__}", footprint))
        called = self._called.get(actor, [[]])[-1]
        if called and frame.f_back.f_globals.get("__name__") in CALLING_FOR_C:
            found.append((f"run {frame.f_code.co_name}", called.pop()))
        return found
