"""Near caches in front of awaited commands, in classes, modules, records and contexts."""

import contextvars
from dataclasses import dataclass, field
from typing import ClassVar

import pytest

from tests.soundness.truth import broken, right, systems_of

LATE = "the reader has the old answer, the writer changes and drops, the reader stores the old one"


def _far(of):
    return of.existing_cache.aclient(decode_responses=True)


async def _raced(world, read, change, after="new"):
    await _far(world).set("k", "old")
    world.actor("reader", read, "k")
    world.actor("writer", change, "k", "new")
    await world.run()
    assert await read("k") == after


class OnTheClass:
    """Every instance answers from one dict."""

    near: ClassVar[dict] = {}

    def __init__(self, far):
        self.far = far

    async def read(self, key):
        if key not in self.near:
            self.near[key] = await self.far.get(key)
        return self.near[key]

    async def change(self, key, value):
        await self.far.set(key, value)
        self.near.pop(key, None)


@broken(LATE + " through another instance; the dict is the class's")
async def a_dict_of_the_class(world):
    OnTheClass.near.clear()
    await _raced(world, OnTheClass(_far(world)).read, OnTheClass(_far(world)).change)


class OnTheInstance(OnTheClass):
    """Every instance has its own."""

    def __init__(self, far):
        super().__init__(far)
        self.near = {}


@right("each actor has an instance with a dict of its own, and the body asks a third")
async def a_dict_of_each_instance(world):
    far = _far(world)
    await far.set("k", "old")
    world.actor("reader", OnTheInstance(far).read, "k")
    world.actor("writer", OnTheInstance(far).change, "k", "new")
    await world.run()
    assert await OnTheInstance(far).read("k") == "new"


_near = None
_generation = 0


async def _read_global(far, key):
    global _near
    if _near is None:
        _near = await far.get(key)
    return _near


async def _change_global(far, key, value):
    global _near, _generation
    await far.set(key, value)
    _near = None
    _generation += 1


async def _read_global_of_a_generation(far, key):
    global _near
    while _near is None:
        generation = _generation
        value = await far.get(key)
        if generation == _generation:
            _near = value
    return _near


async def _raced_globals(world, read):
    global _near, _generation
    _near, _generation = None, 0
    far = _far(world)
    await far.set("k", "old")
    world.actor("reader", read, far, "k")
    world.actor("writer", _change_global, far, "k", "new")
    await world.run()
    assert await read(far, "k") == "new"


@broken(LATE)
async def a_global_of_the_module(world):
    await _raced_globals(world, _read_global)


@right("a load that a change overtook is made again, and a change that has not ended drops it")
async def a_global_of_the_module_with_a_generation(world):
    await _raced_globals(world, _read_global_of_a_generation)


@dataclass
class Record:
    """One value with what is known of it."""

    value: str | None = None
    loads: int = 0


@dataclass(slots=True)
class Book:
    """Keeps a record for each key."""

    far: object
    records: dict[str, Record] = field(default_factory=dict)
    is_replacing: bool = False

    async def read(self, key):
        record = self.records.setdefault(key, Record())
        if record.value is None:
            record.value = await self.far.get(key)
            record.loads += 1
        return record.value

    async def change(self, key, value):
        await self.far.set(key, value)
        if self.is_replacing:
            self.records.pop(key, None)
        else:
            self.records.setdefault(key, Record()).value = None


@broken("the field of the record is set to None before the reader sets it to its old answer")
async def a_field_of_a_dataclass_is_emptied(world):
    book = Book(_far(world))
    await _raced(world, book.read, book.change)


@right("the reader fills the record it holds, which nobody finds any more after the pop")
async def the_record_itself_is_dropped(world):
    book = Book(_far(world), is_replacing=True)
    await _raced(world, book.read, book.change)


_held = contextvars.ContextVar("held")


@right("every task has a context of its own, so nobody else sees what one has kept")
async def a_context_variable(world):
    far = _far(world)

    async def read(key):
        if _held.get(None) is None:
            _held.set(await far.get(key))
        return _held.get()

    async def change(key, value):
        await far.set(key, value)
        _held.set(None)

    await _raced(world, read, change)


@broken("the contexts of both tasks hold one dict, made before the race: " + LATE)
async def a_dict_in_a_context_variable(world):
    far = _far(world)
    _held.set({})

    async def read(key):
        near = _held.get()
        if key not in near:
            near[key] = await far.get(key)
        return near[key]

    async def change(key, value):
        await far.set(key, value)
        _held.get().pop(key, None)

    await _raced(world, read, change)


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
