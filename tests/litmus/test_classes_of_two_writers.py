"""Two writers: whether they have read what they store names the conflict."""

import json
import time

import pytest

from pytest_supercache import NO_LOST_FIELD, SupercacheError, Verdict, check
from tests.selection import few

KEY, LOCK = "k", "lock:k"


def class_of(body, **options):
    result = check(body, guarantees=[], **options)
    assert result.verdict is Verdict.VIOLATED, (result.verdict, result.reasons)
    return result.counterexample.conflict_class


def two(write, agree=None):
    """Two users write by their values into two layers, which agree in the end."""

    def body(world):
        far, near = world.existing_cache.client(decode_responses=True), {}
        for name, value in (("ann", 1), ("bob", 2)):
            world.actor(name, write, far, near, value)
        world.run()
        assert agree(far) if agree else KEY not in near or str(near[KEY]) == far.get(KEY)

    return body


def stores_twice(far, near, value):
    far.set(KEY, value)
    near[KEY] = value


def takes_a_lock_between(far, near, value):
    far.set(KEY, value)
    while not far.set(LOCK, value, nx=True, ex=5):
        time.sleep(1)  # noqa: TID251 - what code under test does
    near[KEY] = value
    far.delete(LOCK)


def looks_at_the_lock(far, near, value):
    """It looks whether the lock is free, takes it, and gives it back: a lock that is none."""
    while far.get(LOCK):
        time.sleep(1)  # noqa: TID251 - what code under test does
    far.set(LOCK, value, ex=5)
    stores_twice(far, near, value)
    far.delete(LOCK)


def checks_the_lock(far, near, value):
    takes_a_lock_between(far, near, value)
    far.get(LOCK)


def looks_before_it_stores_again(far, near, value):
    """It looks into the near cache, and stores there what it has stored before."""
    far.set(KEY, value)
    near.get(KEY)
    near[KEY] = value


def misses_before_it_stores_twice(far, near, value):
    """Of an entry that is not there it makes nothing."""
    near.get(KEY)
    far.set(KEY, value)
    near[KEY] = value


@pytest.mark.parametrize(
    "write",
    few(
        [
            stores_twice,
            looks_before_it_stores_again,
            misses_before_it_stores_twice,
            looks_at_the_lock,
            takes_a_lock_between,
            checks_the_lock,
        ],
        4,
    ),
)
def test_who_has_read_nothing_has_not_modified_what_was_read(write):
    assert class_of(two(write)) == "dual-write"


def adds(far, _near, value):
    far.set(KEY, int(far.get(KEY) or 0) + value)


def adds_beside_a_lock(far, near, value):
    far.set(LOCK, value, ex=5)
    adds(far, near, value)
    far.delete(LOCK)


@pytest.mark.parametrize("write", [adds, adds_beside_a_lock])
def test_who_stores_what_was_made_of_a_value_that_was_read_has(write):
    assert class_of(two(write, lambda far: far.get(KEY) == "3")) == "cached-rmw"


def adds_to_a_field(far, _near, value):
    far.hset(KEY, "f", int(far.hget(KEY, "f") or 0) + value)


def begins_a_field(far, _near, value):
    """Each notes beside it that it was the one to begin it."""
    if not far.hexists(KEY, "f"):
        far.hset(KEY, "f", value)
        far.incr("begun")


def takes_a_free_seat(far, _near, value):
    """Each takes what it has found, whether or not it was still there."""
    far.zadd(KEY, {f"seat {value}": 1}, nx=True)
    for seat in far.zrange(KEY, 0, -1):
        far.zrem(KEY, seat)
        far.incr(seat)


@pytest.mark.parametrize(
    ("write", "is_right", "named"),
    [
        (adds_to_a_field, lambda far: far.hget(KEY, "f") == "3", "cached-rmw"),
        (begins_a_field, lambda far: far.get("begun") == "1", "unclassified"),
        (takes_a_free_seat, lambda far: far.get("seat 1") == far.get("seat 2"), "unclassified"),
    ],
)
def test_who_asks_whether_a_field_is_there_or_removes_a_member_has_made_nothing_of_a_value(
    write, is_right, named
):
    assert class_of(two(write, is_right)) == named


def reads_and_stores_once(far, near, value):
    far.get("other")
    stores_twice(far, near, value)


def test_what_was_read_of_another_key_is_no_base():
    assert class_of(two(reads_and_stores_once)) == "dual-write"


def stores_in_one_step(far, _near, value):
    far.set(KEY, value)


def test_two_who_store_in_one_layer_are_in_no_conflict():
    both = two(stores_in_one_step, lambda far: far.get(KEY) in {"1", "2"})
    assert check(both, guarantees=[]).verdict is Verdict.HOLDS


# -- fields of one object -------------------------------------------------------------------------

OBJECT = {"name": "a", "mail": "b"}


class Objects:
    """An object in the origin, and a copy of it; who changes a field reads one of them."""

    def __init__(self, world):
        self.origin = world.origin
        self.far = world.existing_cache.client(decode_responses=True)

    def replaces(self, fields):
        self.origin.set(KEY, {**OBJECT, **fields})

    def reads_and_replaces(self, fields):
        self.origin.set(KEY, {**self.origin.get(KEY), **fields})

    def looks_up_and_replaces(self, fields):
        copy = json.loads(self.far.get(KEY) or "null") or self.origin.get(KEY)
        self.origin.set(KEY, {**copy, **fields})


def changing(first, second, *, drops=False):
    """Two users write a field each, in the ways that are named."""

    def body(world):
        objects = Objects(world)
        world.origin.set(KEY, OBJECT)
        objects.far.set(KEY, json.dumps(OBJECT))

        def change(act, fields):
            with world.operation("change", KEY) as call:
                call.writes = ((KEY, {**OBJECT, **fields} if act == "replaces" else fields),)
                if drops:
                    objects.far.delete(KEY)
                getattr(objects, act)(fields)

        world.actor("ann", change, first, {"name": "A"})
        world.actor("bob", change, second, {"mail": "B"})
        world.run()
        world.settle()

    return body


def class_of_fields(*acts, **options):
    result = check(changing(*acts, **options), guarantees=[NO_LOST_FIELD])
    assert result.verdict is Verdict.VIOLATED, (result.verdict, result.reasons)
    return result.counterexample.conflict_class


def test_two_who_have_read_an_object_that_each_writes_back_are_a_read_modify_write():
    assert class_of_fields("reads_and_replaces", "reads_and_replaces") == "cached-rmw"


def test_where_only_the_later_writer_has_read_it_an_old_object_is_written_back():
    assert class_of_fields("replaces", "reads_and_replaces") == "write-back-resurrection"


@pytest.mark.parametrize("drops", [False, True])
def test_a_copy_that_a_write_has_not_reached_is_old_whenever_it_is_read(drops):
    acts = ("replaces", "looks_up_and_replaces")
    assert class_of_fields(*acts, drops=drops) == "write-back-resurrection"


def test_two_who_write_whole_objects_on_purpose_can_lose_no_field():
    with pytest.raises(SupercacheError, match="no two operations write different fields"):
        check(changing("replaces", "replaces"), guarantees=[NO_LOST_FIELD])
