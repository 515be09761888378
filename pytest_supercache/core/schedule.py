"""Schedules: the order of actors as data, the choices of a scheduler, and the token to paste.

A token is ``sc1:ITEM:alice,bob*2,alice/1`` and, for each tick of the clock, ``;tick@3``: the clock
moved after three choices had been made. So for faults: ``;evict(existing_cache,k)@3`` happened
then, ``;error_after(bob,1,2)@3`` struck in the step that the third choice took. Every choice of an
actor lets it run to its next switch point; the first one also runs the code before its first one.
Where these points are is said by ``;grain=line`` at the end; without it they are at commands.
Accesses to shared memory that are points, too, are named by ``;memory=Shop.near/['k'],...``.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple, Protocol
from urllib.parse import quote, unquote

from pytest_supercache.core.errors import TokenError
from pytest_supercache.core.fault import Fault, Vector, read_fault
from pytest_supercache.core.inputs import CHOICES_MAX, STRIKES_MAX, TOKEN_CHARS_MAX, quoted
from pytest_supercache.core.masking import masked, masked_id
from pytest_supercache.core.settings import GRAINS

if TYPE_CHECKING:
    from pytest_supercache.core.trace import Step

CLOCK = "@clock"
"""The pseudo-actor whose move is a tick: the clock jumps to the next deadline."""

CUT_CLOCK = "clock@"
"""How the names of the pseudo-actors begin that start the next unit of a cut clock."""

LOOP_CALLS = "calls@loop"
"""The pseudo-actor whose move is that an event loop takes a callback of another thread."""

VERSION = "sc1"
_GRAIN = "grain="
_MEMORY = "memory="
_SAFE = "@._-/"
_SAFE_ITEM = "@._-[]"
_SAFE_PLACE = "@._-[]"


class Choices(NamedTuple):
    """The input of a scheduler at one choice.

    It has the enabled actors, the actor of the last step, and the number of choices before.
    ``resting`` says that ``last`` is between two operations, or at its end; ``steps`` are all steps
    so far, including those before the race.
    """

    enabled: tuple[str, ...]
    last: str | None
    taken: int
    resting: bool = True
    steps: Sequence["Step"] = ()

    def preempts(self, choice: str) -> bool:
        """Say whether ``choice`` makes an enabled actor wait: the one that took the last step."""
        return choice != self.last and self.last in self.enabled


class Scheduler(Protocol):
    """The only protocol between a search and an execution.

    One that repeats choices may have them as ``script``, from the first one on. For one of them it
    is only asked when that cannot be made, when time has a part in it, or in a run that is told in
    full. One that has ``is_replay`` follows a recorded schedule to its end, so that no loop has to
    be cut.
    """

    def choose(self, choices: Choices) -> str | None:
        """Return one of ``choices.enabled``; None ends the execution here, unfinished."""
        ...


@dataclass(frozen=True, slots=True)
class Strike:
    """A fault that struck after ``at`` choices of actors."""

    fault: Fault
    at: int


Place = tuple[str, ...]
"""A place of switch points in memory, such as the name of an object and its part."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The choices of one execution in order: names of actors, and of pseudo-actors with an ``@``.

    ``@clock`` is a tick, ``@evict(...)`` and the like are faults that the schedule places;
    ``strikes`` are the faults that have a place of their own; ``grain`` is where the points are at
    which choices were made; ``memory`` names the shared memory whose accesses were points, too.
    """

    choices: tuple[str, ...] = ()
    strikes: tuple[Strike, ...] = ()
    grain: str = "command"
    memory: tuple[Place, ...] = ()

    @property
    def vector(self) -> Vector:
        """Every fault that struck."""
        moves = [read_move(choice) for choice in self.choices]
        return (*(fault for fault in moves if fault), *(strike.fault for strike in self.strikes))

    def token(self, item: str) -> str:
        """Write the schedule as a replay token bound to ``item`` (a scenario id or a node id)."""
        actors = [masked(choice) for choice in self.choices if not _is_extra(choice)]
        runs = [
            quote(name, safe=_SAFE) + (f"*{count}" if count > 1 else "")
            for name, count in ((name, len(list(group))) for name, group in groupby(actors))
        ]
        extras, moves = [], 0
        for choice in self.choices:
            if _is_extra(choice):
                extras.append(f";{'tick' if choice == CLOCK else choice[1:]}@{moves}")
            else:
                moves += 1
        extras += [f";{strike.fault}@{strike.at}" for strike in self.strikes]
        if self.grain != "command":
            extras.append(f";{_GRAIN}{self.grain}")
        if self.memory:
            places = [_written(place) for place in self.memory]
            extras.append(f";{_MEMORY}{','.join(places)}")
        name = quote(masked_id(item), safe=_SAFE_ITEM)
        return f"{VERSION}:{name}:{','.join(runs)}{''.join(extras)}"


def _written(place: Place) -> str:
    return "/".join(quote(masked(part), safe=_SAFE_PLACE) for part in place)


def read_move(choice: str) -> Fault | None:
    """Return the fault that a choice stands for; None: it is not a fault."""
    match = re.fullmatch(r"@([a-z_]+)\((.*)\)", choice)
    return read_fault(match[1], match[2]) if match else None


def moves_made(choices: list[str]) -> int:
    """Count the choices of actors: places in a token are counted in these."""
    return sum(not _is_extra(choice) for choice in choices)


def is_fault(choice: str) -> bool:
    """Say whether a choice is a fault that the schedule places."""
    return choice.startswith("@") and choice.endswith(")")


def _is_extra(choice: str) -> bool:
    return choice == CLOCK or is_fault(choice)


def read_token(token: str) -> tuple[str, Schedule]:
    """Read a replay token.

    Returns:
        The item it names and the schedule.

    Raises:
        TokenError: it is not a token of this version; the message says which part.
    """
    _refuse_other_texts(token)
    parts = token.strip().split(":", 2)
    if len(parts) != 3:
        raise TokenError(
            f"not a replay token: {quoted(token)}. Expected {VERSION}:ITEM:alice,bob*2,... "
            "as it is printed below a failure."
        )
    version, item, rest = parts
    if version != VERSION:
        raise TokenError(
            f"token version {quoted(version)} is not known here; this version reads {VERSION!r}. "
            "Run the search again to get a new token."
        )
    runs, *extras = rest.split(";")
    memory = _read_memory(extras, token)
    grain = _read_grain(extras, token)
    choices = _read_runs(runs, token)
    placed, strikes = _read_extras(extras, token, len(choices))
    whole: list[str] = []
    for begin, (at, name) in zip((0, *(at for at, _ in placed)), placed, strict=False):
        whole += [*choices[begin:at], name]
    whole += choices[placed[-1][0] if placed else 0 :]
    schedule = Schedule(tuple(whole), tuple(strikes), grain, memory)
    if len(set(schedule.vector)) < len(schedule.vector):
        raise TokenError(f"the same fault is there twice in token {quoted(token)}")
    return unquote(item), schedule


def _refuse_other_texts(token: str) -> None:
    if len(token) > TOKEN_CHARS_MAX:
        raise TokenError(
            f"not a replay token: {quoted(token)}. A token has at most {TOKEN_CHARS_MAX:,} "
            "characters"
        )
    if any("\ud800" <= char <= "\udfff" for char in token):
        raise TokenError(f"not a replay token: {quoted(token)}: that is not UTF-8")


def _read_extras(
    extras: list[str], token: str, moves: int
) -> tuple[list[tuple[int, str]], list[Strike]]:
    """Read the parts with a place: the choices of pseudo-actors, in order, and the faults."""
    if len(extras) > CHOICES_MAX:
        raise TokenError(_too_many(token))
    placed: list[tuple[int, str]] = []
    strikes: list[Strike] = []
    for extra in extras:
        fault, at = _read_extra(extra, token, moves)
        if fault is not None and not fault.is_move:
            strikes.append(Strike(fault, at))
            continue
        if placed and at < placed[-1][0]:
            raise TokenError(f"{quoted(extra)} stands after a later one in token {quoted(token)}")
        placed.append((at, CLOCK if fault is None else fault.name))
    if len(strikes) > STRIKES_MAX:
        raise TokenError(f"more than {STRIKES_MAX} faults in token {quoted(token)}")
    return placed, strikes


def _too_many(token: str) -> str:
    return f"token {quoted(token)} has more than {CHOICES_MAX:,} choices, the most that are allowed"


def _read_memory(extras: list[str], token: str) -> tuple[Place, ...]:
    """Remove the shared memory from the end of a token's extras, and return it."""
    if not extras or not extras[-1].startswith(_MEMORY):
        return ()
    places = extras.pop().removeprefix(_MEMORY).split(",")
    if not all("/" in place for place in places):
        raise TokenError(
            f"cannot read the end of token {quoted(token)}: expected "
            f"{_MEMORY}OBJECT/PART,OBJECT/PART"
        )
    return tuple(tuple(map(unquote, place.split("/"))) for place in places)


