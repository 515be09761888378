"""Locks, queues, timers and leases by which users of a near cache hand work on, in new ways."""

import asyncio
import itertools
import queue
import sched
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from time import monotonic, sleep  # noqa: TID251 - what code under test does

import pytest

from tests.soundness.truth import broken, right, systems_of


class _Stock:
    """A number under a re-entrant lock, and a condition on that lock that is waited for inside."""

    def __init__(self):
        self.lock = threading.RLock()
        self.filled = threading.Condition(self.lock)
        self.n, self.is_filled = 0, False

    def fill(self, n):
        with self.filled:
            self.n, self.is_filled = n, True
            self.filled.notify_all()

    def until_filled(self):
        with self.filled:
            self.filled.wait_for(lambda: self.is_filled)

    def add_to_what_was(self):
        with self.lock:
            n = self.n
            self.until_filled()
            self.n = n + 1

    def add(self):
        with self.lock:
            self.until_filled()
            self.n = self.n + 1


def _filled(world, add):
    redis, stock = world.existing_cache.client(), _Stock()
    redis.set("n", 10)
    world.actor("alice", add, stock)
    world.actor("bob", lambda: stock.fill(int(redis.get("n"))))
    world.run()
    assert stock.n == 11


@broken("the wait of the inner section lets go of the lock that the outer one holds")
def a_number_read_before_an_inner_wait(world):
    _filled(world, _Stock.add_to_what_was)


@right("the number is read after the wait, and nobody comes in before it is stored")
def a_number_read_after_an_inner_wait(world):
    _filled(world, _Stock.add)


class _Shelf:
    def __init__(self):
        self.lock, self.price = threading.Lock(), "0"


def _walked(world, *, lets_go_early):
    """Two walk along the shelves, with a lock on each, and write their price on all of them."""
    redis = world.existing_cache.client()
    shelves = [_Shelf(), _Shelf()]

    def walk(price):
        redis.set("walks", price)
        shelves[0].lock.acquire()
        for here, following in itertools.pairwise([*shelves, None]):
            here.price = price
            if lets_go_early:
                here.lock.release()
            if following is not None:
                following.lock.acquire()
            if not lets_go_early:
                here.lock.release()

    world.actor("alice", walk, "1")
    world.actor("bob", walk, "2")
    world.run()
    assert len({shelf.price for shelf in shelves}) == 1


@broken("one overtakes the other between two shelves")
def a_shelf_let_go_before_the_next_is_held(world):
    _walked(world, lets_go_early=True)


@right("each user keeps hold of at least one of the two shelves, so none overtakes another")
def a_shelf_let_go_when_the_next_is_held(world):
    _walked(world, lets_go_early=False)


def _ranked(world, job):
    redis, jobs = world.existing_cache.client(decode_responses=True), queue.PriorityQueue()

    def work():
        for _ in range(2):
            what = jobs.get()[-1]
            redis.set(what["key"], what["value"])

    world.actor("alice", lambda: jobs.put(job({"key": "a", "value": 1})))
    world.actor("bob", lambda: jobs.put(job({"key": "b", "value": 2})))
    world.actor("worker", work)
    world.run()
    assert redis.mget("a", "b") == ["1", "2"]


@broken("two jobs of one rank that wait together are compared, and dicts have no order")
def jobs_of_one_rank(world):
    _ranked(world, lambda what: (1, what))


@right("a number decides between two jobs of one rank")
def jobs_of_one_rank_numbered(world):
    numbers = itertools.count()
    _ranked(world, lambda what: (1, next(numbers), what))


def _published(world, *, storing, publishing):
    """One plan has two events of one time; the reader wakes at that time, too."""
    redis, near = world.existing_cache.client(), {}

    def store():
        near["price"] = "2"

    def publish():
        redis.set("ready", 1)

    def write():
        plan = sched.scheduler(monotonic, sleep)
        due = monotonic() + 0.01
        plan.enterabs(due, publishing, publish)
        plan.enterabs(due, storing, store)
        plan.run()

    def read():
        sleep(0.01)
        return near.get("price") if redis.get("ready") else "2"

    world.actor("alice", read)
    world.actor("bob", write)
    assert world.run()["alice"] == "2"


