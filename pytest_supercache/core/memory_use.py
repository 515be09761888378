"""Describes how users share one place in memory, for a listing."""

from dataclasses import dataclass

WHOLE = "*"
"""Stands for all that an object holds, if its parts cannot be told apart."""


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """One place in memory that several actors use, one of them writing.

    ``users`` names them with what they do: ``"reads"``, ``"writes"`` or ``"reads and writes"``.
    ``state`` says what a check makes of it: ``"raced"``, ``"locked"`` (``locks`` names the common
    locks), or ``"atomic"`` (declared so).
    """

    name: str
    users: tuple[tuple[str, str], ...]
    state: str
    locks: tuple[str, ...] = ()
