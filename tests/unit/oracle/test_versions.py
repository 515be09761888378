"""When two values are the same datum, and which versions a value may be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_supercache.core.operation import Operation
from pytest_supercache.oracle.versions import candidates, same, written
from tests.histories import history

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"old", "old"),
        (bytearray(b"old"), "old"),
        (1, "1"),
        (1, b"1"),
        ({"price": 1}, '{"price": 1}'),
        ({"price": 1}, b'{ "price":1 }'),
        ({1: "a"}, {"1": "a"}),
        ((1, 2), [1, 2]),
        ([b"a"], ["a"]),
        (True, "true"),
        (None, "null"),
        ("NaN", "NaN"),
        ("[" * 20_000, "[" * 20_000),
    ],
)
def test_the_same_datum_in_different_dress_is_one_value(one, other):
    assert same(one, other)
    assert same(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"old", "new"),
        (1, 2),
        (1, "one"),
        (1, True),
        (0, "false"),
        ([0], [False]),
        ({"price": 1}, {"price": True}),
        ({"price": 1}, {"price": 1, "tax": 0}),
        ([1, 2], [2, 1]),
        (None, 0),
        (None, ""),
        ("", 0),
        (b"\xff", "\xff"),
        ("NaN", "Infinity"),
    ],
)
def test_different_data_are_never_one_value(one, other):
    assert not same(one, other)
    assert not same(other, one)


@given(JSON)
def test_every_value_is_itself(value):
    assert same(value, value)


@given(JSON, JSON, JSON)
def test_being_the_same_is_symmetric_and_transitive(one, two, three):
    assert same(one, two) == same(two, one)
    assert not (same(one, two) and same(two, three)) or same(one, three)


def test_a_value_may_be_several_versions():
    seen = history("commit 1 x=1\n commit 2 x=0\n commit 3 x=1\n commit 4 y=9", given={"x": 0})
    assert candidates(seen, "x", 0) == [0, 2]
    assert candidates(seen, "x", b"1") == [1, 3]
    assert candidates(seen, "x", 9) == []
    assert candidates(seen, "y", None) == [0]


def test_real_time_leaves_versions_out():
    seen = history("commit 1 x=1\n commit 2 x=0\n commit 3 x=1", given={"x": 0})
    assert candidates(seen, "x", 1, sees=lambda commit: commit.at <= 2) == [1]
    assert candidates(seen, "x", 1, sees=lambda commit: commit.at <= 3) == [1, 3]
    assert candidates(seen, "x", 1, after=1) == [3]
    assert candidates(seen, "x", 1, after=0) == [1, 3]
    assert candidates(seen, "x", 0, after=0) == [2]


def test_a_write_a_delete_and_a_verb_say_what_they_write():
    put, delete, get = history("a 0-1 put x=1\n a 1-2 delete x\n a 2-3 get x=1")
    assert written(put) == (("x", 1),)
    assert written(delete) == (("x", None),)
    assert written(get) == ()
    verb = Operation(user="a", node="a", kind="buy", key="x", writes=(("y", 2), ("z", None)))
    assert written(verb) == (("y", 2), ("z", None))
