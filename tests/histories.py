"""Histories as text: one operation a line, so that a test shows the picture it judges.

    writer 0-3 put x=1              called before step 0, answered after 3 steps
    reader@b 1-4 get x=miss         on node b; `miss` is None
    writer 4-6 delete x
    writer 7-? put x=2              never answered
    reader 8-9 get x raises OSError
    alone 0-1 put x=1 (before)      in another phase than the race
    reader 2-5 see x=1 y=2          a verb that observes, in one operation
    writer 2-5 do x=1 y=2           a verb that writes

What the origin saw, with the number of steps taken, that step included; ``x=miss`` deletes:

    given x=0                       the origin's content at the start
    commit 2 x=1 y=2                in one step: one transaction
    load 3 x=1                      the system read it from the origin
    draft 1-4 x=2 committed         changed in a transaction; or `rolled back`; `1-?`: still open

What layers held, how time passed, whom keys belong to, what was found at the end:

    holds 3 existing_cache x=1      from then on; 0: from the start
    holds nothing                   the layers were looked at, and had nothing
    clock 5 2.5                     the fifth step moved the clock to 2.5 s
    owns alice profile
    settled existing_cache x=1
    probe a x=1                     what node a answers when everything has settled

Values are JSON where they are JSON, else text; between two pairs they cannot hold a blank.
"""

import builtins
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pytest_supercache.core.execution import Settled
from pytest_supercache.core.operation import (
    Commit,
    Content,
    History,
    Load,
    Operation,
    UncommittedWrite,
)

_OPERATION = re.compile(
    r"(?P<user>[^\s@]+)(?:@(?P<node>\S+))? (?P<called>\d+)-(?P<returned>\d+|\?) "
    r"(?P<kind>get|put|delete) (?P<key>[^=\s]+)(?:=(?P<value>.+?))?"
    r"(?: raises (?P<error>\w+))?(?: \((?P<phase>\w+)\))?"
)
_VERB = re.compile(
    r"(?P<user>[^\s@]+)(?:@(?P<node>\S+))? (?P<called>\d+)-(?P<returned>\d+|\?) "
    r"(?P<kind>see|do) (?P<pairs>\S+=\S+(?: \S+=\S+)*)"
)
_DRAFT = re.compile(r"(\d+)-(\d+|\?) ([^=\s]+)=(\S+)(?: (committed|rolled back))?")
_KINDS = {"get": "read", "put": "write", "delete": "delete"}


@dataclass
class Recorded:
    """What lines have said so far."""

    operations: list[Operation] = field(default_factory=list)
    commits: list[Commit] = field(default_factory=list)
    loads: list[Load] = field(default_factory=list)
    uncommitted: list[UncommittedWrite] = field(default_factory=list)
    contents: list[Content] | None = None
    given: dict[str, Any] = field(default_factory=dict)
    owners: dict[str, tuple[str, ...]] = field(default_factory=dict)
    clock: list[tuple[int, float]] = field(default_factory=list)
    settled: Settled = field(default_factory=Settled)

    def read(self, text: str) -> "Recorded":
        for line in filter(None, map(str.strip, text.splitlines())):
            word, _, rest = line.partition(" ")
            if word in _LINES:
                try:
                    _LINES[word](self, rest)
                except (ValueError, AttributeError, TypeError) as error:
                    raise ValueError(f"cannot read {line!r}: {error}") from None
            else:
                self.operations.append(_operation(line))
        return self

    def history(self, origin: bool | None = None) -> History:
        watched = bool(self.commits or self.given or self.loads or self.uncommitted)
        return History(
            operations=tuple(self.operations),
            commits=tuple(self.commits),
            loads=tuple(self.loads),
            uncommitted=tuple(self.uncommitted),
            contents=None if self.contents is None else tuple(self.contents),
            origin_watched=watched if origin is None else origin,
            given=self.given,
            owners=self.owners,
            times=self._times(),
        )

    def _times(self) -> tuple[float, ...]:
        times = [0.0]
        for at, seconds in self.clock:
            times += [times[-1]] * (at - len(times)) + [seconds]
        return tuple(times)


def history(
    text: str, *, given: dict[str, Any] | None = None, origin: bool | None = None
) -> History:
    """Read a history.

    Args:
        text: its lines.
        given: what the origin holds at the start, beside `given` lines.
        origin: whether the origin was watched; None: if any line speaks of it.
    """
    return recorded(text, given=given).history(origin)


