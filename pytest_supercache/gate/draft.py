"""Drafts an entry for a known issue, and lints the existing entries."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import chain, count
from typing import Any

from pytest_supercache.gate.known import DAYS_MAX, KnownIssue, ends_soon, renewals

_RENEWALS_MAX = 2
_FIRST_DAYS = 14


def draft_entry(
    row: Mapping[str, Any], today: date, before: str = "", flows: Sequence[str] = ()
) -> str:
    """Return an entry for the conflict of a row, with a TODO where people have to decide.

    ``flows`` are the digests of the flows that have shown the conflict.
    """
    found = row.get("counterexample") or {}
    links = row.get("links") or {}
    names = chain([links.get("issue")], (f"KI-{number}" for number in count(1)))
    fields = {
        "id": next(name for name in names if name and _text(name) not in before),
        "match": found.get("fingerprint"),
        "workaround": "TODO(owner): the switch, as somebody must set it at night",
        "workaround_checked_by": "TODO(owner): the scenario run with the workaround on",
        "owner": row.get("owner") or "TODO(owner): who?",
        "approved_by": "TODO(approver): who?",
    }
    lines = [f"# {row.get('id')}: {row.get('guarantee')} ({found.get('conflict_class')})"]
    if row.get("replay"):
        lines.append(f"# {row['replay']}")
    lines += ["[[known]]", *(f"{name} = {_text(value)}" for name, value in fields.items())]
    lines.append(f"systems = {json.dumps([row['system']] if row.get('system') else [])}")
    lines += [f"flows = {json.dumps(list(flows))}"] if flows else []
    lines += [f"opened = {today}", f"expires = {today + timedelta(days=_FIRST_DAYS)}"]
    lines.append(f"permanent_fix = {_text('TODO(owner): the ticket of the fix')}")
    return "\n".join(lines) + "\n"


def lint(issues: Sequence[KnownIssue], today: date) -> tuple[list[str], list[str]]:
    """Return the complaints, which must be fixed, and the notes, which are good to know."""
    problems = [*_stale(issues, today), *_overlaps(issues)]
    return problems, list(_notes(issues, today))


def _stale(issues: Sequence[KnownIssue], today: date) -> Iterator[str]:
    for issue in issues:
        is_renewed = any(one.match == issue.match and one.opened > issue.opened for one in issues)
        if issue.expires < today and not is_renewed:
            yield (
                f"line {issue.line}: {issue.id} expired on {issue.expires}; fix it, renew it with "
                f"a new entry and a new approval, or remove it"
            )


def _overlaps(issues: Sequence[KnownIssue]) -> Iterator[str]:
    for number, issue in enumerate(issues):
        for other in issues[number + 1 :]:
            apart = issue.expires < other.opened or other.expires < issue.opened
            if issue.match == other.match and not apart:
                yield (
                    f"line {other.line}: {other.id} and {issue.id} (line {issue.line}) waive the "
                    f"same conflict on the same days"
                )


def _notes(issues: Sequence[KnownIssue], today: date) -> Iterator[str]:
    for issue in issues:
        soon = ends_soon(issue, today)
        if soon:
            yield f"line {issue.line}: {soon}"
        if issue.approved_by == issue.owner:
            yield f"line {issue.line}: {issue.id} is approved by its owner, {issue.owner}"
        if today < issue.opened:
            yield f"line {issue.line}: {issue.id} is not valid before {issue.opened}"
        often = renewals(issue, issues)
        if often >= _RENEWALS_MAX:
            yield (
                f"line {issue.line}: {issue.id} is renewal {often} of the same conflict: it may "
                f"last {DAYS_MAX} days at a time, but should not last"
            )


def _text(value: object) -> str:
    """Return a value as a TOML string; JSON's escapes are valid in TOML."""
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
