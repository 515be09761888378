"""Batons: handed over one by one, and never shared with a process that was forked."""

import gc
import os
import warnings

import pytest

from pytest_supercache.runtime.kernel import baton

pytestmark = pytest.mark.skipif(not hasattr(os, "eventfd"), reason="batons are semaphores here")


def test_a_baton_is_taken_as_often_as_it_is_given():
    one = baton.Baton()
    one.give()
    one.give()
    one.take()
    assert one.take_within(0)
    assert not one.take_within(0)


def test_the_counter_of_a_baton_serves_the_next_one_only_when_nothing_is_left_in_it():
    one = baton.Baton()
    one.give()
    del one
    fresh = [baton.Baton() for _ in range(baton.SPARE_MAX + 1)]
    assert not any(other.take_within(0) for other in fresh)


def in_a_fork(task):
    """Run ``task`` in a forked process; return whether it said yes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that other threads do not come along: none is needed
        child = os.fork()
    if not child:
        said = 1
        try:
            said = 0 if task() else 1
        finally:
            os._exit(said)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_process_that_was_forked_shares_no_counter():
    spare, alive = baton.Baton(), [baton.Baton()]
    del spare

    def in_the_child():
        was_empty = not baton._spare
        alive.clear()  # its counter is one of the parent's
        gc.collect()
        return was_empty and not baton._spare

    assert in_a_fork(in_the_child)
    assert baton._spare
