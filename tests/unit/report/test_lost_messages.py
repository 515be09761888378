"""A message that never arrives is drawn: an arrow with a cross, and words that name the node."""

from dataclasses import replace

import pytest

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.messages import in_words, never_told, published_to
from pytest_supercache.report.aside import without_aside
from pytest_supercache.report.conflict_markdown import conflict_markdown
from pytest_supercache.report.player_data import players
from pytest_supercache.report.timeline import timeline
from pytest_supercache.report.values import short
from pytest_supercache.report.verdict_json import finding_row
from tests.unit.report.report_stories import stale_set, violated

BOTH = frozenset({"messages@a", "messages@b"})
PUBLISHES, DELIVERS = 3, 5


def published(*, arrives: bool, held_on_b: object = 100):
    """Return an execution in which bob's fourth step publishes; only node b may be told."""
    execution = stale_set()
    publishes, delivers = execution.steps[PUBLISHES], execution.steps[DELIVERS]
    publishes.kind, publishes.footprint = "super_cache", Footprint(BOTH, BOTH)
    publishes.label = "invalidate product:42"
    delivers.cause = (publishes.actor, publishes.index if arrives else 99)
    for step in execution.steps[:DELIVERS]:
        step.layers["super_cache@b"] = {"product:42": held_on_b}
    return execution


def row_of(execution):
    return finding_row(violated(execution))


@pytest.mark.parametrize(("arrives", "nodes"), [(True, ("a",)), (False, ("a", "b"))])
def test_a_node_is_told_if_a_delivery_was_caused_by_the_step(arrives, nodes):
    execution = published(arrives=arrives)
    assert never_told(execution, execution.steps[PUBLISHES]) == nodes
    assert published_to(execution.steps[PUBLISHES]) == 2
    assert never_told(execution, execution.steps[DELIVERS]) == ()
    unfinished = replace(execution, complete=False)
    assert never_told(unfinished, execution.steps[PUBLISHES]) == ()


def test_the_words_name_the_nodes_or_say_that_it_is_nobody():
    assert in_words((), of=2) == ""
    assert in_words(("b",), of=2) == ", which never reaches node b"
    assert in_words(("b", "c"), of=3) == ", which never reaches nodes b and c"
    assert in_words(("a", "b"), of=2) == ", which reaches nobody"


def test_the_arrow_leads_to_the_node_and_ends_in_a_cross():
    found = row_of(published(arrives=False))["counterexample"]
    assert found["steps"][PUBLISHES]["never_told"] == ["a", "b"]
    made = players(found, short)["player"]
    lanes = [name for name, _ in made["lanes"]]
    (row,) = [row for row in made["rows"] if row["text"].startswith("invalidate")]
    assert row["text"] == "invalidate product:42, which reaches nobody"
    assert ["lane", lanes.index("messages to b"), True, True] in row["arrows"]
    assert dict(made["lanes"]) == {
        "alice @a": False, "bob @b": False, "messages to a": False, "messages to b": False,
    }  # fmt: skip


def test_a_message_that_arrives_has_an_arrow_without_a_cross():
    """The twin, and a node whose cache never held anything: its lane plays no part."""
    made = players(row_of(published(arrives=True))["counterexample"], short)["player"]
    lanes = [name for name, _ in made["lanes"]]
    (row,) = [row for row in made["rows"] if row["text"].startswith("invalidate")]
    assert ["lane", lanes.index("messages to b"), True] in row["arrows"]
    empty = row_of(published(arrives=False, held_on_b=None))["counterexample"]
    made = players(empty, short)["player"]
    assert dict(made["lanes"])["messages to b"] is True


def test_a_lane_to_which_only_arrows_lead_is_in_diagrams_and_not_in_text():
    row = row_of(published(arrives=False))
    drawn = timeline(row["counterexample"])
    titles = [lane.title for lane in without_aside(drawn)[0].lanes]
    assert "messages to a" not in titles
    text = conflict_markdown(row, row["counterexample"])
    assert "as messages to a" in text
    assert text.count(": never arrives\n") == 2
