"""What people read: the screen, the message, the post-mortem, and what has changed."""

import re
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pytest_supercache.gate.draft_facts import as_text, seen
from pytest_supercache.gate.message import WORDS_MAX, message
from pytest_supercache.gate.overview import (
    affected_users,
    compare,
    extent,
    variants,
    what_was_tested,
)
from pytest_supercache.gate.policy import decide
from pytest_supercache.gate.postmortem import postmortem
from pytest_supercache.gate.rules import Rules
from pytest_supercache.gate.screen import screen
from tests.unit.gate.runs import ODDS, OTHER, TODAY, document, row, waiver

SNAPSHOTS = Path(__file__).parent / "snapshots"
PAUSE = "no operation pauses 500 ms or more"
WAIVED = document(row("S[shop]", "violated"), row("W[off]", assumption=PAUSE))
RULES = Rules(today=TODAY, issues=(waiver(),))


def shown(name: str, found: dict[str, Any], rules: Rules) -> dict[str, str]:
    decision = decide(found, rules)
    return {
        f"{name}.screen.txt": "\n".join(screen(decision, found, rules)) + "\n",
        f"{name}.message.md": message(found, decision, rules),
        f"{name}.postmortem.md": postmortem(found, decision, rules),
    }


@pytest.mark.parametrize("name", ["waived", "new"])
def test_texts_are_as_people_have_read_them(name: str) -> None:
    rules = RULES if name == "waived" else Rules(today=TODAY)
    for file, text in shown(name, WAIVED, rules).items():
        assert text == (SNAPSHOTS / file).read_text(encoding="utf-8"), file


def test_the_screen_names_what_pytest_calls_failed_below_the_minimum_severity() -> None:
    rules = Rules(today=TODAY, release=("shop",), minimum_severity="normal")
    below = [
        row("V[shop]", "violated", stated="violated", severity="trivial"),
        row("W[shop]", stated="violated", severity="trivial"),
        row("X[shop]", severity="trivial"),
    ]
    found = document(row("S[shop]"), *below)
    told = screen(decide(found, rules), found, rules)
    named = "V[shop], W[shop] (states VIOLATED and HOLDS)"
    assert told[0] == "GO"
    assert f"  not covered: below severity normal: {named}" in told
    assert not [line for line in told if "X[shop]" in line]


@pytest.mark.parametrize("words", [1, 10, 60, 500])
def test_a_message_never_has_more_than_120_words(words: int) -> None:
    long = " ".join(f"word{number}" for number in range(words))
    rules = Rules(today=TODAY, issues=(waiver(workaround=long),))
    found = document(row("S[shop]", "violated", title=long), row("W[off]", assumption=long))
    text = message(found, decide(found, rules), rules)
    assert len(text.split()) <= WORDS_MAX
    assert text.startswith("DRAFT, not sent. The release may ship, but only with a workaround.")
    assert text.rstrip().endswith("Next update: TODO(karim): when?")


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (document(row("S[shop]")), "The release can go."),
        (document(row("S[shop]", "unknown")), "Nobody can say yet whether the release may go."),
        (document(), "Why: no scenario was run."),
        (document(row("S[shop]"), failed=["test_a.py::test"]), "Why: the test test_a.py::test fai"),
    ],
)
def test_a_message_without_a_conflict_tells_of_none(found: dict[str, Any], said: str) -> None:
    text = message(found, decide(found, Rules(today=TODAY)), Rules(today=TODAY))
    assert said in text
    assert "What breaks" not in text


def test_a_message_of_a_new_conflict_beside_a_waived_one_is_about_the_new_one() -> None:
    second = row("T[shop]", "violated", fingerprint=OTHER, title="Nobody pays twice", owner="ann")
    found = document(row("S[shop]", "violated"), second, row("W[off]"))
    decision = decide(found, RULES)
    text = message(found, decision, RULES)
    assert "The release has to wait." in text
    assert 'What breaks: "Nobody pays twice" does not always hold.' in text
    assert "more conflict" not in text
    assert "No active workaround." in text
    assert "Not in the way, for a workaround is in force: KI-1 until 2026-03-20." in text
    assert text.endswith("Next update: TODO(ann): when?\n")
    told = postmortem(found, decision, RULES)
    assert told.startswith("# Post-mortem: Nobody pays twice")
    assert "want a post-mortem of their own: S[shop]." in told
    assert "No workaround is in force for it." in told


