"""Finds the known issues whose workaround the last run did not prove.

The gate says so only when the conflict occurs, which may be at a release; this is for
`supercache known check`, when the entry is written.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from pytest_supercache.core.misspelt import nearest_word
from pytest_supercache.gate.evidence import base_id, left_out_of, named, rows_of
from pytest_supercache.gate.fixed import LESS_THAN_WHOLE
from pytest_supercache.gate.known import KnownIssue
from pytest_supercache.gate.policy import why_unchecked


def unchecked(
    issues: Sequence[KnownIssue], document: Mapping[str, Any], today: date
) -> tuple[list[str], list[str]]:
    """Return the complaints and the notes about ``workaround_checked_by``, from the last run.

    A check that is in no row is a complaint after a run of the whole project. After a part of it,
    or without any run, it may well exist.
    """
    if not document.get("scenarios"):
        return [], []
    run = document.get("run") or {}
    problems, notes = list[str](), list[str]()
    for issue, said, is_missing in _unproved(issues, document, today):
        line = f"line {issue.line}: {issue.id}: {said}"
        is_partial = is_missing and any(run.get(name) for name in LESS_THAN_WHOLE)
        (notes if is_partial else problems).append(line)
    return problems, notes


def _unproved(
    issues: Sequence[KnownIssue], document: Mapping[str, Any], today: date
) -> Iterator[tuple[KnownIssue, str, bool]]:
    """Yield each entry in force without a proof, the reason, and whether no item has the name."""
    rows = [*rows_of(document), *left_out_of(document.get("run"))]
    known = list(dict.fromkeys(name for row in rows for name in (row.id, base_id(row.id))))
    for issue in issues:
        name = issue.workaround_checked_by
        if issue.expires < today or (why := why_unchecked(issue, rows)) is None:
            continue
        if named(rows, name):
            yield issue, f"it {why} in the last run", False
            continue
        near = nearest_word(name, known)
        meant = f"; did you mean {near!r}?" if near else ""
        said = f"the last run has no item workaround_checked_by = {name!r:.80}{meant}"
        yield issue, said, True
