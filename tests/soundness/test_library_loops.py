"""Code of the standard library that is written in Python and goes through what it is given."""

import copy
import dataclasses
import heapq
import io
import json
import pprint
import random
import statistics
import threading
import urllib.parse
from collections import ChainMap, Counter, UserDict

import pytest

from tests.soundness.truth import broken, right, systems_of


def _while_it_grows(world, prices, use, lock=None):
    """Let one user go through the prices while another one adds one; return what failed."""
    lock = lock or threading.Semaphore(2)
    failed = []

    def look():
        with lock:
            try:
                use(prices)
            except RuntimeError as error:
                failed.append(error)

    def add():
        with lock:
            prices["milk"] = 50

    world.actor("look", look)
    world.actor("add", add)
    world.run()
    return failed


@broken("the dict grows while its entries are copied one by one: RuntimeError")
def a_dict_copied_deeply(world):
    assert not _while_it_grows(world, {"tea": [100], "oil": [200]}, copy.deepcopy)


@right("the lock covers the copy")
def a_dict_copied_deeply_under_a_lock(world):
    lock = threading.Lock()
    assert not _while_it_grows(world, {"tea": [100], "oil": [200]}, copy.deepcopy, lock)


@broken("the inner dict grows while it is copied")
def a_dict_inside_of_another_copied_deeply(world):
    prices = {"tea": 100, "oil": 200}
    assert not _while_it_grows(world, prices, lambda inner: copy.deepcopy({"prices": inner}))


@right("a flat copy is one operation of C")
def a_dict_copied(world):
    assert not _while_it_grows(world, {"tea": 100, "oil": 200}, copy.copy)


def _dump(prices):
    json.dump(prices, io.StringIO())


@broken("json.dump goes through the dict in Python")
def a_dict_dumped_to_a_stream(world):
    assert not _while_it_grows(world, {"tea": 100, "oil": 200}, _dump)


@right("json.dumps without an indent is one operation of C")
def a_dict_dumped_to_a_text(world):
    assert not _while_it_grows(world, {"tea": 100, "oil": 200}, json.dumps)


def _encode(prices):
    return list(json.JSONEncoder().iterencode(prices))


@broken("the parts of the text are made one after the other, in Python")
def a_dict_encoded_in_parts(world):
    assert not _while_it_grows(world, {"tea": 100, "oil": 200}, _encode)


@right("the lock covers all parts")
def a_dict_encoded_in_parts_under_a_lock(world):
    lock = threading.Lock()
    assert not _while_it_grows(world, {"tea": 100, "oil": 200}, _encode, lock)


@dataclasses.dataclass
class Shop:
    near: dict
    name: str = "shop"


@broken("asdict goes through the dict in Python")
def a_dataclass_made_a_dict(world):
    shop = Shop({"tea": 100, "oil": 200})
    assert not _while_it_grows(world, shop.near, lambda _near: dataclasses.asdict(shop))


@right("the name alone is read")
def a_field_of_a_dataclass_read(world):
    shop = Shop({"tea": 100, "oil": 200})
    assert not _while_it_grows(world, shop.near, lambda _near: shop.name)


@right("the printer sorts a copy of the items, which C makes")
def a_dict_written_prettily(world):
    near = {"tea" * 30: 100, "oil" * 30: 200}
    assert not _while_it_grows(world, near, pprint.pformat)


@broken("the items of the copy are texts of what changes meanwhile")
def a_list_in_a_list_written_prettily(world):
    rows, texts = [["tea" * 20, 1], ["oil" * 20, 1]], []

    def raise_both():
        rows[0][1] = 2
        rows[1][1] = 2

    world.actor("look", lambda: texts.append(pprint.pformat(rows)))
    world.actor("raise", raise_both)
    world.run()
    assert texts[0].count("1") in {0, 2}


@broken("urlencode goes through the items in Python")
def a_dict_encoded_for_a_query(world):
    assert not _while_it_grows(world, {"tea": 100, "oil": 200}, urllib.parse.urlencode)


@right("the items were copied by C before")
def a_copy_of_a_dict_encoded_for_a_query(world):
    near = {"tea": 100, "oil": 200}
    assert not _while_it_grows(world, near, lambda near: urllib.parse.urlencode(list(near.items())))


