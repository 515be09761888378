"""Classes in systems that show no origin: flows of applications, and the nearest other cases."""

import asyncio
import json
import threading
import time

import pytest

from pytest_supercache import Verdict, check
from tests.flows_without_origin import FLOWS, HOLDS, NONE
from tests.selection import few


def classified(body, **options):
    """Return the verdict, or the class of what was found and the line of the nearest ones."""
    result = check(body, **{"guarantees": (), "ticks": 0, **options})
    if result.counterexample is None:
        assert result.verdict is Verdict.HOLDS, result.reasons
        return HOLDS, ""
    lines = result.counterexample.explanation.splitlines()
    near = [line for line in lines if line.startswith("nearest: ")]
    return result.counterexample.conflict_class, "".join(near)


def class_of(body, **options):
    return classified(body, **options)[0]


SHORT = [
    "near_copy_of_a_price", "deleted_product_is_back", "copy_dropped_twice", "background_refresh",
    "two_clerks_write_through", "lru_is_cleared", "memo_of_sites", "page_from_another_redis",
    "message_during_a_fetch", "copy_dropped_too_early", "exists_then_get",
    "last_seat", "placeholder", "generation_before_the_load", "counted_by_the_server",
]  # fmt: skip
"""One of each class and each kind of cache, some that have no class, and some that hold."""


@pytest.mark.parametrize("name", few(dict.fromkeys([*SHORT, *FLOWS]), len(SHORT)))
def test_a_flow_has_the_class_that_an_expert_gives_it_or_none(name):
    flow = FLOWS[name]
    slug, near = classified(flow.body, **flow.options)
    assert slug == (flow.expected if flow.is_recognised else NONE)
    assert bool(near) == (slug == NONE)


# -- two who read and store ------------------------------------------------------------------------


def two(act, *, given=None):
    """Two users do the same to an entry of Redis, or of a dict, and one of two results is lost."""

    def body(world):
        far, near = world.existing_cache.client(decode_responses=True), {}
        done = []
        if given is not None:
            far.set("n", given)
            near["n"] = int(given)
        for name in ("ann", "bob"):
            world.actor(name, act, far, near, done)
        world.run()
        assert done != ["done", "done"]

    return body


def counts(far, _near, done):
    count = int(far.get("n") or 0)
    far.set("n", count + 1)
    done.append("done" if count == 0 else "more")


def takes_one(far, _near, done):
    if (far.get("n") or "1") == "1":
        far.decrby("n", 1)
        done.append("done")


def marks(far, _near, done):
    if not far.exists("n"):
        far.set("n", "1")
        done.append("done")


def fills_from_redis(far, _near, done):
    if far.get("n") is None:
        far.set("n", "<html>")
        done.append("done")


def counts_in_memory(_far, near, done):
    count = near.get("n") or 0
    near["n"] = count + 1
    done.append("done" if count == 1 else "more")


def fills_memory(_far, near, done):
    if "n" not in near:
        near["n"] = 7
        done.append("done")


@pytest.mark.parametrize(
    ("act", "given", "expected"),
    few(
        [
            (counts, "0", "cached-rmw"),
            (takes_one, "1", NONE),
            (counts_in_memory, "1", "cached-rmw"),
            (fills_memory, None, NONE),
            (counts, None, "cached-rmw"),
            (marks, None, NONE),
            (fills_from_redis, None, NONE),
        ],
        4,
    ),
)
def test_who_stores_nothing_made_of_what_was_read_has_modified_nothing(act, given, expected):
    slug, near = classified(two(act, given=given))
    assert slug == expected
    assert "stores nothing made of what it found" not in near


@pytest.mark.parametrize(("others", "expected"), [(0, "refresh-overwrite"), (1, "stale-set")])
def test_two_who_fill_an_entry_from_its_source_have_modified_nothing(others, expected):
    """The second fill is newer; what is removed in between makes it a stale set."""

    def body(world):
        far, near = world.existing_cache.client(decode_responses=True), {}
        far.set("source:k", "1")

        def fill():
            if near.get("k") is None:
                near["k"] = far.get("source:k")

        def change():
            near.get("k")
            far.set("source:k", "2")
            if others:
                near.pop("k", None)
            else:
                near["k"] = "2"

        world.actor("alice", fill)
        world.actor("bob", change)
        world.run()
        assert near.get("k") in {None, "2"}

    assert class_of(body) == expected


