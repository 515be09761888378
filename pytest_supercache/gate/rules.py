"""The rules of a project's gate, fixed before the run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from pytest_supercache.gate.blame import Committed
from pytest_supercache.gate.known import KnownIssue


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The rules of the gate: release, severity, waivers and lock."""

    today: date
    release: tuple[str, ...] = ()
    minimum_severity: str | None = None
    issues: tuple[KnownIssue, ...] = ()
    lock: Mapping[str, bool] | None = None
    lock_paths: tuple[str, ...] = ()  # which the lock is about
    lock_digest: str | None = None
    lock_fault: str | None = None  # why there is one that says nothing
    known_issues_digest: str | None = None
    committed: Mapping[str, Committed] = field(default_factory=dict)  # by the id of the issue
