"""The page: what it says about a finding, and that nothing from the code under test is markup."""

import base64
import hashlib
import json
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from pytest_supercache.core.orders import Tried
from pytest_supercache.report.folder import write_reports
from pytest_supercache.report.page import page
from pytest_supercache.report.page_data import COMMAND_MAX, PLAYERS_MAX, page_data
from pytest_supercache.report.player_data import COLUMNS_MAX, ROWS_MAX, WITHOUT_STEPS
from pytest_supercache.report.verdict_json import finding_row, verdict_document, write_verdict
from pytest_supercache.report.words import headline
from tests.unit.report.report_stories import (
    Recorder,
    compared,
    counterexample_of,
    holds,
    stale_set,
    unknown,
    violated,
)

HOSTILE = [
    "</script><script>alert(1)</script>", "<!--<script>", "\"'&<>`", "\x1b[31mred\x1b[0m\x07",
    "\u202eevil\u2066", "\u2028\u2029", "\x00\ud800", "x" * 100_000, "{{DATA}}", "]]>",
]  # fmt: skip


def document_of(*findings, **scope):
    return verdict_document([finding_row(finding) for finding in findings], scope)


def player_of(finding):
    (group,) = page_data(document_of(finding))["groups"]
    return group["variants"][0]["conflict"]["player"]


