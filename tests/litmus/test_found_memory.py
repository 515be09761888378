"""Memory that actors share is found, named, raced, and told of; what they do not share is not."""

import mmap
import re
import struct
import threading
from enum import StrEnum
from functools import partial

import pytest

from pytest_supercache import Verdict, check
from pytest_supercache.checking.check import check_on
from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.schedule import read_token
from pytest_supercache.core.settings import Exploration
from pytest_supercache.layers.servers import start_server
from tests.selection import few


class Near:
    """A near cache in front of one command."""

    def __init__(self, redis, lock=None):
        self.redis = redis
        self.entries = {}
        self.lock = lock or threading.Semaphore(9)

    def get(self, key):
        with self.lock:
            if key not in self.entries:
                self.entries[key] = self.redis.get(key)
            return self.entries[key]

    def put(self, key, value):
        with self.lock:
            self.redis.set(key, value)
            self.entries.pop(key, None)


def flow(make_lock=lambda: None, keys=("k", "k")):
    def body(world):
        redis = world.existing_cache.client(decode_responses=True)
        redis.mset(dict.fromkeys(keys, "old"))
        near = Near(redis, make_lock())
        world.actor("reader", near.get, keys[0])
        world.actor("writer", near.put, keys[1], "new")
        world.run()
        assert near.get(keys[1]) == "new"

    return body


def test_an_entry_of_a_near_cache_is_a_step_with_its_name():
    result = check(flow())
    assert result.verdict is Verdict.VIOLATED
    found = result.counterexample
    assert found.replays == "10/10"
    labels = {step.label for step in found.execution.race if step.kind == "memory"}
    assert labels == {f"{verb} Near.entries['k']" for verb in ("read", "write", "delete")}
    assert "and at shared memory (Near.entries['k']" in result.coverage


def slots_of_a_buffer(slots):
    """Two users count in slots of one buffer, through one ``struct.Struct`` of a module."""

    def body(world):
        redis, counts = world.existing_cache.client(), mmap.mmap(-1, 2 * SLOT.size)

        def count(slot):
            redis.incr("requests")
            (hits,) = SLOT.unpack_from(counts, slot * SLOT.size)
            SLOT.pack_into(counts, slot * SLOT.size, hits + 1)

        world.actor("x", count, slots[0])
        world.actor("y", count, slots[1])
        world.run()
        assert sum(hits for (hits,) in SLOT.iter_unpack(counts[:])) == 2

    return body


SLOT = struct.Struct("<Q")


def test_a_format_is_no_memory_and_the_buffer_is():
    broken, right = check(slots_of_a_buffer([0, 0])), check(slots_of_a_buffer([0, 1]))
    assert broken.verdict is Verdict.VIOLATED
    assert right.verdict is Verdict.HOLDS
    for result in (broken, right):
        (shared,) = re.findall(r"shared memory \((.*?)\)", result.coverage)
        assert "SLOT" not in shared


def test_bytes_that_users_pack_with_one_format_are_not_shared():
    def body(world):
        client = world.existing_cache.client()
        world.actor("x", lambda: client.set("x", SLOT.pack(1)))
        world.actor("y", lambda: client.set("y", SLOT.pack(2)))
        world.run()

    result = check(body)
    assert result.verdict is Verdict.HOLDS
    assert "shared memory" not in result.coverage


def test_the_token_names_the_memory_and_is_read_again():
    found = check(flow()).counterexample
    assert found.token.endswith(";memory=Near.entries/[%27k%27]")
    assert read_token(found.token)[1] == found.schedule


def test_a_dict_in_a_dict_is_named_by_its_key():
    def body(world):
        counts = {"eu": {"hits": 0}, "us": {"hits": 0}}

        def hit():
            counts["eu"]["hits"] += 1

        world.actor("alice", hit)
        world.actor("bob", hit)
        world.run()
        assert counts["eu"]["hits"] == 2

    result = check(body)
    assert "and at shared memory (counts['eu']['hits'])," in result.coverage
    assert result.counterexample.token.endswith(";memory=counts[%27eu%27]/[%27hits%27]")


