"""Selects and phrases the facts for the drafts: which conflicts to report, and whom they affect.

The drafts state only what the run knows; the rest are questions, each for a role.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_supercache.gate.evidence import base_id, blocks, counting_systems, rows_of
from pytest_supercache.gate.overview import in_words, users_of
from pytest_supercache.gate.policy import Decision, Waiver
from pytest_supercache.gate.rules import Rules

DRAFT = "DRAFT, not sent"
_LINE = re.compile(r" \(line \d+ of the scenario file\)$")
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_LINK = re.compile(r"(?<=\])\(")
_DEFINITION = re.compile(r"^((?:- |\d+\. )? *)\[", re.MULTILINE)  # [name]: where a link goes

Raw = Mapping[str, Any]
"""A raw row of ``verdict.json``."""


def conflicts(document: Raw, decision: Decision, rules: Rules) -> list[list[Raw]]:
    """Return the rows that need a waiver, grouped by conflict; those without one come first."""
    rows = rows_of(document)
    counting = counting_systems(rows, rules.release)
    groups: dict[str, list[Raw]] = {}
    for raw, row in zip(document.get("scenarios") or (), rows, strict=True):
        if row.violated and blocks(row, counting, rules.minimum_severity):
            groups.setdefault(row.fingerprint or row.id, []).append(raw)
    return sorted(groups.values(), key=lambda group: bool(waivers_of(group[0], decision)))


def waivers_of(row: Raw, decision: Decision) -> list[Waiver]:
    """Return the waivers in force for the conflict of a row, by its fingerprint."""
    return [waiver for waiver in decision.waivers if waiver.issue.match == _fingerprint(row)]


def without_force(row: Raw, decision: Decision) -> list[str]:
    """Return the reasons why waivers for the conflict of a row have no force."""
    return [why for match, why in decision.without_force if match == _fingerprint(row)]


def _fingerprint(row: Raw) -> object:
    return (row.get("counterexample") or {}).get("fingerprint")


def promise(row: Raw) -> str:
    """Return what does not hold, in the words of the scenario."""
    title = str(row.get("title") or row.get("id")).rstrip(".")
    return f'"{title}" does not always hold'


def seen(row: Raw) -> str | None:
    """Return what the test has seen, in the words of the guarantee."""
    violation = (row.get("counterexample") or {}).get("violation") or {}
    text = str(violation.get("summary") or "").rstrip(".")
    is_expected = violation.get("guarantee") == "expect"
    return (_LINE.sub("", text) if is_expected else text) or None


def whom(group: Sequence[Raw]) -> str:
    """Return the users that the conflict affects, in words."""
    systems = sorted({str(row["system"]) for row in group if row.get("system")})
    of = f" of {in_words(systems)}" if systems else ""
    names = in_words(sorted({base_id(str(row["id"])) for row in group}))
    users = users_of(group[0])
    if all(row.get("label") == "conflict" for row in group) and len(users) > 1:
        return (
            f"users{of} who do what {in_words(users)} do in {names}, at the same time; one after "
            "the other, nothing goes wrong"
        )
    return f"users{of} who do what {names} describes"


def as_text(markdown: str) -> str:
    """Escape tags and links of Markdown: data of the code under test is no markup."""
    text = _LINK.sub(r"\\(", _TAG.sub("&lt;", markdown))
    return _DEFINITION.sub(r"\1\\[", text)