def test_a_message_of_two_new_conflicts_counts_the_other_one() -> None:
    second = row("T[shop]", "violated", fingerprint=OTHER)
    found = document(row("S[shop]", "violated"), second)
    text = message(found, decide(found, Rules(today=TODAY)), Rules(today=TODAY))
    assert "There is 1 more conflict in the report." in text
    assert "Not in the way" not in text


def test_a_waived_conflict_is_not_what_breaks_when_a_test_failed() -> None:
    found = document(row("S[shop]", "violated"), row("W[off]"), failed=["test_a.py::test_x"])
    assert message(found, decide(found, RULES), RULES) == (
        "DRAFT, not sent. The release has to wait.\n\n"
        "Why: the test test_a.py::test_x failed.\n\n"
        "Not in the way, for a workaround is in force: KI-1 until 2026-03-20.\n\n"
        "Next update: TODO(owner): when?\n"
    )
    elsewhere = "The gate said NO-GO, but not because of this conflict, which is waived."
    assert elsewhere in postmortem(found, decide(found, RULES), RULES)
    late = Rules(today=date(2026, 3, 21), issues=(waiver(),))
    assert "The gate said NO-GO." in postmortem(found, decide(found, late), late)
    text = message(found, decide(found, late), late)
    assert "What breaks" in text
    assert "Not in the way" not in text


def test_a_post_mortem_tells_only_of_waivers_for_its_own_conflict() -> None:
    second = row("T[shop]", "violated", fingerprint=OTHER, title="Nobody pays twice")
    found = document(row("S[shop]", "violated"), second, row("W[off]"))
    told = postmortem(found, decide(found, RULES), RULES)
    assert told.startswith("# Post-mortem: Nobody pays twice")
    assert "KI-1" not in told
    assert told.count("| permanent fix |") == 1
    late = waiver(id="KI-2", match=OTHER, expires=date(2026, 3, 9))
    rules = Rules(today=TODAY, issues=(waiver(expires=date(2026, 3, 8)), late))
    told = postmortem(found, decide(found, rules), rules)
    assert told.startswith("# Post-mortem: After a price change")
    assert "- KI-1 expired on 2026-03-08" in told
    assert "KI-2" not in told
    text = message(found, decide(found, rules), rules)
    assert "No active workaround (KI-1 expired on 2026-03-08)." in text


def test_a_post_mortem_claims_fewest_interruptions_only_when_they_are() -> None:
    one = row("S[shop]", "violated")
    for is_minimal in (True, False):
        one["counterexample"] = {**one["counterexample"], "minimal": is_minimal, "preemptions": 3}
        told = postmortem(document(one), decide(document(one), RULES), RULES)
        assert ("it; none with fewer interruptions does:" in told) == is_minimal
        assert ("has to be interrupted, 3 times at least." in told) == is_minimal
        assert ("has to be interrupted, 3 times in the order above." in told) != is_minimal


def test_a_message_says_why_a_waiver_has_no_force() -> None:
    rules = Rules(today=date(2026, 3, 21), issues=(waiver(),))
    text = message(WAIVED, decide(WAIVED, rules), rules)
    assert "No active workaround (KI-1 expired on 2026-03-20)." in text


def test_a_message_of_a_fixed_conflict_asks_whether_the_workaround_is_still_on() -> None:
    found = document(row("S[shop]"), row("W[off]"))
    rules = replace(RULES, lock={"S[shop]": True})
    assert message(found, decide(found, rules), rules) == (
        "DRAFT, not sent. The release can go.\n\n"
        "2 scenarios of the release HOLD, each after an exhausted search (commit abc1234).\n\n"
        "KI-1 no longer occurs and can be closed. TODO(karim): is its workaround (set "
        "cache.l1=off) still on?\n"
    )
    assert "can be closed" not in message(found, decide(found, RULES), RULES)  # no lock