@pytest.mark.parametrize("make_lock", [lambda: threading.Lock(), lambda: threading.RLock()])
def test_under_one_lock_it_is_no_step(make_lock):
    result = check(flow(make_lock))
    assert result.verdict is Verdict.HOLDS
    assert "shared memory" not in result.coverage


def test_two_keys_are_two_places():
    result = check(flow(keys=("one", "two")))
    assert result.verdict is Verdict.HOLDS
    assert "shared memory" not in result.coverage


class Row(StrEnum):
    """Where seats are."""

    FRONT = "front"


@pytest.mark.parametrize(
    ("is_atomic", "verdict"), [(False, Verdict.VIOLATED), (True, Verdict.HOLDS)]
)
def test_a_text_and_a_member_of_an_enumeration_that_equals_it_are_one_place(is_atomic, verdict):
    def body(world):
        seats, taken = {}, []

        def take(row, name):
            if is_atomic:
                if seats.setdefault(row, name) == name:
                    taken.append(name)
            elif seats.get(row) is None:
                seats[row] = name
                taken.append(name)

        world.actor("alice", take, "front", "alice")
        world.actor("bob", take, Row.FRONT, "bob")
        world.run()
        assert len(taken) == 1

    assert check(body).verdict is verdict


@pytest.mark.parametrize(
    ("is_beside", "verdict"), [(True, Verdict.VIOLATED), (False, Verdict.HOLDS)]
)
def test_who_looks_at_a_whole_dict_meets_a_thread_that_comes_later_to_an_entry(is_beside, verdict):
    def body(world):
        seats = {"front": "alice"}

        def add():
            seats["back"] = "bob"

        def counts():
            before = len(seats)
            thread = threading.Thread(target=add)
            thread.start()
            length = len(seats) if is_beside else before
            thread.join()
            return length

        world.actor("carol", counts)
        assert world.run() == {"carol": 1}

    assert check(body).verdict is verdict


@pytest.mark.parametrize(
    "options", few([{"memory": "shared"}, {"grain": "wire"}, {"grain": "await"}], 1)
)
def test_an_access_between_two_steps_is_found_where_memory_is_shared_from_the_start(options):
    def body(world):
        redis, stats = world.existing_cache.client(), Stats()
        stats.hits = 0

        def count():
            stats.hits += 1
            redis.get("k")

        world.actor("one", count)
        world.actor("two", count)
        world.run()
        assert stats.hits == 2

    assert check(body, **options).verdict is Verdict.VIOLATED


def test_where_memory_is_declared_nobody_looks():
    assert check(flow(), memory="declared").verdict is Verdict.HOLDS


def test_what_nobody_shares_costs_no_execution():
    def body(world):
        redis = world.existing_cache.client()

        def use():
            own = {}
            own["k"] = redis.get("k")
            return own["k"]

        world.actor("a", use)
        world.actor("b", use)
        world.run()

    found, declared = check(body), check(body, memory="declared")
    assert found.executions == declared.executions == 1


class Stats:
    """What is counted on the side, and may be wrong."""

    hits = 0


def counted(world):
    redis = world.existing_cache.client(decode_responses=True)

    def get():
        Stats.hits += 1
        redis.get("k")

    world.actor("one", get)
    world.actor("two", get)
    world.run()


def test_memory_that_is_declared_atomic_is_no_step_and_the_sentence_names_it():
    raced, atomic = check(counted), check(counted, atomic=["Stats.hits"])
    assert raced.verdict is atomic.verdict is Verdict.HOLDS
    assert "and at shared memory (Stats.hits" in raced.coverage
    assert "taken as atomic, as declared: Stats.hits" in atomic.coverage
    assert "raced" not in atomic.coverage
    assert atomic.executions < raced.executions


@pytest.mark.parametrize("name", ["Near.entries", "Near"])
def test_what_is_inside_of_what_is_declared_atomic_is_declared_too(name):
    assert check(flow(), atomic=[name]).verdict is Verdict.HOLDS


