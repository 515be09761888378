"""Renders the decision on one screen, and as data for ``verdict.json``."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from pytest_supercache.gate.evidence import (
    Row,
    base_id,
    blocks,
    is_below,
    left_out_of,
    named,
    rows_of,
)
from pytest_supercache.gate.limits import listed
from pytest_supercache.gate.overview import odds_of, what_was_tested
from pytest_supercache.gate.paths import paths_of, uncovered
from pytest_supercache.gate.policy import Decision, GateVerdict, Waiver
from pytest_supercache.gate.rules import Rules
from pytest_supercache.gate.rules_apart import rules_part
from pytest_supercache.gate.work_tree import NOT_THERE
from pytest_supercache.report.plain import Plain, plain
from pytest_supercache.report.values import short, width_of, wrap
from pytest_supercache.scenario.names import is_scenario_file

REASONS_SHOWN = 2
_WAIVERS_SHOWN = 3
_NOTES_SHOWN = 4
_SCOPE_SHOWN = 7
_NOT_COVERED = "not covered: "
_HANGING = "      "
_BOUNDS = {
    "users": "users",
    "keys": "keys",
    "faults": "faults",
    "fault kinds": "faults of the kind",
    "early ticks": "early ticks",
    "grain": "code between steps atomic at the grain",
    "memory": "memory",
    "isolation": "transactions of",
    "simplified": "simplified:",
    "backend": "backend",
    "assumption": "while",
}
"""The name of each bound of a scope on the screen; "while" comes last."""


def gate_part(decision: Decision, document: Mapping[str, Any], rules: Rules) -> dict[str, Plain]:
    """Return the part of ``verdict.json`` about the gate."""
    return {
        "verdict": decision.verdict.value,
        "exit_status": decision.exit_status,
        "reasons": list(decision.reasons),
        "notes": list(decision.notes),
        "until": str(decision.until) if decision.until else None,
        "assumptions": list(decision.assumptions),
        "limits": list(decision.limits),
        "waivers": [_waiver_part(waiver) for waiver in decision.waivers],
        "scope": list(scope_lines(decision, document, rules)),
        "counting": list(decision.counting),
        "today": str(rules.today),
        **rules_part(rules),
    }


def headline(decision: Decision) -> str:
    """Return the verdict, with its date and its condition."""
    text = str(decision.verdict.value)
    if decision.exit_status:
        return text
    if decision.verdict is GateVerdict.GO_WITH_WORKAROUND:
        left = min(waiver.days_left for waiver in decision.waivers)
        days = "last day" if left == 0 else f"{left} day{'' if left == 1 else 's'}"
        text = f"{text} until {decision.until} ({days})"
    return f"{text}, while {' and '.join(decision.assumptions)}" if decision.assumptions else text


def screen(
    decision: Decision, document: Mapping[str, Any], rules: Rules, width: int | None = None
) -> list[str]:
    """Return the lines of the screen: verdict, two reasons, the switch, the date, the scope.

    ``width`` is that of the terminal; None: the output is no terminal, and lines are not wrapped.
    """
    lines = [
        headline(decision),
        *_first(REASONS_SHOWN, [f"  because {reason}" for reason in decision.reasons]),
    ]
    for waiver in decision.waivers[:_WAIVERS_SHOWN]:
        issue = waiver.issue
        who = f"owner {issue.owner}, approved by {issue.approved_by}"
        who += f", {waiver.committed}" if waiver.committed else ""
        lines += [
            f"  workaround: {issue.workaround}",
            f"    until {issue.expires}, {who}; then: {issue.permanent_fix}",
        ]
    if len(decision.waivers) > _WAIVERS_SHOWN:
        lines.append(f"  and {len(decision.waivers) - _WAIVERS_SHOWN} more in verdict.json")
    lines += _odds_lines(decision, document, rules)
    lines += _first(_NOTES_SHOWN, [f"  note: {note}" for note in decision.notes])
    told = scope_lines(decision, document, rules)
    scope = [f"  {line}" if line.startswith(_NOT_COVERED) else f"  scope: {line}" for line in told]
    lines += _first(_SCOPE_SHOWN, scope)
    return [line for text in lines for line in _within(width, short(text))]


def _first(most: int, lines: list[str]) -> list[str]:
    """Return the first ``most`` lines, and the count of the others."""
    rest = len(lines) - most
    return [*lines[:most], f"  and {rest} more in verdict.json"] if rest > 0 else lines


def _within(width: int | None, line: str) -> list[str]:
    """Wrap a line at spaces, with a hanging indent."""
    if width is None or width_of(line) <= width:
        return [line]
    indent = " " * (len(line) - len(line.lstrip()))
    room = max(20, width - len(indent))
    first, *_ = wrap(line.lstrip(), room)
    rest = line.lstrip()[len(first) :].lstrip()
    following = wrap(rest, max(20, width - len(_HANGING)))
    return [f"{indent}{first}", *(f"{_HANGING}{text}" for text in following)]


def _odds_lines(decision: Decision, document: Mapping[str, Any], rules: Rules) -> Iterator[str]:
    """Yield the odds of the conflicts that need a waiver; they never improve the verdict."""
    counting, shown = set(decision.counting), 0
    for raw, row in zip(document.get("scenarios") or (), rows_of(document), strict=True):
        odds = odds_of(raw)
        is_asked = row.violated and blocks(row, counting, rules.minimum_severity)
        if odds and is_asked and shown < REASONS_SHOWN:
            shown += 1
            yield f"  odds of {row.id}: {odds}"


def scope_lines(decision: Decision, document: Mapping[str, Any], rules: Rules) -> Iterator[str]:
    """Yield what the verdict covers and what it does not cover."""
    rows = rows_of(document)
    yield _what_was_run(rows, decision)
    bounds = _bounds([row for row in rows if row.system in decision.counting or not row.system])
    if bounds:
        yield f"within {bounds}"
    yield from decision.limits
    when = f"; run on {document['when']}" if document.get("when") else ""
    yield f"{what_was_tested(document)}{when}"
    if merge := (document.get("run") or {}).get("merge"):
        yield f"merged from {len(merge['shards'])} of {merge['count']} shards"
    yield from _not_covered(rows, document, decision, rules)


def _what_was_run(rows: list[Row], decision: Decision) -> str:
    held, broken = sum(row.holds for row in rows), sum(row.violated for row in rows)
    said = f"{held} HOLDS, {broken} VIOLATED, {len(rows) - held - broken} UNKNOWN"
    systems = ", ".join(decision.counting) or "no system"
    runs = "scenario run" if len(rows) == 1 else "scenario runs"
    return f"{len(rows)} {runs} ({said}); for the release count: {systems}"


def _bounds(rows: list[Row]) -> str:
    found: dict[str, set[str]] = {}
    for row in rows:
        for name, value in row.scope.items():
            if name in _BOUNDS:
                found.setdefault(name, set()).add(str(value))
    parts = [
        f"{_BOUNDS[name]} {' or '.join(sorted(found[name]))}" for name in _BOUNDS if name in found
    ]
    return ", ".join(parts)


def _by_options(run: Mapping[str, Any]) -> Iterator[str]:
    """Yield what options and settings leave out."""
    for option in run.get("selecting") or ():
        yield f"{_NOT_COVERED}what {option} leaves out"
    for option in run.get("overriding") or ():
        yield f"{_NOT_COVERED}what scenario files say beyond {option}"
    for name in run.get("replaced") or ():
        yield f"{_NOT_COVERED}the project's own {name}, which -o replaces"
    for setting in run.get("narrowed_by") or ():
        yield f"{_NOT_COVERED}what {setting} leaves out where scenario files say nothing"


def _not_covered(
    rows: list[Row], document: Mapping[str, Any], decision: Decision, rules: Rules
) -> Iterator[str]:
    run = document.get("run") or {}
    if run.get("deselected"):
        yield f"{_NOT_COVERED}{_deselected(run)}"
    yield from _uncollected(run)
    yield from _by_options(run)
    yield from _elsewhere(run, rules)
    yield from _not_there(document)
    below = [
        f"{row.id}{' (states VIOLATED and HOLDS)' if row.is_stated_otherwise else ''}"
        for row in rows
        if not row.proves and is_below(row, rules.minimum_severity)
    ]
    if below:
        yield f"{_NOT_COVERED}below severity {rules.minimum_severity}: {', '.join(below)}"
    if decision.waivers:
        yield f"{_NOT_COVERED}a search stops at its first conflict, so a waived one may hide others"
    for waiver in decision.waivers:
        yield from _less_than_the_conflict(waiver, rows)


def _deselected(run: Mapping[str, Any]) -> str:
    """Return how many items were deselected, and which of them are scenarios or explored tests."""
    count, ours = run["deselected"], [row.id for row in left_out_of(run)]
    told = "1 item was deselected" if count == 1 else f"{count} items were deselected"
    if not ours:
        return told
    return f"{told}{':' if len(ours) == count else ', among them'} {listed(ours)}"


def _not_there(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield what git has and the checkout has not, scenario files first."""
    changes = document.get("changes") or {}
    names = [name for name, digest in changes.items() if digest == NOT_THERE]
    if names:
        names.sort(key=lambda name: not is_scenario_file(name))
        yield f"{_NOT_COVERED}what git has and was not checked out: {listed(names)}"


