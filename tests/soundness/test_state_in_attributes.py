"""State in attributes: of instances, classes, metaclasses, exceptions, and behind descriptors."""

import operator
import threading

import pytest

from tests.soundness.truth import broken, right, systems_of


def _together(world, *flows):
    for number, flow in enumerate(flows):
        world.actor(f"user-{number}", flow)
    world.run()


def _differs(get, change):
    """Read twice while another changes it once; the actors, and what to ask at the end."""
    seen = []
    return (lambda: seen.append((get(), get())), change), lambda: seen[0][0] == seen[0][1]


class Slotted:
    __slots__ = ("limit",)

    def __init__(self):
        self.limit = 1


@broken("the slot changes between the two reads")
def a_slot_read_twice(world):
    shop = Slotted()
    flows, same = _differs(lambda: shop.limit, lambda: setattr(shop, "limit", 2))
    _together(world, *flows)
    assert same()


@right("the slot of another instance changes")
def a_slot_of_another(world):
    shop, other = Slotted(), Slotted()
    flows, same = _differs(lambda: shop.limit, lambda: setattr(other, "limit", 2))
    _together(world, *flows)
    assert same()


class _Money:
    def __init__(self):
        self._amount = 1

    amount = property(operator.attrgetter("_amount"))

    def add(self, more):
        self._amount = self._amount + more


@broken("the property made of an attrgetter is read twice, and the amount changes in between")
def a_property_of_an_attrgetter(world):
    money = _Money()
    flows, same = _differs(lambda: money.amount, lambda: money.add(1))
    _together(world, *flows)
    assert same()


@right("the amount is given back as it was: nothing is added")
def a_property_of_an_attrgetter_and_nothing_added(world):
    money = _Money()
    flows, same = _differs(lambda: money.amount, lambda: money.add(0))
    _together(world, *flows)
    assert same()


class _Hidden:
    def __init__(self):
        self._limit = 1

    def __getattribute__(self, name):
        if name == "limit":
            return object.__getattribute__(self, "_limit")
        return super().__getattribute__(name)


@broken("the attribute stands for another one, which changes between the two reads")
def an_attribute_that_stands_for_another(world):
    shop = _Hidden()
    flows, same = _differs(lambda: shop.limit, lambda: setattr(shop, "_limit", 2))
    _together(world, *flows)
    assert same()


@right("the attribute that changes is not the one that it stands for")
def an_attribute_that_stands_for_a_third(world):
    shop = _Hidden()
    flows, same = _differs(lambda: shop.limit, lambda: setattr(shop, "limit", 2))
    _together(world, *flows)
    assert same()


class _Typed:
    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, holder, owner=None):
        return self if holder is None else vars(holder)[self.name]

    def __set__(self, holder, value):
        holder.__dict__[self.name] = int(value)


class _Stock:
    count = _Typed()

    def __init__(self):
        self.count = 0


@broken("both read the same number through the descriptor before either sets it")
def a_descriptor_counts(world):
    stock = _Stock()

    def add():
        stock.count += 1

    _together(world, add, add)
    assert stock.count == 2


@right("the lock covers the read and the write")
def a_descriptor_counts_under_a_lock(world):
    stock, lock = _Stock(), threading.Lock()

    def add():
        with lock:
            stock.count += 1

    _together(world, add, add)
    assert stock.count == 2


class _Base:
    limit = 1


@broken("the subclass gets a limit of its own between the two reads")
def a_limit_inherited_by_a_class(world):
    class Sub(_Base):
        pass

    flows, same = _differs(lambda: Sub.limit, lambda: setattr(Sub, "limit", 2))
    _together(world, *flows)
    assert same()


@right("a sibling gets a limit of its own")
def a_limit_inherited_by_a_sibling(world):
    class Sub(_Base):
        pass

    class Sibling(_Base):
        pass

    flows, same = _differs(lambda: Sub.limit, lambda: setattr(Sibling, "limit", 2))
    _together(world, *flows)
    assert same()


@broken("the class's limit changes between two reads of its own __dict__")
def a_limit_in_the_dict_of_a_class(world):
    class Shop:
        limit = 1

    flows, same = _differs(lambda: vars(Shop)["limit"], lambda: setattr(Shop, "limit", 2))
    _together(world, *flows)
    assert same()


@right("the mapping of the class is copied once")
def a_limit_in_a_copy_of_the_dict_of_a_class(world):
    class Shop:
        limit = 1

    members = dict(vars(Shop))
    flows, same = _differs(lambda: members["limit"], lambda: setattr(Shop, "limit", 2))
    _together(world, *flows)
    assert same()


@broken("the base's limit changes between two reads through super()")
def a_limit_through_super(world):
    class Top:
        limit = 1

    class Shop(Top):
        limit = 9

        def inherited(self):
            return super().limit

    shop = Shop()
    flows, same = _differs(shop.inherited, lambda: setattr(Top, "limit", 2))
    _together(world, *flows)
    assert same()


@right("the limit of the class itself changes, which super() passes over")
def a_limit_beside_super(world):
    class Top:
        limit = 1

    class Shop(Top):
        limit = 9

        def inherited(self):
            return super().limit

    shop = Shop()
    flows, same = _differs(shop.inherited, lambda: setattr(Shop, "limit", 2))
    _together(world, *flows)
    assert same()


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
