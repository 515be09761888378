"""Values chosen to do harm where a report is opened: encodings, hidden text, long names."""

import ast
import io
import json
import tokenize
from pathlib import Path

import pytest

from pytest_supercache.gate.message import message
from pytest_supercache.gate.policy import GateVerdict, decide
from pytest_supercache.gate.rules import Rules
from pytest_supercache.plugin.saving import _file_name
from pytest_supercache.report.evidence import evidence
from pytest_supercache.report.reproducer import reproducers, words_of
from pytest_supercache.report.verdict_json import finding_row
from tests.unit.gate import runs
from tests.unit.report.run_of_all_kinds import hostile_finding

ROOT, FOLDER = Path("/p"), Path("/p/reports")
ENCODINGS = [
    "coding: utf-7", "-*- coding: utf-7 -*- +AAo-import os", "coding=utf_16",
    "vim: set fileencoding=raw_unicode_escape : \\u000aimport os", "coding: rot13", "coding: none",
]  # fmt: skip


@pytest.mark.parametrize("text", ENCODINGS)
def test_no_value_says_how_a_reproducer_is_encoded(text):
    (made,) = reproducers([finding_row(hostile_finding(text))], ROOT, FOLDER).values()
    data = made.encode()
    assert tokenize.detect_encoding(io.BytesIO(data).readline)[0] == "utf-8"
    assert text in made, "it is there, where it does nothing"
    kinds = [type(one) for one in ast.parse(data).body]
    assert kinds == [ast.Import, ast.Assign, ast.Assign, ast.Assign]


def test_the_line_that_says_it_is_needed():
    """So that a change of the first line fails here and not at somebody's desk."""
    (made,) = reproducers([finding_row(hostile_finding(ENCODINGS[0]))], ROOT, FOLDER).values()
    without = made.partition("\n")[2].encode()
    assert tokenize.detect_encoding(io.BytesIO(without).readline)[0] == "utf-7"


@pytest.mark.parametrize("test", ["x\nimport os", "x)", "class", "a.b c", "", "1x", "x #"])
def test_only_a_name_becomes_a_name_in_a_reproducer(test):
    row = finding_row(hostile_finding("k"))
    flow = {"file": "t.py", "test": test, "conftests": []}
    assert reproducers([{**row, "flow": flow}], ROOT, FOLDER) == {}
    named = reproducers([{**row, "flow": {**flow, "test": "TestX.test_y"}}], ROOT, FOLDER)
    assert len(named) == 1


@pytest.mark.parametrize("text", ["a\u202eb", "\u2066x\u2069", "\x9b2J", "\U000e0041", "\u200f"])
def test_no_attachment_hides_text_and_json_means_the_same(text):
    finding = hostile_finding(text)
    row = finding_row(finding)
    for one in evidence(finding, row, ROOT, FOLDER):
        odd = {char for char in one.text if not char.isprintable()} - {"\n"}
        assert odd == set(), one.name
        if one.name == "verdict.json":
            assert json.loads(one.text) == row


def test_ids_of_300_letters_make_names_that_file_systems_take():
    one, other = "x" * 300, "x" * 299 + "y"
    assert len(words_of(one)) <= 80
    assert len({_file_name(one), _file_name(other)}) == 2
    assert len(_file_name(one)) < 200
    assert _file_name("PRICE-07.saved-shop") == "PRICE-07.saved-shop"


def test_no_message_says_can_go_beside_what_is_violated():
    rows = (runs.row("S-1[shop]"), runs.row("S-2[old]", "violated", stated="violated"))
    made, rules = runs.document(*rows), Rules(today=runs.TODAY, release=("shop",))
    decision = decide(made, rules)
    assert decision.verdict is GateVerdict.GO
    said = message(made, decision, rules)
    assert "can go" not in said
    assert "does not count for this release: S-2[old]." in said
    alone = runs.document(rows[0])
    assert "The release can go." in message(alone, decide(alone, rules), rules)


def test_nor_where_a_waiver_covers_it():
    made = runs.document(runs.row("S[shop]", "violated"), runs.row("W[off]"))
    rules = Rules(today=runs.TODAY, issues=(runs.waiver(),))
    decision = decide(made, rules)
    assert decision.verdict is GateVerdict.GO_WITH_WORKAROUND
    assert "can go" not in message(made, decision, rules)
