"""What a thread-local held is destroyed after its actor has ended: it takes no steps as one."""

import threading

import pytest

from pytest_supercache import Verdict, check


def frees_under_a_lock(_world, lock):
    with lock:
        pass


def counts_in_the_cache(world, _lock):
    world.existing_cache.client().incr("freed")


def does_nothing(_world, _lock):
    pass


def check_of(ends):
    here = threading.local()

    def body(world):
        lock = threading.Lock()

        class Lease:
            def __del__(self):
                ends(world, lock)

        def flow():
            here.lease = Lease()
            world.existing_cache.client().incr("n")

        for name in "ab":
            world.actor(name, flow)
        world.run()

    return check(body, search="all-schedules")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("ends", [frees_under_a_lock, counts_in_the_cache])
def test_what_it_does_then_is_in_no_schedule_and_that_is_said(ends):
    result = check_of(ends)
    assert result.verdict is Verdict.UNKNOWN
    assert "not under control" in result.reasons[0]


def test_one_that_does_nothing_of_the_kind_is_no_matter():
    assert check_of(does_nothing).verdict is Verdict.HOLDS
