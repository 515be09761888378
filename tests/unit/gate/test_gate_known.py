"""known-issues.toml: a waiver is whole, or the file says where it is not."""

from datetime import date, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.gate.draft import draft_entry, lint
from pytest_supercache.gate.known import FIELDS, KnownIssuesError, read_known_issues
from pytest_supercache.gate.lock import GateLock, read_lock, write_lock
from pytest_supercache.gate.project import read_day, read_rules
from pytest_supercache.gate.workaround_checks import unchecked
from tests.unit.gate.runs import CONFLICT, OTHER, TODAY, document, row, waiver

ENTRY = """\
[[known]]
id = "KI-1"
match = "c0ffee000001"
workaround = "set cache.l1=off"
workaround_checked_by = "W[off]"
owner = "karim"
approved_by = "betty"
opened = 2026-03-01
expires = 2026-03-20
permanent_fix = "CACHE-401"
systems = ["shop"]
flows = ["flow of S[shop]"]
"""


def test_an_entry_with_every_field_is_a_waiver() -> None:
    assert read_known_issues(ENTRY) == (waiver(line=1),)
    assert read_known_issues("# none\n") == ()


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_is_required(name: str) -> None:
    lines = [line for line in ENTRY.splitlines() if not line.startswith(f"{name} ")]
    with pytest.raises(KnownIssuesError, match=rf":1: .*required and missing: {name}$"):
        read_known_issues("\n".join(lines))


def test_an_entry_may_leave_out_in_which_flows_it_was_found() -> None:
    (issue,) = read_known_issues(ENTRY.replace('flows = ["flow of S[shop]"]\n', ""))
    assert issue.flows == ()


def test_a_permanent_fix_may_name_ticket_and_plan() -> None:
    text = ENTRY.replace('"CACHE-401"', '{issue = "CACHE-401", planned = 2026-04-01}')
    assert read_known_issues(text)[0].permanent_fix == "issue CACHE-401, planned 2026-04-01"


