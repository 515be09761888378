"""Stamps, locks that end, shared loads and double look-ups: each beside the nearest other class."""

import asyncio
import threading
import time
from concurrent.futures import Future
from contextlib import nullcontext

from pytest_supercache import COHERENT_WHEN_SETTLED, READ_YOUR_WRITES, Faults, Verdict, check

KEY = "k"


def class_of(body, *guarantees, **options):
    result = check(body, guarantees=guarantees, **options)
    assert result.verdict is Verdict.VIOLATED, (result.verdict, result.reasons)
    return result.counterexample.conflict_class


# -- what says that an entry is current -----------------------------------------------------------


def stamping(*, stamps, invalidates):
    """A reader fills; a writer commits and invalidates in one way or another."""

    def body(world):
        far, origin = world.existing_cache.client(decode_responses=True), world.origin
        origin.set(KEY, 1)
        far.set("generation", 0)

        def read():
            before = far.get("generation") if stamps == "before" else None
            value = origin.get(KEY)
            after = before if stamps == "before" else far.get("generation")
            far.set(KEY, f"{value}/{after}")

        def write():
            origin.set(KEY, 2)
            if "generation" in invalidates:
                far.incr("generation")
            if "entry" in invalidates:
                far.delete(KEY)

        world.actor("alice", read)
        world.actor("bob", write)
        world.run()
        entry = far.get(KEY)
        assert entry is None or entry.startswith("2") or not entry.endswith(far.get("generation"))

    return body


def test_who_asks_for_the_generation_after_the_load_stamps_what_is_old():
    body = stamping(stamps="after", invalidates=["generation"])
    assert class_of(body) == "stamped-after-read"
    mended = stamping(stamps="before", invalidates=["generation"])
    assert check(mended).verdict is Verdict.HOLDS


def test_where_the_entry_is_deleted_a_late_fill_is_a_stale_set_whatever_its_stamp():
    body = stamping(stamps="after", invalidates=["generation", "entry"])
    assert class_of(body) == "stale-set"


def test_a_writer_who_marks_nothing_is_no_matter_of_stamps():
    assert class_of(stamping(stamps="after", invalidates=[])) != "stamped-after-read"


def publishing(world):
    """A node fills under a lease when another one has changed, counted and told of it."""
    world.origin.set(KEY, 1)
    world.origin.set("generation", 1)  # what it will be in the end
    near, other = world.node("b").super_cache, world.node("a").super_cache
    far = world.existing_cache.client()
    loaded, told = threading.Event(), threading.Event()

    def read():
        _, lease = near.get_or_lease(KEY)
        value = world.origin.get(KEY)
        loaded.set()
        told.wait()
        far.get("generation")
        near.put_leased(KEY, value, lease)

    def write():
        loaded.wait()
        world.origin.set(KEY, 2)
        far.incr("generation")
        other.invalidate(KEY)
        told.set()

    world.actor("alice", read, node="b")
    world.actor("bob", write)
    world.run()
    world.settle()


def test_an_invalidation_that_was_sent_and_lost_is_no_matter_of_stamps():
    """Also where the fill has asked for what the writer has changed besides."""
    lost = Faults(kinds=("drop_invalidation",))
    how = {"faults": lost, "ticks": 0}
    assert class_of(publishing, COHERENT_WHEN_SETTLED, **how) == "dropped-invalidation"
    assert check(publishing, guarantees=[COHERENT_WHEN_SETTLED], ticks=0).verdict is Verdict.HOLDS


# -- scripts that remove by tag -------------------------------------------------------------------


def with_scripts(*, tag):
    """A fill and an invalidation are scripts; the second one names what it shares, or not."""
    fills = ["existing_cache:tag", "existing_cache:k"]

    def body(world):
        origin = world.origin
        origin.set(KEY, 1)
        entries = {}

        def read():
            value = origin.get(KEY)
            world.step("EVALSHA tag k", reads=fills, writes=fills)
            entries[KEY] = value

        def write():
            origin.set(KEY, 2)
            world.step("EVALSHA", reads=[f"existing_cache:{tag}"], writes=[f"existing_cache:{tag}"])
            entries.pop(KEY, None)

        world.actor("alice", read)
        world.actor("bob", write)
        world.run()
        assert entries.get(KEY, 2) == 2

    return body


