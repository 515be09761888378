"""Code that `exec` and `eval` run, and functions that they have made, are looked into."""

import threading
from contextlib import nullcontext

import pytest

from tests.soundness.truth import broken, right, systems_of


class Price:
    def __init__(self):
        self.net, self.tax = 1, 1


_kept = {}
exec("def total(price): return price.net + price.tax", _kept)
_compiled = compile("price.net + price.tax", "<rule>", "eval")


def _evaluated(price):
    return eval("price.net + price.tax")


def _evaluated_with_names(price):
    return eval("  net + tax", {}, vars(price))


def _evaluated_in_one_space(price):
    return eval(b"price.net + price.tax", {"price": price})


def _compiled_before(price):
    return eval(_compiled, {"price": price})


def _executed(price):
    names = {"price": price}
    exec("net = price.net\ntotal = net + price.tax", names)
    return names["total"]


def _executed_with_names(price):
    names = {}
    exec("total = net + tax", vars(price), names)
    return names["total"]


def _made_by_exec(price):
    names = {}
    exec("def total(price): return price.net + price.tax", names)
    return names["total"](price)


def _made_before(price):
    return _kept["total"](price)


def _of_a_class(price):
    made = type("Total", (), {"of": _kept["total"]})
    return made.of(price)


def _given_on(price):
    return next(map(_kept["total"], [price]))


def _lambda(price):
    return eval("lambda p: p.net + p.tax")(price)


def _body_of_a_class(price):
    class Total:
        net = price.net
        total = net + price.tax

    return Total.total


def _summed_while_changed(world, total_of, guard):
    price = Price()

    def show():
        with guard:
            return total_of(price)

    def change():
        with guard:
            price.net = 2
            price.tax = 2

    world.actor("cart", show)
    world.actor("change", change)
    assert world.run()["cart"] in {2, 4}


def _state(total_of):
    def body(world):
        _summed_while_changed(world, total_of, nullcontext())

    def body_with_a_lock(world):
        _summed_while_changed(world, total_of, threading.Lock())

    name = total_of.__name__.strip("_")
    body.__name__, body_with_a_lock.__name__ = name, f"{name}_under_a_lock"
    broken("the total has one price of before, and one of after")(body)
    right("nobody changes a price meanwhile")(body_with_a_lock)


for _total_of in (
    _evaluated, _evaluated_with_names, _evaluated_in_one_space, _compiled_before, _executed,
    _executed_with_names, _made_by_exec, _made_before, _of_a_class, _given_on, _lambda,
    _body_of_a_class,
):  # fmt: skip
    _state(_total_of)


def _counted(world, count):
    space = {"count": 0}
    world.actor("one", count, space)
    world.actor("two", count, space)
    world.run()
    assert space["count"] == 2


@broken("both read 0")
def counted_by_names(world):
    _counted(world, lambda space: exec("count = count + 1", space))


@broken("both read 0")
def counted_by_a_function(world):
    def count(space):
        exec("def add():\n    global count\n    count += 1", space)
        space["add"]()

    _counted(world, count)


@right("a lock is held from the read to the write")
def counted_by_names_under_a_lock(world):
    lock = threading.Lock()

    def count(space):
        with lock:
            exec("count = count + 1", space)

    _counted(world, count)


SOURCE = """
class Cart:
    def __init__(self):
        self.items = 0

    def add(self):
        items = self.items
        self.items = items + 1
"""
_classes = {}
exec(SOURCE, _classes)


def _added_twice(world, guard):
    cart = _classes["Cart"]()

    def add():
        with guard:
            cart.add()

    world.actor("one", add)
    world.actor("two", add)
    world.run()
    assert cart.items == 2


@broken("both read 0")
def added_to_an_object_of_a_class_without_a_module(world):
    _added_twice(world, nullcontext())


@right("they hold one lock")
def added_to_an_object_of_a_class_without_a_module_under_a_lock(world):
    _added_twice(world, threading.Lock())


@right("each user has names of its own")
def executed_apart(world):
    def add():
        count = 1
        names = {}
        exec("total = count + 1; del count", {}, names | {"count": count})
        return eval("count + 1")

    world.actor("one", add)
    world.actor("two", add)
    assert set(world.run().values()) == {2}


@pytest.mark.parametrize("system", systems_of(__name__, every=2), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
