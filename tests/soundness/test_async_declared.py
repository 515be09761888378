"""Near caches of coroutines whose calls are declared, with no other memory looked at.

Such a call does not suspend, so it is part of what came before it: of the start, or of the answer
to a command, and others may come before the answer.
"""

import pytest

from pytest_supercache import Verdict, check
from tests.soundness.truth import broken, right, systems_of

DECLARED = {"memory": "declared"}


async def _read_and_changed(world, read, change):
    redis, near = world.existing_cache.aclient(decode_responses=True), world.super_cache
    await redis.set("k", "old")
    world.actor("reader", read, redis, near)
    world.actor("writer", change, redis, near)
    await world.run()
    assert near.get("k") in {None, "new"}


async def _fill(redis, near):
    if near.get("k") is None:
        near.put("k", await redis.get("k"))


async def _change(redis, near):
    await redis.set("k", "new")
    near.invalidate("k")


async def _fill_if_same(redis, near):
    seen = near.get("version")
    value = await redis.get("k")
    if near.get("version") == seen:
        near.put("k", value)


async def _change_version(redis, near):
    await redis.set("k", "new")
    near.put("version", 2)
    near.invalidate("k")


@broken("the reader's answer comes after the writer has changed and dropped the entry", **DECLARED)
async def an_entry_filled_after_the_answer(world):
    await _read_and_changed(world, _fill, _change)


@right("no await lies between the look at the version and the store", **DECLARED)
async def an_entry_filled_if_the_version_is_the_same(world):
    await _read_and_changed(world, _fill_if_same, _change_version)


async def _loaded_by_two(world, load):
    redis, near = world.existing_cache.aclient(), world.super_cache
    world.actor("x", load, redis, near)
    world.actor("y", load, redis, near)
    await world.run()
    assert await redis.get("loads") == b"1"


async def _mark_late(redis, near):
    if near.get("k") is None:
        await redis.incr("loads")
        near.put("k", "loaded")


async def _mark_first(redis, near):
    if near.get("k") is None:
        near.put("k", "loading")
        await redis.incr("loads")


@broken("both look before either has loaded", **DECLARED)
async def an_entry_marked_after_its_load(world):
    await _loaded_by_two(world, _mark_late)


@right("the task that looks marks the entry before others go on", **DECLARED)
async def an_entry_marked_before_its_load(world):
    await _loaded_by_two(world, _mark_first)


async def _rereading(world, swap):
    redis, near = world.existing_cache.aclient(), world.super_cache
    near.put("k", "1")

    async def drop():
        await redis.incr("drops")
        near.invalidate("k")

    world.actor("reader", swap, redis, near)
    world.actor("keeper", drop)
    assert (await world.run())["reader"] == "1"


async def _looks_again(redis, near):
    if near.get("k") is None:
        return "1"
    await redis.incr("looks")
    return near.get("k")


async def _keeps(redis, near):
    value = near.get("k")
    await redis.incr("looks")
    return value or "1"


@broken("the entry is dropped between the look before the command and the one after", **DECLARED)
async def an_entry_looked_at_around_a_command(world):
    await _rereading(world, _looks_again)


@right("what was seen before the command is kept", **DECLARED)
async def an_entry_kept_over_a_command(world):
    await _rereading(world, _keeps)


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_the_verdict_is_the_truth(system):
    system.must_be_told()


def test_what_is_declared_is_in_the_footprint_of_the_step_that_it_belongs_to():
    """So the search can tell which orders are the same, and need not execute every schedule."""

    async def body(world):
        await _read_and_changed(world, _fill_if_same, _change_version)

    result = check(body, guarantees=[], **DECLARED)
    assert result.verdict is Verdict.HOLDS
    assert result.interleavings == 11
    assert not [note for note in result.notes if "reduction" in note]
