"""Two writers without an origin: whether they have read what they store names the conflict."""

import time

import pytest

from pytest_supercache import Verdict, check

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
        time.sleep(1)  # noqa: TID251
    far.set(LOCK, value, ex=5)
    stores_twice(far, near, value)
    far.delete(LOCK)


def checks_the_lock(far, near, value):
    takes_a_lock_between(far, near, value)
    far.get(LOCK)


@pytest.mark.parametrize(
    "write", [stores_twice, takes_a_lock_between, looks_at_the_lock, checks_the_lock]
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
