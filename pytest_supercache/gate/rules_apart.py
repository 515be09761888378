"""Detects rules of the gate that are laxer than those a run was judged by.

`supercache verdict` reads the rules in the folder where it is called, which may have settings of
its own. Stricter rules are fine.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pytest_supercache.core.verdict import SEVERITIES
from pytest_supercache.gate.rules import Rules

_JUDGED = "the run was judged by other rules: "


def rules_part(rules: Rules) -> dict[str, Any]:
    """Return the part of ``verdict.json`` about the rules that a run was judged by."""
    return {
        "release": list(rules.release),
        "minimum_severity": rules.minimum_severity,
        "lock_digest": rules.lock_digest,
        "known_issues_digest": rules.known_issues_digest,
    }


def weaker(
    document: Mapping[str, Any], rules: Rules, *, besides_lock: bool = False
) -> Iterator[str]:
    """Yield how ``rules`` are laxer than those that a run was judged by, or would have been.

    ``besides_lock``: the lock is about to be rewritten.
    """
    run = document["run"] if isinstance(document.get("run"), Mapping) else {}
    gate = document.get("gate") or run.get("rules")
    if not isinstance(gate, Mapping):
        return
    lost = [name for name in gate.get("release") or () if name not in rules.release]
    if lost:
        yield f"{_JUDGED}{', '.join(lost)} ships there and not here (release)"
    if is_more_severe(rules.minimum_severity, gate.get("minimum_severity")):
        yield (
            f"{_JUDGED}minimum_severity was {gate.get('minimum_severity') or 'not set'} and is "
            f"{rules.minimum_severity} here"
        )
    if not besides_lock and gate.get("lock_digest") not in {None, rules.lock_digest}:
        yield f"{_JUDGED}gate.lock is {'another one' if rules.lock_digest else 'missing'} here"
    is_known = "known_issues_digest" in gate
    if is_known and rules.issues and gate["known_issues_digest"] != rules.known_issues_digest:
        yield f"{_JUDGED}the known issues are others here; run the gate with them"


def is_more_severe(minimum: object, other: object) -> bool:
    """Say whether a minimum severity is higher than another, and so laxer."""
    return _rank(minimum) > _rank(other)


def _rank(severity: object) -> int:
    """Return the rank of a minimum severity: higher is laxer, none is as strict as the lowest."""
    return -SEVERITIES.index(severity if severity in SEVERITIES else SEVERITIES[-1])