def _any_of(world, servers, choose, lock=None):
    lock = lock or threading.Semaphore(2)
    failed = []

    def ask():
        with lock:
            try:
                choose(servers)
            except (IndexError, statistics.StatisticsError, ZeroDivisionError) as error:
                failed.append(error)

    def drop():
        with lock:
            servers.pop()

    world.actor("ask", ask)
    world.actor("drop", drop)
    world.run()
    return failed


@broken("the list is shorter when the number is drawn than when it was counted")
def any_of_a_list(world):
    for seed in range(8):  # one that draws the last
        if random.Random(seed).choice([0, 1]):
            break
    assert not _any_of(world, [1, 2], random.Random(seed).choice)


@broken("the list is shorter when it is copied than when it was counted")
def a_sample_of_a_list(world):
    assert not _any_of(world, [1, 2], lambda servers: random.sample(servers, 1))


@right("a copy of the list is drawn from")
def a_sample_of_a_copy(world):
    assert not _any_of(world, [1, 2], lambda servers: random.sample(list(servers), 1))


@right("the lock covers the count and the draw")
def any_of_a_list_under_a_lock(world):
    assert not _any_of(world, [1, 2], random.Random(1).choice, threading.Lock())


@broken("the rows end while they are added up and counted")
def the_mean_of_a_list(world):
    means = []
    _any_of(world, [1, 3], lambda rows: means.append(statistics.fmean(rows)))
    assert set(means) <= {2.0, 1.0}


@right("a copy of the list is added up")
def the_mean_of_a_copy(world):
    means = []
    _any_of(world, [1, 3], lambda rows: means.append(statistics.fmean(list(rows))))
    assert set(means) <= {2.0, 1.0}


@broken("nlargest goes through the items in Python")
def the_two_largest_prices(world):
    near = {"tea": 1, "oil": 2, "salt": 3}
    assert not _while_it_grows(world, near, lambda near: heapq.nlargest(2, near.values()))


@right("sorted takes the values at once")
def the_two_largest_prices_sorted(world):
    near = {"tea": 1, "oil": 2, "salt": 3}
    assert not _while_it_grows(world, near, lambda near: sorted(near.values())[:2])


@broken("a ChainMap goes from one dict to the next")
def a_value_moved_between_dicts_of_a_chain(world):
    fresh, old, seen = {}, {"k": 1}, []
    chain = ChainMap(fresh, old)

    def move():
        fresh["k"] = old.pop("k")

    def back():
        old["k"] = fresh.pop("k")

    def flip():
        move()
        back()

    world.actor("look", lambda: seen.append(chain.get("k")))
    world.actor("flip", flip)
    world.run()
    assert seen == [1]


@right("a Counter counts a list by one operation of C")
def a_list_counted(world):
    rows, counts = [1, 1], []
    world.actor("count", lambda: counts.append(Counter(rows)[1]))
    world.actor("clear", rows.clear)
    world.run()
    assert counts[0] in {0, 2}


class Held(UserDict):
    pass


@broken("the dict inside grows while it is copied")
def a_user_dict_copied_deeply(world):
    assert not _while_it_grows(world, Held({"tea": [100], "oil": [200]}), copy.deepcopy)


@right("one entry is read")
def an_entry_of_a_user_dict(world):
    assert not _while_it_grows(world, Held({"tea": 100, "oil": 200}), lambda near: near["tea"])


def _dumped_twice(world, prices, change):
    texts = []

    def look():
        texts.append(json.dumps(prices))
        texts.append(json.dumps(prices))

    world.actor("look", look)
    world.actor("change", change)
    world.run()
    assert texts[0] == texts[1]


@broken("the price inside changes between the two texts")
def an_inner_list_dumped_twice(world):
    prices = {"tea": [100]}
    _dumped_twice(world, prices, lambda: prices["tea"].append(90))


@right("another dict is changed")
def a_dict_dumped_twice_beside_another_one(world):
    prices, others = {"tea": [100]}, {"tea": [100]}
    _dumped_twice(world, prices, lambda: others["tea"].append(90))


@broken("the flow of one user is a method of the library itself")
def a_user_dict_filled_by_a_method_that_is_the_flow(world):
    near = Held({"tea": [100], "oil": [200]})
    failed = []

    def look():
        try:
            copy.deepcopy(near.data)
        except RuntimeError as error:
            failed.append(error)

    world.actor("look", look)
    world.actor("add", near.__setitem__, "milk", [50])
    world.run()
    assert not failed


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_the_truth_is_told(system):
    system.must_be_told()
