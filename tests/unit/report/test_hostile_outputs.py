"""Whatever the code under test holds, an output stays what it is: printable, short, well formed."""

import json
from dataclasses import replace

import pytest

from pytest_supercache.report.values import harmless
from pytest_supercache.report.verdict_json import finding_row, write_verdict
from tests.unit.report.outputs import OF_THE_GATE, OUTPUTS, Run, form_of
from tests.unit.report.run_of_all_kinds import GATE, HOSTILE, document, hostile_finding
from tests.unit.report.test_page import HOSTILE as KINDS

ALL = {**OUTPUTS, **OF_THE_GATE}
del ALL["verdict.json"], ALL["page.json"]  # they keep what is exact; the page is made of the latter
EXACT = {  # commands, tokens and the flow are pasted or run; expressions must match
    "allure-categories.json", "allurerc.json", "failure.txt", "index.html", "postmortem.md",
    "repro.txt",
}  # fmt: skip
TEXTS = [*KINDS, HOSTILE, '"""', "'''\\", "::error::x", "%0A::stop::", "=1+1", "a\r\nb\n\nc"]
TELL_TOKENS = {
    "allure-results.json", "annotations.txt", "explanation.md", "failure.txt", "index.html",
    "junit.xml", "message.md", "page.json", "postmortem.md", "repro.txt", "run.sarif", "summary.md",
    "verdict.json",
}  # fmt: skip
LETTERS = {"\n", "\u200b"}  # the latter keeps addresses in Markdown from becoming links


def made(name, text):
    finding = hostile_finding(text)
    gate = {**GATE, "reasons": [text]}
    whole = document([finding], gate) | {"build": text, "commit": text}
    return ALL[name](Run(findings=[finding], document=whole))


@pytest.mark.parametrize("name", ALL)
def test_hostile_text_harms_no_output(name):
    usual = made(name, "usual")
    assert "usual" in usual
    for text in TEXTS:
        shown = made(name, text)
        odd = {char for char in shown if not char.isprintable()} - LETTERS
        assert odd == set(), text[:40]
        exact = 4 * len(text) if name in EXACT else 0
        assert len(shown.encode()) < len(usual) + 60_000 + exact, text[:40]
        assert form_of(name, shown) == form_of(name, usual), text[:40]


@pytest.mark.parametrize("name", {**OUTPUTS, **OF_THE_GATE})
@pytest.mark.parametrize("moves", [2, 450, 3_000])  # below 4,000 and 20,000 characters, and above
def test_a_token_is_whole_or_left_out(name, moves):
    """Where it is short it is there, so that leaving it out is no way to pass."""
    token = f"sc1:P-7:{'alice,bob,' * moves}alice"
    finding = hostile_finding("usual")
    found = replace(finding.result.counterexample, token=token)
    finding = replace(
        finding,
        result=replace(finding.result, counterexample=found),
        replay_command=f"pytest p.yaml --supercache-replay='{token}'",
    )
    text = {**OUTPUTS, **OF_THE_GATE}[name](
        Run(findings=[finding], document=document([finding], GATE))
    )
    assert text.count("sc1:P-7:") == text.count(token)
    if moves == 2:
        assert (token in text) == (name in TELL_TOKENS)


def test_verdict_json_keeps_every_character_and_other_tools_can_read_it(tmp_path):
    for text in TEXTS:
        write_verdict(
            tmp_path / "verdict.json", [finding_row(hostile_finding(text))], {"commit": text}
        )
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