def test_a_script_that_shares_a_tag_with_the_fill_is_a_purge_that_missed_it():
    assert class_of(with_scripts(tag="tag"), memory="declared") == "purge-misses-fill"


def test_a_script_that_shares_nothing_with_the_fill_is_no_purge_of_it():
    assert class_of(with_scripts(tag="other"), memory="declared") == "unclassified"


def filled_under_a_lock(world):
    """A fill gives its lock back by a script that the server does not know at first."""
    far, origin = world.existing_cache.client(decode_responses=True), world.origin
    origin.set(KEY, 1)
    give_back = far.register_script("return redis.call('del', KEYS[1])")

    def read():
        value = origin.get(KEY)
        far.set(KEY, value)
        give_back(keys=["lock"])

    def write():
        origin.set(KEY, 2)
        far.delete(KEY)

    world.actor("alice", read)
    world.actor("bob", write)
    world.run()
    assert far.get(KEY) in {"2", None}


def test_a_script_that_names_another_key_stores_no_entry():
    assert class_of(filled_under_a_lock, ticks=0) == "stale-set"


# -- locks that end by themselves -----------------------------------------------------------------


def selling(*, deletes, slow_writes=False):
    """One holds a lock for too long; two others sell under it, within their time."""

    def body(world):
        far = world.existing_cache.client(decode_responses=True)
        far.set("stock", 10)

        def locked(name, seconds, work):
            while not far.set("lock", name, nx=True, px=3_200):
                time.sleep(2)  # noqa: TID251 - what code under test does
            count = int(far.get("stock"))
            time.sleep(seconds)  # noqa: TID251 - code under test does
            if work:
                far.set("stock", count - 1)
            if deletes == "any" or far.get("lock") == name:
                far.delete("lock")

        world.actor("slow", locked, "slow", 5, slow_writes)
        world.actor("ann", locked, "ann", 3, True)
        world.actor("bob", locked, "bob", 3, True)
        world.run()
        assert int(far.get("stock")) == (7 if slow_writes else 8)

    return body


def test_who_deletes_a_lock_that_another_one_holds_lets_a_third_one_in():
    assert class_of(selling(deletes="any"), ticks=0) == "late-unlock"
    assert check(selling(deletes="own"), ticks=0).verdict is Verdict.HOLDS


def test_who_writes_when_the_lock_is_lost_is_a_matter_of_the_lease():
    assert class_of(selling(deletes="own", slow_writes=True), ticks=0) == "lease-expired"


# -- shared loads ---------------------------------------------------------------------------------


class Flights:
    """Who asks for what is being loaded waits for it."""

    def __init__(self, world, *, ends):
        self._origin, self._flights, self._ends = world.origin, {}, ends

    def get(self, key):
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = Future()
            flight.set_result(self._loaded(key))
        return flight.result()

    def _loaded(self, key):
        value = self._origin.get(key)
        self._flights.pop(key, None)
        return value

    def set(self, key, value):
        self._origin.set(key, value)
        if self._ends:
            self._flights.pop(key, None)


class Kept(Flights):
    """What was loaded is kept, and a change does not remove it."""

    def _loaded(self, key):
        return self._origin.get(key)


def flying(make, **options):
    def body(world):
        world.origin.set(KEY, 1)
        shop = make(world, **options)

        def change_and_look():
            user = world.user("bob", shop)
            user.write(KEY, 2)
            user.read(KEY)

        world.actor("alice", world.user("alice", shop).read, KEY)
        world.actor("bob", change_and_look)
        world.run()

    return body


def test_who_joins_a_load_that_began_before_the_change_is_answered_the_old_value():
    assert class_of(flying(Flights, ends=False), READ_YOUR_WRITES) == "joined-old-flight"
    assert check(flying(Flights, ends=True), guarantees=[READ_YOUR_WRITES]).verdict is Verdict.HOLDS


def test_who_finds_what_is_kept_has_joined_nothing():
    assert class_of(flying(Kept, ends=False), READ_YOUR_WRITES) == "read-your-writes"


