"""Locks that nobody waits for: which sections are steps, and what a token says of them."""

import re
import threading

import pytest

from pytest_supercache import Verdict, check
from pytest_supercache.checking.check import check_on
from pytest_supercache.core.errors import ReplayDivergedError
from pytest_supercache.core.schedule import Schedule, read_token
from pytest_supercache.core.settings import Exploration
from pytest_supercache.layers.servers import start_server


class Near:
    def __init__(self):
        self.lock, self.entries, self.others = threading.Lock(), {"k": 1}, {}

    def get(self, key):
        with self.lock:
            return self.entries.get(key)

    def put(self, key, value):
        with self.lock:
            self.entries[key] = value

    def note(self, name):
        with self.lock:
            self.others.setdefault(name, []).append(1)


def interleavings(*flows):
    """Return how many interleavings two users of one near cache have."""

    def body(world):
        near, client = Near(), world.existing_cache.client()

        def begin(name, flow):
            client.get(name)  # a step that meets nobody's
            flow(near)

        for name, flow in zip("ab", flows, strict=True):
            world.actor(name, begin, name, flow)
        world.run()

    result = check(body, search="exhaustive")
    assert result.verdict is Verdict.HOLDS, result.reasons
    if result.coverage.startswith("exhaustive: the only interleaving"):
        return 1
    return int(re.search(r"all (\d+) interleavings", result.coverage)[1])


def test_readers_of_a_locked_cache_have_one_interleaving():
    assert interleavings(*[lambda near: [near.get("k") for _ in range(5)]] * 2) == 1


def test_it_is_the_same_whether_a_lock_is_entered_or_acquired():
    def look(near):
        for _ in range(5):
            near.lock.acquire()
            try:
                near.entries.get("k")
            finally:
                near.lock.release()

    assert interleavings(look, look) == 1


@pytest.mark.parametrize(("gets", "count"), [(1, 2), (2, 3), (3, 4)])
def test_a_writer_comes_before_or_after_each_reader(gets, count):
    flows = (lambda near: [near.get("k") for _ in range(gets)], lambda near: near.put("k", 2))
    assert interleavings(*flows) == count


def test_two_writers_have_two_interleavings():
    assert interleavings(lambda near: near.put("k", 2), lambda near: near.put("k", 3)) == 2


def test_sections_of_what_is_one_users_are_no_steps():
    assert interleavings(lambda near: near.get("k"), lambda near: near.note("b")) == 1


def last_wins(world):
    near = Near()
    world.actor("a", near.put, "k", 2)
    world.actor("b", near.put, "k", 3)
    world.run()
    assert near.get("k") == 3


def replayed(schedule):
    return check_on(start_server("fakeredis"), last_wins, Exploration(), replay=schedule)


def test_a_token_records_the_sections_that_were_steps():
    found = check(last_wins).counterexample
    assert ";memory=@hold/a/test_sections.py" in found.token
    assert "@locks/quiet" in found.token
    assert replayed(read_token(found.token)[1]).verdict is Verdict.VIOLATED


def test_a_token_that_says_nothing_of_sections_has_every_acquire_and_release_as_a_step():
    assert replayed(Schedule(("b", "b", "a", "a"))).verdict is Verdict.VIOLATED
    with pytest.raises(ReplayDivergedError):
        replayed(Schedule(("b", "a")))


def test_unknown_names_the_locks_that_make_a_flow_long():
    def body(world):
        client, lock = world.existing_cache.client(), threading.Lock()

        def flow():
            for _ in range(4):
                with lock:
                    client.incr("n")

        for name in "abc":
            world.actor(name, flow)
        world.run()

    [reason] = check(body, executions=100).reasons
    assert "24 of the 36 steps of a run acquire or release test_sections.py:" in reason
    assert "a lock makes no steps if no command" in reason
