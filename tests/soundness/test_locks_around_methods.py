"""Locks that a decorator or a context manager takes."""

import contextlib
import functools
import threading

import pytest

from tests.soundness.truth import broken, right, systems_of


def _twice(world, function, *arguments):
    world.actor("first", function, *arguments)
    world.actor("second", function, *arguments)
    return world.run()


def locked(method):
    @functools.wraps(method)
    def wrapper(self, *arguments):
        with self.lock:
            return method(self, *arguments)

    return wrapper


class Account:
    def __init__(self):
        self.lock = threading.RLock()
        self.balance = 0

    @locked
    def add(self, amount):
        self.balance += amount

    @locked
    def add_twice(self, amount):
        self.add(amount)
        self.add(amount)

    def add_in_two_turns(self, amount):
        before = self.read()
        self.write(before + amount)

    @locked
    def read(self):
        return self.balance

    @locked
    def write(self, balance):
        self.balance = balance

    @contextlib.contextmanager
    def held(self):
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.lock)
            yield self

    @contextlib.contextmanager
    def held_too_short(self):
        with self.lock:
            pass
        yield self


@right("the lock is re-entered by its holder")
def a_lock_entered_again(world):
    account = Account()
    _twice(world, account.add_twice, 1)
    assert account.balance == 4


@broken("the lock is free between the read and the write")
def a_lock_taken_in_two_turns(world):
    account = Account()
    _twice(world, account.add_in_two_turns, 1)
    assert account.balance == 2


@right("the context manager holds the lock through an ExitStack while its block runs")
def a_context_manager_that_holds(world):
    account = Account()

    def add():
        with account.held() as mine:
            mine.balance += 1

    _twice(world, add)
    assert account.balance == 2


@broken("the context manager gives the lock back before its block runs")
def a_context_manager_that_lets_go(world):
    account = Account()

    def add():
        with account.held_too_short() as mine:
            mine.balance += 1

    _twice(world, add)
    assert account.balance == 2


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
