"""Code that asks a few times whether it may go on, and then goes on without."""

import itertools
import queue
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.soundness.truth import broken, right, systems_of


def _counted(world, enter, leave, tries):
    """Let two users increment a counter; each goes on without the permit after ``tries`` tries."""
    redis = world.existing_cache.client(decode_responses=True)
    redis.set("n", 0)

    def count():
        is_in = any(enter() for _ in range(tries))
        redis.set("n", int(redis.get("n")) + 1)
        if is_in:
            leave()

    world.actor("alice", count)
    world.actor("bob", count)
    world.run()
    assert redis.get("n") == "2"


def _try_twice(lock):
    return (lambda: lock.acquire(blocking=False)), lock.release


@broken("after two failed tries a user increments the counter without the lock")
def a_lock_tried_twice(world):
    _counted(world, *_try_twice(threading.Lock()), 2)


@right("each user waits for the lock and increments the counter alone")
def a_lock_waited_for(world):
    lock = threading.Lock()
    _counted(world, lock.acquire, lock.release, 2)


@broken("after three failed tries a user increments the counter without a permit")
def a_semaphore_tried_three_times(world):
    permits = threading.Semaphore(1)
    _counted(world, lambda: permits.acquire(blocking=False), permits.release, 3)


@right("there is a permit for each of them, and each counts for itself")
def a_semaphore_with_room_for_both(world):
    permits, counts = threading.Semaphore(2), {"alice": 0, "bob": 0}

    def count(user):
        assert any(permits.acquire(blocking=False) for _ in range(2))
        counts[user] += 1
        permits.release()

    for user in counts:
        world.actor(user, count, user)
    world.run()
    assert counts == {"alice": 1, "bob": 1}


@broken("it gives up after ten tries: code of C asks for each, so it is in no loop of its own")
def a_lock_tried_ten_times(world):
    _counted(world, *_try_twice(threading.Lock()), 10)


@broken("all ten repeats are tried", polls=10, preemptions=2)
def a_lock_tried_ten_times_with_as_many_polls(world):
    _counted(world, *_try_twice(threading.Lock()), 10)


@right("it asks until it has the lock")
def a_lock_tried_for_ever(world):
    lock = threading.Lock()
    redis = world.existing_cache.client(decode_responses=True)
    redis.set("n", 0)

    def count():
        while not lock.acquire(blocking=False):
            pass
        redis.set("n", int(redis.get("n")) + 1)
        lock.release()

    world.actor("alice", count)
    world.actor("bob", count)
    world.run()
    assert redis.get("n") == "2"


@right("it would be the same with any number of tries, but it counts them", unknown="polls=N")
def a_lock_tried_for_ever_by_one_who_counts(world):
    lock = threading.Lock()
    redis = world.existing_cache.client(decode_responses=True)
    redis.set("n", 0)

    def count():
        for _ in itertools.count():
            if lock.acquire(blocking=False):
                break
        redis.set("n", int(redis.get("n")) + 1)
        lock.release()

    world.actor("alice", count)
    world.actor("bob", count)
    world.run()
    assert redis.get("n") == "2"


def _look(world, is_there, put):
    """Let one user look twice for what another one brings; say what was seen."""
    seen = []
    world.actor("looks", lambda: seen.append(is_there() or is_there()))
    world.actor("brings", put)
    world.run()
    return seen[0]


@broken("both looks come before the event is set")
def an_event_looked_at_twice(world):
    event = threading.Event()
    assert _look(world, event.is_set, event.set)


@right("it waits for the event")
def an_event_waited_for(world):
    event = threading.Event()
    assert _look(world, event.wait, event.set)


@broken("both looks come before anything is put in")
def a_queue_asked_twice(world):
    things = queue.Queue()

    def get():
        try:
            return things.get_nowait()
        except queue.Empty:
            return None

    assert _look(world, get, lambda: things.put("thing"))


