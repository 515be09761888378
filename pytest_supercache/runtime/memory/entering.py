"""Code of Python that runs in the middle of something else: others may come in where it begins.

That is code which C calls back (a key function, a comparison, a memo function), and the body of a
generator that several threads advance.
"""

from typing import Any

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.runtime.kernel.own_code import RUNTIME

CALLED_BACK_MAX = 6
"""So many times others may come in while one call of C code calls Python code."""

CALLING_FOR_C = frozenset(
    f"{RUNTIME}{name}"
    for name in (
        "memory.called_back",
        "memory.calls",
        "memory.items",
        "memory.memos",
        "memory.taking",
        "memory.touching",
        "process.seeded",
    )
)
"""The modules whose frames stand between code under test and what it calls through C, or us."""


class Entering:
    """What each actor is about to enter in one execution, and what it touches around that."""

    def __init__(self) -> None:
        self._generators: dict[str, tuple[Any, Footprint]] = {}
        self._called: dict[str, list[list[Footprint]]] = {}
        self.is_due = False
        """Whether anybody is about to enter such code."""

    def expect(self, actor: str, generator: Any, footprint: Footprint) -> None:
        """Note that an actor is about to run a generator that others run, too."""
        self._generators[actor] = (generator, footprint)
        self.is_due = True

    def call(self, actor: str, footprint: Footprint) -> None:
        """Note that an actor calls C code, which may call Python code."""
        self._called.setdefault(actor, []).append([footprint] * CALLED_BACK_MAX)
        self.is_due = True

    def called(self, actor: str) -> None:
        """Note that the C code has answered; what has called it may be called by C code itself."""
        if calls := self._called.get(actor):
            calls.pop()
        if not calls:
            self._called.pop(actor, None)
        self.is_due = bool(self._generators or self._called)

    def steps(self, actor: str, frame: Any) -> list[tuple[str, Footprint]]:
        """Return the steps before the body of a frame, which the actor has just entered."""
        found = []
        generator, footprint = self._generators.pop(actor, (None, Footprint()))
        self.is_due = bool(self._generators or self._called)
        if generator is not None and generator.gi_frame is frame:
            found.append((f"run {generator.__name__}", footprint))
        called = self._called.get(actor, [[]])[-1]
        if called and frame.f_back.f_globals.get("__name__") in CALLING_FOR_C:
            found.append((f"run {frame.f_code.co_name}", called.pop()))
        return found