@pytest.mark.parametrize(
    ("remove", "expected"),
    [
        (lambda near: near.clear(), "purge-misses-fill"),
        (lambda near: near.pop("k", None), "stale-set"),
        (lambda near: near.pop("other", None), NONE),
    ],
)
def test_a_dict_that_is_emptied_is_purged_and_one_that_loses_an_entry_is_not(remove, expected):
    def body(world):
        far, near = world.existing_cache.client(decode_responses=True), {"other": "7"}
        far.set("k", "1")

        def read():
            value = near.get("k")
            if value is None:
                value = near["k"] = far.get("k")
            return value

        def change():
            far.set("k", "2")
            remove(near)

        world.actor("alice", read)
        world.actor("bob", change)
        world.run()
        assert read() == "2"

    assert class_of(body) == expected


# -- what an actor asserts -------------------------------------------------------------------------


class Counter:
    """A counter in Redis, with an assertion of its own."""

    def __init__(self, far):
        self.far = far

    def add(self):
        before = int(self.far.get("n") or 0)
        self.far.set("n", before + 1)
        return before + 1

    def add_alone(self):
        before = self.add()
        assert self.far.get("n") == str(before)


def counting(flow):
    def body(world):
        counter = Counter(world.existing_cache.client(decode_responses=True))
        for name in ("ann", "bob"):
            world.actor(name, flow, counter)
        world.run()

    return body


def adds_and_checks(counter):
    assert counter.far.sadd("counts", counter.add()) == 1


def adds_and_fails_inside(counter):
    counter.add_alone()


def test_an_assertion_of_a_flow_says_what_must_hold_and_one_of_the_code_under_test_is_a_crash():
    assert class_of(counting(adds_and_checks)) == "cached-rmw"
    assert class_of(counting(adds_and_fails_inside)) == "crash"


# -- the entry that stands for the origin ----------------------------------------------------------


def rendered(page_of, *, removes=("page",), load="theme"):
    """A page is made of a setting under another key, and the setting changes."""

    def body(world):
        far = world.existing_cache.client(decode_responses=True)
        far.mset({"theme": "light", "other": "7"})

        def page():
            html = far.get("page")
            if html is None:
                html = page_of(far.get(load))
                far.set("page", html)
            return html

        def change():
            far.set("theme", "dark")
            for name in removes:
                far.delete(name)

        world.actor("visitor", page)
        world.actor("admin", change)
        world.run()
        assert page() in {page_of("dark"), "fixed"}

    return body


@pytest.mark.parametrize(
    ("page_of", "removes", "expected"),
    few(
        [
            (lambda theme: f"<body class={theme}>", ("page",), "stale-set"),
            (lambda theme: theme.upper(), ("page",), NONE),  # nothing shows what it is made of
            (lambda theme: theme, ("home",), NONE),
            (lambda theme: json.dumps({"theme": theme}), ("page",), "stale-set"),
            (lambda theme: theme, (), NONE),
        ],
        3,
    ),
)
def test_the_entry_whose_value_is_stored_under_another_key_is_its_source(
    page_of, removes, expected
):
    assert class_of(rendered(page_of, removes=removes)) == expected


def test_who_removes_another_entry_before_the_change_has_not_removed_too_early():
    """The names are alike, and the entries are two."""

    def body(world, name):
        world.origin.set("k", 1)
        far = world.existing_cache.client(decode_responses=True)

        def read():
            value = far.get("k")
            if value is None:
                value = world.origin.get("k")
                far.set("k", value)
            return int(value)

        lock = threading.Lock()

        def write():
            with lock:
                far.delete(name)
            world.origin.set("k", 2)

        def read_alone():
            with lock:
                read()

        world.actor("bob", write)
        world.actor("alice", read_alone)
        world.run()
        assert read() == 2

    assert class_of(lambda world: body(world, "k")) == "invalidate-before-write"
    assert class_of(lambda world: body(world, "v2:k")) == NONE


# -- what coroutines do between awaits -------------------------------------------------------------


@pytest.mark.parametrize(("stores", "expected"), [(True, "refresh-overwrite"), (False, NONE)])
def test_what_a_coroutine_changes_after_an_await_is_seen_in_the_content(stores, expected):
    async def body(world):
        far = world.existing_cache.aclient(decode_responses=True)
        await far.set("price", "100")
        near = {}

        async def refresh():
            near["price"] = await far.get("price")

        async def change():
            await far.set("price", "120")
            if stores:
                near["price"] = "120"

        world.actor("refresher", refresh)
        world.actor("clerk", change)
        await world.run()
        await asyncio.sleep(0)
        assert near["price"] == "120"

    assert class_of(body) == expected