MISTAKES = {
    "unknown field": ('owner = "karim"', 'ownr = "karim"', r":6: 'ownr' .* mean 'owner'"),
    "field of nothing known": ('owner = "karim"', "zzz = 1", r":6: 'zzz' .*; known: id, match"),
    "empty text": ('"betty"', '" "', r":7: approved_by =  : expected a text"),
    "invisible letters": ('"betty"', r'"\u3164\uffa0"', r":7: approved_by = .*: expected a text"),
    "invisible text": ('"betty"', r'"\u200b"', r":7: approved_by = .*: expected a text"),
    "a blank of Braille": ('"betty"', r'"\u2800"', r":7: approved_by = .*: expected a text"),
    "a dash": ('"betty"', '"-"', r":7: approved_by = -: expected a text"),
    "left to do in small letters": ('"betty"', '"todo"', r":7: .* somebody has to fill this in"),
    "a plan without a ticket": (
        '"CACHE-401"', "{planned = 2026-04-01}", r":10: permanent_fix = .*: expected {issue = ",
    ),
    "an invisible ticket": (
        '"CACHE-401"', r'{issue = "\u200b"}', r":10: permanent_fix = .*: expected {issue = ",
    ),
    "a number": ('"betty"', "7", r":7: approved_by = 7: expected a text"),
    "left to do": ('"betty"', '"TODO(approver): who?"', r":7: .* somebody has to fill this in"),
    "quoted date": ("2026-03-20", '"2026-03-20"', r":9: expires = .*without quotes"),
    "date with time": ("2026-03-20", "2026-03-20T00:00:00", r":9: expires = .*expected a date"),
    "ends before it begins": ("2026-03-20", "2026-02-28", r":9: .*before it was opened"),
    "31 days": ("2026-03-20", "2026-04-01", r":9: .*: 31 days after .*30 are allowed"),
    "a system as text": ('["shop"]', '"shop"', r":11: systems = shop: expected names of systems"),
    "an empty system": ('["shop"]', '["shop", ""]', r":11: systems = .*expected names of systems"),
    "empty plan": ('"CACHE-401"', "{}", r":10: permanent_fix .*issue"),
    "other table": ("[[known]]", '[other]\n[[known]]', r":1: 'other' is not known"),
    "not TOML": ('"betty"', "betty", r":7:\d+: "),
    "not a list of tables": ("[[known]]", "[known]", r"expected \[\[known\]\] tables"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_with_its_line(name: str) -> None:
    old, new, said = MISTAKES[name]
    with pytest.raises(KnownIssuesError, match=said):
        read_known_issues(ENTRY.replace(old, new))


@pytest.mark.parametrize("name", ["Бетти", "贝蒂", "b", "todo-team", "7"])
def test_whoever_approves_has_a_name_in_any_script(name: str) -> None:
    assert read_known_issues(ENTRY.replace('"betty"', f'"{name}"'))[0].approved_by == name


def test_thirty_days_are_allowed() -> None:
    assert len(read_known_issues(ENTRY.replace("2026-03-20", "2026-03-31"))) == 1


def test_every_mistake_of_every_entry_is_told_at_once() -> None:
    two = ENTRY.replace("karim", "TODO") + "\n" + ENTRY.replace('"betty"', "1")
    with pytest.raises(KnownIssuesError) as told:
        read_known_issues(two, "k.toml")
    assert [line.partition(" ")[0] for line in str(told.value).splitlines()] == [
        "k.toml:6:",
        "k.toml:20:",
    ]


def test_an_id_is_there_once() -> None:
    with pytest.raises(KnownIssuesError, match=r":14: id = KI-1: taken by the entry in line 1"):
        read_known_issues(f"{ENTRY}\n{ENTRY}")


def test_a_draft_is_refused_until_people_have_filled_it_in() -> None:
    draft = draft_entry(row('S["\\shop]', "violated"), TODAY)
    with pytest.raises(KnownIssuesError) as told:
        read_known_issues(draft)
    assert str(told.value).count("somebody has to fill this in") == 5
    (issue,) = read_known_issues(draft.replace("TODO", "done"))
    assert (issue.match, issue.opened) == (CONFLICT, TODAY)
    assert issue.expires - issue.opened == timedelta(days=14)


@pytest.mark.parametrize(
    ("links", "before", "name"),
    [
        ({}, "", "KI-1"),
        ({}, ENTRY, "KI-2"),
        ({}, ENTRY.replace("KI-1", "KI-2"), "KI-1"),
        ({"issue": "CACHE-412"}, ENTRY, "CACHE-412"),
        ({"issue": "CACHE-412"}, ENTRY.replace("KI-1", "CACHE-412"), "KI-1"),
    ],
)
def test_a_draft_has_an_id_of_its_own(links: dict[str, str], before: str, name: str) -> None:
    draft = draft_entry(row("S[shop]", "violated", links=links), TODAY, before)
    assert f'\nid = "{name}"\n' in draft


def test_check_finds_stale_and_overlapping_entries() -> None:
    old = waiver(id="KI-0", opened=date(2026, 2, 1), expires=date(2026, 3, 5), line=3)
    other = waiver(id="KI-2", match=OTHER, opened=date(2026, 2, 1), expires=date(2026, 3, 9))
    problems, _ = lint([old, waiver(line=20), other], TODAY)
    assert problems[0].startswith("line 0: KI-2 expired on 2026-03-09; fix it, renew it")
    assert problems[1:] == [
        "line 20: KI-1 and KI-0 (line 3) waive the same conflict on the same days"
    ]


def test_check_has_nothing_against_a_renewal() -> None:
    old = waiver(id="KI-0", opened=date(2026, 2, 1), expires=date(2026, 2, 28))
    assert lint([old, waiver()], TODAY) == ([], [])


def test_check_shows_the_second_renewal_and_a_near_end() -> None:
    first = waiver(id="KI-0", opened=date(2026, 1, 1), expires=date(2026, 1, 9))
    second = waiver(id="KI-00", opened=date(2026, 2, 1), expires=date(2026, 2, 9))
    problems, notes = lint([first, second, waiver(expires=date(2026, 3, 17))], TODAY)
    assert problems == []
    assert "KI-1 expires in 7 days" in notes[0]
    assert "KI-1 is renewal 2 of the same conflict" in notes[1]


@pytest.mark.parametrize(
    ("checks", "run", "problems", "notes"),
    [
        ([row("W[off]")], {}, [], []),
        (
            [row("W[on]")],
            {},
            ["the last run has no item workaround_checked_by = 'W[off]'; did"],
            [],
        ),
        ([row("W[on]")], {"deselected": 1}, [], ["the last run has no item workaround_checked_by"]),
        (
            [row("W[off]", "violated")],
            {},
            ["it has no force: the check of its workaround, W[off]"],
            [],
        ),
        ([row("W[off]", "unknown")], {"deselected": 1}, ["it has no force: "], []),
        ([], {}, [], []),
    ],
)
def test_check_looks_for_the_check_of_the_workaround_in_the_last_run(
    checks: list[Any], run: dict[str, Any], problems: list[str], notes: list[str]
) -> None:
    """Without a run, and of an entry that has expired, nothing is said."""
    for found, wanted in zip(
        unchecked([waiver()], document(*checks, **run), TODAY), (problems, notes), strict=True
    ):
        assert len(found) == len(wanted)
        for line, start in zip(found, wanted, strict=True):
            assert line.startswith(f"line 0: KI-1: {start}")
    expired = waiver(expires=date(2026, 3, 9))
    assert unchecked([expired], document(*checks, **run), TODAY) == ([], [])


def test_a_lock_reads_as_it_was_written() -> None:
    lock = GateLock(
        scenarios={"S[shop]": True, "S[naive]": False}, paths=("more", "scenarios of us")
    )
    text = write_lock(lock)
    assert read_lock(text) == lock
    assert text.splitlines()[2:] == [
        "path more", "path scenarios of us", "documented S[naive]", "counts S[shop]"
    ]  # fmt: skip


def locked(scenarios: dict[str, bool]) -> GateLock:
    return GateLock(scenarios=scenarios, paths=(".",))


def test_a_lock_that_was_cut_at_a_line_end_is_refused() -> None:
    lines = write_lock(locked({"S": True, "T": True, "U[shop]": False})).splitlines(keepends=True)
    assert read_lock("".join([*lines[:2], *reversed(lines[2:])])), "order does not matter"
    for left in range(len(lines)):
        for cut in (lines[:left], lines[left + 1 :], lines[:left] + lines[left + 1 :]):
            if cut == lines[1:]:  # the comment is for people
                continue
            with pytest.raises(SupercacheError, match="supercache verdict --lock"):
                read_lock("".join(cut))


def test_a_lock_that_counts_another_scenario_than_was_written_is_refused() -> None:
    text = write_lock(locked({"S": True, "T": False}))
    for other in (("counts S", "documented S"), ("path .", "path scenarios")):
        with pytest.raises(SupercacheError, match="not those that were written"):
            read_lock(text.replace(*other))


def test_a_lock_that_does_not_say_which_paths_it_is_about_is_refused() -> None:
    """As the ones of older versions."""
    with pytest.raises(SupercacheError, match="which paths it is about; write it anew"):
        read_lock(write_lock(GateLock(scenarios={"S": True})))


def test_a_link_to_nothing_is_no_file_that_is_missing(tmp_path: Path) -> None:
    (tmp_path / "gate.lock").symlink_to(tmp_path / "nothing")
    rules = read_rules(tmp_path, {}, TODAY)
    assert "gate.lock is a link to nothing" in (rules.lock_fault or "")
    assert rules.lock_digest
    (tmp_path / "known-issues.toml").symlink_to(tmp_path / "nothing")
    with pytest.raises(SupercacheError, match=r"known-issues\.toml is a link to nothing"):
        read_rules(tmp_path, {}, TODAY)


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "perhaps S\n", "counts \n", "counts S\n", "path \n", "path .\n"]
)
def test_a_lock_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(SupercacheError, match="supercache verdict --lock"):
        read_lock(text)