def test_what_is_declared_atomic_is_in_the_footprint_of_the_step_before():
    def body(world):
        redis = world.existing_cache.client(decode_responses=True)
        log = Log()

        def note(name):
            redis.get(name)
            log.lines.append(name)

        world.actor("one", note, "a")
        world.actor("two", note, "b")
        world.run()
        assert log.lines == ["a", "b"]

    assert check(body, atomic=["Log.lines"]).verdict is Verdict.VIOLATED


class Log:
    def __init__(self):
        self.lines = []


@pytest.mark.parametrize("name", few(["Near.entr", "Near.entries['other']", "near"], 2))
def test_another_name_declares_nothing_and_is_told(name):
    result = check(flow(), atomic=[name])
    assert result.verdict is Verdict.VIOLATED
    assert f"atomic: no memory that users share is named {name}" in result.notes


@pytest.mark.parametrize(
    "options", [{"memory": "declared"}, {"memory": "shared"}, {"grain": "await"}]
)
def test_atomic_goes_with_memory_that_is_looked_for(options):
    with pytest.raises(SupercacheError, match="Leave one of them out"):
        check(flow(), atomic=["Near"], **options)


def test_atomic_takes_a_list_of_names():
    with pytest.raises(SupercacheError, match="expected names"):
        check(flow(), atomic="Near")


def counter():
    hits = 0

    def count():
        nonlocal hits
        hits += 1

    return count, lambda: hits


def counted_by_two(world):
    count, read = counter()
    for name in ("alice", "bob"):
        world.actor(name, count)
    world.run()
    assert read() == 2


def test_a_variable_of_a_closure_has_the_name_of_its_function_whoever_comes_first():
    result = check(counted_by_two)
    steps = result.counterexample.execution.race
    assert {step.label for step in steps} == {
        "read counter.<locals>.hits", "write counter.<locals>.hits",
    }  # fmt: skip
    assert result.share.interleavings == 4


def counted_in_a_request(world):
    def flow():
        count, read = counter()
        threads = [threading.Thread(target=count) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert read() == 2

    world.actor("alice", flow)
    world.run()


def test_a_variable_of_a_closure_made_in_the_race_says_in_which_request():
    found = check(counted_in_a_request).counterexample
    labels = {step.label for step in found.execution.race if step.kind == "memory"}
    assert "read counter.<locals>.hits<alice>" in labels


def test_a_token_from_before_these_names_is_replayed():
    _, schedule = read_token("sc1:item:bob,alice*2,bob;memory=cell%3Cbob%3E/%2A")
    settings = Exploration()
    result = check_on(
        start_server("fakeredis"), counted_by_two, settings, guarantees=(), replay=schedule
    )
    assert result.verdict is Verdict.VIOLATED
    assert "read cell<bob>" in {step.label for step in result.counterexample.execution.race}


def upper(row):
    return row.upper()


@pytest.mark.parametrize(
    ("function", "outcomes", "orders"),
    [(str.upper, {"AB", "B"}, 2), (upper, {"AB", "B", "A"}, 4)],
    ids=["of C", "of Python"],
)
def test_others_come_in_where_a_function_that_map_calls_begins_if_it_is_python_code(
    function, outcomes, orders
):
    seen = set()

    def body(world):
        rows = ["a", "b"]
        world.actor("walk", lambda: list(map(function, rows)))
        world.actor("drop", rows.pop, 0)
        seen.add("".join(world.run()["walk"]))

    result = check(body)
    assert result.verdict is Verdict.HOLDS
    assert result.executions == 1 + orders  # the first one finds what is shared
    assert seen == outcomes


@pytest.mark.parametrize(
    "method_of",
    [
        lambda rows: rows.append,
        lambda rows: partial(rows.insert, 0),
        lambda rows: rows.__iadd__,
    ],
    ids=["method", "partial", "operator"],
)
def test_what_only_a_method_of_c_leads_to_has_one_name_whoever_comes_first(method_of):
    def body(world):
        rows = []
        for name in ("first", "second"):
            world.actor(name, method_of(rows), name)
        world.run()

    result = check(body, guarantees=[])
    assert result.verdict is Verdict.HOLDS
    assert "shared memory (first)" in result.coverage
    assert result.notes == ()