@broken("of two events of one time the lower number comes first: it publishes")
def a_plan_that_publishes_first(world):
    _published(world, storing=2, publishing=1)


@right("of two events of one time the lower number comes first: it stores")
def a_plan_that_stores_first(world):
    _published(world, storing=1, publishing=2)


def _leased(world, *, only_there):
    redis = world.existing_cache.client()

    def hold():
        redis.set("lease", "alice", px=30_000)
        done = threading.Event()

        def renew():
            while not done.wait(10):
                redis.set("lease", "alice", px=30_000, xx=only_there)

        keeper = threading.Thread(target=renew)
        keeper.start()
        redis.set("price", 2)
        done.set()
        redis.delete("lease")
        keeper.join()

    world.actor("alice", hold)
    world.run()
    assert not redis.exists("lease")


@broken("the last renewal comes after the release, and makes the lease anew")
def a_lease_renewed_by_a_set(world):
    _leased(world, only_there=False)


@right("a renewal with XX makes nothing that is not there")
def a_lease_renewed_where_it_is_there(world):
    _leased(world, only_there=True)


def _warmed(world, pairs):
    redis, near = world.existing_cache.client(decode_responses=True), {}
    redis.mset({"a": "A", "b": "B"})

    def warm():
        with ThreadPoolExecutor(2) as pool:
            asked = {pool.submit(redis.get, key): key for key in ("a", "b")}
            near.update(pairs(asked))

    world.actor("alice", warm)
    world.run()
    assert near == {"a": "A", "b": "B"}


@broken("answers come in the order in which they are there, keys in that of asking")
def answers_zipped_with_their_keys(world):
    _warmed(
        world,
        lambda asked: zip(
            asked.values(), (one.result() for one in as_completed(asked)), strict=True
        ),
    )


@right("each answer knows its key")
def answers_with_their_keys(world):
    _warmed(world, lambda asked: ((asked[one], one.result()) for one in as_completed(asked)))


async def _called_back(world, *, awaits_in_between):
    redis, near = world.existing_cache.aclient(decode_responses=True), {}
    await redis.set("price", 1)

    async def load():
        return await redis.get("price")

    async def read():
        loading = asyncio.create_task(load())
        loading.add_done_callback(lambda done: near.update(price=done.result()))
        if awaits_in_between:
            await redis.get("other")
        await loading
        return near["price"]

    world.actor("alice", read)
    assert (await world.run())["alice"] == "1"


@broken("both answers come in one turn: the task has ended, and its callback runs in the next one")
async def a_task_awaited_after_something_else(world):
    await _called_back(world, awaits_in_between=True)


@right("the callback was added before the await began, so it runs before the await ends")
async def a_task_awaited_at_once(world):
    await _called_back(world, awaits_in_between=False)


async def _pulsed(world, *, counts):
    """An event is set and cleared at once: it wakes only tasks that already wait."""
    redis = world.existing_cache.aclient(decode_responses=True)
    changed, pulses = asyncio.Event(), [0]

    async def read():
        while True:
            before = pulses[0]
            price = await redis.get("price")
            if price is not None:
                return price
            if not counts or pulses[0] == before:
                await changed.wait()

    async def write():
        await redis.set("price", 1)
        pulses[0] += 1
        changed.set()
        changed.clear()

    world.actor("alice", read)
    world.actor("bob", write)
    assert (await world.run())["alice"] == "1"


@broken("the pulse comes between the look and the wait, and no other one follows")
async def a_pulse_waited_for_after_a_look(world):
    await _pulsed(world, counts=False)


@right("a task that begins to wait has seen every pulse so far, with no await in between")
async def a_pulse_waited_for_after_a_look_at_their_number(world):
    await _pulsed(world, counts=True)


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_a_verdict_is_the_truth(system):
    system.must_be_told()
