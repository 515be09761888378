"""What docs/scenarios.md and docs/editors.md show is right as it stands there."""

import json
import re
from pathlib import Path

from pytest_supercache.scenario.grammar import VerbSignature, Vocabulary
from pytest_supercache.scenario.layout import formatted
from pytest_supercache.scenario.validate import load, load_file

DOCS = Path(__file__).parents[3] / "docs"
KNOWN = Vocabulary(
    systems=("shop", "reference.naive", "reference.workaround", "reference.fixed"),
    verbs={"checkout": VerbSignature(parameters={"item": True})},
    guarantees={"coherent_when_settled": {}, "read_your_writes": {}},
    classes={"stale-set": ""},
)
HEAD = "scenario: x\nid: X\n"


def blocks(page, language):
    text = (DOCS / page).read_text(encoding="utf-8")
    found = re.findall(r"```(\w*)\n(.*?)```", text, re.DOTALL)
    return [block for name, block in found if name == language]


def test_the_scenarios_of_the_page_are_accepted(tmp_path):
    whole, flows, systems = blocks("scenarios.md", "yaml")
    assert load("x", whole, KNOWN).warnings == ()
    assert formatted("x", whole) == whole
    assert load("x", f"{HEAD}{systems}users: {{a: [read: k]}}\n", KNOWN).warnings == ()
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "login.yaml").write_text("flows: {login: [{checkout: x}]}")
    (table,) = blocks("scenarios.md", "")
    (tmp_path / "prices.csv").write_text(table)
    path = tmp_path / "x.supercache.yaml"
    path.write_text(f"{HEAD}system: shop\n{flows}cases: prices.csv\n")
    scenario = load_file(path, "x", KNOWN, tmp_path)
    assert [step.name for step in scenario.users[0].steps] == ["first.look", "alice[2]"]
    assert [case.variables["price"] for case in scenario.cases] == [120, 130]
    assert scenario.cases[1].given == {"existing_cache": {"product:42": {"price": 100}}}


def test_the_settings_for_editors_are_json_and_the_matcher_reads_a_mistake():
    settings, tasks = map(json.loads, blocks("editors.md", "json"))
    assert settings["yaml.schemas"] == {"scenario.schema.json": "*.supercache.yaml"}
    pattern = tasks["tasks"][0]["problemMatcher"]["pattern"]
    found = re.match(pattern["regexp"], "a/b.supercache.yaml:4:5: warning: odd")
    assert found.groups() == ("a/b.supercache.yaml", "4", "5", "warning", "odd")
    assert re.match(pattern["regexp"], "b.yaml:4:5: unknown verb 'x'")[5] == "unknown verb 'x'"
