"""A guarantee that nothing in a file can break is a mistake; whatever may break it is none."""

from dataclasses import replace

import pytest

from pytest_supercache.play.vocabulary import built_in_words
from pytest_supercache.scenario.problems import ScenarioProblems
from pytest_supercache.scenario.validate import load
from tests.unit.scenario.conftest import VOCABULARY

HEAD = "scenario: x\nid: X\nsystem: shop\n"


@pytest.fixture
def read():
    known = replace(VOCABULARY, guarantees=built_in_words().guarantees)
    return lambda content: load("price.supercache.yaml", content, known)


def mistakes_of(read, content):
    with pytest.raises(ScenarioProblems) as caught:
        read(content)
    return caught.value.problems


UNBREAKABLE = {
    "linearizable": ("a: [read: k], b: [read: k, read: l]", "add a user who writes a key that is"),
    "linearizable ": ("a: [delete: k], b: [delete: k]", "add a user who reads"),
    "sequentially_consistent": ("a: [read: k], b: [read: k]", "add a user who writes"),
    "no_resurrection": ("a: [read: k], b: [write: {key: k, value: 1}]", "add a user who deletes"),
    "no_dirty_reads": ("a: [delete: k], b: [delete: k]", "add a user who reads"),
    "{bounded_staleness: 1s}": ("a: [delete: k], b: [delete: k]", "add a user who reads"),
    "{ttl_respected: 1s}": ("a: [delete: k]", "add a user who reads"),
    "revocation_holds": ("a: [read: k], b: [write: {key: k, value: 1}]", "add a user who deletes"),
    "revocation_holds ": ("a: [delete: k], b: [delete: k]", "add a user who reads"),
    "{cap_holds: 1}": ("a: [read: k], b: [delete: k]", "add a user who takes a verb that says"),
    "no_lost_field": (
        "a: [write: {key: k, value: {a: 1}}], b: [read: k]",
        "add a user who writes an",
    ),
    "{max_loads: 10000}": ("a: [read: k]", "allow fewer loads: an execution ends after 10,000"),
}


@pytest.mark.parametrize("name", UNBREAKABLE)
def test_a_guarantee_that_no_steps_of_the_file_can_break_says_what_is_missing(read, name):
    users, hint = UNBREAKABLE[name]
    text = f"{HEAD}guarantees: [{name}]\nusers: {{{users}}}\n"
    (problem,) = mistakes_of(read, text)
    assert problem.message == f"nothing here can break {name.strip('{').split(':')[0].strip()!r}"
    assert problem.hint.startswith(hint)
    more = "users: {c: [checkout: k, delete: k], "
    read(text.replace("users: {", more).replace("10000", "9999"))


BREAKABLE = {
    "a key that one user reads": "monotonic_reads a: [read: k], b: [delete: k]",
    "a verb of the project": "no_resurrection a: [read: k], b: [checkout: k]",
    "a key that has content": "linearizable a: [read: j], b: [read: j]",
    "a write of nothing": "no_resurrection a: [read: k], b: [write: {key: k, value: null}]",
    "what two copies write": "no_lost_field a: {copies: 2, steps: [write: {key: k, value: 1}]}",
    "a write of whatever a row has": "no_resurrection a: [write: {key: k, value: $row}]",
}


@pytest.mark.parametrize("what", BREAKABLE)
def test_a_guarantee_that_steps_may_break_is_no_mistake(read, what):
    name, _, users = BREAKABLE[what].partition(" ")
    given = "given: {origin: {j: 1}}\ncases: {one: {row: k}}\n"
    read(f"{HEAD}{given}guarantees: [{name}]\nusers: {{{users}}}\n")


@pytest.mark.parametrize(
    ("users", "warnings"),
    [
        ("a: [read: k], b: [delete: k, read: k]", 1),
        ("a: [read: k, read: l], b: [delete: k]", 1),
        ("a: {copies: 2, steps: [read: k]}, b: [delete: k]", 1),
        ("a: [read: k, evict: k, read: k], b: [delete: k]", 0),
        ("a: [read: k, read: $row], b: [delete: k]", 0),
        ("a: [checkout: k, read: k], b: [delete: k]", 0),
    ],
)
def test_monotonic_reads_of_keys_that_nobody_reads_twice_are_a_warning(read, users, warnings):
    text = f"{HEAD}cases: {{one: {{row: k}}}}\nguarantees: [monotonic_reads]\nusers: {{{users}}}\n"
    told = [warning.message for warning in read(text).warnings]
    assert told == ["no user reads a key twice, so nobody can see it go back"] * warnings


def test_reads_of_the_end_on_each_node_may_go_back(read):
    """The twin: one read there and one of a user are two sessions."""
    text = (
        f"{HEAD}guarantees: [monotonic_reads]\nusers: {{a: {{node: n1, steps: [read: k]}}, "
        "b: {node: n2, steps: [delete: k]}}\nfinally: [{read: k, node: all}]\n"
    )
    assert read(text).warnings == ()
    assert len(read(text.replace(", node: all", "")).warnings) == 1


LONELY = "a: [read: tea], b: [write: {key: coffee, value: 1}]"


@pytest.mark.parametrize(
    ("users", "more", "warnings"),
    [
        (LONELY, "", 1),
        ("a: [read: tea], b: [delete: coffee]", "", 1),
        (f"{LONELY}, c: [read: coffee]", "", 0),
        (f"{LONELY}, c: [write: {{key: coffee, value: 2}}]", "", 0),
        (LONELY, "finally: [read: coffee]", 0),
        (LONELY, "given: {existing_cache: {coffee: 2}}", 0),
        (LONELY.replace("b: [", "b: {copies: 2, steps: [") + "}", "", 0),
        (f"{LONELY}, c: [checkout: tea]", "", 0),
        (f"{LONELY}, c: [read: $row]", "cases: {one: {row: coffee}}", 0),
        (f"{LONELY}, c: [flush: {{layer: existing_cache}}]", "", 0),
        (LONELY, "faults: {max: 1, kinds: [evict]}", 0),
        ("a: [write: {key: coffee, value: 1}]", "", 0),
    ],
)
def test_a_write_of_a_key_that_nobody_uses_is_a_warning(read, users, more, warnings):
    told = [warning.message for warning in read(f"{HEAD}users: {{{users}}}\n{more}\n").warnings]
    assert told == ["nobody reads 'coffee', and nothing else here uses it"] * warnings


def test_a_write_of_a_misspelt_key_has_one_warning(read):
    (warning,) = read(
        f"{HEAD}users: {{a: [read: coffee, read: coffee], b: [delete: cofee]}}\n"
    ).warnings
    assert warning.hint == "did you mean 'coffee'?"
