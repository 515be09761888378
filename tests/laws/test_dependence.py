"""Which steps may be swapped: the laws of footprints."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_supercache.core.footprint import (
    ANYTHING,
    NOTHING,
    Footprint,
    dependent,
    overlaps,
    touches,
)

KEYS = st.sampled_from(["x", "y", "x:y", "*", "x:*", "", "x*"])
PLACES = st.sampled_from(["c", "c.channels", "super_cache@a", "c:d"])
RESOURCES = st.just("*") | st.builds("{}:{}".format, PLACES, KEYS)
SETS = st.frozensets(RESOURCES, max_size=3)
FOOTPRINTS = st.builds(Footprint, SETS, SETS)


@given(RESOURCES, RESOURCES)
def test_overlapping_is_symmetric(one, other):
    assert overlaps(one, other) == overlaps(other, one)


@given(RESOURCES)
def test_everything_overlaps_with_itself_and_with_everything(resource):
    assert overlaps(resource, resource)
    assert overlaps(resource, "*")


@given(PLACES, KEYS)
def test_a_wildcard_overlaps_with_all_of_its_place(place, key):
    assert overlaps(f"{place}:*", f"{place}:{key}")
    assert not overlaps(f"{place}:*", f"another:{key}")


@given(PLACES, st.sampled_from("abc"), st.sampled_from("abc"))
def test_plain_resources_overlap_only_when_equal(place, one, other):
    assert overlaps(f"{place}:{one}", f"{place}:{other}") == (one == other)


@pytest.mark.parametrize("one", ["c:x:*", "c:x:y", "c:*", "c:x*"])
def test_a_key_that_looks_like_a_pattern_meets_a_flush(one):
    assert overlaps(one, "c:*")
    assert overlaps("c:*", one)


@given(SETS, SETS)
def test_sets_touch_when_any_two_of_their_resources_overlap(one, other):
    assert touches(one, other) == any(overlaps(a, b) for a in one for b in other)


@given(FOOTPRINTS, FOOTPRINTS)
def test_dependence_is_symmetric(one, other):
    assert dependent(one, other) == dependent(other, one)


@given(FOOTPRINTS, FOOTPRINTS, FOOTPRINTS)
def test_touching_more_never_makes_steps_independent(one, other, more):
    assert dependent(one | more, other) or not dependent(one, other)


@given(SETS, SETS)
def test_two_reads_never_depend_on_each_other(one, other):
    assert not dependent(Footprint(reads=one), Footprint(reads=other))


@given(FOOTPRINTS)
def test_nothing_depends_on_nothing_and_anything_on_whatever_touches_something(footprint):
    assert not dependent(NOTHING, footprint)
    assert dependent(ANYTHING, footprint) == bool(footprint.reads or footprint.writes)


@given(RESOURCES)
def test_a_write_depends_on_reads_and_writes_of_the_same(resource):
    one = frozenset({resource})
    assert dependent(Footprint(writes=one), Footprint(reads=one))
    assert dependent(Footprint(writes=one), Footprint(writes=one))
