"""The gate's decision: a pure function of a run's rows, the waivers, the lock and the day.

NO-GO outranks NO VERDICT outranks GO WITH KNOWN WORKAROUND outranks GO. Exit status 0 needs
evidence: everything that failed is explained by a waiver in force, nothing is undecided, and for
each system that ships at least one scenario says something.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Any

from pytest_supercache.gate.blame import Committed
from pytest_supercache.gate.evidence import (
    LEFT_OUT,
    Row,
    blocks,
    contradictions,
    counting_systems,
    is_below,
    left_out_of,
    named,
    rows_of,
)
from pytest_supercache.gate.fixed import issues_not_seen, notes_on
from pytest_supercache.gate.git import without_answer
from pytest_supercache.gate.known import KnownIssue, renewals
from pytest_supercache.gate.limits import limits_of, limits_of_run
from pytest_supercache.gate.lock import missing_from
from pytest_supercache.gate.paths import paths_of, uncovered
from pytest_supercache.gate.rules import Rules
from pytest_supercache.gate.same_id import against_go
from pytest_supercache.gate.shards import incomplete

NO_EVIDENCE = 6
"""The exit status of NO VERDICT if pytest's own is none of 2 to 5."""

_BY_PYTEST = {
    2: "the run was interrupted, or collecting it failed",
    3: "pytest had an internal error",
    4: "pytest was called wrongly",
    5: "pytest ran no test",
}


class GateVerdict(Enum):
    """The verdicts of the gate, the weightiest first."""

    NO_GO = "NO-GO"
    NO_VERDICT = "NO VERDICT"
    GO_WITH_WORKAROUND = "GO WITH KNOWN WORKAROUND"
    GO = "GO"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """A known issue that let conflicts of this run pass, with its assumptions and days left."""

    issue: KnownIssue
    scenarios: tuple[str, ...]
    assumptions: tuple[str, ...]
    renewals: int
    days_left: int
    committed: Committed | None = None  # None: git does not know


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The verdict, with everything that a person needs to defend it."""

    verdict: GateVerdict
    exit_status: int
    reasons: tuple[str, ...]
    waivers: tuple[Waiver, ...] = ()
    notes: tuple[str, ...] = ()
    counting: tuple[str, ...] = ()
    without_force: tuple[tuple[str, str], ...] = ()  # fingerprint, why a waiver does not count
    fixed: tuple[str, ...] = ()  # known issues that no longer occur, by an exhausted search
    conditions: tuple[str, ...] = ()  # what a GO rests on besides the waivers
    limits: tuple[str, ...] = ()  # where it says less than it seems, with the names of runs

    @property
    def until(self) -> date | None:
        """The last day on which all the waivers that were needed are in force."""
        return min((waiver.issue.expires for waiver in self.waivers), default=None)

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What must be true in production for the workarounds, and for a GO, to hold."""
        of_waivers = [told for waiver in self.waivers for told in waiver.assumptions]
        return tuple(dict.fromkeys([*of_waivers, *self.conditions]))


def decide(document: Mapping[str, Any], rules: Rules, doubts: Iterable[str] = ()) -> Decision:
    """Judge a run; ``document`` is a verdict document with its ``run``.

    ``doubts`` say why it may not be the wanted run: any doubt rules out a GO.
    """
    rows = rows_of(document)
    run = document.get("run") if isinstance(document.get("run"), Mapping) else None
    counting = counting_systems(rows, rules.release)
    waivers, unwaived, without_force = _weigh(rows, counting, rules, left_out_of(run))
    waived = {name for waiver in waivers for name in waiver.scenarios}
    partial = list(incomplete(run))  # then even a violation may have its waiver elsewhere
    against = [] if partial else [*unwaived, *_failed_tests(run)]
    undecided, without = [*partial, *doubts, *flaws_of(run)], list[str]()
    if _is_all_known(run) and not partial:
        undecided += contradictions(document)
        undecided += [*_unknown(rows, counting, rules), *_missing(rows, rules, run)]
        without += _without_evidence(rows, counting, waived, rules)
    not_seen = issues_not_seen(rows, counting, rules, run, is_decided=not undecided)
    if against:
        verdict, status, reasons = GateVerdict.NO_GO, 1, [*against, *undecided]
    elif undecided or without:
        verdict, status = GateVerdict.NO_VERDICT, _status_of(run)
        reasons = [*undecided, *without]
    elif waivers:
        verdict, status = GateVerdict.GO_WITH_WORKAROUND, 0
        reasons = [_in_words(waiver) for waiver in waivers]
    else:
        verdict, status, reasons = GateVerdict.GO, 0, [_all_hold(rows, counting)]
    return Decision(
        verdict=verdict,
        exit_status=status,
        reasons=tuple(reasons),
        waivers=tuple(waivers),
        notes=tuple(notes_on(rules, not_seen)),
        counting=tuple(sorted(name for name in counting if name)),
        without_force=tuple(without_force),
        fixed=tuple(name for name, why in not_seen.items() if not why),
        conditions=() if status else _conditions(rows, counting),
        limits=()
        if status
        else (*limits_of(_rested_on(rows, counting, waivers)), *limits_of_run(run or {})),
    )