def test_a_lock_that_names_a_scenario_twice_is_refused() -> None:
    with pytest.raises(SupercacheError, match=r"gate\.lock:3: S is there twice"):
        read_lock("counts S\n\ndocumented S\n")


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_files_may_begin_with_a_byte_order_mark(
    mark: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("root")
    fix = "Größe prüfen, 価格, \N{TELEPHONE RECEIVER}"
    (root / "known-issues.toml").write_text(mark + ENTRY.replace("CACHE-401", fix), "utf-8")
    (root / "gate.lock").write_text(f"{mark}{write_lock(locked({'Größe[shop]': True}))}", "utf-8")
    rules = read_rules(root, {}, TODAY)
    assert [issue.permanent_fix for issue in rules.issues] == [fix]
    assert rules.lock == {"Größe[shop]": True}


WRONG_TYPES = ("1", "true", "[]", "1.5", "{}", "[{}]", "12:00:00", '""', "nan")
EMPTY = {("systems", "[]"), ("flows", "[]")}  # a test in Python has no system


@pytest.mark.parametrize(
    ("name", "value"), sorted({*product([*FIELDS, "flows"], WRONG_TYPES)} - EMPTY)
)
def test_a_field_of_a_wrong_type_is_told_and_nothing_breaks(name: str, value: str) -> None:
    lines = [f"{name} = {value}" if x.startswith(f"{name} ") else x for x in ENTRY.splitlines()]
    with pytest.raises(KnownIssuesError, match=rf"^known-issues\.toml:\d+: {name} "):
        read_known_issues("\n".join(lines))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"release": "shop"}, "expected names of systems"),
        ({"release": [1]}, "expected names of systems"),
        ({"minimum_severity": "high"}, "expected one of blocker, critical, normal"),
        ({"known_issues": "none.toml"}, "there is no none.toml"),
    ],
)
def test_wrong_settings_are_told(
    table: dict[str, object], said: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with pytest.raises(SupercacheError, match=said):
        read_rules(tmp_path_factory.mktemp("root"), table, TODAY)


def test_a_day_is_a_date() -> None:
    assert read_day("2026-12-15") == date(2026, 12, 15)
    with pytest.raises(SupercacheError, match="expected a date as in 2026-12-15"):
        read_day("tomorrow")


def test_a_lock_whose_name_has_other_letters_is_no_missing_lock(tmp_path: Path) -> None:
    """The twin: a file of another name. Where letters are equal to the file system, it is read."""
    (tmp_path / "gate.locks").touch()
    assert read_rules(tmp_path, {}, TODAY).lock_fault is None
    (tmp_path / "Gate.lock").touch()
    said = read_rules(tmp_path, {}, TODAY).lock_fault
    assert said == "Gate.lock is not read, because its name is not gate.lock: rename it"