def test_a_message_beside_something_undecided_says_what_it_is() -> None:
    found = document(row("S[shop]", "violated"), row("W[off]"), row("T[shop]", "unknown"))
    text = message(found, decide(found, RULES), RULES)
    assert "Nobody can say yet whether the release may go." in text
    assert "Why: T[shop] is UNKNOWN: the budget ran out." in text
    assert "Workaround until 2026-03-20: set cache.l1=off." in text


NIGHT = 24
"""Lines that a terminal shows at least."""


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_screen_fits_a_terminal_and_loses_no_word(width: int) -> None:
    decision = decide(WAIVED, RULES)
    whole = screen(decision, WAIVED, RULES)
    lines = screen(decision, WAIVED, RULES, width)
    assert max(len(line) for line in lines) <= width
    assert " ".join(lines).split() == " ".join(whole).split()


def test_many_reasons_waivers_and_notes_still_fit_a_screen() -> None:
    names = [f"{number:012x}" for number in range(20)]
    found = document(
        *(row(f"S{name}[shop]", "violated", fingerprint=name, odds=None) for name in names),
        row("W[off]"),
    )
    late = date(2026, 3, 12)
    issues = tuple(waiver(id=f"KI-{name}", match=name, expires=late) for name in names)
    lines = screen(decide(found, Rules(today=TODAY, issues=issues)), found, RULES)
    assert "  and 18 more in verdict.json" in lines  # reasons
    assert "  and 17 more in verdict.json" in lines  # waivers
    assert "  and 16 more in verdict.json" in lines  # notes
    assert len(lines) <= NIGHT


def test_the_screen_says_what_the_check_of_a_workaround_did_not_cover() -> None:
    fault = {"users": 2, "faults": 1, "early ticks": 0}
    found = document(row("S[shop]", "violated", scope=fault), row("S[off]"), row("W[off]"))

    def told(checked_by: str) -> str:
        rules = Rules(today=TODAY, issues=(waiver(workaround_checked_by=checked_by),))
        return "\n".join(screen(decide(found, rules), found, rules))

    apart = "S itself was not run with the workaround of KI-1, but W[off] was"
    assert apart in told("W[off]")
    assert apart not in told("S[off]")
    fewer = "KI-1 was found with faults 1, its workaround was checked with faults 0"
    assert fewer in told("S[off]")
    same = document(row("S[shop]", "violated", scope=fault), row("S[off]", scope=fault))
    rules = Rules(today=TODAY, issues=(waiver(workaround_checked_by="S[off]"),))
    assert "its workaround" not in "\n".join(screen(decide(same, rules), same, rules)[2:])


def test_a_go_shows_its_condition_and_what_was_atomic_or_simplified() -> None:
    def told(**more: Any) -> list[str]:
        scope = {"users": 2, "faults": 0, "search": "exhaustive", "backend": "fakeredis", **more}
        found = document(row("S[shop]", scope=scope))
        return screen(decide(found, Rules(today=TODAY)), found, Rules(today=TODAY))

    lines = told(grain="wire", memory="shared", simplified="one table", assumption=PAUSE)
    assert lines[0] == f"GO, while {PAUSE}"
    assert lines[1].endswith(f"each after an exhausted search, while {PAUSE}")
    assert (
        "  scope: within users 2, faults 0, code between steps atomic at the grain wire, memory "
        f"shared, simplified: one table, backend fakeredis, while {PAUSE}"
    ) in lines
    assert told()[0] == "GO"
    assert "  scope: within users 2, faults 0, backend fakeredis" in told()


def test_the_message_tells_every_condition_once() -> None:
    slow = "no operation pauses 100 ms or more"
    found = document(
        row("S[shop]", "violated"), row("W[off]", assumption=PAUSE), row("T[shop]", assumption=slow)
    )
    text = message(found, decide(found, RULES), RULES)
    assert text.count(f"while {PAUSE}") == text.count(f"The rest holds while {slow}.") == 1
    assert "The rest" not in message(WAIVED, decide(WAIVED, RULES), RULES)


