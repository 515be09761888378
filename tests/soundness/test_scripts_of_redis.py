"""Locks that a script of Redis releases, and scripts, in the default backend."""

import pytest

from tests.soundness.truth import broken, right, systems_of

ADD_ONE = "redis.call('SET', KEYS[1], (redis.call('GET', KEYS[1]) or 0) + 1)"


def _counting(world, first, second):
    """Two users count; what is given is a client's lock, or a count of its own."""
    client = world.existing_cache.client()
    client.set("n", 0)
    world.actor("a", first, world.existing_cache.client())
    world.actor("b", second, world.existing_cache.client())
    world.run()
    assert int(client.get("n")) == 2


def _under(name, **options):
    def bump(client):
        with client.lock(name, **options):
            client.set("n", int(client.get("n")) + 1)

    return bump


def _by_script(client):
    client.eval(ADD_ONE, 1, "n")


def _by_hand(client):
    client.set("n", int(client.get("n")) + 1)


@right("one lock for both, which ends with its holder only", ticks=0)
def one_lock(world):
    _counting(world, _under("lock"), _under("lock"))


@broken("each has a lock of its own")
def two_locks(world):
    _counting(world, _under("lock1"), _under("lock2"))


@broken("the lock runs out while its holder is slow, and release() says so", ticks=1)
def a_lock_that_runs_out(world):
    _counting(world, _under("lock", timeout=5), _under("lock", timeout=5))


@right("nobody is slow: the clock does not run ahead", ticks=0)
def a_lock_that_would_run_out(world):
    _counting(world, _under("lock", timeout=5), _under("lock", timeout=5))


@right("a script is one step of the server")
def two_scripts(world):
    _counting(world, _by_script, _by_script)


@broken("the script comes between the other's GET and SET")
def a_script_and_two_commands(world):
    _counting(world, _by_script, _by_hand)


async def _awaited(world, first, second):
    client = world.existing_cache.aclient()
    await client.set("n", 0)

    async def bump(name):
        mine = world.existing_cache.aclient()
        async with mine.lock(name):
            await mine.set("n", int(await mine.get("n")) + 1)

    world.actor("a", bump, first)
    world.actor("b", bump, second)
    await world.run()
    assert int(await client.get("n")) == 2


@right("one lock for both tasks", ticks=0)
async def one_lock_awaited(world):
    await _awaited(world, "lock", "lock")


@broken("each task has a lock of its own")
async def two_locks_awaited(world):
    await _awaited(world, "lock1", "lock2")


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
