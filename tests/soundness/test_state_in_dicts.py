"""State in dicts, in what is derived from dicts, and in what only looks like one."""

import threading
from collections import Counter, OrderedDict, defaultdict

import pytest

from tests.soundness.truth import broken, right, systems_of


def _together(world, *flows):
    for number, flow in enumerate(flows):
        world.actor(f"user-{number}", flow)
    world.run()


@broken("both see no entry, and the second assignment replaces the list of the first")
def a_bucket_made_by_get_and_set(world):
    buckets = {}

    def join(name):
        if buckets.get("eu") is None:
            buckets["eu"] = []
        buckets["eu"].append(name)

    _together(world, lambda: join("a"), lambda: join("b"))
    assert sorted(buckets["eu"]) == ["a", "b"]


@right("setdefault is one operation, and so is append")
def a_bucket_made_by_setdefault(world):
    buckets = {}

    def join(name):
        buckets.setdefault("eu", []).append(name)

    _together(world, lambda: join("a"), lambda: join("b"))
    assert sorted(buckets["eu"]) == ["a", "b"]


@broken("the reader looks at low after the first update and at high before the second")
def two_limits_by_two_updates(world):
    limits = dict.fromkeys(("low", "high"), 0)
    seen = []

    def raise_both():
        limits.update(low=5)
        limits.update(high=5)

    _together(world, raise_both, lambda: seen.extend(limits.values()))
    assert seen in ([0, 0], [5, 5])


@right("one in-place union changes both entries at once, and values are taken at once")
def two_limits_by_one_union(world):
    limits = dict.fromkeys(("low", "high"), 0)
    seen = []

    def raise_both():
        nonlocal limits
        limits |= {"low": 5, "high": 5}

    _together(world, raise_both, lambda: seen.extend(limits.values()))
    assert seen in ([0, 0], [5, 5])


@broken("both find the dict filled with one entry, and the second popitem raises KeyError")
def the_last_job_by_popitem(world):
    jobs = {"only": 1}

    def take():
        if jobs:
            jobs.popitem()

    _together(world, take, take)
    assert not jobs


@right("who finds nothing catches it, and popitem gives an entry to one caller")
def the_last_job_by_popitem_caught(world):
    jobs, taken = {"only": 1}, []

    def take():
        try:
            taken.append(jobs.popitem())
        except KeyError:
            return

    _together(world, take, take)
    assert taken == [("only", 1)]


@broken("the entry is dropped between the test of the view and the read")
def a_test_on_the_keys_view(world):
    near = {"k": "old"}
    keys = near.keys()

    def read():
        if "k" in keys:
            return near["k"]
        return None

    _together(world, read, lambda: near.pop("k"))


@right("get looks and reads at once")
def a_get_instead_of_the_keys_view(world):
    near = {"k": "old"}
    seen = []
    _together(world, lambda: seen.append(near.get("k")), lambda: near.pop("k"))
    assert seen in (["old"], [None])


@broken("an entry is added while the items are walked through: RuntimeError")
def the_items_are_walked_while_one_is_added(world):
    near = {"a": 1, "b": 2}
    total = []

    def add_up():
        for key, amount in near.items():
            total.append((key, amount))

    _together(world, add_up, lambda: near.setdefault("c", 3))


@right("the items are copied in one operation before they are walked through")
def the_items_are_copied_first(world):
    near = {"a": 1, "b": 2}
    total = []

    def add_up():
        for key, amount in list(near.items()):
            total.append((key, amount))

    _together(world, add_up, lambda: near.setdefault("c", 3))
    assert len(total) in (2, 3)


@broken("both read the same count before either writes")
def a_counter_by_item(world):
    hits = Counter()

    def hit():
        hits["page"] += 1

    _together(world, hit, hit)
    assert hits["page"] == 2


@right("each user counts in an entry of its own, and the sum is taken at the end")
def a_counter_by_user(world):
    hits = Counter()

    def hit(user):
        hits[user] += 1

    _together(world, lambda: hit("a"), lambda: hit("b"))
    assert hits.total() == 2


@broken("the positive part is taken between the two changes")
def a_stock_moved_between_two_counters_entries(world):
    stock, seen = Counter(shelf=1, cart=0), []

    def move():
        stock["shelf"] = 0
        stock["cart"] = 1

    _together(world, move, lambda: seen.append(+stock))
    assert sum(seen[0].values()) == 1


@right("the new counter takes the place of the old one in one assignment")
def a_stock_replaced_as_a_whole(world):
    stock, seen = Counter(shelf=1, cart=0), []

    def move():
        nonlocal stock
        stock = Counter(shelf=0, cart=1)

    _together(world, move, lambda: seen.append(+stock))
    assert sum(seen[0].values()) == 1


@broken("the factory loads before the change, and the entry is stored after the drop")
def a_defaultdict_that_loads(world):
    redis = world.existing_cache.client(decode_responses=True)
    redis.set("k", "old")
    near = defaultdict(lambda: redis.get("k"))

    def change():
        redis.set("k", "new")
        near.pop("k", None)

    _together(world, lambda: near["k"], change)
    assert near["k"] == "new"


@right("the lock covers the load with its store, and the change with its drop")
def a_defaultdict_that_loads_under_a_lock(world):
    redis = world.existing_cache.client(decode_responses=True)
    redis.set("k", "old")
    near, lock = defaultdict(lambda: redis.get("k")), threading.Lock()

    def read():
        with lock:
            return near["k"]

    def change():
        with lock:
            redis.set("k", "new")
            near.pop("k", None)

    _together(world, read, change)
    assert read() == "new"


class _Loading(dict):
    def __init__(self, load):
        super().__init__()
        self.load = load

    def __missing__(self, key):
        value = self.load(key)
        self[key] = value
        return value


@broken("__missing__ loads before the change and stores after the drop")
def a_dict_with_missing(world):
    redis = world.existing_cache.client(decode_responses=True)
    redis.set("k", "old")
    near = _Loading(redis.get)

    def change():
        redis.set("k", "new")
        near.pop("k", None)

    _together(world, lambda: near["k"], change)
    assert near["k"] == "new"


@right("nothing is changed: whoever loads, loads the same")
def a_dict_with_missing_and_nobody_changes(world):
    redis = world.existing_cache.client(decode_responses=True)
    redis.set("k", "old")
    near = _Loading(redis.get)
    _together(world, lambda: near["k"], lambda: near["k"])
    assert near == {"k": "old"}


class _Bounded(OrderedDict):
    size = 1

    def __setitem__(self, key, value):
        super().__setitem__(key, value)
        if len(self) > self.size:
            super().popitem(last=False)


@broken("the entry is evicted by the other's store between the test and move_to_end")
def a_bounded_memo_touched_on_a_hit(world):
    near = _Bounded(a=1)

    def hit():
        if "a" in near:
            near.move_to_end("a")

    def store():
        near["b"] = 2

    _together(world, hit, store)


@right("a miss at move_to_end is caught, and only one user stores, so one entry is left over")
def a_bounded_memo_whose_miss_is_caught(world):
    near = _Bounded(a=1)

    def hit():
        try:
            near.move_to_end("a")
        except KeyError:
            return

    def store():
        near["b"] = 2

    _together(world, hit, store)
    assert len(near) == 1


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