def test_documents_name_only_what_the_run_knows() -> None:
    bare = row("S[shop]", "violated")
    bare |= {"counterexample": None, "title": "", "guarantee": None, "replay": None}
    found = document(bare)
    rules = Rules(today=TODAY)
    for text in (message(found, decide(found, rules), rules),
                 postmortem(found, decide(found, rules), rules)):  # fmt: skip
        assert "None" not in text
        assert "TODO(" in text


def test_a_post_mortem_without_a_conflict_says_so() -> None:
    found = document(row("S[shop]"))
    rules = Rules(today=TODAY)
    assert "This run found no conflict (GO)" in postmortem(found, decide(found, rules), rules)


def test_a_conflict_in_two_scenarios_is_counted_once() -> None:
    found = document(row("S[shop]", "violated"), row("T[shop]", "violated"), row("U[shop]"))
    assert extent(found) == [
        "c0ffee000001: scenarios S[shop], T[shop]; guarantees coherent_when_settled; keys "
        "product:42; users alice, bob"
    ]
    two = document(row("S[shop]", "violated"), row("T[shop]", "violated", fingerprint=OTHER))
    assert len(extent(two)) == 2


def test_variants_stand_side_by_side_and_only_exhausted_ones_remove_a_conflict() -> None:
    found = document(
        row("S[naive]", "violated", stated="violated"),
        row("S[off]", assumption=PAUSE),
        row("S[delay]", "unknown"),
        row("S[luck]", exhausted=False),
        row("T[shop]"),
    )
    heading, naive, off, delay, luck = variants(found)
    assert heading == "S: After a price change nobody is shown the old price"
    assert naive.startswith(
        "  naive: has it: VIOLATED, needs 1 preemption, the minimum; 3 of 10 executions"
    )
    odds = f"{ODDS['share']}, {ODDS['condition']}"
    assert naive.endswith(f"not of production); {odds}")
    leaning = row("S[off]", assumption=PAUSE, odds=ODDS)
    *_, told = variants(document(row("S[naive]", "violated"), leaning))
    assert told.endswith(f"exhausted after 10 executions; without that, {odds}")
    assert off == f"  off: removes it while {PAUSE}: HOLDS, exhausted after 10 executions"
    assert delay == "  delay: not decided: UNKNOWN after 10 executions"
    assert luck.startswith("  luck: not decided")


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ([row("S")], [row("S")], ["nothing has changed"]),
        ([row("S")], [row("S", "violated")], ["new: ", "worse: S was HOLDS and is VIOLATED"]),
        ([row("S", "violated")], [row("S")], ["gone: coherent_when_settled (stale-set) in S"]),
        ([row("S", "violated")], [row("S", "violated")], ["unchanged: "]),
        ([row("S", "violated")], [row("S", "unknown")], ["not seen, but S does not hold: "]),
        ([row("S", "violated")], [row("T")], ["not seen, but S", "worse: S was VIOLATED and was"]),
        ([row("S")], [row("S", "unknown")], ["worse: S was HOLDS and is UNKNOWN"]),
        ([row("S", "unknown")], [row("S")], ["nothing has changed"]),
        (
            [row("S", "violated")],
            [row("S", "violated", fingerprint=OTHER)],
            ["new: ", "not seen, but S does not hold: "],
        ),
        ([row("S")], [row("S[shop]"), row("S[naive]", "violated")], ["new: "]),
        ([row("S")], [row("S[shop]", "unknown")], ["worse: S was HOLDS and is UNKNOWN as S[shop]"]),
        ([row("S")], [row("S[naive]")], ["worse: S was HOLDS and was not run"]),
        ([row("S[shop]")], [row("S"), row("S[naive]")], ["nothing has changed"]),
        ([row("S", "violated")], [row("S[shop]")], ["gone: "]),
        ([row("S")], [row("S[cold]", system="shop")], ["nothing has changed"]),
        (
            [row("S")],
            [row("S[cold]", system="shop"), row("S[warm]", "unknown", system="shop")],
            ["worse: S was HOLDS and is UNKNOWN as S[warm]"],
        ),
        (
            [row("S[shop-cold]", system="shop")],
            [row("S[shop-warm]", system="shop")],
            ["worse: S[shop-cold] was HOLDS and was not run"],
        ),
    ],
)
def test_two_runs_are_compared(before: list[Any], now: list[Any], said: list[str]) -> None:
    lines = compare(document(*before), document(*now))
    assert len(lines) == len(said)
    for line, start in zip(lines, said, strict=True):
        assert line.startswith(start)


