"""The garbage collector comes between executions: else what it frees would differ between runs."""

import gc
import sys
import weakref
from collections import Counter
from functools import partial
from types import ModuleType

import pytest

from pytest_supercache import Verdict, check
from pytest_supercache.checking.check import check_on
from pytest_supercache.core.odds import Simulation
from pytest_supercache.core.settings import Exploration
from pytest_supercache.layers.fake_server import FakeRedisServer
from pytest_supercache.runtime.kernel.controller import Controller
from pytest_supercache.runtime.process import garbage
from pytest_supercache.search.all_schedules import AllSchedules
from pytest_supercache.search.dpor import Exhaustive


class Entry:
    """Something that only the collector can free."""

    def __init__(self):
        self.itself = self


def makes_much(count=6_000):
    """Make what the collector comes for: after a few thousand objects, and for all it has seen."""
    return [[] for _ in range(count)]


def check_of(work):
    """One user fills a cache of weak references, another one works; is the entry there after it?"""
    were_there = set()

    def body(world):
        cache = weakref.WeakValueDictionary()

        def fill():
            cache["k"] = Entry()
            world.step("filled", writes="cache:k")
            work()
            were_there.add("k" in cache)

        world.actor("alice", fill)
        world.actor("bob", lambda: world.step("look", reads="cache:k"))
        world.run()

    result = check(body, search="all-schedules")
    assert result.verdict is Verdict.HOLDS, result.reasons
    return were_there


def test_it_does_not_come_while_code_runs():
    assert check_of(makes_much) == {True}


def test_it_comes_when_code_calls_it():
    assert check_of(gc.collect) == {False}


def test_without_a_check_it_comes_by_itself():
    here = weakref.ref(Entry())
    makes_much()
    assert here() is None


@pytest.mark.parametrize("is_on", [True, False])
def test_it_is_as_it_was_afterwards(is_on):
    (gc.enable if is_on else gc.disable)()
    try:
        check_of(lambda: None)
        assert gc.isenabled() is is_on
    finally:
        gc.enable()


def test_it_comes_between_executions():
    left = []

    def body(world):
        def leave():
            left.extend([weakref.ref(Entry()) for _ in range(1_000)])
            world.step("look", reads="x")

        world.actor("alice", leave)
        world.actor("bob", lambda: world.step("write", writes="x"))
        world.run()

    assert check(body, search="all-schedules").verdict is Verdict.HOLDS
    assert len(left) > 3_000
    assert sum(reference() is not None for reference in left) <= 2_000


def test_old_garbage_goes_when_the_next_check_begins(monkeypatch):
    check_of(int)
    first = Entry()
    gc.collect()  # else what other tests have left goes meanwhile, and outweighs this
    monkeypatch.setattr(garbage, "_in_use", sys.getallocatedblocks())
    monkeypatch.setattr(garbage, "_GROWTH", 1.0)  # for the suite itself is large
    gc.disable()  # it would come a thousand times meanwhile
    first.more = [makes_much(100_000) for _ in range(5)]
    gc.enable()
    gc.collect()  # what is left is old from now on
    left = weakref.ref(first)
    del first
    check_of(int)
    assert left() is None


def counts(world, *, writers):
    """Let users count what they do; the loss of a count is drawn as odds, too."""

    def hit():
        world.origin.set("hits", (world.origin.get("hits") or 0) + 1)

    for name in writers:
        world.actor(name, hit)
    world.actor("carol", lambda: world.origin.get("hits"))
    world.run()
    assert world.origin.get("hits") == len(writers)


def test_what_searches_and_executions_made_goes_without_it():
    def made():
        kinds = Counter(map(type, gc.get_objects()))
        return sum(kinds[kind] for kind in (Controller, Exhaustive, AllSchedules))

    gc.collect()
    gc.disable()
    try:
        before = made()
        settings = Exploration(odds=Simulation(runs=20))
        right, wrong = (
            check_on(FakeRedisServer(), partial(counts, writers=writers), settings, guarantees=())
            for writers in (["alice"], ["alice", "bob"])
        )
        assert right.verdict is Verdict.HOLDS
        assert wrong.odds is not None
        del right, wrong
        assert made() == before
    finally:
        gc.enable()


def test_who_has_switched_it_off_keeps_the_garbage():
    gc.disable()
    try:
        there = weakref.ref(Entry())
        kept = makes_much(100_000), makes_much(100_000)
        check_of(int)
        assert there() is not None
        del kept
    finally:
        gc.enable()


SHOP = """
import threading

class Stats:
    hits = 0
    lock = threading.Lock()

    def hit(self):
        seen = self.hits
        Stats.hits = seen + 1

    def hit_alone(self):
        with self.lock:
            self.hit()

STATS = Stats()
"""


@pytest.mark.parametrize(
    ("method", "verdict"), [("hit", Verdict.VIOLATED), ("hit_alone", Verdict.HOLDS)]
)
def test_functions_of_an_application_that_has_frozen_its_objects_are_found(
    method, verdict, monkeypatch
):
    shop = ModuleType("shop_that_forks")
    monkeypatch.setitem(sys.modules, shop.__name__, shop)
    exec(SHOP, vars(shop))

    def body(world):
        shop.Stats.hits = 0
        world.actor("alice", getattr(shop.STATS, method))
        world.actor("bob", getattr(shop.STATS, method))
        world.run()
        assert shop.Stats.hits == 2

    gc.freeze()
    try:
        assert check(body).verdict is verdict
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()


def test_a_destructor_may_use_a_client_that_is_garbage_too():
    sent = []

    class Lock:
        def __init__(self, client):
            self.client, self.itself = client, self

        def __del__(self):
            sent.append(self.client.delete("lock"))

    def body(world):
        def enter():
            lock = Lock(world.existing_cache.client())
            assert lock.client.set("lock", 1, nx=True) or lock.client.get("lock")

        world.actor("alice", enter)
        world.actor("bob", enter)
        world.run()

    thresholds = gc.get_threshold()
    gc.set_threshold(1)  # it comes whenever it may
    try:
        result = check(body, search="all-schedules")
    finally:
        gc.set_threshold(*thresholds)
    assert result.verdict is Verdict.HOLDS, result.reasons
    assert sent
