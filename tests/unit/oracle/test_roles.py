"""What a step is to a cache follows from its name and from what it declares."""

import pytest

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.trace import Step
from pytest_supercache.oracle.roles import (
    Role,
    acts_on,
    role_of,
    sources_of,
    tables_of,
)
from pytest_supercache.oracle.substitute_origin import with_layer

PLACE = "super_cache@a"
KEY = frozenset({f"{PLACE}:k"})
ALL = frozenset({f"{PLACE}:*"})
LOCK = frozenset({"database:lock"})


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
        ("get k", Footprint(KEY, KEY), Role.LOOK_UP),  # it removes what has expired
        ("read the clock (time)", Footprint(KEY, KEY), Role.OTHER),
        ("EVALSHA k", Footprint(KEY, KEY), Role.STORE),
        ("EVALSHA", Footprint(ALL, ALL), Role.OTHER),
    ],
)
def test_the_role_of_a_step_in_a_layer(label, footprint, role):
    assert role_of(step(label, footprint), PLACE) is role


def test_a_script_stores_what_it_names_even_if_it_may_touch_everything():
    footprint = Footprint(KEY | ALL, KEY | ALL)
    roles = [
        act.role
        for key in ("k", "another")
        for act in acts_on([step("EVALSHA k", footprint), step("put k", footprint)], key)
    ]
    assert roles == [Role.STORE, Role.STORE, Role.OTHER, Role.STORE]


def test_in_the_origin_it_is_a_load_or_a_commit():
    key = frozenset({"origin:k"})
    assert role_of(step("__getitem__ k", Footprint(key)), "origin") is Role.LOAD
    assert role_of(step("__getitem__ k", Footprint(key, key)), "origin") is Role.COMMIT


def inside(label, kind, own, *, writes=False, call=KEY):
    """Return a step inside a watched call, whose footprint it has besides its own."""
    mine = frozenset({own})
    return Step("alice", 0, label, kind, Footprint(mine | call, call | mine if writes else call))


@pytest.mark.parametrize(
    ("step", "place", "role"),
    [
        (inside("origin read k", "origin", "origin:k"), "origin", Role.LOAD),
        (inside("origin write k", "origin", "origin:k", writes=True), "origin", Role.COMMIT),
        (inside("GET k", "command", "existing_cache:k"), "existing_cache", Role.LOOK_UP),
        (inside("SET k", "command", "existing_cache:k", writes=True), "existing_cache", Role.STORE),
        (inside("read near['k']", "memory", "memory:near:['k']"), "near", Role.LOOK_UP),
        (inside("set k", "watched", f"{PLACE}:k", writes=True), PLACE, Role.STORE),
        (inside("GET k", "command", "existing_cache:k", call=ALL), PLACE, Role.STORE),
    ],
)
def test_a_step_inside_a_watched_call_is_told_as_what_it_is(step, place, role):
    """All but a command in a call that may touch anything, whose reply may never be read."""
    (act,) = acts_on([step], "k")
    assert (act.place, act.role) == (place, role)


def ask(label, table="product", writes=True, actor="alice", operation=0):
    resource = frozenset({f"origin:{table}"})
    footprint = Footprint(resource, resource if writes else frozenset())
    return Step(actor, 0, label, "origin", footprint, operation=operation)


def store(actor="alice", operation=0):
    return Step(actor, 0, "SET k", "command", Footprint(KEY, KEY), operation=operation)


def roles(*steps):
    return [act.role for act in acts_on(steps, "k", frozenset({"product"}))]


def test_a_statement_changes_the_origin_and_the_end_of_its_transaction_commits_it():
    assert roles(ask("UPDATE product")) == [Role.COMMIT]
    assert roles(ask("UPDATE product"), ask("COMMIT")) == [Role.CHANGE, Role.COMMIT]
    assert roles(ask("UPDATE product"), ask("ROLLBACK")) == [Role.CHANGE, Role.OTHER]
    assert roles(ask("UPDATE product"), ask("COMMIT", actor="bob")) == [Role.COMMIT, Role.OTHER]


