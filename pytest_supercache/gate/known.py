"""Reads ``known-issues.toml``: waivers of conflicts, each with a workaround and an expiry date.

A waiver is strict, because a wrong one lets a broken release go: every field is required, an
unknown name is an error, and one mistake anywhere makes the whole file unusable.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from itertools import islice
from typing import Any

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.inputs import ENTRIES_MAX, parse_toml
from pytest_supercache.core.misspelt import nearest_word

DAYS_MAX = 30
"""The longest life of a waiver, in days; longer needs a renewal, which the report shows."""

_SOON_DAYS = 7
_PLACEHOLDER = "TODO"
_DATES = ("opened", "expires")


class KnownIssuesError(SupercacheError):
    """A file of known issues cannot be used; the message names every mistake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownIssue:
    """One waiver; ``match`` is the fingerprint of a conflict, not the name of a test."""

    id: str
    match: str
    systems: tuple[str, ...]  # that it is for; a test in Python has none
    workaround: str
    workaround_checked_by: str  # the scenario run that must hold, in the same run
    owner: str
    approved_by: str
    opened: date
    expires: date  # the last day on which it is in force
    permanent_fix: str
    flows: tuple[str, ...] = ()  # digests of those that have shown the conflict
    line: int = 0


_OPTIONAL = ("flows",)
FIELDS = tuple(field.name for field in fields(KnownIssue) if field.name not in {*_OPTIONAL, "line"})
"""The required fields of an entry."""


