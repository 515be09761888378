"""Every combination that the gate may meet: its verdict, its exit status, its reason."""

import copy
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from pytest_supercache.gate.evidence import MALFORMED, rows_of
from pytest_supercache.gate.policy import GateVerdict, counted_scenarios, decide
from pytest_supercache.gate.rules import Rules
from tests.unit.gate.runs import OTHER, TODAY, document, judge, row, waiver

FOUND = row("S[shop]", "violated")
WORKS = row("W[off]", assumption="no operation pauses 500 ms or more")
HELD = row("S[shop]")
DOCUMENTED = row("S[naive]", "violated", stated="violated")

GO, WITH, NO_GO, NONE = ("GO", 0), ("GO WITH KNOWN WORKAROUND", 0), ("NO-GO", 1), ("NO VERDICT", 6)

Case = tuple[list[Any], dict[str, Any], tuple[str, int], str]

CASES: dict[str, Case] = {
    # -- conflicts and waivers
    "everything holds": ([HELD], {}, GO, "1 scenario of the release HOLD"),
    "new conflict": ([FOUND, WORKS], {}, NO_GO, "nobody has waived it"),
    "known in force": ([FOUND, WORKS], {"issues": (waiver(),)}, WITH, "KI-1 covers S[shop]"),
    "another conflict in the same scenario": (
        [row("S[shop]", "violated", fingerprint=OTHER), WORKS], {"issues": (waiver(),)},
        NO_GO, "nobody has waived it"),
    "a conflict without fingerprint": (
        [row("S[shop]", "violated", fingerprint=None), WORKS], {"issues": (waiver(),)},
        NO_GO, "nobody has waived it"),
    "one waived and one new": (
        [FOUND, row("T[shop]", "violated", fingerprint=OTHER), WORKS], {"issues": (waiver(),)},
        NO_GO, "T[shop]"),
    "last day but one": (
        [FOUND, WORKS], {"issues": (waiver(expires=date(2026, 3, 11)),)}, WITH, "KI-1"),
    "last day": ([FOUND, WORKS], {"issues": (waiver(expires=TODAY),)}, WITH, "KI-1"),
    "expired yesterday": (
        [FOUND, WORKS], {"issues": (waiver(expires=date(2026, 3, 9)),)},
        NO_GO, "KI-1 expired on 2026-03-09"),
    "first day": ([FOUND, WORKS], {"issues": (waiver(opened=TODAY),)}, WITH, "KI-1"),
    "not yet valid": (
        [FOUND, WORKS], {"issues": (waiver(opened=date(2026, 3, 11)),)},
        NO_GO, "KI-1 is not valid before 2026-03-11"),
    "expired and renewed": (
        [FOUND, WORKS],
        {"issues": (waiver(id="KI-0", opened=date(2026, 2, 1), expires=date(2026, 2, 28)),
                    waiver())},
        WITH, "renewed 1 time"),
    "waived for one of the two systems that show it": (
        [FOUND, row("S[till]", "violated"), WORKS], {"issues": (waiver(),)},
        NO_GO, "KI-1 does not name the system till"),
    "waived for both systems that show it": (
        [FOUND, row("S[till]", "violated"), WORKS], {"issues": (waiver(systems=("shop", "till")),)},
        WITH, "KI-1 covers S[shop], S[till]"),
    # -- the check of the workaround
    "workaround not run": (
        [FOUND, HELD], {"issues": (waiver(),)}, NO_GO, "its workaround (W[off]) was not run"),
    "workaround VIOLATED": (
        [FOUND, row("W[off]", "violated", fingerprint=OTHER)], {"issues": (waiver(),)},
        NO_GO, "W[off], is VIOLATED"),
    "workaround VIOLATED and documented": (
        [FOUND, row("W[off]", "violated", stated="violated")], {"issues": (waiver(),)},
        NO_GO, "W[off], is VIOLATED"),
    "workaround UNKNOWN": (
        [FOUND, row("W[off]", "unknown")], {"issues": (waiver(),)}, NO_GO, "W[off], is UNKNOWN"),
    "workaround UNKNOWN below the minimum": (
        [FOUND, row("W[off]", "unknown", severity="trivial")],
        {"issues": (waiver(),), "minimum_severity": "normal"}, NO_GO, "W[off], is UNKNOWN"),
    "workaround holds without exhausting": (
        [FOUND, row("W[off]", exhausted=False)], {"issues": (waiver(),)}, NO_GO, "is UNKNOWN"),
    "one of two runs of the workaround": (
        [FOUND, row("W[off-warm]"), row("W[off-cold]", "unknown")],
        {"issues": (waiver(workaround_checked_by="W"),)}, NO_GO, "W[off-cold], is UNKNOWN"),
    "all runs of the workaround": (
        [FOUND, row("W[off-warm]"), row("W[off-cold]")],
        {"issues": (waiver(workaround_checked_by="W"),)}, WITH, "HOLDS in W"),
    "a scenario with a longer name is no check": (
        [FOUND, row("W2[off]")], {"issues": (waiver(workaround_checked_by="W"),)},
        NO_GO, "was not run"),
    # -- fixed
    "fixed": ([HELD, WORKS], {"issues": (waiver(),)}, GO, "HOLD"),
    "fixed after it expired": (
        [HELD, WORKS], {"issues": (waiver(expires=date(2026, 3, 2)),)}, GO, "HOLD"),
    "fixed and still stated": ([row("S[shop]", stated="violated")], {"release": ("shop",)},
                               NONE, "S[shop] states VIOLATED and HOLDS"),
    "fixed elsewhere and still stated": ([HELD, row("S[naive]", stated="violated")], {},
                                         NONE, "S[naive] states VIOLATED and HOLDS"),
    "no operation": ([row("S[shop]", scope={"operations": 0})], {},
                     NONE, "S[shop] is UNKNOWN: no operation reached the system"),
    "a test that races memory needs none": (
        [row("test_it", system="", scope={"operations": 0})], {},
        GO, "1 scenario"),
    "a test in which nothing happens": (
        [row("test_it", system="", scope={"operations": 0, "reaches": "nothing"})], {},
        NONE, "test_it is UNKNOWN: its actors touched no layer"),
    "a test in which nothing happens, by an older version": (
        [row("test_it", system="", scope={"operations": 0, "idle": 1})], {},
        NONE, "test_it is UNKNOWN: its actors touched no layer"),
    "a test that comes to locks only": (
        [row("test_it", system="", scope={"operations": 0, "reaches": "locks"})], {},
        GO, "1 scenario"),
    "a scenario that comes to locks only": (
        [row("S[shop]", scope={"operations": 2, "reaches": "locks", "given": 0})], {},
        NONE, "S[shop] is UNKNOWN: its operations came to no layer and wrote nothing"),
    "a scenario that only reads its memory": (
        [row("S[shop]", scope={"operations": 2, "reaches": "memory that is only read"})], {},
        NONE, "S[shop] is UNKNOWN: its operations came to no layer and wrote nothing"),
    "a scenario of memory": (
        [row("S[shop]", scope={"operations": 2, "reaches": "memory", "given": 0})], {},
        GO, "1 scenario"),
    "a scenario of memory that says what layers hold": (
        [row("S[shop]", scope={"operations": 2, "reaches": "memory", "given": 1})], {},
        NONE, "S[shop] is UNKNOWN: its operations came to no layer, although the file says"),
    # -- which systems count
    "stated violated on a release system": (
        [row("S[shop]", "violated", stated="violated"), row("T[shop]")], {"release": ("shop",)},
        NO_GO, "nobody has waived it"),
    "stated violated on a release system, waived": (
        [row("S[shop]", "violated", stated="violated"), WORKS],
        {"release": ("shop",), "issues": (waiver(),)}, WITH, "KI-1"),
    "stated violated elsewhere": ([HELD, DOCUMENTED], {"release": ("shop",)}, GO, "1 scenario"),
    "stated violated, release not set": ([HELD, DOCUMENTED], {}, GO, "1 scenario"),
    "the wrong class elsewhere": (
        [HELD, {**DOCUMENTED, "as_stated": False}], {"release": ("shop",)}, NO_GO, "S[naive]"),
    "nothing but documented conflicts": ([DOCUMENTED], {}, NONE, "no scenario that counts"),
    "a system with a documented conflict proves nothing": (
        [row("S[naive]", "violated", stated="violated"), row("T[naive]")], {},
        NONE, "no scenario that counts"),
    "nothing for a release system": (
        [HELD], {"release": ("shop", "till")}, NONE, "nothing holds for till"),
    "others are no evidence": ([WORKS], {"release": ("shop",)}, NONE, "nothing holds for shop"),
    "a test without system is no evidence": (
        [row("test_it", system="")], {"release": ("shop",)}, NONE, "nothing holds for shop"),
    "a test without system counts when it fails": (
        [HELD, row("test_it", "violated", system="")], {"release": ("shop",)}, NO_GO, "test_it"),
    # -- undecided
    "UNKNOWN": ([HELD, row("T[shop]", "unknown")], {}, NONE, "T[shop] is UNKNOWN: the budget"),
    "UNKNOWN only": ([row("S[shop]", "unknown")], {}, NONE, "S[shop] is UNKNOWN"),
    "UNKNOWN though stated": (
        [HELD, row("S[naive]", "unknown", stated="violated")], {}, NONE, "S[naive] is UNKNOWN"),
    "a verdict that nobody knows": ([row("S[shop]", "fine")], {}, NONE, "S[shop] is UNKNOWN"),
    "HOLDS without exhausting": (
        [row("S[shop]", exhausted=False)], {}, NONE, "without an exhausted search"),
    "HOLDS with a counterexample": (
        [{**FOUND, "verdict": "holds", "exhausted": True, "as_stated": True}], {},
        NONE, "S[shop] is UNKNOWN: HOLDS with a counterexample contradicts itself"),
    "HOLDS with violating executions": (
        [row("S[shop]", violating=1)], {}, NONE, "contradicts itself"),
    "UNKNOWN beside a waiver in force": (
        [FOUND, WORKS, row("T[shop]", "unknown")], {"issues": (waiver(),)}, NONE, "T[shop]"),
    "UNKNOWN beside a new conflict": ([FOUND, row("T[shop]", "unknown")], {}, NO_GO, "S[shop]"),
    # -- severity
    "below the minimum": (
        [HELD, row("T[shop]", "violated", severity="minor")], {"minimum_severity": "normal"},
        GO, "1 scenario"),
    "at the minimum": (
        [HELD, row("T[shop]", "violated", severity="normal")], {"minimum_severity": "normal"},
        NO_GO, "T[shop]"),
    "without severity": (
        [HELD, row("T[shop]", "violated")], {"minimum_severity": "blocker"}, NO_GO, "T[shop]"),
    "below the minimum is no evidence": (
        [row("T[shop]", "violated", severity="minor")], {"minimum_severity": "normal"},
        NONE, "no scenario that counts"),
    "below the minimum, stated and gone": (
        [HELD, row("T[shop]", stated="violated", severity="minor")],
        {"minimum_severity": "normal", "release": ("shop",)}, GO, "1 scenario"),
    "below the minimum, stated and gone, is no evidence": (
        [row("T[shop]", stated="violated", severity="minor")],
        {"minimum_severity": "normal", "release": ("shop",)}, NONE, "nothing holds for shop"),
    "a check of a workaround that states a conflict which is gone": (
        [FOUND, row("W[off]", stated="violated", severity="minor")],
        {"issues": (waiver(),), "minimum_severity": "normal", "release": ("shop",)},
        NO_GO, "W[off], states VIOLATED and HOLDS"),
    # -- the run
    "empty": ([], {"exit_status": 5}, ("NO VERDICT", 5), "pytest ran no test"),
    "only ordinary tests": ([], {}, NONE, "no scenario was run"),
    "-k that deselects everything": (
        [], {"exit_status": 5, "deselected": 9}, ("NO VERDICT", 5), "pytest ran no test"),
    "fewer than the lock": (
        [HELD], {"lock": {"S[shop]": True, "T[shop]": True}}, NONE, "T[shop] is in gate.lock"),
    "as in the lock": ([HELD], {"lock": {"S[shop]": True}}, GO, "HOLD"),
    "more than the lock": ([HELD, row("T[shop]")], {"lock": {"S[shop]": True}}, GO, "2 scenarios"),
    "restated so that it no longer counts": (
        [HELD, DOCUMENTED], {"lock": {"S[shop]": True, "S[naive]": True}},
        NONE, "S[naive] counts in gate.lock"),
    "collection error": ([HELD], {"exit_status": 2}, ("NO VERDICT", 2), "collecting it failed"),
    "Ctrl-C": ([HELD], {"exit_status": 2}, ("NO VERDICT", 2), "interrupted"),
    "Ctrl-C after a conflict": ([FOUND], {"exit_status": 2}, NO_GO, "nobody has waived it"),
    "internal error": ([HELD], {"exit_status": 3}, ("NO VERDICT", 3), "internal error"),
    "usage error": ([HELD], {"exit_status": 4}, ("NO VERDICT", 4), "called wrongly"),
    "a status of another plugin": ([HELD], {"exit_status": 11}, NONE, "status 11"),
    "crash of a worker": (
        [HELD], {"exit_status": 1, "crashed": ["T[shop]"]}, NONE, "T[shop] was running when"),
    "a worker ran another project": (
        [HELD], {"elsewhere": ["gw0 (/copy)"]}, NONE, "gw0 (/copy) is a worker that ran in the"),
    "broken file": ([HELD], {"exit_status": 1, "broken": ["story"]}, NONE, "story could not be"),
    "skipped": ([HELD], {"skipped": ["T[shop]"]}, NONE, "T[shop] was skipped"),
    "stopped by -x beside a waiver": (
        [FOUND, WORKS], {"issues": (waiver(),), "stopped": "stopping after 1 failures"},
        NONE, "stopped before its end"),
    "an ordinary test failed": (
        [HELD], {"exit_status": 1, "failed": ["test_a.py::test"]}, NO_GO, "test_a.py::test failed"),
    "an ordinary test failed beside a waiver": (
        [FOUND, WORKS], {"issues": (waiver(),), "failed": ["t"]}, NO_GO, "the test t failed"),
    "something else failed": ([HELD], {"exit_status": 1, "unexplained": 1}, NONE, "neither"),
    "pytest failed and nothing says why": (
        [HELD], {"exit_status": 1}, NONE, "pytest ended with 1 and nothing in it failed"),
    "a run that is no table": ([HELD], {"finished": 1}, NONE, "did not finish"),
    "killed in the middle": ([HELD], {"finished": False}, NONE, "did not finish"),
    "replay": ([HELD], {"replay": True}, NONE, "no evidence"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_gate_says(name: str) -> None:
    rows, more, (verdict, status), reason = CASES[name]
    decision = judge(*rows, **more)
    assert (decision.verdict.value, decision.exit_status) == (verdict, status), decision.reasons
    assert reason in "\n".join(decision.reasons)


def test_no_combination_of_a_run_gives_exit_status_0_without_evidence() -> None:
    """Whatever is left out of a document that says GO, what remains is not one by accident."""
    whole = document(HELD)
    for name in ("scenarios", "run"):
        left = {key: value for key, value in whole.items() if key != name}
        assert decide(left, Rules(today=TODAY)).exit_status != 0, name
    for name in ("verdict", "exhausted"):
        bare = {key: value for key, value in HELD.items() if key != name}
        assert judge(bare).exit_status != 0, name
    for name in ("finished", "exit_status"):
        assert judge(HELD, **{name: None}).exit_status != 0, name


def test_a_document_with_fewer_rows_than_it_counts_is_no_evidence() -> None:
    whole = document(HELD, row("T[shop]"))
    counted = {**whole, "counts": {"holds": 2, "violated": 0, "unknown": 0}}
    assert decide(counted, Rules(today=TODAY)).exit_status == 0
    edited = {**counted, "scenarios": whole["scenarios"][:1]}
    decision = decide(edited, Rules(today=TODAY))
    assert (decision.verdict.value, decision.exit_status) == NONE
    assert decision.reasons == ("verdict.json contradicts itself: it counts 2 HOLDS and has 1",)


JUNK: tuple[Any, ...] = (None, True, 0, 7, "", "holds", [], ["x"], {}, {"x": 1})
BAD = {
    "NO-GO": document(FOUND, WORKS),
    "NO VERDICT": document(HELD, row("T[shop]", "unknown")),
}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where each value of a document is."""
    if path:
        yield path
    pairs: Any = ()
    if isinstance(value, dict):
        pairs = value.items()
    elif isinstance(value, list):
        pairs = enumerate(value)
    for key, member in pairs:
        yield from places(member, (*path, key))


@pytest.mark.parametrize("verdict", BAD)
def test_no_single_edit_of_a_document_makes_it_a_go(verdict: str) -> None:
    """Forged by hand in one place, whatever it then says, it says no GO and nothing breaks."""
    for path in places(BAD[verdict]):
        for junk in JUNK:
            forged = copy.deepcopy(BAD[verdict])
            *most, last = path
            holder: Any = forged
            for key in most:
                holder = holder[key]
            holder[last] = junk
            try:
                decision = decide(forged, Rules(today=TODAY))
            except MALFORMED:
                continue
            assert decision.exit_status != 0, (path, junk)


def test_python_tests_of_one_name_are_two_in_the_lock() -> None:
    tests = [row("test_it", system="", node_id=f"{file}::test_it") for file in ("a.py", "b.py")]
    scenarios = counted_scenarios(rows_of(document(HELD, *tests)), ())
    assert scenarios == {"S[shop]": True, "a.py::test_it": True, "b.py::test_it": True}
    assert judge(HELD, tests[0], lock=scenarios).reasons == (
        "b.py::test_it is in gate.lock and was not run",
    )


def test_the_conditions_of_a_workaround_are_part_of_the_verdict() -> None:
    decision = judge(FOUND, WORKS, issues=(waiver(),))
    assert decision.assumptions == ("no operation pauses 500 ms or more",)
    assert decision.until == date(2026, 3, 20)
    assert decision.waivers[0].days_left == 10
    without = judge(FOUND, row("W[off]"), issues=(waiver(),))
    assert without.assumptions == ()


def test_the_date_of_the_verdict_is_that_of_the_waiver_that_ends_first() -> None:
    other = waiver(id="KI-2", match=OTHER, expires=date(2026, 3, 12))
    second = row("T[shop]", "violated", fingerprint=OTHER)
    decision = judge(FOUND, second, WORKS, issues=(waiver(), other))
    assert decision.until == date(2026, 3, 12)
    assert any("KI-2 expires in 2 days" in note for note in decision.notes)
    assert not any("KI-1 expires" in note for note in decision.notes)


def test_the_same_conflict_in_two_scenarios_is_one_reason() -> None:
    decision = judge(FOUND, row("T[shop]", "violated"))
    assert decision.verdict is GateVerdict.NO_GO
    assert len(decision.reasons) == 1
    assert decision.reasons[0].startswith("S[shop], T[shop]: coherent_when_settled (stale-set)")


LOCK = {"S[shop]": True}
OTHER_DOCUMENTED = row("S[naive]", "violated", stated="violated", fingerprint=OTHER)
STATED = "KI-1 still occurs in S[naive], as stated there"
NOT_SEEN = "KI-1 was not seen; that is no proof: not everything was run and searched to the end"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([HELD, WORKS], "KI-1 no longer occurs and every search was exhausted: fixed, close it"),
        ([HELD, OTHER_DOCUMENTED], "KI-1 no longer occurs"),
        ([HELD, DOCUMENTED], STATED),
        ([HELD, DOCUMENTED, row("T[shop]", "unknown")], STATED),
        ([HELD, row("T[shop]", "unknown")], NOT_SEEN),
    ],
)
def test_a_known_issue_that_was_not_seen_is_fixed_only_when_all_was_searched(
    rows: list[Any], said: str
) -> None:
    decision = judge(*rows, issues=(waiver(),), lock=LOCK)
    assert any(said in note for note in decision.notes)
    assert decision.fixed == (() if said in {NOT_SEEN, STATED} else ("KI-1",))


@pytest.mark.parametrize(
    "more",
    [
        {"deselected": 1},
        {"overriding": ["--supercache-faults=0"]},
        {"narrowed_by": ["supercache_ticks = 0"]},
        {"lock": {"S[shop]": True, "T[shop]": True}},
        {"lock": None},
    ],
)
def test_a_known_issue_is_not_called_fixed_by_a_run_of_a_part(more: dict[str, Any]) -> None:
    decision = judge(HELD, issues=(waiver(),), **{"lock": LOCK, **more})
    assert decision.fixed == ()
    assert decision.notes == (NOT_SEEN,)


@pytest.mark.parametrize("scope", [{"memory": "declared"}, {"declared atomic": "Counter.n"}])
def test_a_known_issue_is_not_called_fixed_by_a_search_of_less_memory(
    scope: dict[str, str],
) -> None:
    less = {**HELD, "scope": {**HELD["scope"], **scope}}
    assert judge(less, issues=(waiver(),), lock=LOCK).notes == (NOT_SEEN,)


NOT_RUN = (
    "KI-1 was not seen; that is no proof: the flow in which it was found (flow of S[shop]) was not "
    "run: its scenario is gone, or has other steps, guarantees or bounds now"
)
PYTHON = row("test_it", system="")
ALONE = {"flows": ("flow of test_it",), "systems": ()}


@pytest.mark.parametrize(
    ("rows", "more", "said"),
    [
        ([row("R[shop]", flow=HELD["flow"])], {}, None),  # under another name
        ([HELD, PYTHON], ALONE, None),
        ([HELD, row("T[shop]")], {"flows": ("flow of S[shop]", "flow of T[shop]")}, None),
        ([HELD], {"flows": ()}, "its entry does not say in which flows it was found"),
        ([row("S[shop]", flow={"digest": "another"})], {}, NOT_RUN),
        ([row("S[shop]", flow=None)], {}, NOT_RUN),
        ([row("T[shop]")], {}, NOT_RUN),
        ([HELD], {"flows": ("flow of S[shop]", "flow of T[shop]")}, "(flow of T[shop]) was not"),
        ([HELD, {**PYTHON, "scope": {"memory": "declared"}}], ALONE, "test_it does not hold with"),
        ([HELD, row("test_it", "unknown", system="")], ALONE, NOT_SEEN),
    ],
)
def test_a_known_issue_is_fixed_only_when_the_flows_that_showed_it_were_searched_again(
    rows: list[Any], more: dict[str, Any], said: str | None
) -> None:
    """Python tests do not count for a release of systems, and are looked at here all the same."""
    lock = {str(one["id"]): True for one in rows if one["system"]}
    decision = judge(*rows, issues=(waiver(**more),), lock=lock, release=("shop",))
    assert decision.fixed == (() if said else ("KI-1",))
    assert (said or "fixed, close it") in decision.notes[0]


def test_a_conflict_that_still_occurs_is_not_called_fixed() -> None:
    assert judge(FOUND, WORKS, issues=(waiver(),)).notes == ()


SLOW = "no operation pauses 100 ms or more"


def test_a_go_names_the_condition_that_it_rests_on() -> None:
    decision = judge(HELD, row("T[shop]", assumption=SLOW))
    assert decision.reasons == (
        f"2 scenarios of the release HOLD, each after an exhausted search, while {SLOW}",
    )
    assert decision.assumptions == (SLOW,)
    elsewhere = judge(HELD, row("T[off]", assumption=SLOW), release=("shop",))
    assert (elsewhere.verdict, elsewhere.assumptions) == (GateVerdict.GO, ())
    assert "while" not in elsewhere.reasons[0]


def test_a_workaround_does_not_hide_the_condition_of_what_else_holds() -> None:
    rows = [FOUND, WORKS, row("T[shop]", assumption=SLOW)]
    decision = judge(*rows, issues=(waiver(),))
    assert decision.assumptions == ("no operation pauses 500 ms or more", SLOW)
    assert judge(*rows).assumptions == ()  # NO-GO: nothing rests on anything
