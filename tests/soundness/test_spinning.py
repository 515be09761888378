"""Code that asks again and again without a wait: spin locks, loops until something is there."""

import asyncio
import random
import threading
import time

import pytest

from tests.soundness.truth import broken, right, systems_of


def _client(of):
    return of.existing_cache.client(decode_responses=True)


def _counted(world, acquire, *, reads_first=False):
    """Let two users increment a counter, the read of which is inside of the lock or before it."""
    redis = _client(world)
    redis.set("n", 0)

    def count():
        before = redis.get("n") if reads_first else None
        acquire(redis)
        redis.set("n", int(before or redis.get("n")) + 1)
        redis.delete("lock")

    world.actor("alice", count)
    world.actor("bob", count)
    world.run()
    assert redis.get("n") == "2"


def _set_nx(redis):
    while not redis.set("lock", "me", nx=True):
        pass


def _setnx(redis):
    while not redis.setnx("lock", "me"):
        continue


@broken("both read the counter before one of them has the lock")
def a_spin_lock_taken_too_late(world):
    _counted(world, _set_nx, reads_first=True)


@right("each has the lock when it reads the counter")
def a_spin_lock(world):
    _counted(world, _set_nx)


@broken("both read the counter before one of them has the lock")
def a_spin_lock_by_setnx_taken_too_late(world):
    _counted(world, _setnx, reads_first=True)


@right("each has the lock when it reads the counter")
def a_spin_lock_by_setnx(world):
    _counted(world, _setnx)


def _until(done):
    def acquire(redis):
        while not done() and not redis.setnx("lock", "me"):
            pass

    return acquire


@broken(
    "one goes on without the lock once its time is over",
    unknown="counts, or remembers",
    executions=30,
)
def a_spin_lock_with_a_deadline(world):
    end = time.monotonic() + 3_600
    _counted(world, _until(lambda: time.monotonic() > end))


@right("it looks at the clock and does not care")
def a_spin_lock_without_a_deadline(world):
    _counted(world, _until(lambda: False))


@broken("a lucky throw lets it go on without the lock", unknown="or remembers", executions=5)
def a_spin_lock_that_gives_up_by_chance(world):
    _counted(world, _until(lambda: random.randrange(10**9) == 0))


def _gives_up_after(tries):
    def acquire(redis):
        for _ in range(tries):
            if redis.set("lock", "me", nx=True):
                return

    return acquire


@broken("after ten failed tries one goes on without the lock")
def a_spin_lock_given_up_after_ten_tries(world):
    _counted(world, _gives_up_after(10))


@right("there are more tries than the other one's steps, and every try is counted in the database")
def tries_counted_in_the_cache_are_no_spin(world):
    redis = _client(world)

    def count():
        while True:
            if redis.incr("tries") > 2:
                return
            if redis.set("lock", "me", nx=True):
                redis.delete("lock")

    world.actor("alice", count)
    world.actor("bob", count)
    world.run()
    assert int(redis.get("tries")) == 4


def _published(world, first, second, read):
    redis = _client(world)

    def publish():
        redis.set(first, 1)
        redis.set(second, 1)

    world.actor("alice", publish)
    world.actor("bob", read, redis)
    world.run()


def _read_when_ready(redis):
    while redis.get("ready") is None:
        pass
    assert redis.get("value") == "1"


@broken("it is said to be ready before the value is there")
def ready_before_the_value(world):
    _published(world, "ready", "value", _read_when_ready)


@right("the value is there before it is said to be")
def ready_after_the_value(world):
    _published(world, "value", "ready", _read_when_ready)


def _read_when_both_are_there(redis):
    while not redis.exists("ready") or redis.get("value") is None:
        pass
    assert redis.get("value") == "1"


@right("it asks for both, whichever comes first")
def two_questions_in_turn(world):
    _published(world, "ready", "value", _read_when_both_are_there)


def _read_when_one_is_there(redis):
    while not (redis.exists("ready") or redis.exists("value")):
        pass
    assert redis.get("value") == "1"


@broken("one of two answers is enough for it")
def two_questions_of_which_one_is_enough(world):
    _published(world, "ready", "value", _read_when_one_is_there)


def _queued(world, first, second):
    """Let one user take what the other one has put into a list, without waiting for it there."""
    redis = _client(world)

    def put():
        for step in (first, second):
            step(redis)

    def take():
        while (job := redis.lpop("jobs")) is None:
            pass
        assert redis.get(job) == "1"

    world.actor("alice", put)
    world.actor("bob", take)
    world.run()


@broken("the job is in the queue before what it is about")
def a_job_before_its_data(world):
    _queued(world, lambda r: r.rpush("jobs", "k"), lambda r: r.set("k", 1))


@right("what the job is about is there before")
def a_job_after_its_data(world):
    _queued(world, lambda r: r.set("k", 1), lambda r: r.rpush("jobs", "k"))


def _in_memory(world, *, ready_first):
    kept, flags = {}, []

    def publish():
        if ready_first:
            flags.append("ready")
        kept["value"] = 1
        if not ready_first:
            flags.append("ready")

    def read():
        while not flags:
            pass
        assert kept["value"] == 1

    world.actor("alice", publish)
    world.actor("bob", read)
    world.run()


@broken("the flag is there before the value")
def a_flag_in_memory_before_the_value(world):
    _in_memory(world, ready_first=True)


