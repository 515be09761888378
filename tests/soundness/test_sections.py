"""Critical sections: locks that nobody ever waits for, and locks that somebody does."""

import configparser
import contextlib
import hashlib
import logging
import threading
from time import time as now  # noqa: TID251 - what code under test does
from unittest.mock import Mock

import pytest

from tests.soundness.truth import broken, right, systems_of


def _together(world, *flows):
    for name, flow in zip(("alice", "bob", "carol"), flows, strict=False):
        world.actor(name, flow)
    return world.run()


@broken("somebody adds one between the look and the store, though both are locked")
def two_sections_for_one_sum(world):
    lock, counts = threading.Lock(), {"n": 0}

    def add():
        with lock:
            seen = counts["n"]
        with lock:
            counts["n"] = seen + 1

    _together(world, add, add)
    assert counts["n"] == 2


@right("the look and the store are one section")
def one_section_for_one_sum(world):
    lock, counts = threading.Lock(), {"n": 0}

    def add():
        with lock:
            seen = counts["n"]
            counts["n"] = seen + 1

    _together(world, add, add)
    assert counts["n"] == 2


@broken("the reader comes between the two sections of the writer")
def a_pair_that_is_written_in_two_sections(world):
    lock, pair = threading.Lock(), {"low": 0, "high": 0}

    def write():
        with lock:
            pair["low"] = 1
        with lock:
            pair["high"] = 1

    def read():
        with lock:
            return pair["low"] == pair["high"]

    assert _together(world, write, read)["bob"]


@right("the reader looks once, and the writer writes once")
def a_pair_that_is_written_in_one_section(world):
    lock, pair = threading.Lock(), {"low": 0, "high": 0}

    def write():
        with lock:
            pair["low"] = 1
            pair["high"] = 1

    def read():
        with lock:
            return pair["low"] == pair["high"]

    assert _together(world, write, read)["bob"]


@broken("each holds the lock that the other one wants")
def two_locks_in_two_orders(world):
    first, second, sums = threading.Lock(), threading.Lock(), [0]

    def forth():
        with first, second:
            sums[0] += 1

    def back():
        with second, first:
            sums[0] += 1

    _together(world, forth, back)
    assert sums == [2]


@right("both take the locks in one order")
def two_locks_in_one_order(world):
    first, second, sums = threading.Lock(), threading.Lock(), [0]

    def add():
        with first, second:
            sums[0] += 1

    _together(world, add, add)
    assert sums == [2]


@broken("who finds the lock held skips the work")
def a_lock_that_is_tried(world):
    lock, done = threading.Lock(), []

    def work(name):
        if lock.acquire(blocking=False):
            done.append(name)
            lock.release()

    _together(world, lambda: work("alice"), lambda: work("bob"))
    assert sorted(done) == ["alice", "bob"]


@right("who finds the lock held waits for it")
def a_lock_that_is_tried_and_then_waited_for(world):
    lock, done = threading.Lock(), []

    def work(name):
        if not lock.acquire(blocking=False):
            lock.acquire()
        done.append(name)
        lock.release()

    _together(world, lambda: work("alice"), lambda: work("bob"))
    assert sorted(done) == ["alice", "bob"]


@broken("somebody sees that the lock is held, and takes that for work under way")
def a_lock_that_is_looked_at(world):
    lock, rows = threading.Lock(), []

    def fill():
        with lock:
            rows.append(1)

    def look():
        return lock.locked()

    assert not _together(world, fill, look)["bob"]


@right("nobody holds the lock that is looked at")
def a_lock_that_is_looked_at_and_never_held(world):
    lock, other, rows = threading.Lock(), threading.Lock(), []

    def fill():
        with other:
            rows.append(1)

    def look():
        return lock.locked()

    assert not _together(world, fill, look)["bob"]


@broken("the lock is not released when there is nothing to do")
def a_lock_that_is_kept(world):
    lock, rows = threading.Lock(), []

    def take():
        lock.acquire()
        if rows:
            return  # and nobody can go on any more
        rows.append(1)
        lock.release()

    _together(world, take, take, take)
    assert rows == [1]


@right("the lock is released whatever there is to do")
def a_lock_that_is_given_back(world):
    lock, rows = threading.Lock(), []

    def take():
        lock.acquire()
        try:
            if rows:
                return
            rows.append(1)
        finally:
            lock.release()

    _together(world, take, take, take)
    assert rows == [1]


