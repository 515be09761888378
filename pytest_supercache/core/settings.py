"""Holds every option of a check with its default, in one frozen value."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, fields

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.fault import Faults
from pytest_supercache.core.masking import quoted
from pytest_supercache.core.odds import Simulation

SEARCHES = ("auto", "exhaustive", "all-schedules", "pct", "random", "uniform", "hypothesis")
GRAINS = ("command", "wire", "await", "line")
"""Where switch points are; at all but the first, there are some between two commands, too."""
SAMPLERS = frozenset({"pct", "random", "uniform", "hypothesis"})
"""Searches that can prove nothing: they do not know what is left."""
MEMORIES = ("auto", "declared", "shared")


@dataclass(frozen=True, slots=True, kw_only=True)
class Assume:
    """A promise about production: the clock delays no operation by more than ``pause`` seconds."""

    pause: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Exploration:
    """The budget and the options of one check; times in seconds."""

    search: str = "auto"
    grain: str = "command"
    seed: int = 0
    executions: int = 20_000
    time: float = 120.0
    ticks: int | str = "auto"
    preemptions: int | None = None
    polls: int = 3
    memory: str = "auto"
    atomic: Sequence[str] = ()
    lists_memory: bool = False  # says of all memory that users share who uses it
    faults: Faults | None = None
    assume: Assume | None = None
    stop_at_first: bool = True
    step_timeout: float = 5.0
    leases: frozenset[str] = frozenset()  # keys that searches of other faults know to be locks
    odds: Simulation = field(default_factory=Simulation)

    @property
    def shares_memory(self) -> bool:
        """Whether memory is treated as shared from the start, besides what is found of it."""
        return self.memory == "shared" or (self.memory == "auto" and self.grain != "command")

    @property
    def keeps_keys(self) -> bool:
        """Whether a key with a time to live expires only when no actor can go on."""
        expires = self.faults is not None and "expire" in self.faults.named()
        return self.ticks in {"auto", 0} and not expires

    @property
    def finds_memory(self) -> bool:
        """Whether the memory that actors share is found while they run."""
        return self.memory != "declared"


NEXT_PYTHON = (3, 14)
"""The first version of Python that is not supported."""

_OF_THE_RUN = frozenset({"lists_memory", "step_timeout", "leases", "odds"})

OF_A_CHECK = frozenset(option.name for option in fields(Exploration)) - _OF_THE_RUN
"""The options of one check's own search; the others belong to the whole run."""


def refuse_unavailable(settings: Exploration) -> None:
    """Refuse options that this version does not support.

    Raises:
        SupercacheError: it names the option, the allowed values, and what to use instead.
    """
    _refuse_python()
    if settings.search not in SEARCHES:
        raise SupercacheError(
            f"search={quoted(settings.search)} is not known; expected one of {', '.join(SEARCHES)}"
        )
    if settings.grain not in GRAINS:
        raise SupercacheError(
            f"grain={quoted(settings.grain)} is not known; expected one of {', '.join(GRAINS)}"
        )
    if settings.ticks != "auto" and settings.ticks not in {0, 1, 2, 3}:
        raise SupercacheError(f"ticks={settings.ticks!r}: expected 'auto', 0, 1, 2 or 3")
    if not _is_count(settings.polls, 0):
        raise SupercacheError(f"polls={settings.polls!r}: expected a whole number from 0")
    if settings.memory not in MEMORIES:
        raise SupercacheError(
            f"memory={quoted(settings.memory)}: expected one of {', '.join(MEMORIES)}"
        )
    _refuse_atomic(settings)
    if settings.faults is not None and not isinstance(settings.faults, Faults):
        raise SupercacheError(f"faults={settings.faults!r}: expected Faults(max=1, kinds=(...))")
    if settings.assume is not None and not _is_assumption(settings.assume):
        raise SupercacheError(
            f"assume={settings.assume!r}: expected Assume(pause=2.0), in seconds, more than 0"
        )
    _refuse_numbers(settings)


def _refuse_python() -> None:
    if sys.version_info >= NEXT_PYTHON:
        raise SupercacheError(
            f"Python {sys.version_info[0]}.{sys.version_info[1]} is not supported: the code under "
            "test is looked into by its bytecode, which differs there, so that a conflict might "
            "not be seen. Use Python 3.11, 3.12 or 3.13 (docs/compatibility.md)"
        )


def _refuse_numbers(settings: Exploration) -> None:
    if not _is_count(settings.executions, 1):
        raise SupercacheError(f"executions={settings.executions!r}: expected a whole number from 1")
    if not _is_time(settings.time):
        raise SupercacheError(f"time={settings.time!r}: expected seconds, more than 0")
    if settings.preemptions is not None and not _is_count(settings.preemptions, 0):
        raise SupercacheError(
            f"preemptions={settings.preemptions!r}: expected a whole number from 0, or None"
        )


def _is_assumption(value: object) -> bool:
    return isinstance(value, Assume) and _is_time(value.pause)


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and type(value) is not bool and value > 0  # nan is not


def _is_count(value: object, least: int) -> bool:
    return type(value) is int and value >= least


def _refuse_atomic(settings: Exploration) -> None:
    if isinstance(settings.atomic, str) or not all(isinstance(n, str) for n in settings.atomic):
        raise SupercacheError(f"atomic={settings.atomic!r}: expected names, as ['Stats.hits']")
    if settings.atomic and (settings.memory != "auto" or settings.grain != "command"):
        raise SupercacheError(
            f"atomic={[*settings.atomic]!r} names memory that need not be raced; with "
            f"memory={settings.memory!r} and grain={settings.grain!r} that means nothing. Leave "
            "one of them out"
        )
