"""What a correct file becomes."""

import subprocess
import sys

import pytest

from pytest_supercache.core.settings import Assume
from pytest_supercache.core.verdict import Verdict
from pytest_supercache.scenario.matchers import Equal, Fields, OneOf, Variable
from pytest_supercache.scenario.problems import ScenarioProblems
from pytest_supercache.scenario.scenario import UNSET, Location, items, split_event
from pytest_supercache.scenario.variables import Reference


def test_every_field_of_the_file_is_in_the_scenario(read, good):
    scenario = read(good)
    assert scenario.title == "After a price change nobody is charged the old price"
    assert (scenario.id, scenario.owner, scenario.severity) == ("PRICE-07", "karim", "critical")
    assert (scenario.tags, scenario.links) == (("pricing", "gate"), {"issue": "CACHE-412"})
    assert scenario.given == {"origin": {"product:42": {"price": 100}}}
    assert [(step.verb, step.node) for step in scenario.before] == [("read", "all")]
    assert [(user.name, user.node) for user in scenario.users] == [
        ("alice", "a"),
        ("bob", "b"),
        ("carol", "a"),
    ]
    assert [step.verb for step in scenario.finally_] == ["read"]
    assert [(spec.name, spec.parameters) for spec in scenario.guarantees] == [
        ("coherent", {}),
        ("monotonic_reads", {"for": "alice"}),
    ]
    assert scenario.explore == {
        "search": "auto",
        "ticks": "auto",
        "executions": 20000,
        "time": 120.0,
    }
    assert scenario.assume == Assume(pause=0.5)


def test_a_step_knows_its_name_place_arguments_and_expectation(read, good):
    alice, bob, _ = read(good).users
    first, checkout = alice.steps
    assert (first.name, first.keep_as, first.expect) == ("alice[1]", "shown", UNSET)
    assert checkout.where == Location(path="price.supercache.yaml", line=20, column=7)
    assert checkout.arguments == {"item": "product:42"}
    shown_price = Variable(reference=Reference(name="shown", fields=("price",)))
    assert checkout.expect == Fields(
        fields=(("charged", OneOf(options=(shown_price, Equal(value=120)))),)
    )
    assert bob.steps[0].name == "publish"


def test_the_opening_comment_is_the_story_without_the_editors_line(read, good):
    told = "Karim sees the new price. Alice must not be charged the old one."
    assert read(good).story == told


def test_guarantees_not_named_differ_from_none_wanted(read, good):
    named = "guarantees: [coherent, {monotonic_reads: {for: alice}}]"
    assert read(good.replace(named, "")).guarantees is None
    assert read(good.replace(named, "guarantees: []")).guarantees == ()


def test_a_single_system_does_not_appear_in_the_names_of_items(read, good):
    assert [item.name for item in items(read(good))] == ["PRICE-07[cold]", "PRICE-07[warm]"]
    without_cases = good[: good.index("cases:")]
    assert [item.name for item in items(read(without_cases))] == ["PRICE-07"]


def test_systems_appear_in_the_names_of_items_before_the_case(read, good):
    several = good.replace("system: shop", "systems: [reference.naive, reference.fixed]")
    assert [item.name for item in items(read(several))] == [
        "PRICE-07[reference.naive-cold]",
        "PRICE-07[reference.naive-warm]",
        "PRICE-07[reference.fixed-cold]",
        "PRICE-07[reference.fixed-warm]",
    ]
    one = several[: several.index("cases:")].replace("reference.naive, ", "")
    assert [item.name for item in items(read(one))] == ["PRICE-07[reference.fixed]"]


def test_systems_state_verdicts_and_their_own_assumption(read, good):
    stated = (
        "systems:\n"
        "  shop:\n"
        "  reference.naive: violated\n"
        "  reference.fixed: {holds: {assume: {pause: 2s}}}"
    )
    scenario = read(good.replace("system: shop", stated))
    shop, naive, fixed = scenario.systems
    assert shop.stated is None
    assert naive.stated.verdict is Verdict.VIOLATED
    assert fixed.stated.verdict is Verdict.HOLDS
    by_system = {item.system.name: item.assume for item in items(scenario)}
    assert by_system["reference.fixed"] == Assume(pause=2.0)
    assert by_system["reference.naive"] == Assume(pause=0.5)  # the scenario's


