"""State in objects that answer for themselves, and in what is bound anew."""

import threading
import zlib
from contextvars import ContextVar
from dataclasses import dataclass
from types import SimpleNamespace
from weakref import proxy

import pytest

from tests.soundness.truth import broken, right, systems_of


def _together(world, *flows):
    for number, flow in enumerate(flows):
        world.actor(f"user-{number}", flow)
    world.run()


class _Draining(list):
    def __iter__(self):
        try:
            while True:
                yield self.pop(0)
        except IndexError:
            return


def _drained_by_two(world, jobs):
    done = {"x": [], "y": []}

    def work(user):
        for job in jobs:
            done[user].append(job)

    _together(world, lambda: work("x"), lambda: work("y"))
    return done


@broken("one user takes the first job and the other the second")
def a_list_that_two_drain_and_one_gets_all(world):
    assert [] in _drained_by_two(world, _Draining(["a", "b"])).values()


@right("pop gives each job to one user, and both go on until none is left")
def a_list_that_two_drain(world):
    done = _drained_by_two(world, _Draining(["a", "b"]))
    assert sorted(done["x"] + done["y"]) == ["a", "b"]


@dataclass(frozen=True)
class _Frozen:
    limit: int = 1

    def relax(self):
        object.__setattr__(self, "limit", self.limit + 1)


@broken("both read the same limit before either goes around the freeze")
def a_frozen_dataclass_changed(world):
    rules = _Frozen()
    _together(world, rules.relax, rules.relax)
    assert rules.limit == 3


@right("each goes around the freeze of its own")
def two_frozen_dataclasses_changed(world):
    mine, yours = _Frozen(), _Frozen()
    _together(world, mine.relax, yours.relax)
    assert mine == yours == _Frozen(2)


@dataclass
class _Price:
    amount: int
    currency: str = "EUR"


def _matched(price):
    match price:
        case _Price(amount=amount):
            return amount
    return None


@broken("the pattern takes the amount twice, and it changes in between")
def a_pattern_of_a_class(world):
    price, seen = _Price(1), []

    def change():
        price.amount = 2

    _together(world, lambda: seen.append((_matched(price), _matched(price))), change)
    assert seen[0][0] == seen[0][1]


@right("the pattern takes the amount once")
def a_pattern_of_a_class_once(world):
    price, seen = _Price(1), []

    def change():
        price.amount = 2

    _together(world, lambda: seen.append(_matched(price)), change)
    assert seen[0] in (1, 2)


@broken("the proxy reads the amount twice, and it changes in between")
def a_weak_proxy(world):
    price, seen = _Price(1), []
    weak = proxy(price)

    def change():
        price.amount = 2

    _together(world, lambda: seen.append((weak.amount, weak.amount)), change)
    assert seen[0][0] == seen[0][1]


@right("the proxy stands for another price")
def a_weak_proxy_of_another(world):
    price, other, seen = _Price(1), _Price(1), []
    weak = proxy(other)

    def change():
        price.amount = 2

    _together(world, lambda: seen.append((weak.amount, weak.amount)), change)
    assert seen[0][0] == seen[0][1]


@broken("type sets the attribute of the class between the two reads")
def a_class_changed_by_type(world):
    class Shop:
        limit = 1

    seen = []
    _together(
        world,
        lambda: seen.append((Shop.limit, Shop.limit)),
        lambda: type.__setattr__(Shop, "limit", 2),
    )
    assert seen[0][0] == seen[0][1]


@right("type sets another attribute of the class")
def a_class_changed_elsewhere_by_type(world):
    class Shop:
        limit = 1

    seen = []
    _together(
        world,
        lambda: seen.append((Shop.limit, Shop.limit)),
        lambda: type.__setattr__(Shop, "other", 2),
    )
    assert seen[0][0] == seen[0][1]


@broken("both add to the same tuple, and the second binds one without the first's name")
def a_tuple_bound_anew(world):
    shop = SimpleNamespace(names=())

    def add(name):
        shop.names += (name,)

    _together(world, lambda: add("a"), lambda: add("b"))
    assert sorted(shop.names) == ["a", "b"]