def _is_all_known(run: Mapping[str, Any] | None) -> bool:
    """Say whether a run has told everything: one that did not finish has not."""
    return run is None or run.get("finished") is True


def counted_scenarios(rows: Iterable[Row], release: tuple[str, ...]) -> dict[str, bool]:
    """Return every scenario that was run, and whether it counts for the release.

    Python tests go by their node ids: two files may have a test of the same name.
    """
    rows = list(rows)
    counting = counting_systems(rows, release)
    return {row.id if row.system else row.node_id or row.id: row.system in counting for row in rows}


def _weigh(
    rows: list[Row], counting: set[str], rules: Rules, left_out: list[Row]
) -> tuple[list[Waiver], list[str], list[tuple[str, str]]]:
    """Match each conflict, once for all the scenarios that show it, with the waivers.

    Returns the waivers in force, the reasons against the release, and pairs of a fingerprint and
    the reason why a waiver for it has no force.
    """
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if row.violated and blocks(row, counting, rules.minimum_severity):
            groups.setdefault(row.fingerprint or f"no fingerprint: {row.id}", []).append(row)
    waivers, against, without_force = list[Waiver](), list[str](), list[tuple[str, str]]()
    for fingerprint, group in groups.items():
        ids = tuple(dict.fromkeys(row.id for row in group))
        asked = [issue for issue in rules.issues if issue.match == group[0].fingerprint]
        answers = [
            (issue, _why_no_force(issue, group, [*rows, *left_out], rules.today)) for issue in asked
        ]
        good = [issue for issue, why in answers if why is None]
        if good:
            best = max(good, key=lambda issue: issue.expires)
            waivers.append(_waiver(best, ids, rows, rules))
        elif answers:
            why = [f"{issue.id} {said}" for issue, said in answers]
            against.append(f"{', '.join(ids)}: {group[0].what_broke}: {'; '.join(why)}")
            without_force += [(fingerprint, said) for said in why]
        else:
            against.append(
                f"{', '.join(ids)}: {group[0].what_broke} is broken and nobody has waived it "
                f"(fingerprint {fingerprint}{_formerly(group[0], rules.issues)})"
            )
    return waivers, against, without_force


def _formerly(row: Row, issues: Iterable[KnownIssue]) -> str:
    """Name the entries that use a former fingerprint of the conflict."""
    known = [issue for issue in issues if issue.match in row.former_fingerprints]
    return "".join(f"; {issue.id} names the former one, {issue.match}" for issue in known)


def _why_no_force(issue: KnownIssue, group: list[Row], rows: list[Row], today: date) -> str | None:
    for row in group:
        if row.system and row.system not in issue.systems:
            return f"does not name the system {row.system}"
    if today > issue.expires:
        return f"expired on {issue.expires}"
    if today < issue.opened:
        return f"is not valid before {issue.opened}"
    return why_unchecked(issue, rows)