def test_a_case_is_merged_key_by_key_and_null_takes_a_key_away(read, good):
    cases = (
        "cases:\n"
        "  row:\n"
        '    given: {origin: {"product:42": null, new: $price}, super_cache: {k: v}}\n'
        "    price: 7\n"
    )
    given = good[: good.index("cases:")].replace(
        'origin: {"product:42": {price: 100}}', 'origin: {"product:42": 1, kept: null}'
    )
    (item,) = items(read(given + cases))
    assert item.given == {"origin": {"kept": None, "new": 7}, "super_cache": {"k": "v"}}
    assert item.scenario.given == {"origin": {"product:42": 1, "kept": None}}


def test_copies_become_users_of_their_own_with_steps_named_after_them(read, good):
    bob = read(good.replace("    node: b\n", "    node: b\n    copies: 2\n")).users[1]
    assert [copy.name for copy in bob.expanded()] == ["bob-1", "bob-2"]
    assert [copy.copies for copy in bob.expanded()] == [1, 1]
    unnamed = read(
        good.replace("  bob:\n", "  dan: {copies: 2, steps: [{read: x}]}\n  bob:\n")
    ).users[1]
    assert [copy.steps[0].name for copy in unnamed.expanded()] == ["dan-1[1]", "dan-2[1]"]


def test_a_single_copy_keeps_its_name(read, good):
    alice = read(good).users[0]
    assert alice.expanded() == (alice,)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("300ms", 0.3), ("2s", 2.0), ("1.5s", 1.5), ("1m", 60.0), ("1h", 3600.0), ("2", 2.0)],
)
def test_durations_become_seconds(read, good, written, seconds):
    scenario = read(good.replace("- wait_for: bob.publish", f"- sleep: {written}"))
    assert scenario.users[2].steps[0].arguments == {"seconds": pytest.approx(seconds)}


@pytest.mark.parametrize("written", ["1e308", "1e20", "878401h"])
def test_durations_that_no_calendar_has_are_mistakes(read, good, written):
    text = good.replace("- wait_for: bob.publish", "- sleep: LONG")
    assert read(text.replace("LONG", "876000h")).users[2].steps[0].arguments == {
        "seconds": 3153600000.0
    }
    with pytest.raises(ScenarioProblems, match="seconds must be a duration"):
        read(text.replace("LONG", written))


@pytest.mark.parametrize(
    ("written", "key"),
    [("010", "010"), ("42", "42"), ("on", "on"), ("12:30", "12:30"), ('"cart:"', "cart:")],
)
def test_keys_are_the_text_as_written(read, good, written, key):
    scenario = read(good.replace("- read: product:42\n      as", f"- read: {written}\n      as"))
    assert scenario.users[0].steps[0].arguments == {"key": key}


@pytest.mark.parametrize(
    ("written", "arguments"),
    [
        ("checkout: shoes", {"item": "shoes"}),
        ("checkout: {item: [1, 2], coupon: $shown}", {"item": [1, 2], "coupon": "$shown"}),
        ("transfer: {source: a, target: b}", {"source": "a", "target": "b"}),
        ("log_out:", {}),
        ("evict: {key: k, layer: origin}", {"key": "k", "layer": "origin"}),
        ("flush: existing_cache", {"layer": "existing_cache"}),
        ("restart: {layer: super_cache, node: b}", {"layer": "super_cache", "node": "b"}),
    ],
)
def test_verbs_are_read_in_short_and_long_form(read, good, written, arguments):
    expect = "      expect: {charged: {one_of: [$shown.price, 120]}}"
    step = f"    - checkout: {{item: product:42}}\n{expect}"
    read_step = read(good.replace(step, f"    - {written}")).users[0].steps[1]
    assert read_step.arguments == arguments


def test_a_wait_may_name_a_step_or_a_users_end(read, good):
    users = read(good).users
    assert split_event("bob.publish", users) == ("bob", "publish")
    users = read(good.replace("wait_for: bob.publish", "wait_for: bob")).users
    assert users[2].steps[0].arguments == {"event": "bob"}
    assert split_event("bob", users) == ("bob", None)


def test_variables_of_a_case_may_be_used_in_steps(read, good):
    cases = "cases: {one: {price: 1}, two: {price: 2}}\n"
    text = good[: good.index("cases:")].replace("value: {price: 120}", "value: {price: $price}")
    scenario = read(text + cases)
    assert [item.variables for item in items(scenario)] == [{"price": 1}, {"price": 2}]


def test_reading_the_values_does_not_import_the_yaml_library():
    code = (
        "import sys, pytest_supercache.scenario.scenario, pytest_supercache.scenario.validate;"
        "sys.exit('ruamel.yaml' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
