"""A check whose users would be coroutines of one thread hung for ever: it is refused."""

import _thread

import pytest

from pytest_supercache import Verdict, check
from pytest_supercache.core.errors import SupercacheError


def body(world):
    for name in "ab":
        world.actor(name, world.origin.set, "k", name)
    world.run()


def test_a_check_with_the_threads_of_gevent_is_refused(monkeypatch):
    def spawned(*_):
        raise AssertionError("no thread is started")

    spawned.__module__ = "gevent.thread"
    monkeypatch.setattr(_thread, "start_new_thread", spawned)
    with pytest.raises(SupercacheError, match="gevent has replaced Python's threads"):
        check(body)


def test_a_check_with_those_of_python_is_not():
    assert check(body).verdict is Verdict.HOLDS
