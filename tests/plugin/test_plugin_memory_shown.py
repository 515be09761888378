"""Memory that was found is shown like a layer: its content, its values, and what it did."""

import pytest

from tests.plugin.conftest import Project

pytestmark = pytest.mark.python

SHOP = """
import pytest_supercache as sc

class Shop:
    def __init__(self, origin):
        self.origin, self.near, self.hits = origin, {}, 0

    def get(self, key):
        self.hits += 1
        value = self.near.get(key)
        if value is None:
            value = self.near[key] = self.origin.get(key)
        return value

    def set(self, key, value):
        self.origin.set(key, value)
        self.near.pop(key, None)

@sc.system("shop")
def shop(layers):
    return Shop(layers.origin)
"""

SCENARIO = """
scenario: A price changes while it is read
id: NEAR-1
system: shop
guarantees: [coherent_when_settled]
given: {origin: {k: 100}}
users:
  alice: [{read: k}]
  bob: [{write: {key: k, value: 120}}]
"""


@pytest.fixture
def shown(project: Project):
    project.conftest(SHOP)
    project.scenario(SCENARIO)
    result = project.run()
    return result.stdout.str(), project.rows()["NEAR-1"]


def test_a_near_cache_that_nobody_declared_has_a_column_a_class_and_a_story(shown) -> None:
    text, row = shown
    assert row["counterexample"]["conflict_class"] == "stale-set"
    assert "class: stale-set" in text
    assert "removes it from Shop.near" in text
    assert "stores 100 in Shop.near, where it stays" in text
    [header] = [line for line in text.splitlines() if line.lstrip().startswith("#")]
    assert [part.strip() for part in header.split("|")[1].split("  ") if part.strip()] == [
        "Shop.near", "existing cache", "origin",
    ]  # fmt: skip
    assert "write Shop.near['k'] = 100" in text


def test_verdict_json_has_what_it_held_and_does_not_judge_it(shown) -> None:
    _, row = shown
    steps = row["counterexample"]["steps"]
    [stored] = [step for step in steps if step["label"] == "write Shop.near['k']"]
    assert stored["memory"]["Shop.near"] == {"k": 100}
    assert stored["text"] == "write Shop.near['k'] = 100"
    assert all("Shop.near" not in step["layers"] for step in steps if step["layers"])
    assert not any(mark["place"] == "Shop.near" for step in steps for mark in step["apart"])


def test_memory_that_stays_as_it_was_has_no_column(project: Project) -> None:
    project.conftest(SHOP.replace("self.hits += 1", "self.hits = self.hits"))
    project.scenario(SCENARIO.replace("bob: [", "bob: [{read: k}, "))
    text = project.run().stdout.str()
    assert "at shared memory (Shop.hits" in text
    [header] = [line for line in text.splitlines() if line.lstrip().startswith("#")]
    assert "Shop.near" in header
    assert "hits" not in header
