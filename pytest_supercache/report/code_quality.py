"""Writes GitLab's code quality report, with one entry per complaint.

GitLab compares two runs by fingerprints, which must be unique in a file and must not change when
lines move. A complaint that a waiver accepts has severity ``info``.
"""

import json
from collections.abc import Mapping
from typing import Any

from pytest_supercache.report.complaints import Complaint, complaints
from pytest_supercache.report.sarif import identity

_SEVERITIES = {
    "trivial": "minor",
    "minor": "minor",
    "normal": "major",
    "critical": "critical",
    "blocker": "blocker",
}


def code_quality(document: Mapping[str, Any]) -> str:
    """Return the report of a run."""
    entries: dict[str, dict[str, Any]] = {}
    for one in complaints(document):
        mark = identity(one)
        while mark in entries:  # the same item twice: a run in two folders, say
            mark += "x"
        entries[mark] = _entry(one, mark)
    return json.dumps(list(entries.values()), indent=2, ensure_ascii=False) + "\n"


def _entry(one: Complaint, fingerprint: str) -> dict[str, Any]:
    known = f" (accepted until {one.waiver['expires']})" if one.waiver is not None else ""
    return {
        "description": f"{one.title}{known}: {one.message}",
        "check_name": f"supercache/{one.rule}",
        "fingerprint": fingerprint,
        "severity": "info" if one.waiver is not None else _SEVERITIES.get(one.severity, "major"),
        "location": {"path": one.path.replace("\\", "/") or ".", "lines": {"begin": one.line}},
    }