def why_unchecked(issue: KnownIssue, rows: Iterable[Row]) -> str | None:
    """Return why the check of a waiver's workaround proves nothing in a run; None: it proves it."""
    checks = named(rows, issue.workaround_checked_by)
    if all(row.verdict == LEFT_OUT for row in checks):
        return f"has no force: its workaround ({issue.workaround_checked_by}) was not run"
    for row in checks:
        if not row.proves:
            said = "is VIOLATED" if row.violated else "is UNKNOWN"
            said = "states VIOLATED and HOLDS" if row.holds else said
            said = "was not run" if row.verdict == LEFT_OUT else said
            return f"has no force: the check of its workaround, {row.id}, {said}"
    return None


def _waiver(issue: KnownIssue, ids: tuple[str, ...], rows: list[Row], rules: Rules) -> Waiver:
    checks = named(rows, issue.workaround_checked_by)
    assumptions = dict.fromkeys(row.assumption for row in checks if row.assumption)
    return Waiver(
        issue=issue,
        scenarios=ids,
        assumptions=tuple(assumptions),
        renewals=renewals(issue, rules.issues),
        days_left=(issue.expires - rules.today).days,
        committed=rules.committed.get(issue.id),
    )


def _failed_tests(run: Mapping[str, Any] | None) -> Iterator[str]:
    for name in (run or {}).get("failed") or ():
        yield f"the test {name} failed"