def read_known_issues(text: str, path: str = "known-issues.toml") -> tuple[KnownIssue, ...]:
    """Read the waivers, in the order of the file.

    Raises:
        KnownIssuesError: with every mistake, each as ``file:line``.
    """
    try:
        document = parse_toml(text)
    except tomllib.TOMLDecodeError as error:
        raise KnownIssuesError(_decode_problem(str(error), path)) from error
    problems = [
        f"{path}:{_line_of(text, name)}: {name!r:.80} is not known here; expected [[known]] tables"
        for name in islice(document, ENTRIES_MAX)
        if name != "known"
    ]
    tables = document.get("known", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise KnownIssuesError(f"{path}: known = {tables!r:.200}: expected [[known]] tables")
    if len(tables) > ENTRIES_MAX or len(problems) > ENTRIES_MAX:
        raise KnownIssuesError(f"{path}: more than {ENTRIES_MAX:,} entries; split it")
    blocks = list(_blocks(text))
    issues = []
    for number, table in enumerate(tables):
        line, block = blocks[number] if number < len(blocks) else (1, "")
        wrong = list(_mistakes(table))
        problems += [f"{path}:{line + _offset(block, name)}: {said}" for name, said in wrong]
        if not wrong:
            issues.append(KnownIssue(**_values(table), line=line))
    problems += [f"{path}:{issue.line}: {said}" for issue, said in _repeated_ids(issues)]
    if problems:
        raise KnownIssuesError("\n".join(problems))
    return tuple(issues)


def renewals(issue: KnownIssue, issues: Iterable[KnownIssue]) -> int:
    """Return how often the conflict was waived before this entry."""
    return sum(one.match == issue.match and one.opened < issue.opened for one in issues)


def moved(text: str, rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the entries that use a former fingerprint of a conflict, with the current one.

    ``rows`` are those of ``verdict.json``. The text may lack required fields: entries to update can
    be older than these. A text that is not TOML has no entries.
    """
    try:
        tables = parse_toml(text).get("known")
    except tomllib.TOMLDecodeError:
        return
    found: dict[tuple[str, str], dict[str, list[str]]] = {}
    for row in rows:
        known = row.get("counterexample") or {}
        present = str(known.get("fingerprint"))
        for former in known.get("former_fingerprints") or ():
            names = found.setdefault((str(former), str(row.get("system") or "")), {})
            names.setdefault(present, []).append(str(row.get("id")))
    listed = tables[:ENTRIES_MAX] if isinstance(tables, list) else ()
    for (line, _), table in zip(_blocks(text), listed, strict=False):
        match = table.get("match") if isinstance(table, dict) else None
        for (former, system), names in sorted(found.items()):
            for present, ids in names.items() if match == former else ():
                yield (
                    f'line {line}: {table.get("id")}: match = "{match}" is a former fingerprint; '
                    f'for {", ".join(ids)} write match = "{present}", '
                    f"systems = {[system] if system else []}"
                )


def ends_soon(issue: KnownIssue, today: date) -> str | None:
    """Say when a waiver ends, if it ends within a week."""
    left = (issue.expires - today).days
    if not 0 <= left <= _SOON_DAYS:
        return None
    days = f"in {left} day{'' if left == 1 else 's'}, on {issue.expires}"
    return f"{issue.id} expires {days if left else 'today'}"


def _mistakes(table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (field, mistake) for each mistake in one entry."""
    known = (*FIELDS, *_OPTIONAL)
    for name in islice(table, 2 * len(FIELDS)):
        if name not in known:
            close = nearest_word(name, known)
            hint = f"; did you mean {close!r}?" if close else f"; known: {', '.join(known)}"
            yield name, f"{name!r:.80} is not a field of a known issue{hint}"
    missing = [name for name in FIELDS if name not in table]
    if missing:
        yield (
            "",
            f"{table.get('id', 'this entry')!s:.80}: required and missing: {', '.join(missing)}",
        )
    for name in known:
        said = _wrong_value(name, table[name]) if name in table else None
        if said:
            yield name, f"{name} = {table[name]!s:.200}: {said}"
    if all(_is_day(table.get(name)) for name in _DATES):
        yield from _wrong_dates(table["opened"], table["expires"])


_LISTS = {
    "systems": "names of systems, as in ['shop']",
    "flows": "digests of flows, as `supercache known check` prints them",
}


def _wrong_value(name: str, value: object) -> str | None:
    if name in _DATES:
        return None if _is_day(value) else "expected a date as in 2026-12-15, without quotes"
    if name in _LISTS:
        is_list = isinstance(value, list) and all(isinstance(one, str) and one for one in value)
        return None if is_list else f"expected {_LISTS[name]}"
    if name == "permanent_fix" and isinstance(value, dict):
        parts = [value.get("issue", ""), *value.values()]
        is_told = all(_says_something(str(part)) for part in parts)
        return None if is_told else "expected {issue = ..., planned = ...}"
    if not isinstance(value, str) or not _says_something(value):
        return "expected a text that is not empty: a letter or a digit at least"
    if _PLACEHOLDER in value or value.strip().upper() == _PLACEHOLDER:
        return "somebody has to fill this in"
    return None


_FILLERS = "\u115f\u1160\u3164\uffa0"
"""The letters that nobody sees: they fill syllables of Hangul."""


def _says_something(text: str) -> bool:
    """Say whether a text has a letter or a digit; blanks, also invisible ones, have neither."""
    return any(char.isalnum() and char not in _FILLERS for char in text)


def _wrong_dates(opened: date, expires: date) -> Iterator[tuple[str, str]]:
    days = (expires - opened).days
    if days < 0:
        yield "expires", f"expires = {expires}: that is before it was opened ({opened})"
    if days > DAYS_MAX:
        yield (
            "expires",
            f"expires = {expires}: {days} days after it was opened ({opened}), and {DAYS_MAX} are "
            "allowed; a renewal is a new entry with a new approval",
        )


def _is_day(value: object) -> bool:
    return isinstance(value, date) and not isinstance(value, datetime)


def _values(table: Mapping[str, Any]) -> dict[str, Any]:
    fix = table["permanent_fix"]
    told = (
        ", ".join(f"{name} {part}" for name, part in fix.items()) if isinstance(fix, dict) else fix
    )
    lists = {name: tuple(table.get(name, ())) for name in _LISTS}
    return {**table, "permanent_fix": told, **lists}


def _repeated_ids(issues: list[KnownIssue]) -> Iterator[tuple[KnownIssue, str]]:
    lines: dict[str, int] = {}
    for issue in issues:
        if issue.id in lines:
            yield issue, f"id = {issue.id:.80}: taken by the entry in line {lines[issue.id]}"
        lines.setdefault(issue.id, issue.line)


def _blocks(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line of each ``[[known]]``, and the text of its block."""
    found = re.finditer(r"^[ \t]*\[\[[ \t]*known[ \t]*\]\]", text, re.MULTILINE)
    heads = list(islice(found, ENTRIES_MAX + 1))
    ends = [*(head.start() for head in heads[1:]), len(text)]
    for head, end in zip(heads, ends, strict=False):  # no heads: nothing ends either
        yield text.count("\n", 0, head.start()) + 1, text[head.start() : end]


def _offset(block: str, name: str) -> int:
    found = re.search(rf"^[ \t]*[\"']?{re.escape(name)}[\"']?[ \t]*[=.]", block, re.MULTILINE)
    return block.count("\n", 0, found.start()) if name and found else 0


def _line_of(text: str, name: str) -> int:
    found = re.search(rf"^[ \t]*+(?:\[++[ \t]*+)?{re.escape(name)}\b", text, re.MULTILINE)
    return text.count("\n", 0, found.start()) + 1 if found else 1


def _decode_problem(said: str, path: str) -> str:
    place = re.search(r" \(at line (\d+), column (\d+)\)", said)
    if place is None:
        return f"{path}: {said}"
    return f"{path}:{place[1]}:{place[2]}: {said[: place.start()]}"