def test_a_statement_that_holds_the_lock_in_its_step_alone_belongs_to_no_transaction():
    touched = frozenset({"origin:product", "database:lock"})
    alone = Step("alice", 0, "UPDATE product", "origin", Footprint(touched, touched - LOCK))
    inside = Step("alice", 0, "UPDATE product", "origin", Footprint(touched, touched))
    assert roles(alone, inside, ask("COMMIT")) == [Role.COMMIT, Role.CHANGE, Role.COMMIT]


def test_a_statement_that_changes_another_table_only_reads_the_source():
    product, notice = frozenset({"origin:product"}), frozenset({"origin:notice"})
    other = Step("alice", 0, "INSERT notice", "origin", Footprint(product | notice, notice))
    both = Step("alice", 0, "UPDATE product", "origin", Footprint(product | notice, product))
    assert roles(other, both) == [Role.LOAD, Role.COMMIT]
    assert (tables_of(other), tables_of(both)) == (["notice"], ["product"])
    assert tables_of(ask("SELECT product", writes=False)) == ["product"]


def test_a_transaction_that_only_read_commits_nothing():
    assert roles(ask("SELECT product", writes=False), ask("COMMIT")) == [Role.LOAD, Role.OTHER]


def test_the_tables_that_an_operation_reads_before_it_stores_a_key_are_its_source():
    read = ask("SELECT product", writes=False)
    assert sources_of([read, store()], "k") == {"product"}
    assert sources_of([store(), read], "k") == frozenset()
    assert sources_of([read, store(operation=1)], "k") == frozenset()
    assert sources_of([read, store(actor="bob")], "k") == frozenset()
    assert sources_of([read, store(actor="alice/1")], "k") == {"product"}


def test_what_a_statement_only_looks_into_to_change_another_table_is_no_source():
    both = frozenset({"origin:product", "origin:notice"})
    update = Footprint(both, frozenset({"origin:product"}))
    changed = Step("alice", 0, "UPDATE product", "origin", update, operation=0)
    assert sources_of([changed, store()], "k") == {"product"}
    joined = Step("alice", 0, "SELECT notice, product", "origin", Footprint(both), operation=0)
    assert sources_of([joined, store()], "k") == {"product", "notice"}


def test_an_origin_that_knows_the_key_has_no_other_source():
    own = ask("origin get k", table="k", writes=False)
    assert sources_of([ask("SELECT product", writes=False), own, store()], "k") == frozenset()


def look(place, actor="alice", operation=0):
    return Step(
        actor, 0, "GET k", "command", Footprint(frozenset({f"{place}:k"})), operation=operation
    )


def change(place, label, actor="alice", operation=0):
    touched = frozenset({f"{place}:k"})
    return Step(actor, 0, label, "command", Footprint(touched, touched), operation=operation)


def roles_with_source(*steps):
    return [act.role for act in with_layer(acts_on(steps, "k"))]


def test_without_an_origin_the_layer_that_fills_the_others_stands_for_it():
    fill = [look("near"), look("far"), change("near", "set k")]
    assert roles_with_source(*fill) == [Role.LOOK_UP, Role.LOAD, Role.STORE]
    removed = [change("far", "DEL k", "bob", 1), change("near", "delete k", "bob", 1)]
    assert roles_with_source(*fill, *removed)[3:] == [Role.COMMIT, Role.DROP]
    stored = [change("far", "SET k", "bob", 1)]
    assert roles_with_source(*fill, *stored)[3:] == [Role.COMMIT]


@pytest.mark.parametrize(
    "steps",
    [
        [look("far"), change("far", "SET k")],
        [look("far"), change("near", "set k", operation=1)],
        [look("far"), change("near", "set k", "bob")],
        [look("far"), change("near", "set k"), look("near"), change("far", "SET k")],
        [look("far"), change("near", "set k"), look("other"), change("near", "set k")],
        [ask("origin read k", "k", writes=False), look("far"), change("near", "set k")],
    ],
)
def test_otherwise_no_layer_stands_for_it(steps):
    assert with_layer(acts_on(steps, "k")) is None


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


def test_bytes_and_text_are_one_key():
    [act] = acts_on([found("[b'product:42']")], "product:42")
    assert (act.place, act.name) == ("Shop.near", "product:42")


@pytest.mark.parametrize("part", [".product:42", "*", "['product:43']", "[42]"])
def test_other_memory_is_no_entry_of_the_key(part):
    assert acts_on([found(part)], "product:42") == []