class Parts(HTMLParser):
    """The tags of a page, and what stands in its scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.raw, self.policy = [], [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags.append((tag, tuple(sorted(given))))
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given["content"]

    def handle_data(self, data):
        if self.tags and self.tags[-1][0] in {"script", "style"} and data.strip():
            self.raw.append(data)


def test_rows_show_every_step_and_mark_what_is_stale_and_what_breaks_the_guarantee():
    made = player_of(violated())
    places = [name for name, _ in made["places"]]
    assert places == ["super cache @a", "super cache @b", "existing cache", "origin"]
    assert [name for name, _ in made["lanes"]] == ["alice @a", "bob @b", "messages to b"]
    told = [
        (
            row["text"],
            dict(zip([places[at] for at, _ in made["columns"]], row["values"], strict=True)),
            [places[made["columns"][at][0]] for at, _ in row["apart"]],
            row["breaks"],
        )
        for row in made["rows"]
    ]
    before = {"super cache @a": "-", "super cache @b": "-", "existing cache": "-", "origin": "100"}
    between = before | {"origin": "120"}
    after = {**between, "super cache @a": "100", "existing cache": "100"}
    stale = ["existing cache", "super cache @a"]
    assert [(text, held, sorted(apart), breaks) for text, held, apart, breaks in told] == [
        ("start", before, [], False),
        ("GET product:42", before, [], False),
        ("origin: read product:42", before, [], False),
        ("origin: write product:42 = 120", between, [], False),
        ("DEL product:42", between, [], False),
        ("SET product:42", after, stale, True),
        ("deliver invalidation of product:42", after, stale, False),
    ]
    assert made["breaks"] == "from this step on the layers stay inconsistent"


def test_rows_tell_where_an_operation_begins_and_ends():
    rows = player_of(violated())["rows"]
    assert [(at, row["calls"], row["answers"]) for at, row in enumerate(rows) if row["calls"]] == [
        (1, ["read product:42"], []), (3, ["write product:42 = 120"], []),
    ]  # fmt: skip
    assert [(at, row["answers"]) for at, row in enumerate(rows) if row["answers"]] == [
        (4, ["done"]), (5, ["-> 100"]),
    ]  # fmt: skip


def test_arrows_lead_to_what_a_step_may_touch_and_nowhere_else():
    rows = player_of(violated())["rows"]
    assert rows[2]["arrows"] == []  # this one's footprint is empty
    assert rows[4]["arrows"] == [["column", 2, True]]  # it removed nothing
    assert rows[5]["arrows"] == [["column", 0, True], ["column", 2, True]]
    assert rows[6]["arrows"] == [["column", 1, True]]


def test_messages_to_a_node_that_never_held_anything_are_aside_and_what_breaks_is_not():
    made = player_of(violated())
    assert [name for name, is_aside in made["lanes"] if is_aside] == ["messages to b"]
    assert [name for name, is_aside in made["places"] if is_aside] == ["super cache @b"]
    execution = stale_set()
    for step in execution.steps:
        step.layers["super_cache@b"]["other:1"] = 7
    made = player_of(violated(execution))
    assert not [name for name, is_aside in (*made["lanes"], *made["places"]) if is_aside]


def test_layers_that_agree_again_are_marked_only_while_they_do_not():
    execution = stale_set()
    run = Recorder(execution.steps[-1].layers, execution.steps)
    run.step("alice", "DEL", node="a", existing_cache=("product:42", None),
             super_cache__a=("product:42", None))  # fmt: skip
    rows = player_of(violated(execution))["rows"]
    assert [bool(row["apart"]) for row in rows] == [False] * 5 + [True] * 2 + [False]
    assert not any(row["breaks"] for row in rows)


def test_without_an_origin_nobody_is_called_stale_but_the_difference_is_marked():
    execution = stale_set()
    execution.history = replace(execution.history, origin_watched=False)
    for step in execution.steps:
        del step.layers["origin"]
    del execution.start["origin"]
    execution.steps[4].layers["existing_cache"]["product:42"] = 120
    execution.steps[5].layers["existing_cache"]["product:42"] = 120
    made = player_of(violated(execution))
    assert made["rows"][5]["apart"] == [[0, False], [2, False]]
    assert made["rows"][4]["apart"] == []


def test_hostile_text_adds_no_markup_and_arrives_as_data():
    harmless = Parts(page(document_of(violated())))
    for text in HOSTILE:
        execution = stale_set(old=text, new=f"{text}2", users=(f"{text}a", f"{text}b"), key=text)
        finding = violated(
            execution, title=text, story=text, owner=text, tags=(text,), system=text, path=text,
            node_id=text, links={text: text}, replay_command=text,
        )  # fmt: skip
        made = page(document_of(finding, commit=text))
        hostile = Parts(made)
        assert made.isascii()
        assert hostile.tags == harmless.tags
        data = json.loads(hostile.raw[1])
        variant = data["groups"][0]["variants"][0]
        if len(text) <= COMMAND_MAX:
            assert variant["conflict"]["command"][1] == finding_row(finding)["replay"]
        assert all(char.isprintable() for char in data["groups"][0]["title"])
        assert variant["conflict"]["player"]["rows"][5]["changed"] == [0, 2]


def test_the_policy_lets_this_program_and_this_style_run_and_nothing_load():
    parts = Parts(page(document_of(violated())))
    style, data, program = parts.raw
    for kind, text in (("script", program), ("style", style)):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in parts.policy
    assert "default-src 'none'" in parts.policy
    assert not [attrs for _, attrs in parts.tags if {"src", "href"} & set(attrs)]
    assert "innerHTML" not in program
    assert json.loads(data)["headline"] == "1 of 1 scenario not as expected: 1 conflict"


def test_long_values_are_cut_and_say_so_and_long_commands_are_left_out():
    made = page_data(
        document_of(violated(stale_set(old="x" * 100_000), replay_command="y" * 30_000))
    )
    conflict = made["groups"][0]["variants"][0]["conflict"]
    assert conflict["command"] is None
    assert conflict["token"][1].startswith("sc1:")
    (value,) = {row["values"][0] for row in conflict["player"]["rows"][5:]}
    assert value.startswith("xxx")
    assert value.endswith("... (99,800 more characters in verdict.json)")


def test_what_does_not_fit_the_player_is_counted():
    run = Recorder({"existing_cache": {}, "origin": {"k": 0}})
    for number in range(ROWS_MAX + 9):
        run.step("alice", f"SET {number}", existing_cache=(f"k{number % 40}", number))
    execution = stale_set()
    execution.start, execution.steps = {"existing_cache": {}, "origin": {"k": 0}}, run.steps
    made = player_of(violated(execution))
    assert len(made["rows"]) == ROWS_MAX
    assert len(made["columns"]) == COLUMNS_MAX
    assert made["left_out"] == ("not shown, but in verdict.json: the first 10 steps, 17 keys")
    assert made["rows"][-1]["text"] == f"SET {ROWS_MAX + 8} = {ROWS_MAX + 8}"
    assert player_of(violated())["left_out"] == ""


def test_variants_of_one_scenario_stand_together():
    fixed, naive = holds(system="reference.fixed"), violated()
    (group,) = page_data(document_of(naive, fixed))["groups"]
    assert group["id"] == "PRICE-07"
    assert {v["id"]: (v["verdict"], bool(v["conflict"])) for v in group["variants"]} == {
        "PRICE-07[reference.fixed]": ("holds", False),
        "PRICE-07[reference.naive]": ("violated", True),
    }
    other = page_data(document_of(naive, holds(item="PRICE-08", node_id="z")))
    assert [group["id"] for group in other["groups"]] == ["PRICE-07", "PRICE-08"]


@pytest.mark.parametrize(
    ("findings", "expected", "kind"),
    [
        ([], "No scenario was run", "open"),
        ([holds()], "As expected: 1 proven to hold", "good"),
        (
            [holds(), violated(as_stated=True)],
            "As expected: 1 known conflict reproduced, 1 proven to hold",
            "open",
        ),
        (
            [holds(), unknown(), violated()],
            "2 of 3 scenarios not as expected: 1 conflict, 1 not decided; as expected: 1 proven "
            "to hold",
            "bad",
        ),
        (
            [holds(as_stated=False, stated="violated")],
            "1 of 1 scenario not as expected: 1 known conflict gone",
            "bad",
        ),
    ],
)
def test_the_headline_names_first_what_is_not_as_expected(findings, expected, kind):
    document = document_of(*findings)
    assert headline(document) == expected
    assert page_data(document)["kind"] == kind


def test_scenarios_that_are_not_as_expected_come_first_then_those_with_conflicts():
    findings = [
        holds(item="A", node_id="a"), violated(item="B", node_id="b", as_stated=True),
        violated(item="C[x]", node_id="c", as_stated=True), violated(item="C[y]", node_id="d"),
        holds(item="D", node_id="e"),
    ]  # fmt: skip
    made = page_data(document_of(*findings))
    assert [group["id"] for group in made["groups"]] == ["C", "B", "A", "D"]


def test_a_commit_and_a_time_are_short_and_what_is_neither_stays():
    commit, when = "0123456789abcdef" * 2, "2026-11-27T03:16:53+00:00"
    about = page_data(document_of(holds(), commit=commit, when=when, dirty=True))["about"]
    assert about == [["when", "2026-11-27 03:16 UTC"], ["commit", "0123456789ab with changes"]]
    assert page_data(document_of(when="at noon"))["about"] == [["when", "at noon"]]


def test_every_scenario_has_its_coverage_and_unknown_its_reasons():
    made = page_data(document_of(holds(), unknown()))
    told = [(v["coverage"], v["why"]) for group in made["groups"] for v in group["variants"]]
    assert told == [
        (unknown().result.coverage, [*unknown().result.reasons]), (holds().result.coverage, []),
    ]  # fmt: skip


def test_a_report_of_a_hundred_scenarios_stays_small():
    findings = [compared(item=f"S-{at}", node_id=f"v{at}") for at in range(20)]
    findings += [holds(item=f"H-{at}", node_id=f"h{at}", story="s" * 500) for at in range(80)]
    made = page(document_of(*findings))
    assert len(made) < 400_000
    conflicts = [v["conflict"] for v in variants_of(document_of(*findings)) if v["conflict"]]
    assert len(conflicts) == 20
    assert all(conflict["player"] and conflict["passing"] for conflict in conflicts)


def test_what_would_make_it_too_big_is_left_out_and_what_is_not_as_stated_stays(monkeypatch):
    row = finding_row(compared())
    rows = [row | {"id": f"S-{at}", "node_id": str(at), "as_stated": at < 9} for at in range(10)]
    document = verdict_document(rows, {})
    assert all(variant["conflict"]["player"] for variant in variants_of(document))
    conflict = variants_of(document)[0]["conflict"]
    size = len(json.dumps([conflict[part] for part in WITHOUT_STEPS]))
    monkeypatch.setattr("pytest_supercache.report.page_data.PLAYERS_MAX", 4 * size + 1)
    kept = [one["id"] for one in variants_of(document) if one["conflict"]["player"]]
    assert kept == ["S-9", "S-0", "S-1", "S-2"]
    assert PLAYERS_MAX < 2_000_000


def variants_of(document):
    return [v for group in page_data(document)["groups"] for v in group["variants"]]


def test_the_page_is_made_from_the_file_that_others_read(tmp_path):
    write_verdict(tmp_path / "verdict.json", [finding_row(violated())], {"build": "b7"})
    document = json.loads((tmp_path / "verdict.json").read_text(encoding="utf-8"))
    write_reports(document, tmp_path, tmp_path)
    written = (tmp_path / "index.html").read_text(encoding="ascii")
    assert written == page(document)
    assert '["build","b7"]' in written


def test_who_waits_for_ever_and_what_nodes_answer_is_said():
    execution = stale_set()
    execution.settled.probes[("a", "product:42")] = 100
    execution.settled.probes[("b", "product:42")] = None
    found = counterexample_of(execution)
    row = finding_row(violated(execution))
    row["counterexample"]["blocked"] = [{"actor": "bob", "label": "acquire x"}]
    (group,) = page_data(verdict_document([row], {}))["groups"]
    conflict = group["variants"][0]["conflict"]
    assert [row["text"] for row in conflict["player"]["rows"][-3:]] == [
        "waits for: acquire x", "node a: read product:42 -> 100",
        "node b: read product:42 -> nothing",
    ]  # fmt: skip
    assert conflict["summary"] == found.violation.summary


def test_what_pytest_says_of_an_assertion_keeps_its_lines_up_to_a_limit():
    def summary(text):
        row = finding_row(violated(stale_set()))
        row["counterexample"]["violation"]["summary"] = text
        (group,) = page_data(verdict_document([row], {}))["groups"]
        return group["variants"][0]["conflict"]["summary"].split("\n")

    assert summary("assert 1 == 2\n +  where 1 = f()") == ["assert 1 == 2", " +  where 1 = f()"]
    assert summary("line\n" * 12) == [*["line"] * 10, "(2 more lines)"]
    assert summary("a\x1b[0m") == ["a\\x1b[0m"]


def test_other_orders_are_offered_only_where_they_can_be_told(monkeypatch):
    def tried_of(**changed):
        row = json.loads(json.dumps(finding_row(reorderable())))
        found = row["counterexample"]
        found["tried"].update(changed.pop("tried", {}))
        found.update(changed)
        return variants_of(verdict_document([row], {}))[0]["conflict"]["tried"]

    made = tried_of()
    assert made["orders"] == [[2, 3, "3", "4"]]
    assert (made["count"], made["failing"], made["all"]) == (3, "1", True)
    schedule = reorderable().result.counterexample.schedule.choices
    assert tried_of(schedule=[*schedule, "@clock"]) is None
    assert tried_of(tried={"failing": "<b>"}) is None
    monkeypatch.setattr("pytest_supercache.report.player_data.ROWS_MAX", 3)
    assert tried_of() is None


def reorderable():
    """Return a finding with one order of which three interleavings are known."""
    finding = violated()
    pair = (("alice", 1, "origin: read product:42"), ("bob", 0, "origin: write product:42"))
    tried = Tried(interleavings=3, failing=1, orders=((pair, 3, 4),), are_all=True)
    found = replace(finding.result.counterexample, tried=tried)
    return replace(finding, result=replace(finding.result, counterexample=found))