@broken("the section ends at the first error, and what it has begun is seen")
def a_section_that_fails_half_way(world):
    lock, pair = threading.Lock(), {"low": 0, "high": 0}

    def write():
        with contextlib.suppress(ZeroDivisionError), lock:
            pair["low"] = 1
            pair["high"] = 1 // 0

    def read():
        with lock:
            return pair["low"] == pair["high"]

    assert _together(world, write, read)["bob"]


@right("the section fails before it writes")
def a_section_that_fails_at_first(world):
    lock, pair = threading.Lock(), {"low": 0, "high": 0}

    def write():
        with contextlib.suppress(ZeroDivisionError), lock:
            high = 1 // 0
            pair["low"] = pair["high"] = high

    def read():
        with lock:
            return pair["low"] == pair["high"]

    assert _together(world, write, read)["bob"]


@broken("what is hashed depends on who comes first")
def a_hash_in_two_orders(world):
    lock, digest = threading.Lock(), hashlib.sha256()

    def add(text):
        with lock:
            digest.update(text)

    _together(world, lambda: add(b"a"), lambda: add(b"b"))
    assert digest.digest() == hashlib.sha256(b"ab").digest()


@right("what is hashed is the same, whoever comes first")
def a_hash_in_any_order(world):
    lock, digest = threading.Lock(), hashlib.sha256()

    def add(text):
        with lock:
            digest.update(text)

    _together(world, lambda: add(b"a"), lambda: add(b"a"))
    assert digest.digest() == hashlib.sha256(b"aa").digest()


@broken("the level that one of them sets is the one that the other one finds")
def a_logger_that_is_set_and_asked(world):
    lock, logger = threading.Lock(), logging.Logger("shop")

    def silence():
        with lock:
            logger.setLevel(logging.ERROR)

    def ask():
        with lock:
            return logger.isEnabledFor(logging.INFO)

    assert _together(world, silence, ask)["bob"]


@right("both set the same level")
def a_logger_that_is_set_alike(world):
    lock, logger = threading.Lock(), logging.Logger("shop", logging.ERROR)

    def silence():
        with lock:
            logger.setLevel(logging.ERROR)

    def ask():
        with lock:
            return logger.isEnabledFor(logging.INFO)

    assert not _together(world, silence, ask)["bob"]


@broken("an object that is not looked at is read in one section and written in the next")
def a_mock_in_two_sections(world):
    lock, mock = threading.Lock(), Mock()
    mock.n = 0

    def add():
        with lock:
            seen = mock.n
        with lock:
            mock.n = seen + 1

    _together(world, add, add)
    assert mock.n == 2


@right("an object that is not looked at is read and written in one section")
def a_mock_in_one_section(world):
    lock, mock = threading.Lock(), Mock()
    mock.n = 0

    def add():
        with lock:
            mock.n = mock.n + 1

    _together(world, add, add)
    assert mock.n == 2


@broken("what a parser of the standard library holds is written in two sections")
def a_parser_in_two_sections(world):
    lock, parser = threading.Lock(), configparser.ConfigParser()
    parser["cache"] = {"host": "a", "port": "1"}

    def move():
        with lock:
            parser.set("cache", "host", "b")
        with lock:
            parser.set("cache", "port", "2")

    def read():
        with lock:
            return parser.get("cache", "host") + parser.get("cache", "port")

    assert _together(world, move, read)["bob"] in ("a1", "b2")


@right("what a parser of the standard library holds is written in one section")
def a_parser_in_one_section(world):
    lock, parser = threading.Lock(), configparser.ConfigParser()
    parser["cache"] = {"host": "a", "port": "1"}

    def move():
        with lock:
            parser.set("cache", "host", "b")
            parser.set("cache", "port", "2")

    def read():
        with lock:
            return parser.get("cache", "host") + parser.get("cache", "port")

    assert _together(world, move, read)["bob"] in ("a1", "b2")


@broken("the second of two users is let in by the first one's answer")
def sections_in_a_decorator(world):
    lock, tickets, redis = threading.Lock(), [1], world.existing_cache.client()

    def locked(function):
        def guarded(*arguments):
            with lock:
                return function(*arguments)

        return guarded

    @locked
    def left():
        return bool(tickets)

    @locked
    def take():
        return tickets.pop() if tickets else None

    def buy():
        if left():
            redis.incr("sold")
            assert take() is not None

    _together(world, buy, buy)