def _uncollected(run: Mapping[str, Any]) -> Iterator[str]:
    """Yield the paths of a run without a file, and the files that were not collected."""
    if empty := run.get("empty_paths"):
        yield f"{_NOT_COVERED}there is no file in {listed(empty)}"
    ignored, left_out = run.get("uncollected_ignored"), run.get("uncollected_left_out")
    if named := run.get("uncollected_named"):
        yield f"{_NOT_COVERED}scenarios and tests in {', '.join(named)} (`uncollected`)"
    if ignored:
        yield f"{_NOT_COVERED}scenarios and tests that git ignores: {listed(ignored)}"
    if outside := run.get("uncollected_outside"):
        yield f"{_NOT_COVERED}what links lead to outside of the root: {listed(outside)}"
    if left_out:
        yield f"{_NOT_COVERED}scenarios and tests that were not asked for: {listed(left_out)}"


def _elsewhere(run: Mapping[str, Any], rules: Rules) -> Iterator[str]:
    """Yield what lies outside of the paths of the run, or of the lock."""
    paths = paths_of(run)
    if paths and uncovered(paths, [".", *(run.get("testpaths") or ())]):
        yield f"{_NOT_COVERED}what lies outside of {', '.join(paths)}"
    unknown = "so nobody knows whether scenarios are missing"
    if rules.lock is None and not rules.lock_fault:
        yield f"{_NOT_COVERED}there is no gate.lock, {unknown}"
    elif rules.lock_paths and uncovered(rules.lock_paths, paths):
        yield f"{_NOT_COVERED}gate.lock is about {', '.join(rules.lock_paths)}, {unknown} elsewhere"


