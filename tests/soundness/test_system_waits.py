"""Waits of the operating system: the clock stands still meanwhile, so they prove nothing."""

import select
import selectors
import signal
import time

import pytest

from pytest_supercache import Verdict, check

REAL = (select.select, select.poll, selectors.DefaultSelector, signal.sigtimedwait)
WAITS = {
    "select.select()": lambda seconds: select.select([], [], [], seconds),
    "select.poll()": lambda seconds: select.poll().poll(seconds * 1000),
    "selectors.EpollSelector": lambda seconds: selectors.DefaultSelector().select(seconds),
    "selectors.PollSelector": lambda seconds: selectors.PollSelector().select(seconds),
    "signal.sigtimedwait()": lambda seconds: signal.sigtimedwait([signal.SIGUSR1], seconds),
}


def waited(wait, seconds):
    def body(world):
        def flow():
            began = time.monotonic()
            wait(seconds)
            return time.monotonic() - began

        world.actor("alice", flow)
        world.actor("bob", flow)
        world.run()

    return check(body)


@pytest.mark.parametrize("name", WAITS)
def test_a_wait_that_takes_real_time_is_unknown_by_name(name):
    result = waited(WAITS[name], 0.01)
    assert result.verdict is Verdict.UNKNOWN
    assert any(f"waits by {name}" in reason for reason in result.reasons), result.reasons


@pytest.mark.parametrize("name", WAITS)
def test_a_question_that_does_not_wait_is_answered(name):
    assert waited(WAITS[name], 0).verdict is Verdict.HOLDS


def test_a_wait_before_the_race_and_the_real_names_afterwards_are_as_ever():
    def body(world):
        select.select([], [], [], 0.001)
        world.actor("alice", time.monotonic)
        world.run()

    assert check(body).verdict is Verdict.HOLDS
    assert (select.select, select.poll, selectors.DefaultSelector, signal.sigtimedwait) == REAL