# -- objects that are written back -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ({"user": None, "seen": 0}, "write-back-resurrection"),
        ({"user": "ann", "seen": 5}, NONE),  # the field that the first one changes as well
    ],
)
def test_an_object_is_written_back_if_a_field_is_as_it_was_before(other, expected):
    def body(world):
        far = world.existing_cache.client(decode_responses=True)
        far.set("session", json.dumps({"user": "ann", "seen": 0}))

        def touch():
            far.set("session", json.dumps({**json.loads(far.get("session")), "seen": 1}))

        world.actor("request", touch)
        world.actor("ann", far.set, "session", json.dumps(other))
        world.run()
        left = json.loads(far.get("session"))
        assert left == other or left == {"user": None, "seen": 1}

    assert class_of(body) == expected


# -- locks, messages, drafts, look-ups -------------------------------------------------------------


@pytest.mark.parametrize(
    ("gives_back", "expected"), [(False, "late-unlock"), (True, "lease-expired")]
)
def test_who_takes_a_lock_and_never_gives_it_back_holds_it_and_who_only_tries_does_not(
    gives_back, expected
):
    """The first one overruns its lease; the third one comes in only if that deletes the lock."""

    def body(world):
        far = world.existing_cache.client(decode_responses=True)
        inside = []

        def work(name, seconds):
            if not far.set("lock", name, nx=True, ex=10):
                time.sleep(12)  # noqa: TID251 - what code under test does
                if not far.set("lock", name, nx=True, ex=10):
                    return
            inside.append(name)
            time.sleep(seconds)  # noqa: TID251 - as above
            far.set("done", name)
            if not gives_back or far.get("lock") == name:
                far.delete("lock")

        def late():
            time.sleep(17)  # noqa: TID251 - as above
            if far.set("lock", "third", nx=True, ex=10):
                inside.append("third")

        world.actor("slow", work, "slow", 15)
        world.actor("second", work, "second", 7)
        world.actor("third", late)
        world.run()
        assert inside != (["slow", "second"] if gives_back else ["slow", "second", "third"])

    assert class_of(body) == expected


def test_a_value_that_was_rolled_back_and_stays_is_a_dirty_fill_and_a_committed_one_is_none():
    def body(world, *, commits):
        world.origin.set("k", 1)
        far = world.existing_cache.client(decode_responses=True)

        def write():
            try:
                with world.origin.transaction() as transaction:
                    transaction.set("k", 2)
                    far.set("k", 2)
                    if not commits:
                        raise LookupError
            except LookupError:
                pass

        world.actor("bob", write)
        world.run()
        assert far.get("k") == "1"

    assert class_of(lambda world: body(world, commits=False)) == "dirty-fill"
    assert class_of(lambda world: body(world, commits=True)) == NONE


def test_two_looks_are_split_by_what_another_one_does_between_them():
    def body(world, *, own):
        far = world.existing_cache.client(decode_responses=True)
        far.set("k", 1)

        class Shop:
            def get(self, key):
                if far.exists(key):
                    if own:
                        far.delete(key)
                    return far.get(key)
                return 0

        world.actor("alice", world.user("alice", Shop()).read, "k")
        world.actor("bob", far.delete, "k")
        assert world.run()["alice"] is not None

    assert class_of(lambda world: body(world, own=False)) == "split-look-up"
    assert class_of(lambda world: body(world, own=True)) == NONE


def touched_while_it_is_deleted(*, only_if_there):
    def body(world):
        far = world.existing_cache.client(decode_responses=True)
        far.set("session", json.dumps({"user": "ann", "seen": 0}))

        def touch():
            session = far.get("session")
            if session is not None:
                seen = json.dumps({**json.loads(session), "seen": 1})
                far.set("session", seen, xx=only_if_there)

        world.actor("request", touch)
        world.actor("ann", far.delete, "session")
        world.run()
        assert far.get("session") is None

    return body


def test_an_object_is_written_back_after_it_was_deleted():
    body = touched_while_it_is_deleted(only_if_there=False)
    assert class_of(body) == "write-back-resurrection"


def test_an_object_that_is_stored_only_if_it_is_there_stays_deleted():
    assert check(touched_while_it_is_deleted(only_if_there=True)).verdict is Verdict.HOLDS


def test_a_fill_that_counts_beside_what_it_has_loaded_writes_nothing_back():
    """Whoever stores what was loaded elsewhere makes a fill, though the entry was read, too."""

    def body(world):
        far = world.existing_cache.client(decode_responses=True)
        far.mset({"price": "100", "page": json.dumps({"price": 100, "made": 0})})

        def refresh():
            made = json.loads(far.get("page") or '{"made": 0}')["made"]
            far.set("page", json.dumps({"price": int(far.get("price")), "made": made + 1}))

        def change():
            far.set("price", "120")
            far.delete("page")

        world.actor("refresher", refresh)
        world.actor("clerk", change)
        world.run()
        page = far.get("page")
        assert page is None or json.loads(page)["price"] == 120

    assert class_of(body) == "stale-set"
