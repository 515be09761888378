"""What a worker of a pool keeps from one job to the next."""

import contextvars
import threading
from concurrent.futures import BrokenExecutor, ThreadPoolExecutor

import pytest

from tests.soundness.truth import broken, right, systems_of


@right("the one worker is made ready once, and then serves both jobs")
def an_initializer_called_once(world):
    redis, kept, made = world.existing_cache.client(), threading.local(), []

    def begin():
        made.append(1)
        kept.jobs = 0

    def job(key):
        redis.get(key)
        kept.jobs += 1
        return kept.jobs

    def flow():
        with ThreadPoolExecutor(1, initializer=begin) as pool:
            assert list(pool.map(job, ["k", "l"])) == [1, 2]

    world.actor("alice", flow)
    world.run()
    assert made == [1]


def _serve(world, workers, prepare):
    """Let two users have their names noted by a job each, in one pool of servers."""
    redis, kept, seen = world.existing_cache.client(), threading.local(), {}

    def job(user):
        prepare(kept)
        if getattr(kept, "user", None) is None:
            kept.user = user
        redis.get(user)
        seen[user] = kept.user

    with ThreadPoolExecutor(workers) as pool:
        for user in ("alice", "bob"):
            world.actor(user, lambda user=user: pool.submit(job, user).result())
        world.run()
    assert seen == {"alice": "alice", "bob": "bob"}


@broken("the worker still has the user of the job before")
def a_user_left_on_the_worker(world):
    _serve(world, 1, lambda _kept: None)


@right("each job begins with nobody")
def a_user_taken_off_the_worker(world):
    _serve(world, 1, lambda kept: setattr(kept, "user", None))


@broken("the second job may come to the worker of the first one, which has ended")
def a_user_left_on_one_of_two_workers(world):
    _serve(world, 2, lambda _kept: None)


USER = contextvars.ContextVar("user", default=None)


@broken("a context variable stays on the worker, too")
def a_user_left_in_the_context_of_a_worker(world):
    redis, seen = world.existing_cache.client(), {}

    def job(user):
        if USER.get() is None:
            USER.set(user)
        redis.get(user)
        seen[user] = USER.get()

    with ThreadPoolExecutor(1) as pool:
        for user in ("alice", "bob"):
            world.actor(user, lambda user=user: pool.submit(job, user).result())
        world.run()
    assert seen == {"alice": "alice", "bob": "bob"}


@right("each job runs in a copy of its user's context")
def a_job_in_the_context_of_its_user(world):
    redis, seen = world.existing_cache.client(), {}

    def job(user):
        redis.get(user)
        seen[user] = USER.get()

    def ask(pool, user):
        USER.set(user)
        pool.submit(contextvars.copy_context().run, job, user).result()

    with ThreadPoolExecutor(1) as pool:
        for user in ("alice", "bob"):
            world.actor(user, ask, pool, user)
        world.run()
    assert seen == {"alice": "alice", "bob": "bob"}


@right("whose initializer fails is broken, and says so to every job")
def a_pool_whose_initializer_fails(world):
    redis, failed = world.existing_cache.client(), []

    def begin():
        raise RuntimeError("no database")

    def ask(pool, user):
        try:
            pool.submit(redis.get, user).result()
        except BrokenExecutor as error:
            failed.append((user, str(error)))

    with ThreadPoolExecutor(1, initializer=begin) as pool:
        for user in ("alice", "bob"):
            world.actor(user, ask, pool, user)
        world.run()
    assert sorted(user for user, _ in failed) == ["alice", "bob"]


def _left_by_the_first(world, workers):
    """Let one user wait for a job, and another one for the next; return what the next one finds."""
    redis, kept, found = world.existing_cache.client(), threading.local(), []

    def first():
        redis.get("first")
        kept.value = 1

    with ThreadPoolExecutor(workers) as pool:
        world.actor("alice", lambda: pool.submit(first))
        world.actor("bob", lambda: found.append(pool.submit(getattr, kept, "value", None).result()))
        world.run()
    return found


@broken("the second job may begin on another worker, while the first one runs")
def a_value_hoped_for_on_one_of_two_workers(world):
    assert _left_by_the_first(world, 2) == [1]


@right("the second job finds it, or comes first")
def a_value_on_the_only_worker(world):
    assert _left_by_the_first(world, 1) in ([1], [None])


@right("the error of another pool is an error like others")
def a_job_that_raises_the_error_of_another_pool(world):
    def fails():
        raise BrokenExecutor("of another pool")

    def ask(pool):
        with pytest.raises(BrokenExecutor):
            pool.submit(fails).result()
        assert pool.submit(int, 7).result() == 7

    with ThreadPoolExecutor(1) as pool:
        world.actor("alice", ask, pool)
        world.actor("bob", ask, pool)
        world.run()


def _called_back(world, look):
    """Return what `look` says of the list to which a job's callback adds."""
    redis = world.existing_cache.client()

    def asks():
        called = []
        with ThreadPoolExecutor(1) as pool:
            job = pool.submit(redis.get, "key")
            job.add_done_callback(lambda _job: called.append(1))
            told = look(pool, job, called)
        return told if told is not None else len(called)

    world.actor("alice", asks)
    return world.run()["alice"]


@right("a worker calls back before it ends, and the end of `with` waits for workers")
def what_a_callback_did_after_the_pool_was_closed(world):
    assert _called_back(world, lambda _pool, _job, _called: None) == 1


@broken("the waiting thread gets the result before the callbacks run")
def what_a_callback_did_when_the_result_is_there(world):
    def look(_pool, job, called):
        job.result()
        return len(called)

    assert _called_back(world, look) == 1


@right("the only worker calls back before it takes the next job")
def what_a_callback_did_seen_by_the_next_job(world):
    assert _called_back(world, lambda pool, _job, called: pool.submit(len, called).result()) == 1


@broken("the other worker may take the next job before the first one has called back")
def what_a_callback_did_seen_by_another_worker(world):
    called = []

    def asks():
        with ThreadPoolExecutor(2) as pool:
            pool.submit(int, 7).add_done_callback(lambda _job: called.append(1))
            return pool.submit(len, called).result()

    world.actor("alice", asks)
    assert world.run()["alice"] == 1


def _called_under(world, lock):
    """Let a user hold a lock that the callback takes, too, while it is added."""

    def flow():
        seen = []

        def note(_future):
            with lock:
                seen.append("called")

        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(abs, 1)
            with lock:
                future.add_done_callback(note)
        assert seen == ["called"]

    world.actor("alice", flow)
    world.run()


@broken("the job may be done by then, and who adds the callback calls it, and waits for itself")
def a_callback_added_under_its_own_lock(world):
    _called_under(world, threading.Lock())


@right("who adds the callback may take its lock again")
def a_callback_added_under_its_own_lock_that_is_reentrant(world):
    _called_under(world, threading.RLock())


def _called_before_the_next_job(world, workers):
    def flow():
        seen = []
        with ThreadPoolExecutor(workers) as pool:
            first = pool.submit(abs, 1)
            first.add_done_callback(lambda _future: seen.append("called"))
            pool.submit(seen.append, "next")
        assert seen == ["called", "next"]

    world.actor("alice", flow)
    world.run()


@broken("another worker takes the next job meanwhile")
def the_next_job_of_two_workers(world):
    _called_before_the_next_job(world, 2)


@right("a worker runs the callbacks of its job before its next job, whenever added")
def the_next_job_of_one_worker(world):
    _called_before_the_next_job(world, 1)


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_the_truth_is_told(system):
    system.must_be_told()
