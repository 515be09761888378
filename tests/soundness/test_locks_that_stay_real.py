"""Locks that nothing could replace: made by code of C, before the check, or by libraries."""

import asyncio
import contextlib
import functools
import importlib
import io
import multiprocessing.dummy
import sched
import threading
import time
import types
import zipfile
from collections import deque
from functools import partial

import pydantic
import pytest

from pytest_supercache import Verdict, check
from tests.soundness.truth import broken, right, systems_of


class Stock(pydantic.BaseModel):
    """Its lock is made by code of Rust, which keeps the real class."""

    left: int = 1
    lock: object = pydantic.Field(default_factory=threading.Lock)

    def take(self):
        left = self.left
        if left > 0:
            self.left = left - 1
        return left > 0


class Shelf(Stock):
    """The same with a private lock, which lets its thread in again."""

    _turn: object = pydantic.PrivateAttr(default_factory=threading.RLock)

    def take(self):
        with self._turn:
            return super().take()

    def take_twice(self):
        with self._turn:
            return self.take() + self.take()


class Counter:
    """A number, and the lock of somebody else."""

    def __init__(self, lock):
        self.number = 0
        self.lock = lock

    def add(self):
        self.number += 1


def _far(of):
    return of.existing_cache.aclient(decode_responses=True)


async def _raced(world, *flows):
    for name, flow in zip(("first", "second"), flows, strict=True):
        world.actor(name, flow)
    return await world.run()


def _twice(world, first, second=None):
    world.actor("first", first)
    world.actor("second", second or first)
    return world.run()


@broken("one task holds the lock while its command is away, and the other blocks their loop")
async def a_lock_held_by_a_task_over_an_await(world):
    stock, far = Stock(), _far(world)

    async def add(key):
        with stock.lock:
            await far.incr(key)

    await _raced(world, functools.partial(add, "a"), functools.partial(add, "b"))


@right("each task lets the lock go before it awaits")
async def a_lock_let_go_before_an_await(world):
    stock, far = Stock(), _far(world)

    async def add(key):
        with stock.lock:
            stock.take()
        await far.incr(key)

    await _raced(world, functools.partial(add, "a"), functools.partial(add, "b"))
    assert stock.left == 0


@broken("who finds the lock taken goes away")
def a_lock_that_is_tried(world):
    stock = Stock()
    cache = world.existing_cache.client()

    def add():
        if stock.lock.acquire(blocking=False):
            try:
                cache.incr("n")
            finally:
                stock.lock.release()

    _twice(world, add)
    assert cache.get("n") == b"2"


@right("who finds the lock taken waits for it")
def a_lock_that_is_awaited(world):
    stock = Stock()
    cache = world.existing_cache.client()

    def add():
        if not stock.lock.acquire(blocking=False):
            stock.lock.acquire()
        try:
            cache.incr("n")
        finally:
            stock.lock.release()

    _twice(world, add)
    assert cache.get("n") == b"2"


def _move(world, source, target):
    with source.lock:
        world.existing_cache.client().incr(f"moved{source.left}")
        with target.lock:
            target.left += 1


@broken("each holds one lock and waits for that of the other")
def two_locks_in_opposite_orders(world):
    one, two = Stock(left=1), Stock(left=2)
    _twice(world, lambda: _move(world, one, two), lambda: _move(world, two, one))


@right("both take the locks in one order")
def two_locks_in_one_order(world):
    one, two = Stock(left=1), Stock(left=2)
    _twice(world, lambda: _move(world, one, two))
    assert two.left == 4


@right("the lock is held from the look to the store")
def a_lock_of_a_pydantic_field(world):
    stock = Stock()

    def take():
        with stock.lock:
            return stock.take()

    assert sum(_twice(world, take).values()) == 1


@broken("each has a lock of its own")
def locks_of_two_pydantic_objects(world):
    stock, other = Stock(), Stock()

    def take(lock):
        with lock:
            return stock.take()

    got = _twice(world, lambda: take(stock.lock), lambda: take(other.lock))
    assert sum(got.values()) == 1


@right("a thread that holds the lock enters it again")
def a_private_lock_that_is_entered_again(world):
    shelf = Shelf(left=3)
    _twice(world, shelf.take_twice)
    assert shelf.left == 0


@broken("another thread takes one between the two turns")
def a_private_lock_that_is_entered_in_two_turns(world):
    shelf = Shelf(left=3)

    def take_two():
        return shelf.take() + shelf.take()

    assert 1 not in _twice(world, take_two).values()


