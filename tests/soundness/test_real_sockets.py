"""Coroutines that wait for an answer with a time-out, on sockets in memory and on real ones."""

import asyncio
import socket

import pytest

from tests.soundness.truth import broken, right, systems_of

REAL = "which is not controlled: it answers in real time"


async def _asked_in_memory(a_world):
    far = a_world.existing_cache.aclient()

    async def answer(reader, writer):
        await far.get("x")
        writer.write(await reader.readexactly(1))
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 7001)

    async def ask():
        reader, writer = await asyncio.open_connection("127.0.0.1", 7001)
        writer.write(b"x")
        async with asyncio.timeout(1):
            received = await reader.readexactly(1)
        writer.close()
        return received

    a_world.actor("a", ask)
    answers = await a_world.run()
    server.close()
    assert answers["a"] == b"x"


@right("the server answers, and nobody is slow", ticks=0)
async def an_answer_from_memory(world):
    await _asked_in_memory(world)


@broken("the server is slow: the time-out comes first", ticks=1)
async def a_late_answer_from_memory(world):
    await _asked_in_memory(world)


async def _asked_for_real(world, *, beside_a_sleeper, answers):
    loop = asyncio.get_running_loop()
    near, far = socket.socketpair()
    near.setblocking(False)

    async def ask():
        async with asyncio.timeout(None if beside_a_sleeper else 1):
            return await loop.sock_recv(near, 1)

    async def sleep():
        await asyncio.sleep(5)

    if answers:
        far.send(b"x")
    world.actor("a", ask)
    if beside_a_sleeper:
        world.actor("b", sleep)
    try:
        received = await world.run()
    finally:
        near.close()
        far.close()
    assert received["a"] == b"x"


@right("the answer is there already", ticks=0)
async def an_answer_that_has_come(world):
    await _asked_for_real(world, beside_a_sleeper=False, answers=True)


@broken("nobody answers, as far as anybody knows here", unknown=REAL)
async def an_answer_that_may_still_come(world):
    await _asked_for_real(world, beside_a_sleeper=False, answers=False)


@broken("nobody answers, as far as anybody knows here", unknown=REAL)
async def an_answer_that_may_still_come_while_another_one_sleeps(world):
    await _asked_for_real(world, beside_a_sleeper=True, answers=False)


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