RECIPES = Path(__file__).parents[3] / "docs" / "ci"


@pytest.mark.parametrize("name", ["github-actions.yml", "gitlab-ci.yml"])
def test_recipes_for_ci_are_yaml_whose_gate_decides_and_whose_reports_stay(name: str) -> None:
    recipe = YAML(typ="safe").load((RECIPES / name).read_text(encoding="utf-8"))
    job = recipe["jobs"]["gate"] if "jobs" in recipe else recipe["cache-gate"]
    scripts = _scripts(job)
    (gate,) = [line for line in scripts if "--supercache-gate" in line]
    assert gate.startswith("pytest -p supercache scenarios -n 2 --supercache-gate ")
    (again,) = [line for line in scripts if "supercache verdict" in line]
    assert "||" not in gate + again
    assert scripts.index(again) > scripts.index(gate)
    kept = job["artifacts"] if "artifacts" in job else job["steps"][-1]["with"]
    assert "reports/" in (kept.get("paths") or kept["path"])


def _scripts(job: dict[str, Any]) -> list[str]:
    return [step.get("run", "") for step in job["steps"]] if "steps" in job else job["script"]


@pytest.mark.parametrize("name", ["github-actions-matrix.yml", "gitlab-ci-matrix.yml"])
def test_recipes_for_matrices_run_shards_without_the_gate_and_let_a_merge_decide(name: str) -> None:
    text = (RECIPES / name).read_text(encoding="utf-8")
    recipe = YAML(typ="safe").load(text)
    jobs = recipe.get("jobs", recipe)
    shards, gate = (next(jobs[k] for k in jobs if k.endswith(end)) for end in ("shard", "gate"))
    (run,) = [line for line in _scripts(shards) if line.startswith("pytest")]
    assert run.startswith("pytest -p supercache scenarios -n 2 --supercache-shard=$")
    assert "--supercache-gate" not in run
    scripts = _scripts(gate)
    (decides,) = [line for line in scripts if line.startswith("supercache merge ")]
    (again,) = [line for line in scripts if line.startswith("supercache verdict")]
    assert scripts.index(again) > scripts.index(decides)
    assert "||" not in decides + again
    assert len(set(re.findall(r"SUPERCACHE_RUN_ID: (.*?) *(?:#|$)", text, re.MULTILINE))) == 1


@pytest.mark.parametrize(
    ("name", "schema", "mistake"),
    [
        (
            "github-actions-matrix.yml",
            ["vendor.github-workflows"],
            ("runs-on:", "run-on:"),
        ),
        (
            "gitlab-ci-matrix.yml",
            ["vendor.gitlab-ci", "--data-transform", "gitlab-ci"],
            ("parallel: 4", "parallel: -4"),
        ),
        ("github-actions.yml", ["vendor.github-workflows"], ("runs-on:", "run-on:")),
        (
            "gitlab-ci.yml",
            ["vendor.gitlab-ci", "--data-transform", "gitlab-ci"],
            ("when: always", "when: ever"),
        ),
    ],
)
def test_recipes_for_ci_pass_the_schema_of_their_host_and_a_mistake_would_not(
    name: str, schema: list[str], mistake: tuple[str, str], tmp_path: Path
) -> None:
    def status(path: Path) -> int:
        command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", *schema, str(path)]
        return subprocess.run(command, capture_output=True, check=False, timeout=120).returncode

    assert status(RECIPES / name) == 0
    text = (RECIPES / name).read_text(encoding="utf-8")
    assert mistake[0] in text
    (tmp_path / name).write_text(text.replace(*mistake), encoding="utf-8")
    assert status(tmp_path / name) == 1


