"""Who goes next: a schedule as data, the choices it was made from, and the token people paste.

A token is ``sc1:ITEM:alice,bob*2,alice`` and, for each tick of the clock, ``;tick@3``: the clock
moved after three choices had been made. Every choice of an actor lets it run to its next switch
point; the first one also runs the code before its first switch point.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote, unquote

from pytest_supercache.core.errors import TokenError

if TYPE_CHECKING:
    from pytest_supercache.core.trace import Step

CLOCK = "@clock"
"""The pseudo-actor whose move is a tick: the clock jumps to the next deadline."""

VERSION = "sc1"
_SAFE = "@._/-"
_SAFE_ITEM = "@._-[]"


@dataclass(frozen=True, slots=True)
class Choices:
    """What a scheduler is asked.

    Who may go on now, who took the last step, and how many choices were made before.
    ``resting`` says that ``last`` is between two operations, or at its end; ``steps`` are all that
    were taken so far, those before the race included.
    """

    enabled: tuple[str, ...]
    last: str | None
    taken: int
    resting: bool = True
    steps: Sequence["Step"] = ()

    def preempts(self, choice: str) -> bool:
        """Say whether ``choice`` makes an actor wait that could have gone on."""
        return choice != self.last and self.last in self.enabled


class Scheduler(Protocol):
    """The one protocol between a search and an execution."""

    def choose(self, choices: Choices) -> str | None:
        """Name one of ``choices.enabled``; None ends the execution here, unfinished."""
        ...


@dataclass(frozen=True, slots=True)
class Schedule:
    """The choices of one execution in order: names of actors, and ``@clock`` for ticks."""

    choices: tuple[str, ...] = ()

    def token(self, item: str) -> str:
        """Write the schedule as a replay token bound to ``item`` (a scenario id or a node id)."""
        actors = [choice for choice in self.choices if choice != CLOCK]
        runs = [
            quote(name, safe=_SAFE) + (f"*{count}" if count > 1 else "")
            for name, count in ((name, len(list(group))) for name, group in groupby(actors))
        ]
        ticks, moves = [], 0
        for choice in self.choices:
            if choice == CLOCK:
                ticks.append(f";tick@{moves}")
            else:
                moves += 1
        return f"{VERSION}:{quote(item, safe=_SAFE_ITEM)}:{','.join(runs)}{''.join(ticks)}"


def read_token(token: str) -> tuple[str, Schedule]:
    """Read a replay token.

    Returns:
        The item it names and the schedule.

    Raises:
        TokenError: it is not a token of this version; the message says which part.
    """
    parts = token.strip().split(":", 2)
    if len(parts) != 3:
        raise TokenError(
            f"not a replay token: {token!r}. Expected {VERSION}:ITEM:alice,bob*2,... "
            "as it is printed below a failure."
        )
    version, item, rest = parts
    if version != VERSION:
        raise TokenError(
            f"token version {version!r} is not known here; this version reads {VERSION!r}. "
            "Run the search again to get a new token."
        )
    runs, *extras = rest.split(";")
    choices = _read_runs(runs, token)
    for tick in _read_ticks(extras, token, len(choices)):
        choices.insert(tick, CLOCK)
    return unquote(item), Schedule(tuple(choices))


def _read_runs(runs: str, token: str) -> list[str]:
    choices: list[str] = []
    for run in runs.split(",") if runs else []:
        match = re.fullmatch(r"([^*,;]+)(?:\*([1-9][0-9]{0,5}))?", run)
        if match is None:
            raise TokenError(
                f"cannot read {run!r} in token {token!r}: expected a name or name*count"
            )
        choices.extend([unquote(match[1])] * int(match[2] or 1))
    return choices


def _read_ticks(extras: list[str], token: str, moves: int) -> list[int]:
    """Return list positions at which to insert ticks, already shifted by earlier ones."""
    positions: list[int] = []
    for extra in extras:
        match = re.fullmatch(r"tick@([0-9]{1,7})", extra)
        if match is None:
            raise TokenError(
                f"cannot read {extra!r} in token {token!r}: this version knows only tick@N"
            )
        at = int(match[1])
        if at > moves or (positions and at < positions[-1] - len(positions) + 1):
            raise TokenError(f"{extra!r} does not fit the {moves} choices of token {token!r}")
        positions.append(at + len(positions))
    return positions
