"""Whatever the code under test holds, what people read stays lines of printable, short text."""

import json
from dataclasses import replace
from datetime import date

import pytest

from pytest_supercache.gate.message import message
from pytest_supercache.gate.policy import Rules, decide
from pytest_supercache.gate.postmortem import postmortem
from pytest_supercache.gate.screen import screen
from pytest_supercache.report.text import failure_text, summary_text
from pytest_supercache.report.values import harmless
from pytest_supercache.report.verdict_json import finding_row, verdict_document, write_verdict
from tests.unit.report.report_stories import counterexample_of, stale_set, violated
from tests.unit.report.test_page import HOSTILE

RULES = Rules(today=date(2026, 3, 10))


def hostile(text):
    """A finding with ``text`` wherever the project may put one."""
    execution = stale_set(old=text, new=f"{text}2", users=(f"{text}a", f"{text}b"), key=text)
    found = counterexample_of(execution, key=text)
    found = replace(
        found,
        violation=replace(found.violation, summary=f"node a answers {text}"),
        explanation=f"class: unclassified\nwhat happened: {text}",
        faults=(text,),
    )
    finding = violated(
        execution, item=f"S[{text}]", title=text, story=text, owner=text, tags=(text,),
        system=text, links={text: text}, replay_command="pytest s --supercache-replay='sc1:S:a'",
    )  # fmt: skip
    result = replace(finding.result, counterexample=found, reasons=(text,), notes=(text,))
    return replace(finding, result=result)


def document_of(finding):
    return verdict_document([finding_row(finding)], {"commit": None})


OUTPUTS = {
    "terminal": failure_text,
    "summary": summary_text,
    "screen": lambda one: "\n".join(screen(_decided(one), document_of(one), RULES)),
    "message": lambda one: message(document_of(one), _decided(one), RULES),
    "postmortem": lambda one: postmortem(document_of(one), _decided(one), RULES),
}


def _decided(finding):
    return decide(document_of(finding), RULES)


@pytest.mark.parametrize("output", OUTPUTS)
def test_an_output_is_printable_short_and_no_markup(output):
    usual = OUTPUTS[output](hostile("old"))
    assert "old" in usual
    for text in HOSTILE:
        made = OUTPUTS[output](hostile(text))
        assert [char for char in made if not char.isprintable() and char != "\n"] == []
        assert len(made) < 40_000
        assert max(map(len, made.splitlines())) < 5_000
        if output in {"message", "postmortem"}:
            assert "<script" not in made
            assert "</script" not in made
            assert "<!--" not in made
    told = OUTPUTS[output](hostile("\x1b[31mred\x1b[0m"))
    assert "\\x1b[31mred" in told


def test_verdict_json_keeps_every_character_and_other_tools_can_read_it(tmp_path):
    for text in HOSTILE:
        write_verdict(tmp_path / "verdict.json", [finding_row(hostile(text))], {"commit": text})
        (row,) = json.loads((tmp_path / "verdict.json").read_bytes())["scenarios"]
        assert row["title"] == text
        whole = text.encode("utf-8", "backslashreplace").decode()  # as values are kept
        first = row["counterexample"]["history"][0]
        assert (first["key"], first["answer"]) == (whole, whole)
        assert row["counterexample"]["steps"][0]["layers"]["origin"] == {whole: whole}
        assert row["counterexample"]["steps"][5]["apart"][0]["key"] == whole


def test_what_is_pasted_is_never_cut_and_everything_else_is():
    long = "x" * 5_000
    made = harmless(
        {"token": long, "replay": [long], "title": long, "n": [1, None, {long: "a\x1b"}]}
    )
    assert made["token"] == long
    assert made["title"].startswith("x" * 1_000 + " ... (4,000 more")
    assert made["replay"] == [made["title"]]
    assert made["n"][:2] == [1, None]
    assert list(made["n"][2].values()) == ["a\\x1b"]
