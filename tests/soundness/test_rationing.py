"""Token buckets, quotas, counters, ids, breakers, budgets: what is counted and who may go on."""

import contextlib
import functools
import itertools
import threading
from collections import Counter, OrderedDict, deque
from typing import ClassVar

import pytest

from tests.soundness.truth import broken, right, systems_of


def _both(world, first, second):
    world.actor("first", first)
    world.actor("second", second)
    return world.run()


class Bucket:
    __slots__ = ("lock", "tokens")

    def __init__(self, tokens):
        self.tokens, self.lock = tokens, threading.Lock()

    def take(self):
        if self.tokens > 0:
            self.tokens -= 1
            return True
        return False

    def take_under_the_lock(self):
        with self.lock:
            return self.take()


@broken("both see the last token and take it")
def a_bucket_without_a_lock(world):
    bucket = Bucket(1)
    answers = _both(world, bucket.take, bucket.take)
    assert sorted(answers.values()) == [False, True]


@right("the look and the taking are under the lock of the bucket")
def a_bucket_with_a_lock(world):
    bucket = Bucket(1)
    answers = _both(world, bucket.take_under_the_lock, bucket.take_under_the_lock)
    assert sorted(answers.values()) == [False, True]


class Singleton(type):
    _made: ClassVar[dict[type, object]] = {}

    def __call__(cls, *arguments):
        if cls not in cls._made:
            cls._made[cls] = super().__call__(*arguments)
        return cls._made[cls]


class LockedSingleton(type):
    _made: ClassVar[dict[type, object]] = {}
    _lock = threading.Lock()

    def __call__(cls, *arguments):
        with cls._lock:
            if cls not in cls._made:
                cls._made[cls] = super().__call__(*arguments)
        return cls._made[cls]


@broken("both find none, and the first is answered what the second has put in its place")
def a_singleton_by_a_metaclass(world):
    Singleton._made.clear()
    made = []

    class Settings(metaclass=Singleton):
        def __init__(self):
            made.append(1)

    _both(world, lambda: Settings(), lambda: Settings())
    Singleton._made.clear()
    assert made == [1]


@right("the lock of the metaclass is held from the look to the making")
def a_singleton_by_a_locked_metaclass(world):
    LockedSingleton._made.clear()
    made = []

    class Settings(metaclass=LockedSingleton):
        def __init__(self):
            made.append(1)

    _both(world, lambda: Settings(), lambda: Settings())
    LockedSingleton._made.clear()
    assert made == [1]


def memo(lock):
    def decorate(function):
        kept = {}

        @functools.wraps(function)
        def wrapper(cls, key):
            with lock:
                if key not in kept:
                    kept[key] = function(cls, key)
                return kept[key]

        return wrapper

    return decorate


def _loads_once(world, lock):
    loads = []

    class Prices:
        @classmethod
        @memo(lock)
        def of(cls, key):
            loads.append(key)
            return key.upper()

    _both(world, lambda: Prices.of("k"), lambda: Prices.of("k"))
    assert loads == ["k"]


@broken("both miss in the dict that the decorator of the class method hides")
def a_memo_hidden_in_a_class_method(world):
    _loads_once(world, contextlib.nullcontext())


@right("the decorator holds its lock while it loads")
def a_locked_memo_hidden_in_a_class_method(world):
    _loads_once(world, threading.RLock())


class Ids:
    def __init__(self):
        self.numbers = itertools.count(1)
        self.last = 0

    def from_count(self):
        return next(self.numbers)

    def from_attribute(self):
        self.last += 1
        return self.last


@right("next of a count is one operation")
def ids_from_a_count(world):
    ids = Ids()
    answers = _both(world, ids.from_count, ids.from_count)
    assert sorted(answers.values()) == [1, 2]


@broken("both add to the same number")
def ids_from_an_attribute(world):
    ids = Ids()
    answers = _both(world, ids.from_attribute, ids.from_attribute)
    assert sorted(answers.values()) == [1, 2]


@broken("the one that came first in the book has taken the higher number")
def ids_written_in_a_book(world):
    ids, book = Ids(), []

    def enter():
        number = ids.from_count()
        book.append(number)

    _both(world, enter, enter)
    assert book == [1, 2]


@right("the number is taken and written down under one lock")
def ids_written_in_a_locked_book(world):
    ids, book, lock = Ids(), [], threading.Lock()

    def enter():
        with lock:
            book.append(ids.from_count())

    _both(world, enter, enter)
    assert book == [1, 2]


def numbered():
    number = 0
    while True:
        number += 1
        yield number


@right("callers of the generator hold a lock")
def ids_from_a_locked_generator(world):
    ids, lock = numbered(), threading.Lock()

    def take():
        with lock:
            return next(ids)

    assert sorted(_both(world, take, take).values()) == [1, 2]


class Recent(OrderedDict):
    def __init__(self, most):
        super().__init__()
        self.most = most

    def __setitem__(self, key, value):
        super().__setitem__(key, value)
        if len(self) > self.most:
            self.popitem(last=False)

    def touch(self, key):
        if key in self:
            self.move_to_end(key)


@broken("the key is found, pushed out by the other, and cannot be moved")
def a_recently_used_cache_that_is_touched(world):
    recent = Recent(1)
    recent["a"] = 1
    _both(world, lambda: recent.touch("a"), lambda: recent.__setitem__("b", 2))


@right("what is missing is no error to who touches it")
def a_recently_used_cache_that_forgives(world):
    recent = Recent(1)
    recent["a"] = 1

    def touch():
        with contextlib.suppress(KeyError):
            recent.move_to_end("a")

    _both(world, touch, lambda: recent.__setitem__("b", 2))
    assert len(recent) == 1


class Window:
    def __init__(self, most):
        self.calls = deque(maxlen=most)

    def allows(self, now):
        if len(self.calls) == self.calls.maxlen:
            return False
        self.calls.append(now)
        return True


@broken("both find room for one more call")
def a_window_of_calls(world):
    window = Window(1)
    answers = _both(world, lambda: window.allows(1), lambda: window.allows(2))
    assert sorted(answers.values()) == [False, True]


@right("a call is given its place by popping one, which is one operation")
def a_window_of_places(world):
    places = deque([1])

    def allows():
        try:
            places.pop()
        except IndexError:
            return False
        return True

    assert sorted(_both(world, allows, allows).values()) == [False, True]


@broken("the count of the counter is read and written by two operations")
def a_quota_in_a_counter(world):
    used = Counter()

    def use():
        used["ann"] += 1

    _both(world, use, use)
    assert used["ann"] == 2


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