def test_the_screen_in_the_documentation_is_a_real_one() -> None:
    page = (RECIPES.parent / "gate.md").read_text(encoding="utf-8")
    first = screen(decide(WAIVED, RULES), WAIVED, RULES)[:6]
    assert "\n".join(first) in page


HOSTILE = "a\n# b\x1b[2J [c](http://evil.example) <img src=x> ![d](e)"


def test_waivers_and_reasons_bring_no_markup_and_no_line_of_their_own() -> None:
    texts = ("workaround", "owner", "approved_by", "permanent_fix")
    issue = waiver(**dict.fromkeys(texts, f"{HOSTILE} | f"))
    rules = Rules(today=TODAY, issues=(issue,))
    found = document(row("S[shop]", "violated"), row("W[off]", assumption=HOSTILE))
    failed = document(row("S[shop]"), failed=[HOSTILE])
    for one in (found, failed):
        decision = decide(one, rules)
        for told in (message(one, decision, rules), postmortem(one, decision, rules)):
            assert "\x1b" not in told
            assert "\n# b" not in told
            assert "](" not in told
            assert "<img" not in told
    told = postmortem(found, decide(found, rules), rules)
    (fix,) = [line for line in told.splitlines() if line.startswith("| permanent fix")]
    assert fix.replace(r"\|", "").count("|") == 6


def test_what_the_code_tells_defines_no_link() -> None:
    one = row("S[shop]", "violated", title="[S]: http://evil.example")
    one["counterexample"]["explanation"] = ["[x]: http://evil.example"]
    found = document(one)
    told = postmortem(found, decide(found, RULES), RULES)
    assert "- \\[x]: http://evil.example" in told
    assert as_text("- [x]: y\n[z]: y\n1. [a](b)") == "- \\[x]: y\n\\[z]: y\n1. \\[a]\\(b)"
    assert as_text("S[shop]: 3 < 4, f(x)") == "S[shop]: 3 < 4, f(x)"


@pytest.mark.parametrize(
    ("is_dirty", "said"),
    [
        (False, "commit abc1234"),
        (True, "commit abc1234, with changes that are not committed"),
        (None, "commit abc1234, perhaps with changes that are not committed"),
    ],
)
def test_screen_and_drafts_say_whether_all_was_committed(is_dirty: object, said: str) -> None:
    found = {**document(row("S[shop]", "violated")), "dirty": is_dirty}
    assert what_was_tested(found) == said
    decision = decide(found, RULES)
    assert f"  scope: {said}; run on {found['when']}" in screen(decision, found, RULES)
    assert f"Seen in a test of {said}: the cache" in message(found, decision, RULES)
    assert f"On {said}:" in postmortem(found, decision, RULES)
    assert what_was_tested({"build": "7", "dirty": True}) == "build 7, commit unknown"


@pytest.mark.parametrize(
    ("summary", "told"),
    [
        ("after everything settled, read k on node a: expected 120, saw 100 (line 19 of the "
         "scenario file)",
         "after everything settled, read k on node a: expected 120, saw 100"),
        ("bob's write k: expected a (line 7 of the scenario file), saw c (line 8 of the scenario "
         "file)",
         "bob's write k: expected a (line 7 of the scenario file), saw c"),
        ("somebody else's words", "somebody else's words"),
    ],
)  # fmt: skip
def test_an_unexpected_answer_is_told_without_its_place_in_the_file(
    summary: str, told: str
) -> None:
    violation = {"guarantee": "expect", "summary": summary, "key": "k", "user": "alone"}
    assert seen({"counterexample": {"violation": violation}}) == told
    of_another = {**violation, "guarantee": "answers"}
    assert seen({"counterexample": {"violation": of_another}}) == summary


def test_the_steps_of_finally_are_no_user() -> None:
    """The twin: a user who happens to be called so is one."""
    steps = [{"user": "alice", "key": "k", "phase": "race"}, {"user": "alone", "phase": "after"}]
    found = {"history": steps, "violation": {"user": "alone", "key": "k"}}
    assert affected_users({"counterexample": found}) == ["alice"]
    found["history"][1]["phase"] = "race"
    assert affected_users({"counterexample": found}) == ["alone"]
