"""Finds the known issues that no longer occur, and says why others are not proved fixed.

A conflict that does not occur may be fixed, or its scenario may check less than before. So it is
called fixed only if the flows that have shown it were searched again unchanged: the digest of a
flow covers steps, guarantees and bounds.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pytest_supercache.gate.evidence import MALFORMED, Row, blocks
from pytest_supercache.gate.known import KnownIssue, ends_soon
from pytest_supercache.gate.limits import leaves_out_memory, listed
from pytest_supercache.gate.rules import Rules

LESS_THAN_WHOLE = ("deselected", "overriding", "narrowed_by", "selecting", "shard")
"""The fields of a run that are set if it did not cover the whole project."""

_NOT_WHOLE = "not everything was run and searched to the end"
_NOT_NOTED = (
    "its entry does not say in which flows it was found (`flows`; `supercache known check` prints "
    "them while it occurs)"
)


def issues_not_seen(
    rows: list[Row],
    counting: set[str],
    rules: Rules,
    run: Mapping[str, Any] | None,
    *,
    is_decided: bool,
) -> dict[str, str]:
    """Return the issues whose conflict does not block, each with a note; "" means fixed."""
    against = {row.fingerprint for row in rows if blocks(row, counting, None)}
    counted = [row for row in rows if row.system in counting]
    is_whole = is_decided and _is_whole(run, rules) and _were_searched(counted)
    less = "" if is_whole else _NOT_WHOLE
    return {
        issue.id: _still_occurring(issue, rows) or _unproved(less or _why_no_proof(issue, rows))
        for issue in rules.issues
        if issue.match not in against
    }


def notes_on(rules: Rules, not_seen: Mapping[str, str]) -> Iterator[str]:
    """Yield the notes of the screen on known issues that do not decide the verdict."""
    for issue in rules.issues:
        said = not_seen.get(issue.id)
        if said is None:
            soon = ends_soon(issue, rules.today)
            yield from [soon] if soon else []
        elif said:
            yield f"{issue.id} {said}"
        else:
            yield (
                f"{issue.id} no longer occurs and every search was exhausted: fixed, close it "
                "(remove it from the known issues)"
            )


def flows_of(rows: Iterable[Mapping[str, Any]], fingerprint: str) -> list[str]:
    """Return the digests of the flows that show a conflict, from the rows of ``verdict.json``."""
    found = set[str]()
    for row in rows:
        try:
            is_it = row["counterexample"]["fingerprint"] == fingerprint
            found |= {str(row["flow"]["digest"])} if is_it else set()
        except MALFORMED:
            continue  # it has none, or cannot be searched again: an example of @given
    return sorted(found)


def _is_whole(run: Mapping[str, Any] | None, rules: Rules) -> bool:
    """Say whether a run covered the whole project; False without a lock."""
    return bool(rules.lock) and not any((run or {}).get(name) for name in LESS_THAN_WHOLE)


def _were_searched(rows: list[Row]) -> bool:
    """Say whether all rows hold and cover all memory: the rest may have the issue."""
    return bool(rows) and all(row.holds and not leaves_out_memory(row) for row in rows)


def _still_occurring(issue: KnownIssue, rows: list[Row]) -> str:
    """Name the scenarios that show an issue and state it, of systems that do not ship."""
    showing = [row.id for row in rows if row.violated and row.fingerprint == issue.match]
    return f"still occurs in {listed(showing)}, as stated there" if showing else ""


def _unproved(why: str) -> str:
    return f"was not seen; that is no proof: {why}" if why else ""


def _why_no_proof(issue: KnownIssue, rows: list[Row]) -> str:
    if not issue.flows:
        return _NOT_NOTED
    for flow in issue.flows:
        again = [row for row in rows if row.flow == flow]
        if not again:
            return (
                f"the flow in which it was found ({flow:.20}) was not run: its scenario is gone, "
                "or has other steps, guarantees or bounds now"
            )
        if not _were_searched(again):
            return f"{listed([row.id for row in again])} does not hold with all memory searched"
    return ""