@right("a ticket is taken before it is sold")
def sections_in_a_decorator_once(world):
    lock, tickets, redis = threading.Lock(), [1], world.existing_cache.client()

    def locked(function):
        def guarded(*arguments):
            with lock:
                return function(*arguments)

        return guarded

    @locked
    def take():
        return tickets.pop() if tickets else None

    def buy():
        if take() is not None:
            redis.incr("sold")

    _together(world, buy, buy)
    assert int(redis.get("sold")) == 1


@broken("the lock is held while the cache is asked, and its answer is stored after it")
def a_command_in_one_section_and_a_store_in_the_next(world):
    redis, lock, near = world.existing_cache.client(decode_responses=True), threading.Lock(), {}
    redis.set("k", "old")

    def read():
        with lock:
            value = redis.get("k")
        with lock:
            near["k"] = value

    def write():
        redis.set("k", "new")
        with lock:
            near.pop("k", None)

    _together(world, read, write)
    assert near.get("k", "new") == "new"


@right("the answer is stored in the section that has asked for it")
def a_command_and_a_store_in_one_section(world):
    redis, lock, near = world.existing_cache.client(decode_responses=True), threading.Lock(), {}
    redis.set("k", "old")

    def read():
        with lock:
            near["k"] = redis.get("k")

    def write():
        redis.set("k", "new")
        with lock:
            near.pop("k", None)

    _together(world, read, write)
    assert near.get("k", "new") == "new"


@broken("a lock that may be taken again is given back in between")
def a_reentrant_lock_in_two_sections(world):
    lock, rows = threading.RLock(), []

    def append(row):
        with lock:
            rows.append(row)

    def both(name):
        append(name)
        append(name)

    _together(world, lambda: both("a"), lambda: both("b"))
    assert rows in (["a", "a", "b", "b"], ["b", "b", "a", "a"])


@right("a lock that may be taken again is held throughout")
def a_reentrant_lock_in_one_section(world):
    lock, rows = threading.RLock(), []

    def append(row):
        with lock:
            rows.append(row)

    def both(name):
        with lock:
            append(name)
            append(name)

    _together(world, lambda: both("a"), lambda: both("b"))
    assert rows in (["a", "a", "b", "b"], ["b", "b", "a", "a"])


@broken("the stamp is read in one section, and the value is stored in the next")
def last_write_wins_in_two_sections(world):
    lock, entry = threading.Lock(), {"at": 0.0, "value": None}
    order = []

    def write(value):
        with lock:
            at = now()
            order.append(value)
        with lock:
            entry.update(at=at, value=value)

    _together(world, lambda: write("a"), lambda: write("b"))
    assert entry["value"] == order[-1]


@right("whatever comes first, the later stamp wins")
def last_write_wins_by_its_stamp(world):
    lock, entry = threading.Lock(), {"at": 0.0, "value": None}
    order = []

    def write(value):
        with lock:
            at = now()
            order.append(value)
        with lock:
            if at > entry["at"]:
                entry.update(at=at, value=value)

    _together(world, lambda: write("a"), lambda: write("b"))
    assert entry["value"] == order[-1]


@broken("one of them takes another lock")
def two_locks_for_one_sum(world):
    first, second, sums = threading.Lock(), threading.Lock(), [0]

    def add(lock):
        with lock:
            seen = sums[0]
            sums[0] = seen + 1

    _together(world, lambda: add(first), lambda: add(second))
    assert sums == [2]


@right("each lock guards a sum of its own")
def two_locks_for_two_sums(world):
    first, second, sums = threading.Lock(), threading.Lock(), [0, 0]

    def add(lock, at):
        with lock:
            sums[at] = sums[at] + 1

    _together(world, lambda: add(first, 0), lambda: add(second, 1))
    assert sums == [1, 1]


@broken("a job that is told of the end looks too early")
def sections_beside_an_event(world):
    lock, told, rows = threading.Lock(), threading.Event(), []

    def work():
        with lock:
            rows.append(1)
        told.set()
        with lock:
            rows.append(2)

    def look():
        told.wait()
        with lock:
            return list(rows)

    assert _together(world, work, look)["bob"] == [1, 2]


@right("a job is told when all is done")
def sections_before_an_event(world):
    lock, told, rows = threading.Lock(), threading.Event(), []

    def work():
        with lock:
            rows.append(1)
        with lock:
            rows.append(2)
        told.set()

    def look():
        told.wait()
        with lock:
            return list(rows)

    assert _together(world, work, look)["bob"] == [1, 2]


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_the_truth_is_told(system):
    system.must_be_told()
