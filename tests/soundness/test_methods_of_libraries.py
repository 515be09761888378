"""Methods that attrs, pydantic and `dataclasses` write into the classes of the code under test."""

import functools
import threading
from contextlib import nullcontext

import attrs
import pydantic
import pytest

from tests.soundness.truth import broken, right, systems_of


def _reserve(stock, lock):
    with lock:
        left = stock.left
        if left > 0:
            stock.left = left - 1
            return True
        return False


def _sold_once(world, kind, lock):
    stock = kind()
    world.actor("one", _reserve, stock, lock)
    world.actor("two", _reserve, stock, lock)
    assert sum(world.run().values()) == 1


@attrs.define
class Validated:
    left: int = attrs.field(default=1, validator=attrs.validators.instance_of(int))


@attrs.define(slots=False)
class Converted:
    left: int = attrs.field(default=1, converter=int)


@pydantic.dataclasses.dataclass(config={"validate_assignment": True})
class Assigned:
    left: int = 1


@broken("both read 1 before the setter that attrs wrote stores 0")
def a_validator_of_attrs(world):
    _sold_once(world, Validated, nullcontext())


@right("a lock is held from the look to the store")
def a_validator_of_attrs_under_a_lock(world):
    _sold_once(world, Validated, threading.Lock())


@broken("both read 1 before the setter that attrs wrote stores 0")
def a_converter_of_attrs(world):
    _sold_once(world, Converted, nullcontext())


@right("each user sells a stock of its own")
def converters_of_two_objects(world):
    mine, yours = Converted(), Converted()
    world.actor("one", _reserve, mine, nullcontext())
    world.actor("two", _reserve, yours, nullcontext())
    assert sum(world.run().values()) == 2


@broken("both read 1 before the setter that pydantic wrote stores 0")
def an_assignment_of_a_pydantic_dataclass(world):
    _sold_once(world, Assigned, nullcontext())


@right("a lock is held from the look to the store")
def an_assignment_of_a_pydantic_dataclass_under_a_lock(world):
    _sold_once(world, Assigned, threading.Lock())


@attrs.define
class Limits:
    lock: object
    low: int = attrs.field(default=0)
    high: int = attrs.field(default=10)

    @low.validator
    def _check_low(self, _attribute, value):
        if value > getattr(self, "high", 10):
            raise ValueError(value)

    @high.validator
    def _check_high(self, _attribute, value):
        if value < self.low:
            raise ValueError(value)

    def narrow(self, name, value):
        with self.lock:
            try:
                setattr(self, name, value)
            except ValueError:
                return False
            return True


def _narrowed(world, lock):
    limits = Limits(lock)
    world.actor("one", limits.narrow, "low", 8)
    world.actor("two", limits.narrow, "high", 2)
    world.run()
    assert limits.low <= limits.high


@broken("each validator reads the old value of the other attribute before either is stored")
def validators_that_look_at_each_other(world):
    _narrowed(world, nullcontext())


@right("a lock is held while a validator looks and the value is stored")
def validators_that_look_at_each_other_under_a_lock(world):
    _narrowed(world, threading.Lock())


@broken("both read 1 before the setter of a class that the body makes stores 0")
def a_class_of_attrs_made_by_the_body(world):
    @attrs.define
    class Stock:
        left: int = attrs.field(default=1, validator=attrs.validators.instance_of(int))

    _sold_once(world, Stock, nullcontext())


@right("only one of the two sells anything")
def a_validator_of_attrs_that_one_user_needs(world):
    stock = Validated()
    world.actor("one", _reserve, stock, nullcontext())
    world.actor("two", lambda: False)
    assert sum(world.run().values()) == 1


class Loads:
    made = 0


@attrs.define
class Service:
    loads: Loads
    lock: object = attrs.field(factory=nullcontext)

    @functools.cached_property
    def settings(self):
        self.loads.made += 1
        return object()

    def ask(self):
        with self.lock:
            return self.settings


@attrs.define
class Asked(Service):
    """Has a `__getattr__` of its own, which the one that attrs writes calls."""

    def __getattr__(self, name):
        raise AttributeError(name)

    @functools.cached_property
    def names(self):
        self.loads.made += 1
        return []


@broken("both find no value before the `__getattr__` that attrs wrote stores one")
def a_cached_property_of_attrs(world):
    service = Service(Loads())
    world.actor("one", lambda: service.settings)
    world.actor("two", lambda: service.settings)
    world.run()
    assert service.loads.made == 1


@right("a lock is held from the look to the store")
def a_cached_property_of_attrs_under_a_lock(world):
    service = Service(Loads(), threading.Lock())
    world.actor("one", service.ask)
    world.actor("two", service.ask)
    world.run()
    assert service.loads.made == 1


@broken("each gets a list of its own if both find none, and one of them is lost")
def a_cached_property_of_attrs_beside_a_getattr(world):
    asked = Asked(Loads())
    world.actor("one", lambda: asked.names.append(1))
    world.actor("two", lambda: getattr(asked, "names").append(2))  # noqa: B009 - by its name
    world.run()
    assert sorted(asked.names) == [1, 2]


@right("what is stored was made before the users begin")
def a_cached_property_of_attrs_that_is_made(world):
    asked = Asked(Loads())
    assert asked.names == []
    world.actor("one", lambda: asked.names.append(1))
    world.actor("two", lambda: asked.names.append(2))
    world.run()
    assert sorted(asked.names) == [1, 2]


@broken("both find no value before either stores one")
def a_cached_property_of_a_class_that_the_body_makes(world):
    @attrs.frozen
    class Frozen:
        loads: Loads

        @functools.cached_property
        def settings(self):
            self.loads.made += 1
            return object()

    service = Frozen(Loads())
    world.actor("one", lambda: service.settings)
    world.actor("two", lambda: service.settings)
    world.run()
    assert service.loads.made == 1


@right("each user has a service of its own")
def cached_properties_of_two_objects(world):
    mine, yours = Service(Loads()), Service(Loads())
    world.actor("one", lambda: mine.settings)
    world.actor("two", lambda: yours.settings)
    world.run()
    assert mine.loads.made == yours.loads.made == 1


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
