"""Histories as text: one operation a line, so that a test shows the picture it judges.

    writer 0-3 put x=1              called before step 0, answered after 3 steps
    reader@b 1-4 get x=miss         on node b; `miss` is None
    writer 4-6 delete x
    writer 7-? put x=2              never answered
    reader 8-9 get x raises OSError
    alone 0-1 put x=1 (before)      in another phase than the race

A line ``commit 2 x=1`` is a commit of the origin, made when two steps had been taken; ``x=miss``
deletes. Values are JSON where they are JSON, else text. ``given`` is the origin's content.
"""

import builtins
import json
import re
from typing import Any

from pytest_supercache.core.operation import Commit, History, Operation

_COMMIT = re.compile(r"commit (?P<at>\d+) (?P<key>[^=\s]+)=(?P<value>.+)")
_OPERATION = re.compile(
    r"(?P<user>[^\s@]+)(?:@(?P<node>\S+))? (?P<called>\d+)-(?P<returned>\d+|\?) "
    r"(?P<kind>get|put|delete) (?P<key>[^=\s]+)(?:=(?P<value>.+?))?"
    r"(?: raises (?P<error>\w+))?(?: \((?P<phase>\w+)\))?"
)
_KINDS = {"get": "read", "put": "write", "delete": "delete"}


def history(
    text: str, *, given: dict[str, Any] | None = None, origin: bool | None = None
) -> History:
    """Read a history.

    Args:
        text: its lines.
        given: what the origin holds at the start.
        origin: whether the origin was watched; None: if there is any commit or given content.
    """
    operations: list[Operation] = []
    commits: list[Commit] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        if match := _COMMIT.fullmatch(line):
            key = match["key"]
            version = 1 + sum(commit.key == key for commit in commits)
            commits.append(Commit(key, _value(match["value"]), version, int(match["at"])))
        else:
            operations.append(_operation(line))
    watched = bool(commits or given) if origin is None else origin
    return History(
        operations=tuple(operations),
        commits=tuple(commits),
        origin_watched=watched,
        given=dict(given or {}),
    )


def _operation(line: str) -> Operation:
    match = _OPERATION.fullmatch(line)
    if match is None:
        raise ValueError(f"not an operation: {line!r}; expected 'writer 0-3 put x=1'")
    kind, value = match["kind"], _value(match["value"])
    if (kind == "put") != (match["value"] is not None) and kind != "get":
        raise ValueError(f"{line!r}: a put has a value, a delete has none")
    error = match["error"]
    return Operation(
        user=match["user"],
        node=match["node"] or "a",
        kind=_KINDS[kind],
        key=match["key"],
        value=value if kind == "put" else None,
        answer=value if kind == "get" else None,
        error=None if error is None else getattr(builtins, error)(),
        called_at=int(match["called"]),
        returned_at=None if match["returned"] == "?" else int(match["returned"]),
        phase=match["phase"] or "race",
        step=line,
        steps=1,
    )


def _value(text: str | None) -> Any:
    if text is None or text == "miss":
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text
