"""cachetools: what is not indivisible there is not indivisible here, and its time is ours."""

import threading

import cachetools
import pytest

from pytest_supercache import Verdict
from tests.adapters.flows import counting, is_conflict, judged, refreshing

KINDS = [
    lambda: cachetools.LRUCache(9),
    lambda: cachetools.TTLCache(9, ttl=60),
    lambda: cachetools.TLRUCache(9, ttu=lambda _key, _value, now: now + 60),
]


class NoLock:
    def __enter__(self): ...

    def __exit__(self, *_): ...


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize(("lock", "conflict"), [(NoLock, True), (lambda: threading.Lock(), False)])
def test_two_users_lose_a_count_unless_they_lock(make, lock, conflict):
    def bump(counter):
        cache, guard = counter
        with guard:
            cache["n"] = cache["n"] + 1

    def made(_world):
        cache = make()
        cache["n"] = 0
        return cache, lock()

    result = counting(made, bump, lambda counter: counter[0]["n"])
    assert is_conflict(result) is conflict


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize(("lock", "conflict"), [(NoLock, True), (lambda: threading.Lock(), False)])
def test_two_users_fill_a_cache_whose_size_both_look_at_unless_they_lock(make, lock, conflict):
    def body(world):
        cache, guard, filled = make(), lock(), []

        def fill(name):
            with guard:
                if cache.currsize == 0:
                    filled.append(name)
                    cache[name] = 1

        world.actor("a", fill, "a")
        world.actor("b", fill, "b")
        world.run()
        assert len(filled) == 1

    assert (judged(body).verdict is Verdict.VIOLATED) is conflict


@pytest.mark.parametrize(("guarded", "conflict"), [(False, True), (True, False)])
def test_a_cached_function_keeps_what_it_read_before_the_change(guarded, conflict):
    def make(world):
        cache, guard = cachetools.LRUCache(9), threading.Lock()
        load = cachetools.cached(cache, lock=threading.Lock())(world.origin.get)

        def read():
            with guard if guarded else NoLock():
                return load("k")

        def forget():
            with guard if guarded else NoLock():
                cache.clear()

        return read, forget

    assert is_conflict(refreshing(make)) is conflict


@pytest.mark.parametrize(
    ("look", "verdict"),
    [
        (lambda cache: "k" in cache and cache["k"], Verdict.VIOLATED),
        (lambda cache: cache.get("k"), Verdict.HOLDS),  # one moment for both halves
    ],
)
def test_an_entry_may_end_between_two_looks_though_nobody_gave_it_our_clock(look, verdict):
    def body(world):
        cache = cachetools.TTLCache(9, ttl=5)
        cache["k"] = 1
        world.actor("a", look, cache)
        world.actor("b", cache.get, "other")
        world.run()

    assert judged(body, ticks=1).verdict is verdict
