"""Threads that several users start, ask about, or wait for."""

import threading

import pytest

from tests.soundness.truth import broken, right, systems_of


def _users(world, *flows):
    for name, flow in zip(("alice", "bob"), flows, strict=True):
        world.actor(name, flow)
    world.run()


def _refresher(of):
    redis = of.existing_cache.client()
    return threading.Thread(target=lambda: redis.incr("refreshed"))


@broken("both find that it does not run and start it, and Python lets the second one fail")
def a_thread_started_by_whoever_finds_it_at_rest(world):
    thread = _refresher(world)

    def refresh():
        if thread.ident is None:
            thread.start()

    _users(world, refresh, refresh)


@right("the second user finds that the thread was started")
def a_thread_started_by_the_first_under_a_lock(world):
    thread, lock, begun = _refresher(world), threading.Lock(), []

    def refresh():
        with lock:
            if not begun:
                begun.append(True)
                thread.start()

    _users(world, refresh, refresh)


@broken("it may be waited for before it was started")
def a_thread_joined_by_another_one(world):
    thread = _refresher(world)
    _users(world, thread.start, thread.join)


@right("it is waited for once it is known to be started")
def a_thread_joined_after_its_start_was_told(world):
    thread, is_started = _refresher(world), threading.Event()

    def start():
        thread.start()
        is_started.set()

    def join():
        is_started.wait()
        thread.join()

    _users(world, start, join)


def _restarted(world, *, forgives):
    """Let one user start a thread again, which Python refuses."""
    redis, seen = world.existing_cache.client(), []

    def start():
        thread = threading.Timer(1, lambda: redis.incr("k"))
        thread.start()
        try:
            thread.start()
        except RuntimeError as error:
            if not forgives:
                raise
            seen.append(str(error))
        thread.join()

    _users(world, start, lambda: redis.get("k"))
    assert seen == ["threads can only be started once"]


@broken("it fails when it starts the timer again")
def a_timer_started_again(world):
    _restarted(world, forgives=False)


@right("it knows that it may not start the timer again")
def a_timer_started_again_and_forgiven(world):
    _restarted(world, forgives=True)


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_verdicts_are_the_truth(system):
    system.must_be_told()
