"""Summarizes a run: the extent of conflicts, the variants of scenarios, the changes since a run.

A conflict is counted once, by its fingerprint, however many scenarios show it.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pytest_supercache.gate.evidence import Row, base_id, rows_of
from pytest_supercache.report.words import preempted

_RANK = {"holds": 0, "violated": 2}  # anything else is unknown, between the two


def what_was_tested(document: Mapping[str, Any]) -> str:
    """Name the build and the commit, with what is uncommitted or unknown."""
    build = f"build {document['build']}, " if document.get("build") else ""
    commit = document.get("commit")
    if not commit:
        return f"{build}commit unknown"
    is_dirty = document.get("dirty")
    perhaps = "perhaps " if is_dirty is None else ""
    more = f", {perhaps}with changes that are not committed" if is_dirty is not False else ""
    return f"{build}commit {str(commit)[:10]}{more}"


def extent(document: Mapping[str, Any]) -> list[str]:
    """Return one line for each conflict: its scenarios, users, keys and guarantees."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in document.get("scenarios") or ():
        if row.get("verdict") == "violated":
            groups.setdefault(_conflict(row), []).append(row)
    return [_reach(name, group) for name, group in sorted(groups.items())]


def affected_users(row: Mapping[str, Any]) -> list[str]:
    """Return the user that a violation names, or else those that used its key.

    Steps of ``finally`` have no user.
    """
    violation = (row.get("counterexample") or {}).get("violation") or {}
    if str(violation.get("user")) in (everybody := users_of(row)) or not everybody:
        return [str(violation["user"])] if violation.get("user") else []
    return users_of(row, violation.get("key"))


def users_of(row: Mapping[str, Any], key: object = None) -> list[str]:
    """Return the users in a counterexample, or those that used ``key``."""
    history = (row.get("counterexample") or {}).get("history") or ()
    race = [one for one in history if one.get("phase", "race") == "race"]
    return list(dict.fromkeys(str(one["user"]) for one in race if key in (None, one.get("key"))))


def in_words(names: Iterable[object]) -> str:
    """Return names as a list in a sentence."""
    *most, last = [str(name) for name in names] or [""]
    return f"{', '.join(most)} and {last}" if most else last


def variants(document: Mapping[str, Any]) -> list[str]:
    """Return a line for each scenario that runs on several systems, with all of these."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in document.get("scenarios") or ():
        groups.setdefault(base_id(str(row.get("id"))), []).append(row)
    lines = []
    for name, group in sorted(groups.items()):
        if len({row.get("system") for row in group}) > 1:
            lines.append(f"{name}: {group[0].get('title', '')}")
            lines += [f"  {_variant(row)}" for row in group]
    return lines


def odds_of(row: Mapping[str, Any]) -> str | None:
    """Return how likely a conflict is in simulated traffic, with the condition."""
    odds = row.get("odds") or {}
    if not odds.get("share") or not odds.get("condition"):
        return None
    return f"{odds['share']}, {odds['condition']}"


def how_often_missed(row: Mapping[str, Any]) -> str | None:
    """Return how often a test that just runs the users would have missed the conflict."""
    odds = row.get("odds") or {}
    if not odds.get("runs"):
        return None
    missed = odds["runs"] - odds.get("failing", 0)
    return (
        f"An ordinary test, which runs these users once, would have missed it {missed:,} times of "
        f"{odds['runs']:,} (simulated, {odds.get('condition')})"
    )


def compare(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return the conflicts that are new, gone, unchanged or worse since another run."""
    old, new = _conflicts(before), _conflicts(now)
    lines = [f"new: {_shown(new[name])}" for name in sorted(set(new) - set(old))]
    rows = rows_of(now)
    for name in sorted(set(old) - set(new)):
        undecided = [row.id for row in old[name] if not _hold(_same_item(row, rows))]
        said = f"not seen, but {', '.join(undecided)} does not hold" if undecided else "gone"
        lines.append(f"{said}: {_shown(old[name])}")
    lines += [f"unchanged: {_shown(new[name])}" for name in sorted(set(new) & set(old))]
    return [*lines, *_worse(rows_of(before), rows_of(now))] or ["nothing has changed"]


