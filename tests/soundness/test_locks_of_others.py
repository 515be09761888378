"""Locks given back by others, gates, semaphores, conditions, and locks made of other things."""

import contextlib
import threading

import pytest

from tests.soundness.truth import broken, right, systems_of


def _twice(world, function, *arguments):
    world.actor("first", function, *arguments)
    world.actor("second", function, *arguments)
    return world.run()


class Ledger:
    def __init__(self):
        self.lines = 0
        self.lock = threading.Lock()
        self.gate = threading.Semaphore(1)

    def add(self):
        self.lines += 1


@broken("who does not get the lock gives it back all the same, and lets a third in")
def a_lock_given_back_by_who_never_had_it(world):
    ledger = Ledger()

    def add():
        with ledger.lock:
            ledger.add()

    def clean_up():
        try:
            ledger.lock.acquire(blocking=False)
        finally:
            with contextlib.suppress(RuntimeError):
                ledger.lock.release()

    world.actor("first", add)
    world.actor("second", add)
    world.actor("cleaner", clean_up)
    with contextlib.suppress(RuntimeError):
        world.run()
    assert ledger.lines == 2


@right("only who got the lock gives it back")
def a_lock_given_back_by_its_holder(world):
    ledger = Ledger()

    def add():
        with ledger.lock:
            ledger.add()

    def clean_up():
        if ledger.lock.acquire(blocking=False):
            ledger.lock.release()

    world.actor("first", add)
    world.actor("second", add)
    world.actor("cleaner", clean_up)
    world.run()
    assert ledger.lines == 2


def _break_in(lock):
    with contextlib.suppress(RuntimeError):
        lock.release()


@broken("the second frees the lock that the first holds, and both add at once")
def a_lock_that_is_broken_open(world):
    ledger = Ledger()

    def add():
        ledger.lock.acquire()
        ledger.add()
        _break_in(ledger.lock)

    def force():
        _break_in(ledger.lock)
        add()

    world.actor("first", add)
    world.actor("second", force)
    world.run()
    assert ledger.lines == 2


@right("nobody frees a lock that another holds")
def a_lock_that_is_left_alone(world):
    ledger = Ledger()

    def add():
        ledger.lock.acquire()
        ledger.add()
        _break_in(ledger.lock)

    _twice(world, add)
    assert ledger.lines == 2


@right("a semaphore of one lets one in")
def a_semaphore_as_a_lock(world):
    ledger = Ledger()

    def add():
        with ledger.gate:
            ledger.add()

    _twice(world, add)
    assert ledger.lines == 2


@broken("a release too many in the clean-up lets two in")
def a_semaphore_released_without_being_had(world):
    ledger = Ledger()

    def add():
        with ledger.gate:
            ledger.add()

    def try_to_add():
        try:
            if ledger.gate.acquire(blocking=False):
                ledger.add()
        finally:
            ledger.gate.release()

    world.actor("first", add)
    world.actor("second", add)
    world.actor("third", try_to_add)
    world.run()
    assert ledger.lines >= 2


@broken("two locks guard one number")
def two_locks_for_one_number(world):
    ledger = Ledger()
    other = threading.Lock()

    def add(lock):
        with lock:
            ledger.add()

    world.actor("first", add, ledger.lock)
    world.actor("second", add, other)
    world.run()
    assert ledger.lines == 2


@right("whoever writes has both locks, whoever reads has one of them")
def two_locks_of_which_the_writer_has_both(world):
    pair, one, two = {"a": 0, "b": 0}, threading.Lock(), threading.Lock()

    def write():
        with one, two:
            pair["a"] = 1
            pair["b"] = 1

    def read(lock):
        with lock:
            return pair["a"] == pair["b"]

    world.actor("reader", read, one)
    world.actor("other reader", read, two)
    world.actor("writer", write)
    answers = world.run()
    assert [answers["reader"], answers["other reader"]] == [True, True]


class ReadWriteLock:
    """Readers count themselves, the first keeps writers out and the last lets them in."""

    def __init__(self, counts_under_lock=True):
        self.counting = threading.Lock() if counts_under_lock else contextlib.nullcontext()
        self.writing = threading.Lock()
        self.readers = 0

    @contextlib.contextmanager
    def reading(self):
        with self.counting:
            self.readers += 1
            if self.readers == 1:
                self.writing.acquire()
        try:
            yield
        finally:
            with self.counting:
                self.readers -= 1
                if self.readers == 0:
                    self.writing.release()


@right("the first reader holds the lock of writers until it has read both")
def a_read_write_lock(world):
    lock, pair = ReadWriteLock(), [0, 0]

    def read():
        with lock.reading():
            return pair[0] == pair[1]

    def write():
        with lock.writing:
            pair[0] = 1
            pair[1] = 1

    world.actor("reader", read)
    world.actor("writer", write)
    assert world.run()["reader"]


def _read_twice(world, lock):
    def read():
        with lock.reading():
            pass

    _twice(world, read)
    assert lock.readers == 0
    assert not lock.writing.locked()


@right("the last reader gives the lock of writers back, whoever took it")
def a_read_write_lock_that_counts(world):
    _read_twice(world, ReadWriteLock())


@broken("readers count themselves without a lock, and one of them is lost")
def a_read_write_lock_that_miscounts(world):
    _read_twice(world, ReadWriteLock(counts_under_lock=False))


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