COUNTERS = deque(Counter(threading.Lock()) for _ in range(2))
"""No walk leads into it, as none leads to what a fixture holds."""


def _counted_under(world, counter, other):
    counter.number = 0

    def add(lock):
        with lock:
            counter.add()

    _twice(world, lambda: add(counter.lock), lambda: add(other.lock))
    assert counter.number == 2


@right("a lock that was made before the check excludes as any")
def a_lock_of_a_fixture(world):
    _counted_under(world, COUNTERS[0], COUNTERS[0])


@broken("each user holds another of two locks made before the check")
def two_locks_of_two_fixtures(world):
    _counted_under(world, *COUNTERS)


STRIPES = deque([threading.Lock(), threading.Lock()])
SPACE = types.SimpleNamespace(lock=threading.Lock())
VIEW = types.MappingProxyType({"lock": threading.Lock()})
KEPT = threading.Lock()
ACQUIRE, RELEASE = KEPT.acquire, KEPT.release


def _added_under(world, first, second):
    counter = Counter(None)

    def add(lock):
        with lock:
            counter.add()

    _twice(world, lambda: add(first()), lambda: add(second()))
    assert counter.number == 2


@broken("the users lock different stripes")
def two_locks_of_a_deque(world):
    _added_under(world, lambda: STRIPES[0], lambda: STRIPES[1])


@right("the users lock one stripe")
def a_lock_of_a_deque(world):
    _added_under(world, lambda: STRIPES[0], lambda: STRIPES[-2])


@broken("a namespace and a view have different locks")
def locks_of_a_namespace_and_of_a_view(world):
    _added_under(world, lambda: SPACE.lock, lambda: VIEW["lock"])


@right("the lock of a namespace is one")
def a_lock_of_a_namespace(world):
    _added_under(world, lambda: SPACE.lock, lambda: SPACE.lock)


@right("a lock and its methods, kept apart, are one")
def a_lock_and_its_methods(world):
    counter = Counter(None)

    def add():
        ACQUIRE()
        try:
            counter.add()
        finally:
            RELEASE()

    def add_too():
        with KEPT:
            counter.add()

    _twice(world, add, add_too)
    assert counter.number == 2


@broken("the methods are those of another lock")
def a_lock_and_the_methods_of_another(world):
    counter, stock = Counter(None), Stock()

    def add():
        ACQUIRE()
        try:
            counter.add()
        finally:
            RELEASE()

    def add_too():
        with stock.lock:
            counter.add()

    _twice(world, add, add_too)
    assert counter.number == 2


@right("an exit stack holds the lock to the end of its block")
def a_lock_of_an_exit_stack(world):
    stock = Stock()

    def take():
        with contextlib.ExitStack() as stack:
            stack.enter_context(stock.lock)
            return stock.take()

    assert sum(_twice(world, take).values()) == 1


@broken("an exit stack has let the lock go")
def a_lock_that_an_exit_stack_has_let_go(world):
    stock = Stock()

    def take():
        with contextlib.ExitStack() as stack:
            stock.lock.acquire()
            stack.callback(stock.lock.release)
        return stock.take()

    assert sum(_twice(world, take).values()) == 1


def _add_and_notify(items, condition):
    with condition:
        items.append(1)
        condition.notify()


@broken("the item comes between the look and the wait, and nobody is told again")
def a_condition_on_a_real_lock_without_a_loop(world):
    stock, items = Stock(), []
    filled = threading.Condition(stock.lock)

    def take():
        if not items:
            with filled:
                filled.wait()
        return items.pop()

    _twice(world, take, partial(_add_and_notify, items, filled))


@right("the look is made under the lock")
def a_condition_on_a_real_lock(world):
    stock, items = Stock(), []
    filled = threading.Condition(stock.lock)

    def take():
        with stock.lock:
            while not items:
                filled.wait()
            return items.pop()

    _twice(world, take, partial(_add_and_notify, items, filled))


@broken("both may make a stock, and each takes the last one of its own")
def a_lock_made_in_the_race_by_both(world):
    stocks = {}

    def take():
        if "k" not in stocks:
            stocks["k"] = Stock()
        stock = stocks["k"]
        with stock.lock:
            return stock.take()

    assert sum(_twice(world, take).values()) == 1


@right("only the first stock that is made is used")
def a_lock_made_in_the_race_once(world):
    stocks = {}

    def take():
        stock = stocks.setdefault("k", Stock())
        with stock.lock:
            return stock.take()

    assert sum(_twice(world, take).values()) == 1


