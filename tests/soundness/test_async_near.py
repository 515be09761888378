"""Near caches in front of awaited commands, in attributes and closures."""

import pytest

from tests.soundness.truth import broken, right, systems_of

LATE = "the reader has the old answer, the writer changes and drops, the reader stores the old one"
ONE_TURN = "the look, the drop and the store after the answer never suspend, and the version says"


def _far(of):
    return of.existing_cache.aclient(decode_responses=True)


async def _raced(world, read, change, after="new"):
    await _far(world).set("k", "old")
    world.actor("reader", read, "k")
    world.actor("writer", change, "k", "new")
    await world.run()
    assert await read("k") == after


class Attribute:
    """Keeps the one value it has loaded."""

    def __init__(self, far):
        self.far = far
        self.value = None

    async def read(self, key):
        if self.value is None:
            self.value = await self.far.get(key)
        return self.value

    async def change(self, key, value):
        await self.far.set(key, value)
        self.value = None


@broken(LATE)
async def an_attribute_is_kept(world):
    shop = Attribute(_far(world))
    await _raced(world, shop.read, shop.change)


class Versioned(Attribute):
    """Keeps nothing that was overtaken."""

    def __init__(self, far):
        super().__init__(far)
        self.version = 0

    async def read(self, key):
        if self.value is not None:
            return self.value
        version = self.version
        value = await self.far.get(key)
        if version == self.version:
            self.value = value
        return value

    async def change(self, key, value):
        await super().change(key, value)
        self.version += 1


@right(ONE_TURN + " whether a change has ended since the load began; one that has not drops later")
async def an_attribute_is_kept_unless_it_was_overtaken(world):
    shop = Versioned(_far(world))
    await _raced(world, shop.read, shop.change)


class VersionedTooEarly(Versioned):
    """Counts the change before it is made."""

    async def change(self, key, value):
        self.version += 1
        self.value = None
        await self.far.set(key, value)


@broken("the reader loads the old value after the count and before the SET, and stores it")
async def the_version_is_counted_before_the_write(world):
    shop = VersionedTooEarly(_far(world))
    await _raced(world, shop.read, shop.change)


class VersionedLate(Versioned):
    """Looks at the version only when the answer is there."""

    async def read(self, key):
        if self.value is not None:
            return self.value
        value = await self.far.get(key)
        version = self.version
        if version == self.version:
            self.value = value
        return value


@broken("the version is taken after the await, so it is always the one of now: " + LATE)
async def the_version_is_taken_after_the_answer(world):
    shop = VersionedLate(_far(world))
    await _raced(world, shop.read, shop.change)


def _closures(far, *, is_dropped_twice):
    kept = None

    async def read(key):
        nonlocal kept
        if kept is None:
            kept = await far.get(key)
        return kept

    async def change(key, value):
        nonlocal kept
        if is_dropped_twice:
            kept = None
        await far.set(key, value)
        kept = None

    return read, change


@broken(LATE)
async def a_variable_of_a_closure(world):
    await _raced(world, *_closures(_far(world), is_dropped_twice=False))


@broken("dropping before and after does not help: the old answer is stored after both")
async def a_variable_of_a_closure_dropped_twice(world):
    await _raced(world, *_closures(_far(world), is_dropped_twice=True))


@right("the writer does not drop but stores what it wrote, and the reader never overwrites")
async def a_closure_whose_reader_fills_only_what_is_empty(world):
    far, kept = _far(world), {}

    async def read(key):
        value = kept.get(key) or await far.get(key)
        return kept.setdefault(key, value)

    async def change(key, value):
        await far.set(key, value)
        kept[key] = value

    await _raced(world, read, change)


@broken("the reader's plain store puts the old answer over what the writer stored")
async def a_closure_whose_reader_overwrites(world):
    far, kept = _far(world), {}

    async def read(key):
        value = kept.get(key) or await far.get(key)
        kept[key] = value
        return value

    async def change(key, value):
        await far.set(key, value)
        kept[key] = value

    await _raced(world, read, change)


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
