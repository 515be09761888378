"""Clocks that a library cuts: two readings may be equal, and they may differ."""

import threading
import time

import pytest

from pytest_supercache.declare.registry import REGISTRY, watch
from tests.soundness.truth import broken, right, systems_of


def now_ms():
    """Return milliseconds, as many libraries do."""
    return int(time.time() * 1000)  # noqa: TID251 - code under test reads the clock


def now_s():
    """Return seconds, from another clock."""
    return int(time.monotonic())


def stamp():
    """Return microseconds: two stamps differ."""
    return time.time_ns()


class Monotonic:
    """A clock of milliseconds that never goes back, whatever the system's clock does."""

    def __init__(self):
        self.last = 0

    def read(self):
        self.last = max(self.last, int(time.time() * 1000))  # noqa: TID251 - as above
        return self.last


_monotonic, _monotonic_told = Monotonic(), Monotonic()


def monotonic_ms():
    """Return milliseconds of a clock that remembers; nobody says how far it is cut."""
    return _monotonic.read()


def monotonic_told_ms():
    """Return milliseconds of another one, of which that is said."""
    return _monotonic_told.read()


def _both(world, work):
    world.actor("alice", lambda: work("alice"))
    world.actor("bob", lambda: work("bob"))
    return world.run()


@broken("both read the clock within one millisecond")
def ids_of_milliseconds(world):
    answers = _both(world, lambda _: now_ms())
    assert answers["alice"] != answers["bob"]


@right("the name tells two of one millisecond apart")
def ids_of_milliseconds_and_names(world):
    answers = _both(world, lambda name: (now_ms(), name))
    assert answers["alice"] != answers["bob"]


@broken("the next millisecond may begin between the two readings")
def one_batch_a_millisecond(world):
    answers = _both(world, lambda _: now_ms())
    assert answers["alice"] == answers["bob"]


@right("stamps of microseconds differ, whoever comes first")
def ids_of_microseconds(world):
    answers = _both(world, lambda _: stamp())
    assert answers["alice"] != answers["bob"]


@broken("within one millisecond the difference is zero")
def commands_per_millisecond(world):
    redis, failed = world.existing_cache.client(), []

    def work(_):
        begun = now_ms()
        redis.get("x")
        try:
            return 1 / (now_ms() - begun)
        except ZeroDivisionError as error:
            failed.append(error)

    _both(world, work)
    assert not failed


@right("at least one millisecond is counted")
def commands_per_begun_millisecond(world):
    redis = world.existing_cache.client()

    def work(_):
        begun = now_ms()
        redis.get("x")
        return 1 / max(now_ms() - begun, 1)

    _both(world, work)


def _generated(world, *, waits):
    lock, last, ids = threading.Lock(), [0], []

    def generate(_):
        with lock:
            now = now_ms()
            while waits and now <= last[0]:
                now = now_ms()
            last[0] = now
            ids.append(now)

    _both(world, generate)
    assert len(set(ids)) == 2


@right("the second one waits for the next millisecond, under a lock, and that comes")
def an_id_for_each_millisecond(world):
    _generated(world, waits=True)


@broken("both may come in one millisecond")
def an_id_for_each_reading(world):
    _generated(world, waits=False)


def _limited(world, *, is_read_once):
    redis = world.existing_cache.client()

    def hit(_):
        window = now_s()
        redis.incr(f"hits:{window}")
        return int(redis.get(f"hits:{window if is_read_once else now_s()}") or 0)

    assert min(_both(world, hit).values()) > 0


@broken("the next second may begin between the two readings")
def hits_of_a_second_that_is_read_twice(world):
    _limited(world, is_read_once=False)


@right("the window is that of one reading")
def hits_of_a_second_that_is_read_once(world):
    _limited(world, is_read_once=True)


@right("a key with a time to live of a minute is there a second later")
def a_look_at_a_key_that_ends_later(world):
    redis = world.existing_cache.client()

    def work(name):
        if name == "bob":
            return now_s()
        redis.set("k", "v", ex=60)
        return redis.get("k")

    assert _both(world, work)["alice"] == b"v"


