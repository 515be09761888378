"""A re-entrant lock belongs to a thread: tasks of one loop share it, other threads do not."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import pytest

from pytest_supercache import Verdict, check


def reentrant():
    return threading.RLock()


def condition():
    return threading.Condition()


def plain():
    return threading.Lock()


class Counter:
    """Counts in Redis, inside a lock."""

    def __init__(self, world, lock):
        self.client, self.lock = world.existing_cache.aclient(), lock

    async def incremented(self):
        with self.lock:
            await self.client.incr("n")

    async def incremented_later(self):
        with self.lock:
            await asyncio.sleep(0)
            await self.client.incr("n")

    async def read_and_written(self):
        with self.lock:
            count = int(await self.client.get("n") or 0)
            await self.client.set("n", count + 1)

    async def tried(self):
        if self.lock.acquire(blocking=False):
            try:
                await self.client.incr("n")
            finally:
                self.lock.release()


def counted(make, add):
    async def body(world):
        counter = Counter(world, make())
        world.actor("alice", getattr(counter, add))
        world.actor("bob", getattr(counter, add))
        await world.run()
        assert int(await counter.client.get("n")) == 2

    return check(body)


@pytest.mark.parametrize("make", [reentrant, condition])
@pytest.mark.parametrize("add", ["incremented", "incremented_later", "tried"])
def test_tasks_of_one_thread_enter_it_together(make, add):
    assert counted(make, add).verdict is Verdict.HOLDS


def held_by_both(world, lock, takes):
    client, answers = world.existing_cache.aclient(), []

    async def add():
        if not takes(lock):
            return
        try:
            count = int(await client.get("n") or 0)
            await client.set("n", count + 1)
            answers.append(count + 1)
        finally:
            lock.release()

    async def both(world):
        world.actor("alice", add)
        world.actor("bob", add)
        await world.run()
        assert len(set(answers)) == len(answers)

    return both(world)


@pytest.mark.parametrize(
    ("make", "verdict"), [(reentrant, Verdict.VIOLATED), (plain, Verdict.HOLDS)]
)
@pytest.mark.parametrize(
    "takes",
    [lambda lock: lock.acquire(blocking=False), lambda lock: lock.acquire(timeout=0.01)],
    ids=["at once", "in time"],
)
def test_who_tries_to_enter_it_is_let_in_beside_another_task(make, verdict, takes):
    assert check(lambda world: held_by_both(world, make(), takes)).verdict is verdict


@pytest.mark.parametrize("make", [reentrant, condition])
def test_it_does_not_keep_tasks_apart(make):
    result = counted(make, "read_and_written")
    assert result.verdict is Verdict.VIOLATED
    assert result.counterexample.violation.guarantee == "test body"
    assert result.counterexample.replays == "10/10"


def test_a_plain_lock_that_another_task_holds_blocks_the_loop_for_ever():
    result = counted(plain, "incremented")
    assert result.verdict is Verdict.VIOLATED
    assert result.counterexample.violation.guarantee == "answers"


async def beside_a_thread(world, lock):
    client, counter = world.existing_cache.client(), {"n": 0}

    def add():
        with lock:
            count = counter["n"]
            client.ping()
            counter["n"] = count + 1

    async def task():
        add()

    async def thread():
        await asyncio.to_thread(add)

    world.actor("alice", task)
    world.actor("bob", thread)
    await world.run()
    assert counter["n"] == 2


def test_a_thread_beside_the_loop_is_kept_apart_from_its_tasks():
    result = check(lambda world: beside_a_thread(world, reentrant()))
    assert result.verdict is Verdict.UNKNOWN  # the loop cannot wait for a lock while threads go on
    assert "waits inside of a coroutine" in result.reasons[0]
    assert check(lambda world: beside_a_thread(world, nullcontext())).verdict is Verdict.VIOLATED


def test_a_task_leaves_it_for_another_one():
    async def body(world):
        lock, client = reentrant(), world.existing_cache.aclient()
        lock.acquire()

        async def leaves():
            await client.get("n")
            lock.release()

        world.actor("alice", leaves)
        await world.run()
        with pytest.raises(RuntimeError, match="un-acquired"):
            lock.release()

    assert check(body).verdict is Verdict.HOLDS


class Worker:
    """A pool of one thread, and a re-entrant lock."""

    def __init__(self, **options):
        self.lock, self.count = reentrant(), 0
        self.pool = ThreadPoolExecutor(1, **options)

    def across_jobs(self):
        self.pool.submit(self.lock.acquire).result()
        self.pool.submit(self.lock.release).result()

    def counted_by_a_job(self):
        return self.pool.submit(self._count).result()

    def _count(self):
        with self.lock:
            self.count += 1

    def tried_by_a_job(self):
        if self.pool.submit(self.lock.acquire, blocking=False).result():
            count = self.count
            self.count = count + 1


def worked(world, worker, *adds):
    for name, add in zip("ab", adds, strict=False):
        world.actor(name, add)
    world.run()
    worker.pool.shutdown()


def test_a_job_releases_what_a_job_before_it_on_the_same_worker_has_acquired():
    def body(world):
        worker = Worker()
        worked(world, worker, worker.across_jobs)

    assert check(body).verdict is Verdict.HOLDS


def test_jobs_enter_what_their_worker_holds():
    def body(world):
        worker = Worker()
        worker.pool = ThreadPoolExecutor(1, initializer=worker.lock.acquire)
        worked(world, worker, worker.counted_by_a_job, worker.counted_by_a_job)
        assert worker.count == 2

    assert check(body).verdict is Verdict.HOLDS


def test_it_does_not_keep_apart_who_asks_through_the_same_worker():
    def body(world):
        worker = Worker()
        worked(world, worker, worker.tried_by_a_job, worker.tried_by_a_job)
        assert worker.count == 2

    result = check(body)
    assert result.verdict is Verdict.VIOLATED
    assert result.counterexample.replays == "10/10"


@pytest.mark.parametrize(("is_same", "answers"), [(False, {True, False}), (True, {True})])
def test_a_worker_of_another_pool_is_another_thread(is_same, answers):
    seen = set()

    def body(world):
        first, second = Worker(), Worker()
        pool = first.pool if is_same else second.pool

        def entered():
            if first.lock.acquire(blocking=False):
                first.lock.release()
                return True
            return False

        world.actor("a", first.across_jobs)
        world.actor("b", lambda: pool.submit(entered).result())
        seen.add(world.run()["b"])
        first.pool.shutdown()
        second.pool.shutdown()

    assert check(body).exhausted
    assert seen == answers
