"""One screen for the person who decides at night, and the same as data for ``verdict.json``."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from pytest_supercache.gate.evidence import Row, blocks, is_below, rows_of
from pytest_supercache.gate.overview import odds_of
from pytest_supercache.gate.policy import Decision, GateVerdict, Rules, Waiver
from pytest_supercache.report.plain import Plain, plain
from pytest_supercache.report.values import short

_REASONS_SHOWN = 2
_BOUNDS = ("users", "keys", "faults", "early ticks", "backend")


def gate_part(decision: Decision, document: Mapping[str, Any], rules: Rules) -> dict[str, Plain]:
    """Return what ``verdict.json`` says about the gate."""
    return {
        "verdict": decision.verdict.value,
        "exit_status": decision.exit_status,
        "reasons": list(decision.reasons),
        "notes": list(decision.notes),
        "until": str(decision.until) if decision.until else None,
        "assumptions": list(decision.assumptions),
        "waivers": [_waiver_part(waiver) for waiver in decision.waivers],
        "scope": list(scope_lines(decision, document, rules)),
        "counting": list(decision.counting),
        "release": list(rules.release),
        "minimum_severity": rules.minimum_severity,
        "today": str(rules.today),
        "lock_digest": rules.lock_digest,
    }


def headline(decision: Decision) -> str:
    """Return the verdict with its date and its condition."""
    verdict = str(decision.verdict.value)
    if decision.verdict is not GateVerdict.GO_WITH_WORKAROUND:
        return verdict
    left = min(waiver.days_left for waiver in decision.waivers)
    days = "last day" if left == 0 else f"{left} day{'' if left == 1 else 's'}"
    text = f"{verdict} until {decision.until} ({days})"
    return f"{text}, while {' and '.join(decision.assumptions)}" if decision.assumptions else text


def screen(decision: Decision, document: Mapping[str, Any], rules: Rules) -> list[str]:
    """Return the lines: verdict, two reasons, the switch, the date, the scope."""
    shown, rest = decision.reasons[:_REASONS_SHOWN], decision.reasons[_REASONS_SHOWN:]
    lines = [headline(decision), *(f"  because {reason}" for reason in shown)]
    if rest:
        lines.append(f"  and {len(rest)} more reason{'' if len(rest) == 1 else 's'}: verdict.json")
    for waiver in decision.waivers:
        issue = waiver.issue
        who = f"owner {issue.owner}, approved by {issue.approved_by}"
        who += f", {waiver.committed}" if waiver.committed else ""
        lines += [
            f"  workaround: {issue.workaround}",
            f"    until {issue.expires}, {who}; then: {issue.permanent_fix}",
        ]
    lines += _odds_lines(decision, document, rules)
    lines += [f"  note: {note}" for note in decision.notes]
    lines += [f"  scope: {line}" for line in scope_lines(decision, document, rules)]
    return [short(line) for line in lines]


def _odds_lines(decision: Decision, document: Mapping[str, Any], rules: Rules) -> Iterator[str]:
    """Yield how likely the conflicts are that need a waiver; it makes no verdict better."""
    counting, shown = set(decision.counting), 0
    for raw, row in zip(document.get("scenarios") or (), rows_of(document), strict=True):
        odds = odds_of(raw)
        is_asked = row.violated and blocks(row, counting, rules.minimum_severity)
        if odds and is_asked and shown < _REASONS_SHOWN:
            shown += 1
            yield f"  odds of {row.id}: {odds}"


def scope_lines(decision: Decision, document: Mapping[str, Any], rules: Rules) -> Iterator[str]:
    """Yield what the verdict is about and what was not covered."""
    rows = rows_of(document)
    yield _what_was_run(rows, decision)
    bounds = _bounds([row for row in rows if row.system in decision.counting or not row.system])
    if bounds:
        yield f"within {bounds}"
    commit, dirty = document.get("commit"), document.get("dirty")
    build = f"build {document['build']}, " if document.get("build") else ""
    yield f"{build}commit {commit or 'unknown'}" + (
        ", and the work tree differs from it" if dirty else ""
    )
    yield from _not_covered(rows, document, decision, rules)


def _what_was_run(rows: list[Row], decision: Decision) -> str:
    held, broken = sum(row.holds for row in rows), sum(row.violated for row in rows)
    said = f"{held} HOLDS, {broken} VIOLATED, {len(rows) - held - broken} UNKNOWN"
    systems = ", ".join(decision.counting) or "no system"
    return f"{len(rows)} scenario runs ({said}); for the release count: {systems}"


def _bounds(rows: list[Row]) -> str:
    found: dict[str, set[str]] = {}
    for row in rows:
        for name, value in row.scope.items():
            if name in _BOUNDS:
                found.setdefault(name, set()).add(str(value))
    parts = [f"{name} {' or '.join(sorted(values))}" for name, values in sorted(found.items())]
    return ", ".join(parts)


def _not_covered(
    rows: list[Row], document: Mapping[str, Any], decision: Decision, rules: Rules
) -> Iterator[str]:
    deselected = (document.get("run") or {}).get("deselected")
    if deselected:
        yield f"not covered: {deselected} items were deselected"
    if rules.lock is None:
        yield "not covered: there is no gate.lock, so nobody knows whether scenarios are missing"
    below = [row.id for row in rows if not row.holds and is_below(row, rules.minimum_severity)]
    if below:
        yield f"not covered: below severity {rules.minimum_severity}: {', '.join(below)}"
    if decision.waivers:
        yield "not covered: a search stops at its first conflict, so a waived one may hide others"


def _waiver_part(waiver: Waiver) -> dict[str, Plain]:
    issue = {name: plain(value) for name, value in asdict(waiver.issue).items() if name != "line"}
    issue |= {"opened": str(waiver.issue.opened), "expires": str(waiver.issue.expires)}
    return {
        **issue,
        "renewals": waiver.renewals,
        "scenarios": list(waiver.scenarios),
        "assumptions": list(waiver.assumptions),
        "committed": plain(asdict(waiver.committed)) if waiver.committed else None,
    }
