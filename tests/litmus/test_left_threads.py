"""Threads that nothing can end: there may be only so many of them in a process."""

import os
from time import monotonic

import pytest

from pytest_supercache import Verdict
from pytest_supercache.checking.check import check_on
from pytest_supercache.core.settings import Exploration
from pytest_supercache.layers.servers import start_server
from pytest_supercache.runtime.kernel import ending, left_threads
from tests.left_behind import let_end

LIMITS = Exploration(step_timeout=0.05)


@pytest.fixture(autouse=True)
def _few(monkeypatch):
    monkeypatch.setattr(left_threads, "LEFT_MAX", 2)
    monkeypatch.setattr(ending, "UNWIND_SECONDS", 0.05)


@pytest.fixture
def pipe():
    """A pipe whose reader blocks outside of any switch point."""
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def checked(code):
    def body(world):
        client = world.existing_cache.client()
        world.actor("one", code)
        world.actor("two", lambda: client.set("k", "v"))
        world.run()

    return check_on(start_server("fakeredis"), body, LIMITS, guarantees=())


def test_no_check_begins_after_so_many_have_left_a_thread_until_one_has_ended(pipe):
    read, write = pipe
    for _ in range(2):
        assert checked(lambda: os.read(read, 1)).verdict is Verdict.UNKNOWN
    with pytest.raises(left_threads.TooManyLeftError, match=r"^2 threads hang in code under test"):
        checked(lambda: None)
    os.write(write, b"go")
    end = monotonic() + 5
    while left_threads.why_no_more() is not None and monotonic() < end:
        let_end({"MainThread"})
    assert checked(lambda: None).verdict is Verdict.HOLDS


def test_threads_that_end_with_their_execution_do_not_count():
    for _ in range(3):
        assert checked(lambda: None).verdict is Verdict.HOLDS
    assert left_threads.why_no_more() is None