@right("the flag is there after the value")
def a_flag_in_memory_after_the_value(world):
    _in_memory(world, ready_first=False)


@right("while one has the lock the other two wait for it, and not for each other", polls=0)
def three_spinners(world):
    redis = _client(world)
    redis.set("n", 0)

    def count():
        _set_nx(redis)
        redis.set("n", int(redis.get("n")) + 1)
        redis.delete("lock")

    for name in ("alice", "bob", "carol"):
        world.actor(name, count)
    world.run()
    assert redis.get("n") == "3"


@right("nobody else ever lets it go on, which no execution can show", unknown="nothing else could")
def a_spin_lock_that_is_never_free(world):
    redis = _client(world)
    redis.set("lock", "somebody")
    world.actor("alice", _set_nx, redis)
    world.actor("bob", redis.get, "k")
    world.run()


async def _acounted(world, *, reads_first):
    redis = world.existing_cache.aclient(decode_responses=True)
    await redis.set("n", 0)

    async def count():
        before = await redis.get("n") if reads_first else None
        while not await redis.set("lock", "me", nx=True):
            pass
        await redis.set("n", int(before or await redis.get("n")) + 1)
        await redis.delete("lock")

    world.actor("alice", count)
    world.actor("bob", count)
    await world.run()
    assert await redis.get("n") == "2"


@broken("both coroutines read the counter before one of them has the lock")
async def a_spin_lock_of_coroutines_taken_too_late(world):
    await _acounted(world, reads_first=True)


@right("each coroutine has the lock when it reads the counter")
async def a_spin_lock_of_coroutines(world):
    await _acounted(world, reads_first=False)


def _guarded(world, *, looks_inside):
    """Let one thread look at a flag until it is set, under the lock of who sets it or none."""
    lock, state = threading.Lock(), {"ready": False, "value": None}

    def publish():
        with lock:
            state["ready"] = True
            state["value"] = 1

    def look():
        if not looks_inside:
            return state["value"] if state["ready"] else "nothing yet"
        with lock:
            return state["value"] if state["ready"] else "nothing yet"

    def read():
        while (found := look()) == "nothing yet":
            pass
        assert found == 1

    world.actor("alice", publish)
    world.actor("bob", read)
    world.run()


@broken("it looks at the flag without the lock, between the two writes")
def a_flag_looked_at_without_its_lock(world):
    _guarded(world, looks_inside=False)


@right("flag and value are written in one section")
def a_flag_looked_at_under_its_lock(world):
    _guarded(world, looks_inside=True)


class _Offer:
    """Two values under a version, which is odd while they are written."""

    def __init__(self):
        self.version, self.net, self.gross = 0, "100", "120"

    def store(self, net, gross):
        self.version += 1
        self.net = net
        self.gross = gross
        self.version += 1

    def load(self, *, looks_again):
        while True:
            before = self.version
            if before % 2:
                continue
            pair = self.net, self.gross
            if not looks_again or self.version == before:
                return pair


def _versioned(world, *, looks_again):
    redis, offer = _client(world), _Offer()
    redis.mset({"net": 200, "gross": 240})
    world.actor("alice", lambda: offer.load(looks_again=looks_again))
    world.actor("bob", lambda: offer.store(*redis.mget("net", "gross")))
    assert world.run()["alice"] in [("100", "120"), ("200", "240")]


@broken("the values are written between the look at the version and the second read")
def a_version_looked_at_before_the_values(world):
    _versioned(world, looks_again=False)


@right("a version that is the same afterwards says that nobody wrote meanwhile", executions=100)
def a_version_looked_at_before_and_after_the_values(world):
    _versioned(world, looks_again=True)


def _doubled(world, first, second):
    """One writes two numbers, the other one waits until they are equal."""
    redis, numbers = _client(world), {"a": 0, "b": 1}

    def write():
        numbers[first] = 2
        numbers[second] = 2
        redis.set("doubled", 1)

    def read():
        while numbers["a"] != numbers["b"]:
            pass
        return numbers["a"], redis.get("doubled")

    world.actor("alice", write)
    world.actor("bob", read)
    return world.run()["bob"]


@broken("they are equal before it is said so")
def two_numbers_looked_at_until_they_are_equal(world):
    assert _doubled(world, "a", "b") == (2, "1")


@right("only the second write makes them equal, whichever was read before it")
def two_numbers_seen_equal_after_the_second_write(world):
    assert _doubled(world, "a", "b")[0] == 2


async def _waited_until(world, is_over):
    """A coroutine looks for a price until somebody has written one, or until it gives up."""
    redis = world.existing_cache.aclient(decode_responses=True)

    async def read():
        end = asyncio.get_running_loop().time() + 3_600
        while not is_over(end) and not await redis.exists("price"):
            pass
        return await redis.get("price")

    world.actor("alice", read)
    world.actor("bob", redis.set, "price", 1)
    assert (await world.run())["alice"] == "1"


@broken("it gives up after an hour of its loop", unknown="counts, or remembers", executions=30)
async def a_command_repeated_until_a_time_of_the_loop(world):
    await _waited_until(world, lambda end: asyncio.get_running_loop().time() > end)


@right("the time of the loop is read once, and nobody gives up")
async def a_command_repeated_after_a_look_at_the_loop_s_time(world):
    await _waited_until(world, lambda end: end < 0)


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_verdicts_are_the_truth(system):
    system.must_be_told()
