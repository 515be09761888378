"""Collects the complaints of a run from ``verdict.json``: the one list behind every CI output.

A row that is not as stated is a complaint; so is a documented conflict of a system that the gate
counts. A conflict with a waiver in force stays in the list, marked as accepted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_supercache.report.values import pasted, short
from pytest_supercache.report.words import EXPECTED

Json = Mapping[str, Any]

UNKNOWN = "unknown"
NOT_AS_STATED = "not-as-stated"

_LINES_MAX = 20
_NAME_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """One item that needs a person's attention."""

    id: str
    rule: str  # the class of a conflict, else the guarantee, ``unknown`` or ``not-as-stated``
    title: str  # one line
    message: str  # a few lines
    path: str
    line: int
    severity: str
    fingerprint: str | None  # of the conflict; the same in every run and on every line
    replay: str | None
    waiver: Json | None  # that accepts it for the time being

    @property
    def is_unknown(self) -> bool:
        """Whether nothing was proved and no violation was found."""
        return self.rule == UNKNOWN


def complaints(document: Json) -> list[Complaint]:
    """Return the complaints in the order of the document."""
    gate = document.get("gate") or {}
    waivers = {waiver["match"]: waiver for waiver in gate.get("waivers") or ()}
    counting = set(gate.get("counting") or ())
    return [
        _complaint(row, waivers)
        for row in document["scenarios"]
        if not row["as_stated"] or (row["verdict"] == "violated" and row["system"] in counting)
    ]


def path_of(row: Json) -> str:
    """Return the source path of a row, in printable form."""
    return short(row["path"] or "")


def sentence(row: Json) -> str:
    """Return the verdict of a row in one line: ``S-1: expected to hold, but VIOLATED answers``."""
    verdict = str(row["verdict"]).upper()
    if row["guarantee"]:
        verdict += f" {row['guarantee']}"
    stated = row["stated"]
    if stated is None:
        said = verdict
    elif row["as_stated"]:
        said = f"{verdict}, as expected"
    elif stated == row["verdict"]:
        words = [word for word in (row.get("stated_label"), row["stated_class"]) if word]
        said = f"{verdict}, but not the expected {', '.join(words)}"
    else:
        said = f"{EXPECTED[str(stated)]}, but {verdict}"
    return short(f"{row['id']}: {said}")


def _complaint(row: Json, waivers: Json) -> Complaint:
    found = row["counterexample"] or {}
    fingerprint = found.get("fingerprint")
    return Complaint(
        id=short(row["id"]),
        rule=short(_rule(row, found), _NAME_MAX),
        title=sentence(row),
        message=_lines(_message(row, found)),
        path=path_of(row),
        line=row["line"] or 1,
        severity=str(row["severity"] or "normal"),
        fingerprint=fingerprint,
        replay=pasted(row["replay"]),
        waiver=waivers.get(str(fingerprint)),
    )


def _rule(row: Json, found: Json) -> str:
    if row["verdict"] == "violated":
        return str(found.get("conflict_class") or row["guarantee"] or "violated")
    return UNKNOWN if row["verdict"] == "unknown" else NOT_AS_STATED


def _lines(text: str) -> str:
    return "\n".join(short(line) for line in short_lines(text, _LINES_MAX))


def short_lines(text: str, most: int) -> list[str]:
    """Return the first lines of a text, and the count of the others."""
    lines = text.splitlines()
    more = len(lines) - most
    return [*lines[:most], f"({more} more lines)"] if more > 0 else lines


def _message(row: Json, found: Json) -> str:
    if found:
        return str(found["violation"]["summary"])
    if row["verdict"] == "holds":
        return "the conflict that the scenario documents was not found by an exhausted search"
    return "; ".join(map(str, row["reasons"])) or "not decided"
