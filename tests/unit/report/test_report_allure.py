"""Allure, through a real run of allure-pytest; and that nothing imports it before."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.report.allure_result import LINES_MAX, description_of, links_of
from pytest_supercache.report.evidence import PLAYER
from pytest_supercache.report.links import address_of, patterns_of

ROOT = Path(__file__).parents[3]
ITEM = """
from pathlib import Path
from tests.unit.report.report_stories import violated
from pytest_supercache.report.allure import attach
from pytest_supercache.report.evidence import evidence
from pytest_supercache.report.verdict_json import finding_row

def test_item():
    finding = violated(story="Bob lowers a price.", severity="critical", owner="karim",
                       tags=("pricing", "gate"), links={"issue": "CACHE-412"},
                       flow={"scenario": "id: x\\n", "conftests": []})
    row = finding_row(finding)
    attach(finding, row, evidence(finding, row, Path("/p"), Path("/p/reports")), {"story"})
"""


def run(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    path = str(ROOT)
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": path, "PYTEST_ADDOPTS": ""}, timeout=300,
    )  # fmt: skip


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    folder = tmp_path_factory.mktemp("allure")
    (folder / "test_item.py").write_text(ITEM)
    ran = run(["-m", "pytest", "-q", "--alluredir=out", "-p", "no:cacheprovider"], folder)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    (path,) = (folder / "out").glob("*-result.json")
    return json.loads(path.read_text("utf-8"))


def test_allure_gets_the_evidence_as_few_attachments(result):
    assert [(a["name"], a["type"]) for a in result["attachments"]] == [
        ("timeline", "image/svg+xml"),
        ("layers after each step", "text/csv"),
        ("explanation", "text/markdown"),
        (PLAYER, "text/html"),
        ("history", "application/json"),
        ("reproducer", "text/plain"),
        ("verdict", "text/plain"),
        ("verdict.json", "application/json"),
    ]


def test_allure_gets_title_story_severity_owner_tags_and_links(result):
    labels = {(label["name"], label["value"]) for label in result["labels"]}
    assert result["name"].startswith("PRICE-07[reference.naive]: After a price change")
    assert result["description"] == "Bob lowers a price.\n\nissue: CACHE-412"
    assert {("severity", "critical"), ("owner", "karim"), ("tag", "gate")} <= labels
    assert ("issue", "CACHE-412") in labels, "a ticket without a pattern has no address"
    assert ("feature", "PRICE-07: After a price change nobody is charged the old price") in labels
    assert "story" not in {name for name, _ in labels}, "the test has one itself"
    assert not result.get("links")


def test_token_is_excluded_so_that_allures_history_does_not_break(result):
    excluded = {one["name"]: one["excluded"] for one in result["parameters"]}
    assert excluded == {"token": True, "executions": True}


def test_allure_gets_one_step_for_each_row_of_the_failing_interleaving(result):
    (outer,) = result["steps"]
    assert outer["name"] == "the failing interleaving: 6 steps"
    assert outer["steps"][4]["name"] == (
        "5. alice @a: SET product:42 -> 100 (from this step on the layers stay inconsistent)"
    )


def test_a_description_has_bold_heads_and_lines_that_need_no_list():
    """Allure 2 shows the items of a list without their marks, one after the other."""
    words = "S: *a* <b>\n\nGiven\n\n- holds [x](y)\n- *z*\n\nWhen\n\n1. reads `k`\n\n# no head"
    row = {"links": {}}
    assert description_of(row, words, {}) == (
        "S: \\*a\\* \\<b\\>\n\n"
        "**Given**  \n&nbsp; • holds \\[x\\](y)  \n&nbsp; • \\*z\\*\n\n"
        "**When**  \n&nbsp; 1\\. reads \\`k\\`\n\n"
        "\\# no head"
    )
    long = description_of(row, "line\n" * 10_000, {})
    assert long.splitlines()[-1] == f"and {10_001 - LINES_MAX:,} more lines, in the scenario file"


PATTERNS = {"issue": "https://tracker.example/browse/{}"}


@pytest.mark.parametrize(
    ("kind", "target", "address"),
    [
        ("docs", "https://tracker.example/7", "https://tracker.example/7"),
        ("issue", "https://other.example/7", "https://other.example/7"),
        ("issue", "CACHE-7", "https://tracker.example/browse/CACHE-7"),
        ("issue", "../a?b#c d", "https://tracker.example/browse/..%2Fa%3Fb%23c%20d"),
        ("tms", "CACHE-7", None),
        ("docs", "javascript:alert(1)", None),
        ("docs", " JavaScript:alert(1)", None),
        ("docs", "data:text/html,x", None),
    ],
)
def test_a_link_opens_a_page_of_the_web_or_is_none(kind, target, address):
    assert address_of(kind, target, PATTERNS) == address


def test_a_ticket_is_the_name_of_its_link_and_an_address_is_not():
    links = {"issue": "CACHE-7", "docs": "https://x.example", "tms": "T-1"}
    assert list(links_of(links, PATTERNS)) == [
        ("issue", "CACHE-7", "https://tracker.example/browse/CACHE-7"),
        ("docs", "docs", "https://x.example"),
    ]


@pytest.mark.parametrize(
    "given", [7, {"issue": 7}, {"issue": "javascript:{}"}, {"issue": "https://x.example/"}]
)
def test_a_pattern_that_makes_no_address_is_refused_by_name(given):
    with pytest.raises(SupercacheError, match=r"link_patterns.*expected"):
        patterns_of(given)


def test_importing_the_reports_imports_no_optional_library(tmp_path):
    code = (
        "import sys, pytest_supercache.report.allure, pytest_supercache.report.verdict_json\n"
        "print(sorted({'allure', 'allure_commons', 'rich', 'jinja2'} & set(sys.modules)))"
    )
    assert run(["-c", code], tmp_path).stdout == "[]\n"


def test_an_item_of_which_nothing_is_known_has_an_empty_description() -> None:
    assert description_of({"story": "", "coverage": "", "links": {}}, "", {}) == ""