@right("it waits for the thing")
def a_queue_waited_for(world):
    things = queue.Queue()
    assert _look(world, things.get, lambda: things.put("thing"))


@broken("both looks come before the job has ended")
def a_future_asked_twice(world):
    redis, seen = world.existing_cache.client(), []

    def ask():
        with ThreadPoolExecutor(1) as pool:
            job = pool.submit(redis.set, "k", "v")
            seen.append(job.done() or job.done())

    world.actor("asks", ask)
    world.run()
    assert seen == [True]


@right("it waits for the job")
def a_future_waited_for(world):
    redis, seen = world.existing_cache.client(), []

    def ask():
        with ThreadPoolExecutor(1) as pool:
            job = pool.submit(redis.set, "k", "v")
            seen.append(job.result() and job.done())

    world.actor("asks", ask)
    world.run()
    assert seen == [True]


@broken("both looks come while the thread still writes")
def a_thread_asked_twice_whether_it_lives(world):
    redis, seen = world.existing_cache.client(decode_responses=True), []

    def ask():
        thread = threading.Thread(target=redis.set, args=("k", "v"))
        thread.start()
        if not (thread.is_alive() and thread.is_alive()):
            seen.append("ended")
        seen.append(redis.get("k"))

    world.actor("asks", ask)
    world.run()
    assert seen[-1] == "v"


@right("it joins the thread")
def a_thread_joined(world):
    redis, seen = world.existing_cache.client(decode_responses=True), []

    def ask():
        thread = threading.Thread(target=redis.set, args=("k", "v"))
        thread.start()
        thread.join()
        seen.append(redis.get("k"))

    world.actor("asks", ask)
    world.run()
    assert seen == ["v"]


def _heard(world, tries):
    redis = world.existing_cache.client()
    channel = redis.pubsub(ignore_subscribe_messages=True)
    channel.subscribe("news")
    channel.get_message()
    heard = []

    def listen():
        for _ in range(tries):
            message = channel.get_message()
            if message:
                heard.append(message["data"])
                return

    world.actor("listens", listen)
    world.actor("tells", redis.publish, "news", "1")
    world.run()
    return heard


@broken("all looks come before the message")
def a_channel_asked_three_times(world):
    assert _heard(world, 3) == [b"1"]


@right("nobody says what was heard")
def a_channel_asked_twice_in_vain(world):
    assert _heard(world, 2) in ([], [b"1"])


def _in_time(world, wait):
    got = []
    world.actor("alice", lambda: got.append(wait()))
    world.actor("bob", lambda: got.append(wait()))
    world.run()
    return sorted(got)


@right("the event is set: that is looked at before the clock")
def an_event_that_is_set_waited_for(world):
    event = threading.Event()
    event.set()
    assert _in_time(world, lambda: event.wait(timeout=5)) == [True, True]


@right("one of them has the lock, which is free, however late it comes")
def a_free_lock_waited_for(world):
    lock = threading.Lock()
    assert _in_time(world, lambda: lock.acquire(timeout=1)) == [False, True]


@broken("the other one may hold the lock for longer")
def a_lock_that_is_held_waited_for(world):
    lock, redis = threading.Lock(), world.existing_cache.client()

    def hold():
        is_mine = lock.acquire(timeout=1)
        if is_mine:
            redis.get("k")
            lock.release()
        return is_mine

    assert _in_time(world, hold) == [True, True]


@right("the session ends when its owner lets it go, though it has asked before")
def a_session_let_go_after_a_question(world):
    sessions, event = weakref.WeakValueDictionary(), threading.Event()

    class Session:
        pass

    def serve():
        session = Session()
        sessions["alice"] = session
        while not event.is_set():
            pass
        del session
        assert sessions.get("alice") is None

    world.actor("alice", serve)
    world.actor("bob", event.set)
    world.run()


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_the_truth_is_told(system):
    system.must_be_told()