class Awaited:
    """The same on an event loop: a task loads, and who comes meanwhile awaits it, or finds it."""

    def __init__(self, world, *, ends=False, keeps=False):
        self._origin, self._ends, self._keeps = world.origin.aio, ends, keeps
        self._flights, self._kept = {}, {}

    async def get(self, key):
        if key in self._kept:
            return self._kept[key]
        if key not in self._flights:
            self._flights[key] = asyncio.ensure_future(self._loaded(key))
        return await asyncio.shield(self._flights[key])

    async def _loaded(self, key):
        value = await self._origin.get(key)
        if self._keeps:
            self._kept[key] = value
            await asyncio.sleep(0)
        self._flights.pop(key, None)
        return value

    async def set(self, key, value):
        await self._origin.set(key, value)
        if self._ends:
            self._flights.pop(key, None)


def awaiting(**options):
    async def body(world):
        world.origin.set(KEY, 1)
        shop = Awaited(world, **options)

        async def change_and_look():
            user = world.user("bob", shop)
            await user.write(KEY, 2)
            await user.read(KEY)

        world.actor("alice", world.user("alice", shop).read, KEY)
        world.actor("bob", change_and_look)
        await world.run()

    return body


def test_who_awaits_the_task_of_another_one_has_joined_its_load():
    assert class_of(awaiting(), READ_YOUR_WRITES) == "joined-old-flight"
    ended = check(awaiting(ends=True), guarantees=[READ_YOUR_WRITES])
    assert ended.verdict is Verdict.HOLDS, ended.reasons


def test_who_finds_what_another_one_keeps_while_it_is_at_work_has_awaited_nothing():
    kept = awaiting(keeps=True)
    assert class_of(kept, READ_YOUR_WRITES) == "read-your-writes"


# -- two look-ups ---------------------------------------------------------------------------------


def looking(*, loads):
    """A reader asks whether there is an entry, and then for it; a writer removes it."""

    def body(world):
        far, origin = world.existing_cache.client(decode_responses=True), world.origin
        origin.set(KEY, 1)
        far.set(KEY, 1)

        class Shop:
            def get(self, key):
                if far.exists(key):
                    value = far.get(key)
                    if value is not None or not loads:
                        return value
                return origin.get(key)

            def delete(self, key):
                far.delete(key)

        shop = Shop()
        reader = world.user("alice", shop)
        world.actor("alice", reader.read, KEY)
        world.actor("bob", far.delete, KEY)
        results = world.run()
        assert results["alice"] is not None

    return body


def test_what_is_gone_between_two_look_ups_is_answered_as_nothing():
    assert class_of(looking(loads=False)) == "split-look-up"
    assert check(looking(loads=True)).verdict is Verdict.HOLDS


# -- a lock of threads in coroutines ---------------------------------------------------------------


def held_over_an_await(make, *, fails=False):
    async def body(world):
        redis, lock = world.existing_cache.aclient(), make()

        async def count():
            if fails and not lock.acquire(blocking=False):
                raise LookupError
            with nullcontext() if fails else lock:
                await redis.set("n", int(await redis.get("n") or 0) + 1)

        world.actor("alice", count)
        world.actor("bob", count)
        await world.run()
        assert await redis.get("n") == b"2"

    return body


def test_who_blocks_the_loop_that_the_holder_of_the_lock_needs_is_in_a_deadlock_with_it():
    result = check(held_over_an_await(threading.Lock))
    assert result.counterexample.conflict_class == "deadlock"
    assert result.counterexample.violation.summary.endswith(" holds the lock")


def test_a_lock_that_lets_its_thread_in_again_blocks_nobody():
    assert class_of(held_over_an_await(threading.RLock)) == "cached-rmw"


def test_an_error_of_the_code_for_a_lock_that_is_held_is_a_crash():
    assert class_of(held_over_an_await(threading.Lock, fails=True)) == "crash"


def test_who_blocks_the_loop_for_an_event_has_lost_its_wakeup():
    async def body(world):
        redis, event = world.existing_cache.aclient(), threading.Event()

        async def wait():
            event.wait()

        async def announce():
            await redis.incr("n")
            event.set()

        world.actor("alice", wait)
        world.actor("bob", announce)
        await world.run()

    assert class_of(body) == "lost-wakeup"