def _less_than_the_conflict(waiver: Waiver, rows: list[Row]) -> Iterator[str]:
    """Yield how the check of a workaround differs from the conflict that it is for."""
    found = [row for row in rows if row.id in waiver.scenarios]
    checks = named(rows, waiver.issue.workaround_checked_by)
    flows = {base_id(row.id) for row in found} - {base_id(row.id) for row in checks}
    if flows:
        yield (
            f"{_NOT_COVERED}{', '.join(sorted(flows))} itself was not run with the workaround of "
            f"{waiver.issue.id}, but {waiver.issue.workaround_checked_by} was"
        )
    yield from _judged_by_less(waiver, found, checks)
    for bound in ("faults", "early ticks"):
        of_found = sorted({str(row.scope.get(bound, 0)) for row in found})
        of_checks = sorted({str(row.scope.get(bound, 0)) for row in checks})
        if of_found != of_checks:
            yield (
                f"{_NOT_COVERED}{waiver.issue.id} was found with {bound} {' or '.join(of_found)}, "
                f"its workaround was checked with {bound} {' or '.join(of_checks)}"
            )


def _judged_by_less(waiver: Waiver, found: list[Row], checks: list[Row]) -> Iterator[str]:
    """Yield the broken guarantees that the check of the workaround was not judged by."""
    for guarantee in sorted({str(row.guarantee) for row in found if row.guarantee in _judged(row)}):
        without = [row.id for row in checks if guarantee not in _judged(row)]
        if without:
            yield (
                f"{_NOT_COVERED}{waiver.issue.id} breaks {guarantee}, and the check of its "
                f"workaround was not judged by that: {', '.join(without)}"
            )


def _judged(row: Row) -> list[str]:
    """Return the guarantees that a run was judged by."""
    return str(row.scope.get("guarantees", "")).split(", ")


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