def flaws_of(run: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield each reason why a run as a whole decides nothing."""
    if not isinstance(run, Mapping):
        yield "verdict.json does not say how the run ended"
        return
    if run.get("written_to"):
        yield f"the verdict of this run is in {run['written_to']}: name that file"
        return
    if run.get("finished") is not True:
        yield "the run did not finish"
        yield from against_go(run)
        return
    yield from _unusual_status(run.get("exit_status"))
    for name, said in _FLAWS.items():
        yield from [said] if run.get(name) else []
    for name, complain in _WITH_REASON.items():
        yield from [complain(str(run[name]))] if run.get(name) else []
    for what, said in _HAPPENED.items():
        for name in run.get(what) or ():
            yield f"{name} {said}"
    yield from against_go(run)


def _unusual_status(status: object) -> Iterator[str]:
    if status not in (0, 1):
        known = _BY_PYTEST.get(status) if isinstance(status, int) else None
        yield known or f"pytest ended with status {status}"


_FLAWS = {
    "replay": "a replay is one schedule and no evidence",
    "without_asserts": (
        "asserts were switched off (-O or PYTHONOPTIMIZE), so what they state was not checked"
    ),
    "plain_asserts": (
        "--assert=plain (or -p no:assertion) took from failed asserts what was compared, and "
        "failures look alike that are not"
    ),
    "unobserved": (
        "the run did not look at its files before its tests ran, so nobody knows what was changed "
        "or not collected: run it with --supercache-gate"
    ),
    "unexplained": "pytest says that something failed that is neither a test nor a scenario",
}
_WITH_REASON = {
    "git_refused": without_answer,
    "stopped": "the run stopped before its end: {}".format,
}
UNEXPLAINED = (
    "is not collected by pytest (norecursedirs, collect_ignore, --ignore in addopts, ...): collect "
    "it (as *.supercache.yaml or a module of tests), or name its path in `uncollected` of "
    "[tool.supercache]"
)
"""The complaint about a scenario file below the paths of a run that was not collected."""

_HAPPENED = {
    "crashed": "was running when its worker crashed",
    "broken": "could not be run whole: the file, a fixture, a plugin or the stand is broken",
    "skipped": "was skipped",
    "removed": "was collected and is missing from the run; nobody said that it was deselected",
    "silent": "is a worker that ended without telling what it had collected",
    "elsewhere": (
        "is a worker that ran in the project of another folder, whose files were not compared: let "
        "workers run here (no chdir= in --tx)"
    ),
    "changed": "was changed while the run went on",
    "written": (
        "was written while the run loaded its files, so nobody knows what it held before; with "
        "--supercache-gate the run compares its content"
    ),
    "preloaded": (
        "was imported by this process before the run, and written since the process began, so "
        "nobody knows whether it is the code that was run: run pytest in a process of its own"
    ),
    "set_aside": (
        "was not loaded (--noconftest, --confcutdir, -p no:NAME), so nobody knows how the code "
        "behaves with what it declares: leave that option out"
    ),
    "shadowed": (
        "so that code was not run: install the project from here (`pip install -e .`), give these "
        "modules names of their own, make packages of their folders, or run each project by itself"
    ),
    "uncollected": UNEXPLAINED,
    "testpaths_without_match": (
        "is one of the testpaths and matches nothing, so what it should have was not run: correct "
        "or remove it"
    ),
    "unread": "asks for more than the files of pytest's root and was not read: start in its folder",
    "in_vain": (
        "is code under test that could not connect, outside of every check, so the checks may have "
        "shown the code without that server: start it, let the system's factory connect, or name "
        "the address in `absent` of [tool.supercache]"
    ),
    "no_tests": (
        "is decorated with @explore and did not become a test: it was made inside of a function "
        "and nobody called it, it stands under a condition that is false, its name or its class's "
        "is none of a test, the class has __init__ or __test__ = False, another test has the same "
        "name, or pytest does not collect its module"
    ),
}


def _unknown(rows: list[Row], counting: set[str], rules: Rules) -> Iterator[str]:
    for row in rows:
        if not row.violated and blocks(row, counting, rules.minimum_severity):
            why = f": {row.reasons[0]}" if row.reasons else ""
            yield f"{row.id} is UNKNOWN{why}"
        elif row.is_stated_otherwise and not is_below(row, rules.minimum_severity):
            yield f"{row.id} states VIOLATED and HOLDS: correct the scenario file"


def _missing(rows: list[Row], rules: Rules, run: Mapping[str, Any] | None) -> Iterator[str]:
    if rules.lock_fault:
        yield rules.lock_fault
    paths = paths_of(run)
    left = uncovered(paths, rules.lock_paths) if paths else []
    if left:
        yield f"gate.lock is about {', '.join(left)}, and the run was given {', '.join(paths)}"
    yield from missing_from(rules.lock or {}, counted_scenarios(rows, rules.release))


def _without_evidence(
    rows: list[Row], counting: set[str], waived: set[str], rules: Rules
) -> Iterator[str]:
    if not rows:
        yield "no scenario was run"
    proving = {
        row.system for row in rows if row.system in counting and (row.proves or row.id in waived)
    }
    if rows and not rules.release and not proving:
        yield "no scenario that counts for the release holds"
    for system in rules.release:
        if system not in proving:
            yield f"nothing holds for {system}, which the release contains"


def _status_of(run: Mapping[str, Any] | None) -> int:
    status = (run or {}).get("exit_status")
    return status if isinstance(status, int) and status in _BY_PYTEST else NO_EVIDENCE


def _all_hold(rows: list[Row], counting: set[str]) -> str:
    held = sum(row.proves and row.system in counting for row in rows)
    holds = "HOLDS" if held == 1 else "HOLD"
    told = f"{_count(held, 'scenario')} of the release {holds}, each after an exhausted search"
    conditions = _conditions(rows, counting)
    return f"{told}, while {' and '.join(conditions)}" if conditions else told


def _rested_on(rows: list[Row], counting: set[str], waivers: list[Waiver]) -> list[Row]:
    """Return the proofs of the release, and of the workarounds that were needed."""
    checks = [row for one in waivers for row in named(rows, one.issue.workaround_checked_by)]
    return [row for row in rows if row.proves and (row.system in counting or row in checks)]


def _conditions(rows: list[Row], counting: set[str]) -> tuple[str, ...]:
    """Return the assumptions about production of the proofs of the release."""
    proofs = [row for row in rows if row.proves and row.system in counting]
    return tuple(dict.fromkeys(str(row.assumption) for row in proofs if row.assumption))


def _in_words(waiver: Waiver) -> str:
    issue = waiver.issue
    often = f", renewed {_count(waiver.renewals, 'time')}" if waiver.renewals else ""
    return (
        f"{issue.id} covers {', '.join(waiver.scenarios)} until {issue.expires}{often}; its "
        f"workaround HOLDS in {issue.workaround_checked_by}"
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
