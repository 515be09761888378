"""One minimal program for each thing that a review of the first slice found to be wrong."""

import threading
import time

import pytest

from pytest_supercache import READ_YOUR_WRITES, SupercacheError, Verdict, check


def _increments(guard, nodes):
    def add(cache):
        with guard():
            cache.set("n", int(cache.get("n") or 0) + 1)

    def body(world):
        for name, node in zip(("alice", "bob"), nodes, strict=True):
            world.actor(name, add, world.existing_cache.client(), node=node)
        world.run()
        assert world.existing_cache.peek("n") == "2"

    return body


def test_a_lock_made_at_import_excludes_users_of_one_node_only(module):
    module.guard = threading.Lock()
    assert check(_increments(lambda: module.guard, "aa")).verdict is Verdict.HOLDS
    assert check(_increments(lambda: module.guard, "ab")).verdict is Verdict.VIOLATED


@pytest.mark.parametrize("place", ["list", "dict", "default", "instance"])
def test_a_lock_is_found_wherever_a_module_keeps_it(module, place):
    lock = threading.Lock()

    class Kept:
        def __init__(self):
            self.lock = lock

    Kept.__module__ = module.__name__

    def guarded(kept=lock):
        return kept

    module.kept = {"list": [lock], "dict": {"k": lock}, "instance": Kept(), "default": guarded}[
        place
    ]
    find = {
        "list": lambda: module.kept[0],
        "dict": lambda: module.kept["k"],
        "instance": lambda: module.kept.lock,
        "default": lambda: module.kept(),
    }[place]

    def body(world):
        cache = world.existing_cache.client()

        def once():
            if not find().acquire(blocking=False):
                return "busy"
            cache.incr("n")
            find().release()
            return "done"

        world.actor("alice", once)
        world.actor("bob", once)
        assert world.run() == {"alice": "done", "bob": "done"}

    assert check(body).verdict is Verdict.VIOLATED
    assert find() is lock


def test_a_clock_that_is_a_default_argument_is_virtual(module):
    def now(clock=time.monotonic):
        return clock()

    module.now = now

    def body(world):
        def wait():
            before = module.now()
            time.sleep(10)  # noqa: TID251 - code under test sleeps
            assert module.now() - before == pytest.approx(10)

        world.actor("alice", wait)
        world.run()

    module.body = body
    assert check(body).verdict is Verdict.HOLDS


def test_in_shared_memory_the_first_lines_are_a_move_of_their_own():
    def body(world):
        box = {"x": "1"}
        cache = world.existing_cache.client()

        def alice():
            value = box["x"]
            cache.set("k", value)

        def bob():
            cache.get("z")
            box["x"] = "2"
            cache.set("k", "2")

        world.actor("alice", alice)
        world.actor("bob", bob)
        world.run()
        assert world.existing_cache.peek("k") == box["x"]

    assert check(body, memory="shared").verdict is Verdict.VIOLATED


def test_in_shared_memory_an_error_is_an_answer_that_parts():
    def body(world):
        cache = world.existing_cache.client()
        cache.set("text", "x")
        seen = []

        def alice():
            try:
                cache.incr("text")
            except Exception:  # noqa: BLE001 - what the test is about
                seen.append("alice")

        def bob():
            cache.get("k")
            seen.append("bob")
            cache.get("k")

        world.actor("alice", alice)
        world.actor("bob", bob)
        world.run()
        first = next(s.actor for s in world.stepping.record.steps if s.label.startswith("INCR"))
        assert first != "alice" or seen[0] == "alice" or cache.get("k") is not None

    assert check(body, memory="shared").verdict is Verdict.VIOLATED


def test_a_second_run_does_not_forget_the_deadlock_of_the_first():
    def body(world):
        left, right = world.locks = (_lock(world), _lock(world))

        def cross(one, other):
            with one, other:
                pass

        world.actor("alice", cross, left, right)
        world.actor("bob", cross, right, left)
        world.run()
        world.actor("carol", world.existing_cache.client().get, "k")
        world.run()

    assert check(body).verdict is Verdict.VIOLATED


def _lock(_world):
    from pytest_supercache.runtime.locks import Lock

    return Lock()


def test_actors_that_never_ran_are_an_error_and_so_is_nobody():
    with pytest.raises(SupercacheError, match=r"world\.run\(\) was not called"):
        check(lambda world: world.actor("alice", lambda: 1))
    with pytest.raises(SupercacheError, match="registered no actor"):
        check(lambda world: None)  # noqa: ARG005 - a body takes a world


def test_bytes_and_text_are_one_key():
    def body(world):
        shop = world.user("alice", _Stale(world.origin))
        world.actor("alice", lambda: (shop.write("k", "new"), shop.read(b"k")))
        world.run()

    assert check(body, guarantees=[READ_YOUR_WRITES]).verdict is Verdict.VIOLATED


class _Stale:
    def __init__(self, origin):
        self._origin = origin
        origin.set("k", "old")

    def get(self, key):
        self._origin.get("k")
        return "old"

    def set(self, key, value):
        self._origin.set(key, value)


def test_a_daemon_with_a_period_may_end_waiting():
    def body(world):
        cache = world.existing_cache.client()

        def poll():
            while True:
                time.sleep(1)  # noqa: TID251 - code under test sleeps
                cache.get("k")

        world.actor("poller", poll, daemon=True)
        world.actor("alice", cache.set, "k", "1")
        world.run()

    assert check(body, ticks=0).verdict is Verdict.HOLDS


def test_a_condition_on_memory_is_seen_when_another_actor_ends():
    def body(world):
        done = []

        def work():
            world.existing_cache.client().get("k")
            done.append(1)

        world.actor("worker", work)
        world.actor("waiter", world.wait_until, lambda: done)
        world.run()

    assert check(body).verdict is Verdict.HOLDS


def test_code_that_changes_late_is_not_deterministic():
    calls = []

    def body(world):
        calls.append(1)
        is_late = len(calls) >= 8
        cache = world.existing_cache.client()

        def bob():
            cache.get("x")
            if not is_late:
                cache.get("z")

        world.actor("alice", lambda: (cache.get("x"), cache.get("y")))
        world.actor("bob", bob)
        world.run()

    assert check(body, search="all-schedules").verdict is Verdict.UNKNOWN
