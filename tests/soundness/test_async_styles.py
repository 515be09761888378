"""Coroutines as different teams write them: mixins, descriptors, registries, shields, TTLs."""

import asyncio
import weakref
from collections import ChainMap, OrderedDict
from contextlib import suppress
from typing import NamedTuple

import pytest

from tests.soundness.truth import broken, right, systems_of

LATE = "the reader has the old answer, the writer changes and drops, the reader stores the old one"
GUARDED = "what was loaded before a change ended is not stored"


def _far(of):
    return of.existing_cache.aclient(decode_responses=True)


async def _raced(world, shop):
    await _far(world).set("k", "old")

    async def look():
        await shop.read("k")

    world.actor("reader", look)
    world.actor("writer", shop.change, "k", "new")
    await world.run()
    assert await shop.read("k") == "new"


class Base:
    """Reads and changes by way of three hooks."""

    def __init__(self, far):
        self.far = far
        self.set_up()

    def set_up(self):
        self.near = {}

    async def read(self, key):
        found = self.find(key)
        if found is None:
            token = self.begin(key)
            found = await self.far.get(key)
            self.keep(key, found, token)
        return found

    async def change(self, key, value):
        await self.far.set(key, value)
        self.forget(key)

    def begin(self, key):
        return None

    def find(self, key):
        return self.near.get(key)

    def keep(self, key, value, token):
        self.near[key] = value

    def forget(self, key):
        self.near.pop(key, None)


class TokenMixin:
    """Keeps only what was begun after the last change."""

    def set_up(self):
        super().set_up()
        self.tokens = {}

    def begin(self, key):
        return self.tokens.setdefault(key, object())

    def keep(self, key, value, token):
        if self.tokens.get(key) is token:
            super().keep(key, value, token)

    def forget(self, key):
        self.tokens.pop(key, None)
        super().forget(key)


class Guarded(TokenMixin, Base):
    """The two together."""


@broken(LATE)
async def a_class_with_hooks(world):
    await _raced(world, Base(_far(world)))


@right(GUARDED)
async def a_class_with_a_mixin_that_guards(world):
    await _raced(world, Guarded(_far(world)))


class Recent(Base):
    """Keeps the entries that were used last."""

    def set_up(self):
        self.near = OrderedDict()

    def find(self, key):
        if key in self.near:
            self.near.move_to_end(key)
        return self.near.get(key)

    def keep(self, key, value, token):
        self.near[key] = value
        while len(self.near) > 1:
            self.near.popitem(last=False)


class GuardedRecent(TokenMixin, Recent):
    """The same with tokens."""


@broken(LATE)
async def the_entries_used_last(world):
    await _raced(world, Recent(_far(world)))


@right(GUARDED)
async def the_entries_used_last_guarded(world):
    await _raced(world, GuardedRecent(_far(world)))


class Layered(Base):
    """Looks into several dicts."""

    def set_up(self):
        self.near = ChainMap({}, {"other": "x"})


class GuardedLayered(TokenMixin, Layered):
    """The same with tokens."""


@broken(LATE)
async def a_chain_of_dicts(world):
    await _raced(world, Layered(_far(world)))


@right(GUARDED)
async def a_chain_of_dicts_guarded(world):
    await _raced(world, GuardedLayered(_far(world)))


class Entry(NamedTuple):
    """A value and until when it is good."""

    value: str
    until: float


class Timed(Base):
    """Keeps entries for a while."""

    def find(self, key):
        entry = self.near.get(key)
        now = asyncio.get_running_loop().time()
        return entry.value if entry is not None and entry.until > now else None

    def keep(self, key, value, token):
        self.near[key] = Entry(value, asyncio.get_running_loop().time() + 60)


class GuardedTimed(TokenMixin, Timed):
    """The same with tokens."""


@broken(LATE + ", which is good for a minute")
async def entries_with_an_end(world):
    await _raced(world, Timed(_far(world)))


@right(GUARDED)
async def entries_with_an_end_guarded(world):
    await _raced(world, GuardedTimed(_far(world)))


class Held:
    """What a weak dict can hold."""

    def __init__(self, value):
        self.value = value


class Weak(Base):
    """Keeps what somebody else keeps alive."""

    def set_up(self):
        self.alive = []
        self.near = weakref.WeakValueDictionary()

    def find(self, key):
        held = self.near.get(key)
        return None if held is None else held.value

    def keep(self, key, value, token):
        self.near[key] = held = Held(value)
        self.alive.append(held)


class GuardedWeak(TokenMixin, Weak):
    """The same with tokens."""


@broken(LATE)
async def a_weak_dict(world):
    await _raced(world, Weak(_far(world)))


@right(GUARDED)
async def a_weak_dict_guarded(world):
    await _raced(world, GuardedWeak(_far(world)))


class Once:
    """A descriptor whose value is loaded when it is first awaited."""

    def __set_name__(self, owner, name):
        self.name = f"_{name}"

    def __get__(self, shop, owner=None):
        return self.load(shop)

    async def load(self, shop):
        if not hasattr(shop, self.name):
            setattr(shop, self.name, await shop.far.get("k"))
        return getattr(shop, self.name)


class OnceAtATime(Once):
    """The same with a lock of the object."""

    async def load(self, shop):
        async with shop.lock:
            return await super().load(shop)


class Described:
    """Has a setting by a descriptor."""

    loose = Once()
    tight = OnceAtATime()

    def __init__(self, far):
        self.far = far
        self.lock = asyncio.Lock()

    async def read(self, key):
        return await self.loose

    async def change(self, key, value):
        await self.far.set(key, value)
        self.__dict__.pop("_loose", None)


class DescribedTightly(Described):
    """The same under the lock."""

    async def read(self, key):
        return await self.tight

    async def change(self, key, value):
        async with self.lock:
            await super().change(key, value)
            with suppress(AttributeError):
                del self._tight


@broken(LATE)
async def a_descriptor_that_loads_once(world):
    await _raced(world, Described(_far(world)))


@right("the lock is held from the load to the store, and around the change")
async def a_descriptor_that_loads_once_under_a_lock(world):
    await _raced(world, DescribedTightly(_far(world)))


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
