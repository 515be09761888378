"""What a step is to a cache follows from its name and from what it declares."""

import pytest

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.trace import Step
from pytest_supercache.oracle.roles import Role, acts_on, role_of

PLACE = "super_cache@a"
KEY = frozenset({f"{PLACE}:k"})
ALL = frozenset({f"{PLACE}:*"})


def step(label, footprint):
    return Step("alice", 0, label, "watched", footprint)


@pytest.mark.parametrize(
    ("label", "footprint", "role"),
    [
        ("__getitem__ k", Footprint(KEY), Role.LOOK_UP),
        ("__getitem__ *", Footprint(ALL, ALL), Role.LOOK_UP),  # it moves to the front
        ("__setitem__ *", Footprint(ALL, ALL), Role.STORE),
        ("__delitem__ k", Footprint(KEY, KEY), Role.DROP),
        ("get_or_set k", Footprint(KEY, KEY), Role.STORE),
        ("GETSET k", Footprint(KEY, KEY), Role.STORE),
        ("GETDEL k", Footprint(KEY, KEY), Role.DROP),
        ("look up or lease k", Footprint(KEY, KEY), Role.LOOK_UP),
        ("pop k", Footprint(KEY, KEY), Role.DROP),
        ("__contains__ k", Footprint(KEY), Role.LOOK_UP),
    ],
)
def test_the_role_of_a_step_in_a_layer(label, footprint, role):
    assert role_of(step(label, footprint), PLACE) is role


def test_in_the_origin_it_is_a_load_or_a_commit():
    key = frozenset({"origin:k"})
    assert role_of(step("__getitem__ k", Footprint(key)), "origin") is Role.LOAD
    assert role_of(step("__getitem__ k", Footprint(key, key)), "origin") is Role.COMMIT


def found(part, verb="write"):
    """Return a step that accesses memory which was found in the code under test."""
    resource = frozenset({f"memory:Shop.near:{part}"})
    writes = frozenset() if verb == "read" else resource
    return Step("alice", 0, f"{verb} Shop.near{part}", "memory", Footprint(resource, writes))


@pytest.mark.parametrize(
    ("verb", "role"), [("read", Role.LOOK_UP), ("write", Role.STORE), ("delete", Role.DROP)]
)
def test_an_entry_of_a_found_container_is_one_of_a_cache(verb, role):
    [act] = acts_on([found("['product:42']", verb)], "product:42")
    assert (act.place, act.name, act.role) == ("Shop.near", "product:42", role)


@pytest.mark.parametrize("part", [".product:42", "*", "['product:43']", "[42]"])
def test_other_memory_is_no_entry_of_the_key(part):
    assert acts_on([found(part)], "product:42") == []