def _worse(before: list[Row], now: list[Row]) -> Iterator[str]:
    for row in before:
        again = _same_item(row, now)
        if not again:
            yield f"worse: {row.id} was {_word(row.verdict)} and was not run"
        for found in again:
            if _RANK.get(found.verdict, 1) > _RANK.get(row.verdict, 1):
                place = "" if found.id == row.id else f" as {found.id}"
                said = f"was {_word(row.verdict)} and is {_word(found.verdict)}"
                yield f"worse: {row.id} {said}{place}"


def _same_item(row: Row, now: list[Row]) -> list[Row]:
    """Return the items of this run that correspond to an item of another run.

    The name of an item contains its system if the scenario states `systems:`, and its case if there
    are cases, so the item is renamed when the first variant or case is added. If cases were added,
    any of them may be the former item.
    """
    exact = [one for one in now if one.id == row.id]
    base = base_id(row.id)
    if exact or row.id not in {base, f"{base}[{row.system}]"}:
        return exact
    of_system = [one for one in now if base_id(one.id) == base and one.system == row.system]
    same_flow = [one for one in of_system if row.flow and one.flow == row.flow]
    return same_flow or of_system


def _hold(rows: list[Row]) -> bool:
    return bool(rows) and all(row.holds for row in rows)


def _conflicts(document: Mapping[str, Any]) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows_of(document):
        if row.violated:
            groups.setdefault(row.fingerprint or row.id, []).append(row)
    return groups


def _shown(rows: list[Row]) -> str:
    names = ", ".join(dict.fromkeys(row.id for row in rows))
    return f"{rows[0].what_broke} in {names} (fingerprint {rows[0].fingerprint or 'none'})"


def _word(verdict: str) -> str:
    return verdict.upper() if verdict in _RANK else "UNKNOWN"


def _conflict(row: Mapping[str, Any]) -> str:
    return str((row.get("counterexample") or {}).get("fingerprint") or row.get("id"))


def _reach(name: str, group: list[Mapping[str, Any]]) -> str:
    found = [row.get("counterexample") or {} for row in group]
    broken = [violation for one in found for violation in one.get("violations") or ()]
    broken += [one.get("violation") or {} for one in found]
    users = [user for row in group for user in affected_users(row)]
    parts = {
        "scenarios": [row.get("id") for row in group],
        "guarantees": [violation.get("guarantee") for violation in broken],
        "keys": [violation.get("key") for violation in broken],
        "users": users,
    }
    told = "; ".join(
        f"{what} {', '.join(sorted({str(value) for value in values if value}))}"
        for what, values in parts.items()
        if any(values)
    )
    return f"{name}: {told}"


def _variant(row: Mapping[str, Any]) -> str:
    scope, system = row.get("scope") or {}, row.get("system")
    condition = f" while {scope['assumption']}" if scope.get("assumption") else ""
    executions = row.get("executions", 0)
    odds = odds_of(row)
    if row.get("verdict") == "holds" and row.get("exhausted") is True:
        told = f"{system}: removes it{condition}: HOLDS, exhausted after {executions} executions"
        return f"{told}; without that, {odds}" if odds else told
    if row.get("verdict") == "violated":
        found = row.get("counterexample") or {}
        needs = preempted(int(found.get("preemptions") or 0), found.get("minimal"))
        share = f"{row.get('violating', 0)} of {executions} executions show it"
        return (
            f"{system}: has it{condition}: VIOLATED, {needs}; "
            f"{share} (of those the search chose, not of production)"
            f"{f'; {odds}' if odds else ''}"
        )
    return f"{system}: not decided{condition}: UNKNOWN after {executions} executions"