@right("the body takes the lock, and a user gives it back when it is done")
def a_lock_that_the_body_holds(world):
    stock, told = Stock(), []
    stock.lock.acquire()

    def tell():
        told.append(1)
        stock.lock.release()

    def hear():
        stock.lock.acquire()
        return list(told)

    assert _twice(world, tell, hear)["second"] == [1]
    assert stock.lock.locked()


@broken("the user gives it back before it is done")
def a_lock_that_is_given_back_early(world):
    stock, told = Stock(), []
    stock.lock.acquire()

    def tell():
        stock.lock.release()
        told.append(1)

    def hear():
        stock.lock.acquire()
        return list(told)

    assert _twice(world, tell, hear)["second"] == [1]


@broken("the second waits for one second, and the first holds the lock for two")
async def a_lock_that_a_task_waits_for_with_a_timeout(world):
    stock = Stock()

    async def hold():
        with stock.lock:
            await asyncio.sleep(2)

    async def ask():
        assert stock.lock.acquire(timeout=1)
        stock.lock.release()

    await _raced(world, hold, ask)


@right("the first holds the lock between two awaits, not over one")
async def a_lock_that_no_task_waits_for(world):
    stock = Stock()

    async def hold():
        await asyncio.sleep(1)
        with stock.lock:
            stock.take()
        await asyncio.sleep(1)

    async def ask():
        assert stock.lock.acquire(timeout=1)
        stock.lock.release()

    await _raced(world, hold, ask)


@broken("two modules of the standard library give two locks")
def locks_of_other_modules(world):
    first, second = multiprocessing.dummy.Lock(), importlib.import_module("threading").Lock()
    _added_under(world, lambda: first, lambda: second)


@right("one lock, made by another module of the standard library")
def a_lock_of_another_module(world):
    lock = multiprocessing.dummy.Lock()
    _added_under(world, lambda: lock, lambda: lock)


@broken("each finds the one lock by an object of its own, and who finds it taken goes away")
def a_lock_that_each_user_wraps_and_tries(world):
    cache = world.existing_cache.client()

    def add(key):
        counter = Counter(STRIPES[0])
        if counter.lock.acquire(blocking=False):
            try:
                cache.incr(key)
            finally:
                counter.lock.release()

    _twice(world, lambda: add("a"), lambda: add("b"))
    assert cache.mget("a", "b") == [b"1", b"1"]


@right("each finds the one lock by an object of its own")
def a_lock_that_each_user_wraps(world):
    cache = world.existing_cache.client()

    def add():
        counter = Counter(STRIPES[0])
        with counter.lock:
            cache.set("n", int(cache.get("n") or 0) + 1)

    _twice(world, add)
    assert cache.get("n") == b"2"


class Refresher:
    """A refresh that is due; the library's plan of it has a lock of its own."""

    def __init__(self, cache):
        self.plan = sched.scheduler(time.monotonic, lambda _seconds: None)
        self.due = self.plan.enter(0, 1, cache.incr, ("refreshed",))

    def work(self):
        self.plan.run(blocking=False)

    def stop(self, error):
        if self.due in self.plan.queue:
            with contextlib.suppress(error):
                self.plan.cancel(self.due)


@broken("the refresh begins after the look at the plan, so that it cannot be cancelled any more")
def a_plan_of_the_library_that_is_asked_first(world):
    refresher = Refresher(world.existing_cache.client())
    _twice(world, refresher.work, partial(refresher.stop, KeyError))


@right("the error says that it has begun")
def a_plan_of_the_library_that_may_refuse(world):
    refresher = Refresher(world.existing_cache.client())
    _twice(world, refresher.work, partial(refresher.stop, ValueError))
    assert refresher.plan.empty()


HELD = deque([threading.Lock()])
HELD[0].acquire()


@broken("nobody ever gives the lock back", unknown=":HELD[0] is a real lock")
def a_lock_that_was_held_before_the_check(world):
    _added_under(world, lambda: HELD[0], lambda: HELD[0])


@right("the same lock, which nobody uses")
def a_lock_held_before_the_check_that_nobody_uses(world):
    _added_under(world, lambda: STRIPES[0], lambda: STRIPES[0])
    assert len(HELD) == 1


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()


def test_a_lock_of_a_library_is_free_after_an_execution_that_was_left_at_its_release():
    kept = []

    def body(world):
        packed = zipfile.ZipFile(io.BytesIO(), "w")
        kept.append(packed)
        world.actor("writes", packed.writestr, "price", "1")
        world.actor("lists", packed.namelist)
        world.run()

    assert check(body).verdict is Verdict.HOLDS
    assert all(packed._lock.acquire(blocking=False) for packed in kept)