@right("the lock covers the read and the binding")
def a_tuple_bound_anew_under_a_lock(world):
    shop, lock = SimpleNamespace(names=()), threading.Lock()

    def add(name):
        with lock:
            shop.names += (name,)

    _together(world, lambda: add("a"), lambda: add("b"))
    assert sorted(shop.names) == ["a", "b"]


@broken("both unite with the same set, and the second binds one without the first's name")
def a_frozenset_bound_anew(world):
    shop = {"names": frozenset()}

    def add(name):
        shop["names"] |= {name}

    _together(world, lambda: add("a"), lambda: add("b"))
    assert shop["names"] == {"a", "b"}


@right("a set that can change takes in a name in place, and ends the same under any order")
def a_set_changed_in_place(world):
    names = set()

    def add(name):
        names.add(name)

    _together(world, lambda: add("a"), lambda: add("b"))
    assert names == {"a", "b"}


_basket: ContextVar[list] = ContextVar("basket")


@broken("each thread has its own context, but the list in it is the same one")
def a_context_variable_with_a_shared_list(world):
    shared = []

    def put():
        _basket.set(shared)
        if not _basket.get():
            _basket.get().append("only")

    _together(world, put, put)
    assert shared == ["only"]


@right("each thread puts a list of its own into its context")
def a_context_variable_each(world):
    seen = []

    def put():
        _basket.set([])
        if not _basket.get():
            _basket.get().append("only")
        seen.append(len(_basket.get()))

    _together(world, put, put)
    assert seen == [1, 1]


@broken("the stripe of one key is not the stripe of the other: both count without the other's lock")
def a_count_under_two_stripes(world):
    stripes, shop = [threading.Lock() for _ in range(2)], SimpleNamespace(count=0)

    def count(key):
        with stripes[key % 2]:
            shop.count += 1

    _together(world, lambda: count(1), lambda: count(2))
    assert shop.count == 2


@right("both keys have the same stripe")
def a_count_under_one_stripe(world):
    stripes, shop = [threading.Lock() for _ in range(2)], SimpleNamespace(count=0)

    def count(key):
        with stripes[key % 2]:
            shop.count += 1

    _together(world, lambda: count(1), lambda: count(3))
    assert shop.count == 2


@broken("the list is empty for others while its sort asks the cache for the order")
def a_list_sorted_by_what_the_cache_says(world):
    redis = world.existing_cache.client(decode_responses=True)
    hosts, seen = ["b", "a"], []
    _together(
        world,
        lambda: hosts.sort(key=lambda host: redis.get(host) or host),
        lambda: seen.append(len(hosts)),
    )
    assert seen == [2]


@right("sorted asks the cache for the order of a copy")
def a_list_sorted_into_another(world):
    redis = world.existing_cache.client(decode_responses=True)
    hosts, seen = ["b", "a"], []
    _together(
        world,
        lambda: sorted(hosts, key=lambda host: redis.get(host) or host),
        lambda: seen.append(len(hosts)),
    )
    assert seen == [2]


def _packed(world, lock):
    stream, unpacker = zlib.compressobj(), zlib.decompressobj()

    def pack(part):
        with lock:
            return stream.compress(part) + stream.flush(zlib.Z_SYNC_FLUSH)

    world.actor("one", pack, b"aa")
    world.actor("two", pack, b"bb")
    packed = world.run()
    in_order = sorted(packed, key=lambda name: not packed[name].startswith(b"x"))  # the header
    unpacked = {name: unpacker.decompress(packed[name]) for name in in_order}
    assert unpacked == {"one": b"aa", "two": b"bb"}


@broken("one puts its part in, and the other one takes both out")
def a_compressor_shared_by_two(world):
    _packed(world, threading.Semaphore(2))


@right("one lock covers what goes in and what comes out")
def a_compressor_shared_under_a_lock(world):
    _packed(world, threading.Lock())


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