def _read_grain(extras: list[str], token: str) -> str:
    """Remove the grain from the end of a token's extras, and return it."""
    if not extras or not extras[-1].startswith(_GRAIN):
        return "command"
    grain = extras.pop().removeprefix(_GRAIN)
    if grain not in GRAINS or grain == "command":
        raise TokenError(
            f"cannot read {quoted(_GRAIN + grain)} in token {quoted(token)}: expected "
            f"{', '.join(known for known in GRAINS if known != 'command')}"
        )
    return grain


def _read_runs(runs: str, token: str) -> list[str]:
    choices: list[str] = []
    for run in runs.split(",") if runs else []:
        match = re.fullmatch(r"([^*,;]+)(?:\*([1-9][0-9]{0,5}))?", run)
        if match is None:
            raise TokenError(
                f"cannot read {quoted(run)} in token {quoted(token)}: expected a name or name*count"
            )
        if len(choices) + int(match[2] or 1) > CHOICES_MAX:
            raise TokenError(_too_many(token))
        choices.extend([unquote(match[1])] * int(match[2] or 1))
    return choices


def _read_extra(extra: str, token: str, moves: int) -> tuple[Fault | None, int]:
    """Read ``tick@3`` or ``evict(existing_cache,k)@3``; a tick is no fault."""
    match = re.fullmatch(r"([a-z_]+)(?:\(([^()]*)\))?@([0-9]{1,7})", extra)
    if match is None:
        raise TokenError(
            f"cannot read {quoted(extra)} in token {quoted(token)}: expected tick@N or "
            "FAULT(PLACE)@N"
        )
    kind, words, at = match[1], match[2], int(match[3])
    fault = None if kind == "tick" and words is None else read_fault(kind, words or "")
    if fault is None and (kind != "tick" or words is not None):
        raise TokenError(
            f"cannot read {quoted(extra)} in token {quoted(token)}: there is no such fault"
        )
    if at > moves:
        raise TokenError(
            f"{quoted(extra)} does not fit the {moves} choices of token {quoted(token)}"
        )
    return fault, at
