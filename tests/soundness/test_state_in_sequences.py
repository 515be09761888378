"""State in lists, deques and buffers, and what walks over them."""

import heapq
import random
from bisect import insort
from collections import deque

import pytest

from tests.soundness.truth import broken, right, systems_of


def _together(world, *flows):
    for number, flow in enumerate(flows):
        world.actor(f"user-{number}", flow)
    world.run()


@broken("the list grows by its tail after its head was replaced, and is copied in between")
def a_window_moved_by_two_operations(world):
    window, seen = [1, 2, 3], []

    def move():
        del window[:1]
        window.extend([4])

    _together(world, move, lambda: seen.append(len(window)))
    assert seen == [3]


@right("one slice assignment replaces all of the list")
def a_window_moved_by_a_slice(world):
    window, seen = [1, 2, 3], []

    def move():
        window[:] = [2, 3, 4]

    _together(world, move, lambda: seen.append(len(window)))
    assert seen == [3]


@broken("star-unpacking in a call takes the list twice, and it is appended to in between")
def arguments_by_star_taken_twice(world):
    prices, seen = [1, 2], []

    def largest(*amounts):
        return len(amounts)

    def compare():
        seen.append(largest(*prices) == largest(*prices))

    _together(world, compare, lambda: prices.append(3))
    assert seen == [True]


@right("star-unpacking in a call takes a tuple that was made once")
def arguments_by_star_taken_once(world):
    prices, seen = [1, 2], []

    def largest(*amounts):
        return len(amounts)

    def compare():
        frozen = (*prices,)
        seen.append(largest(*frozen) == largest(*frozen))

    _together(world, compare, lambda: prices.append(3))
    assert seen == [True]


@broken("a key is inserted at the front while the numbered loop waits for the cache: k1 twice")
def a_numbered_loop_over_a_shared_list(world):
    redis = world.existing_cache.client(decode_responses=True)
    keys, seen = ["k1", "k2"], []

    def load():
        for number, key in enumerate(keys):
            redis.get(key)
            seen.append((number, key))

    _together(world, load, lambda: keys.insert(0, "k0"))
    assert len({key for _, key in seen}) == len(seen)


@right("the numbered loop walks over a copy")
def a_numbered_loop_over_a_copy(world):
    redis = world.existing_cache.client(decode_responses=True)
    keys, seen = ["k1", "k2"], []

    def load():
        for number, key in enumerate(keys.copy()):
            redis.get(key)
            seen.append((number, key))

    _together(world, load, lambda: keys.insert(0, "k0"))
    assert len({key for _, key in seen}) == len(seen)


@broken("the second list grows while pairs are taken, after the first pair has been")
def pairs_of_two_lists(world):
    redis = world.existing_cache.client(decode_responses=True)
    keys, names, seen = ["k1", "k2"], ["a"], []

    def load():
        for key, name in zip(keys, names, strict=False):
            redis.get(key)
            seen.append(name)

    _together(world, load, lambda: names.append("b"))
    assert len(seen) == 1


@right("pairs are made at once, and a list that has grown gives one more from the start")
def pairs_made_at_once(world):
    redis = world.existing_cache.client(decode_responses=True)
    keys, names, seen = ["k1", "k2"], ["a"], []

    def load():
        pairs = list(zip(keys, names.copy(), strict=False))
        for key, name in pairs:
            redis.get(key)
            seen.append(name)
        assert len(seen) == len(pairs)

    _together(world, load, lambda: names.append("b"))


@broken("map calls for the first key, then the list grows, and a third key is loaded")
def a_lazy_map_over_a_shared_list(world):
    redis = world.existing_cache.client(decode_responses=True)
    keys, counts = ["k1", "k2"], []

    def load():
        before = len(keys)
        counts.append((before, len(list(map(redis.get, keys)))))

    _together(world, load, lambda: keys.append("k3"))
    assert counts[0][0] == counts[0][1]


@right("map runs over a copy whose length is known")
def a_lazy_map_over_a_copy(world):
    redis = world.existing_cache.client(decode_responses=True)
    keys, counts = ["k1", "k2"], []

    def load():
        taken = keys[:]
        counts.append((len(taken), len(list(map(redis.get, taken)))))

    _together(world, load, lambda: keys.append("k3"))
    assert counts[0][0] == counts[0][1]


@broken("both see the smallest, and push on what the other has already raised")
def a_heap_looked_at_and_replaced(world):
    heap = [1, 9]

    def raise_smallest():
        smallest = heap[0]
        heapq.heapreplace(heap, smallest + 2)

    _together(world, raise_smallest, raise_smallest)
    assert sorted(heap) == [5, 9]


@right("heapreplace gives each what it took out, and nothing is looked at before")
def a_heap_replaced(world):
    heap, taken = [1, 9], []

    def take(new):
        taken.append(heapq.heapreplace(heap, new))

    _together(world, lambda: take(2), lambda: take(2))
    assert sorted(taken) == [1, 2]


@broken("both miss the name, and it is put in twice")
def a_sorted_list_with_a_test(world):
    names = ["a"]

    def add():
        if "b" not in names:
            insort(names, "b")

    _together(world, add, add)
    assert names == ["a", "b"]


@right("each puts in another name, and insort of short lists is one operation")
def a_sorted_list_with_two_names(world):
    names = ["a"]
    _together(world, lambda: insort(names, "b"), lambda: insort(names, "c"))
    assert names == ["a", "b", "c"]


@broken("the ring turns between the look at its head and the second look")
def a_ring_looked_at_twice(world):
    ring, seen = deque(["a", "b"]), []
    _together(world, lambda: seen.append((ring[0], ring[0])), lambda: ring.rotate(1))
    assert seen[0][0] == seen[0][1]


@right("the ring is looked at once")
def a_ring_looked_at_once(world):
    ring, seen = deque(["a", "b"]), []

    def look():
        head = ring[0]
        seen.append((head, head))

    _together(world, look, lambda: ring.rotate(1))
    assert seen[0][0] == seen[0][1]


@broken("the order is changed between the two looks")
def a_list_shuffled_in_place(world):
    hosts, seen = ["a", "b", "c"], []
    dice = random.Random(4)
    _together(world, lambda: seen.append((hosts[0], hosts[0])), lambda: dice.shuffle(hosts))
    assert seen[0][0] == seen[0][1]


@right("a shuffled copy is made, and the list stays")
def a_list_sampled(world):
    hosts, seen = ["a", "b", "c"], []
    dice = random.Random(4)
    _together(world, lambda: seen.append((hosts[0], hosts[0])), lambda: dice.sample(hosts, 3))
    assert seen[0][0] == seen[0][1]


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