@broken("the next second may begin between the two readings")
def one_batch_a_second(world):
    answers = _both(world, lambda _: now_s())
    assert answers["alice"] == answers["bob"]


async def _in_coroutines(world, *, waits):
    last, ids = [0], []

    async def generate():
        now = now_ms()
        while waits and now <= last[0]:
            now = now_ms()
        last[0] = now
        ids.append(now)

    world.actor("alice", generate)
    world.actor("bob", generate)
    await world.run()
    assert len(set(ids)) == 2


@broken("both coroutines may come in one millisecond")
async def an_id_for_each_reading_of_a_coroutine(world):
    await _in_coroutines(world, waits=False)


@right("the second one blocks the loop until the next millisecond comes, as it does")
async def an_id_for_each_millisecond_of_a_coroutine(world):
    await _in_coroutines(world, waits=True)


def _cut_by_code(a_world):
    answers = _both(a_world, lambda _: int(time.perf_counter() * 1000))
    return answers["alice"], answers["bob"]


@broken("the code cuts to milliseconds what it reads: both are in one")
def ids_that_code_cuts(world):
    alice, bob = _cut_by_code(world)
    assert alice != bob


@broken("the code cuts to milliseconds what it reads: they are in two")
def a_batch_that_code_cuts(world):
    alice, bob = _cut_by_code(world)
    assert alice == bob


def _slept(a_world, read):
    def sleep():
        begun = read()
        time.sleep(5)  # noqa: TID251 - code under test sleeps
        return read() - begun

    a_world.actor("alice", sleep)
    return a_world.run()["alice"]


@broken("a pause of the process makes it more", unknown="depends on earlier calls")
def a_nap_by_a_clock_that_remembers_what_it_was_asked(world):
    assert _slept(world, monotonic_ms) < 6_000


@right("the clock is not called once more, so it tells how long it was", ticks=0)
def a_nap_by_a_clock_whose_resolution_is_told(world):
    _monotonic_told.last = 0
    assert 5_000 <= _slept(world, monotonic_told_ms) < 6_000


_offset_lock = threading.Lock()
_clients = []


def _corrected_ms():
    with _offset_lock:
        offset = int(_clients[-1].get("offset") or 0)
        return int(time.time() * 1000) + offset  # noqa: TID251 - as above


def offset_ms():
    """Return milliseconds of a clock that asks a server how wrong it is, under a lock."""
    return _corrected_ms()


def offset_told_ms():
    """Return the same from a function of which is said how far it cuts."""
    return _corrected_ms()


def _asked_of_a_server(a_world, read):
    _clients[:] = [a_world.existing_cache.client()]
    answers = _both(a_world, lambda _: read())
    return answers["alice"], answers["bob"]


@broken("the next millisecond may begin between the readings", unknown="it takes steps of its own")
def one_batch_a_millisecond_of_a_clock_that_asks_a_server(world):
    alice, bob = _asked_of_a_server(world, offset_ms)
    assert alice == bob


@broken("the next millisecond may begin between the readings")
def one_batch_a_millisecond_of_a_clock_that_asks_a_server_and_is_told(world):
    alice, bob = _asked_of_a_server(world, offset_told_ms)
    assert alice == bob


@pytest.fixture(autouse=True)
def clocks():
    before = REGISTRY.copy()
    for name in ("now_ms", "now_s", "stamp"):
        watch(f"{__name__}:{name}", clock=True)
    watch(f"{__name__}:time.perf_counter", clock=0.001)
    watch(f"{__name__}:monotonic_ms", clock=True)
    watch(f"{__name__}:offset_ms", clock=True)
    watch(f"{__name__}:offset_told_ms", clock=0.001)
    watch(f"{__name__}:monotonic_told_ms", clock=0.001)
    yield
    REGISTRY.become(before)


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_both_readings_are_shown(system):
    system.must_be_told()
