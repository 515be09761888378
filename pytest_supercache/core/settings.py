"""How to explore: every knob of a check with its default, in one frozen value."""

from dataclasses import dataclass
from typing import Any

SEARCHES = ("auto", "exhaustive", "all-schedules", "pct", "random", "uniform", "hypothesis")
GRAINS = ("command", "wire", "await", "line")
MEMORIES = ("auto", "declared", "shared")


@dataclass(frozen=True, slots=True, kw_only=True)
class Assume:
    """What production promises: no operation is carried further by the clock than ``pause`` s."""

    pause: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Exploration:
    """The budget and the manner of one check; times in seconds."""

    search: str = "auto"
    grain: str = "command"
    seed: int = 0
    executions: int = 20_000
    time: float = 120.0
    ticks: int | str = "auto"
    preemptions: int | None = None
    memory: str = "auto"
    faults: Any = None
    assume: Assume | None = None
    stop_at_first: bool = True
    step_timeout: float = 5.0
