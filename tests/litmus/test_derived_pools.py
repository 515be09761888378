"""Pools of a class that code under test derives from the real one before any check."""

import concurrent.futures

import pytest

from pytest_supercache import Verdict, check
from tests.selection import few


class Hasty(concurrent.futures.ThreadPoolExecutor):
    """Does not wait for its jobs, as pools do that leave the rest to themselves."""

    def __exit__(self, *_):
        self.shutdown(wait=False)


class Counting(Hasty):
    """Derived once more, with what it needs of its own."""

    def __init__(self, workers):
        super().__init__(workers)
        self.count = 0

    def submit(self, fn, /, *args, **kwargs):
        self.count += 1
        return super().submit(fn, *args, **kwargs)


class Named(concurrent.futures.ThreadPoolExecutor):
    """Has names that ours have for something else."""

    def __init__(self, workers):
        super().__init__(workers)
        self.name = self.state = self._name = self._jobs = self._initial = "io"

    def do(self):
        """Is never called by the pool itself."""
        return self.name


def bump(client):
    client.set("n", int(client.get("n") or 0) + 1)


def count(client):
    client.incr("n")


def counted(pool, act):
    """Let two jobs count; everybody waits for both."""

    def body(world):
        client = world.existing_cache.client()

        def flow():
            with pool(2) as running:
                futures = [running.submit(act, client) for _ in range(2)]
                concurrent.futures.wait(futures)

        world.actor("alice", flow)
        world.run()
        assert world.existing_cache.peek("n") == "2"

    return check(body, search="exhaustive")


@pytest.mark.parametrize("pool", few([Counting, Named, Hasty], 2))
def test_its_jobs_are_raced(pool):
    found = counted(pool, bump)
    assert found.verdict is Verdict.VIOLATED
    assert found.counterexample.replays == "10/10"
    assert counted(pool, count).verdict is Verdict.HOLDS


def test_two_pools_of_one_class_are_two():
    def body(world):
        client = world.existing_cache.client()

        def flow():
            with Named(1) as pool:
                pool.submit(count, client).result()

        for user in "ab":
            world.actor(user, flow)
        world.run()

    assert check(body, search="exhaustive").verdict is Verdict.HOLDS


def test_map_goes_through_what_the_class_says_of_submit():
    def body(world):
        client = world.existing_cache.client()

        def flow():
            with Counting(2) as pool:
                assert sorted(pool.map(client.incr, ["n", "n"], timeout=5)) == [1, 2]
                assert pool.count == 2

        world.actor("alice", flow)
        world.run()

    assert check(body, search="exhaustive", ticks=0).verdict is Verdict.HOLDS


class Rigid(type):
    """Lets nobody change its classes."""

    def __setattr__(cls, name, value):
        raise AttributeError(name)


class Fixed(concurrent.futures.ThreadPoolExecutor, metaclass=Rigid):
    """Cannot be given another base."""


def test_a_class_that_cannot_be_changed_is_told():
    found = counted(Fixed, count)
    assert found.verdict is Verdict.UNKNOWN
    assert any("has started a thread" in reason for reason in found.reasons)
    assert any("runs concurrent.futures.thread._worker" in reason for reason in found.reasons)


def test_its_class_is_what_it_was_afterwards():
    counted(Hasty, count)
    assert Hasty.__bases__ == (concurrent.futures.ThreadPoolExecutor,)
    with Counting(1) as pool:
        assert pool.submit(int, "3").result() == 3
        assert pool.count == 1


def test_one_that_was_made_before_is_told_once_however_many_threads_it_has():
    early = [Hasty(1) for _ in range(3)]
    unused = iter(early)
    found = counted(lambda _workers: next(unused), count)
    assert found.verdict is Verdict.UNKNOWN
    started = [reason for reason in found.reasons if "has started a thread" in reason]
    assert started == [started[0]]
    assert "ThreadPoolExecutor-N_N" in started[0]
    for pool in early:
        pool.shutdown()