def recorded(text: str, *, given: dict[str, Any] | None = None) -> Recorded:
    """Read a history with what was found at the end, as ``settled``."""
    return Recorded(given=dict(given or {})).read(text)


def _given(to: Recorded, rest: str) -> None:
    to.given.update(_pairs(rest))


def _commit(to: Recorded, rest: str) -> None:
    at, pairs = rest.split(" ", 1)
    for key, value in _pairs(pairs):
        version = 1 + sum(commit.key == key for commit in to.commits)
        to.commits.append(Commit(key, value, version, int(at)))


def _load(to: Recorded, rest: str) -> None:
    at, pair = rest.split(" ", 1)
    ((key, value),) = _pairs(pair)
    to.loads.append(Load(key, value, int(at)))


def _uncommitted_write(to: Recorded, rest: str) -> None:
    at, ended, key, value, fate = _DRAFT.fullmatch(rest).groups()
    end = None if ended == "?" else int(ended)
    to.uncommitted.append(UncommittedWrite(key, _value(value), int(at), end, fate == "committed"))


def _holds(to: Recorded, rest: str) -> None:
    to.contents = to.contents or []
    if rest != "nothing":
        at, place, pair = rest.split(" ", 2)
        ((key, value),) = _pairs(pair)
        to.contents.append(Content(place, key, value, int(at)))


def _clock(to: Recorded, rest: str) -> None:
    at, seconds = rest.split()
    to.clock.append((int(at), float(seconds)))


def _owns(to: Recorded, rest: str) -> None:
    user, key = rest.split()
    to.owners[key] = (*to.owners.get(key, ()), user)


def _settled(to: Recorded, rest: str) -> None:
    place, pairs = rest.split(" ", 1)
    to.settled.layers.setdefault(place, {}).update(_pairs(pairs))


def _probe(to: Recorded, rest: str) -> None:
    node, pairs = rest.split(" ", 1)
    to.settled.probes.update({(node, key): value for key, value in _pairs(pairs)})


_LINES: dict[str, Callable[[Recorded, str], None]] = {
    "given": _given,
    "commit": _commit,
    "load": _load,
    "draft": _uncommitted_write,
    "holds": _holds,
    "clock": _clock,
    "owns": _owns,
    "settled": _settled,
    "probe": _probe,
}


def _pairs(text: str) -> list[tuple[str, Any]]:
    """Read `x=1 y=2`, or one pair whose value holds blanks."""
    words = text.split(" ")
    if not all("=" in word for word in words):
        words = [text]
    pairs = [word.partition("=") for word in words]
    if not all(key and equals and value for key, equals, value in pairs):
        raise ValueError("expected key=value")
    return [(key, _value(value)) for key, _, value in pairs]


def _operation(line: str) -> Operation:
    if (verb := _VERB.fullmatch(line)) is not None:
        pairs = tuple(_pairs(verb["pairs"]))
        seen = verb["kind"] == "see"
        return Operation(
            kind="look" if seen else "change",
            sightings=pairs if seen else (),
            writes=() if seen else pairs,
            **_common(verb, line),
        )
    match = _OPERATION.fullmatch(line)
    if match is None:
        raise ValueError(f"not an operation: {line!r}; expected 'writer 0-3 put x=1'")
    kind, value = match["kind"], _value(match["value"])
    if (kind == "put") != (match["value"] is not None) and kind != "get":
        raise ValueError(f"{line!r}: a put has a value, a delete has none")
    error = match["error"]
    return Operation(
        kind=_KINDS[kind],
        key=match["key"],
        value=value if kind == "put" else None,
        answer=value if kind == "get" else None,
        error=None if error is None else getattr(builtins, error)(),
        phase=match["phase"] or "race",
        **_common(match, line),
    )


def _common(match: re.Match[str], line: str) -> dict[str, Any]:
    return {
        "user": match["user"],
        "node": match["node"] or "a",
        "called_at": int(match["called"]),
        "returned_at": None if match["returned"] == "?" else int(match["returned"]),
        "step": line,
        "steps": 1,
    }


def _value(text: str | None) -> Any:
    if text is None or text == "miss":
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text
