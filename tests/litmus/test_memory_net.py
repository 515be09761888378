"""A server and its clients on one loop: what is written arrives, in order, and can be late."""

import asyncio

import pytest

from pytest_supercache import Verdict, check


async def talk(port, *lines):
    """Send lines; return as many answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for line in lines:
        writer.write(line)
    answers = [await reader.readline() for _ in lines]
    writer.close()
    await writer.wait_closed()
    return answers


def checked(serve, *clients, **options):
    """Race clients of one server; return the result and what they were answered."""
    seen = []

    async def body(world):
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        for name, line in clients:
            world.actor(name, talk, port, *line)
        seen.append(await world.run())
        server.close()

    return check(body, guarantees=(), **options), seen


async def echo(reader, writer):
    while line := await reader.readline():
        writer.write(line)
    writer.close()


def test_every_client_is_answered_what_it_said_in_its_order():
    lines = (b"one\n", b"two\n"), (b"three\n",)
    result, seen = checked(echo, ("a", lines[0]), ("b", lines[1]))
    assert result.verdict is Verdict.HOLDS, result.reasons
    assert all(answers == {"a": [*lines[0]], "b": [*lines[1]]} for answers in seen)


def test_a_server_that_answers_late_can_be_overtaken():
    order = []

    async def late(reader, writer):
        line = await reader.readline()
        await asyncio.sleep(0)
        order.append(line)
        writer.write(line)
        writer.close()

    result, _ = checked(late, ("a", [b"a\n"]), ("b", [b"b\n"]), search="all-schedules")
    assert result.verdict is Verdict.HOLDS, result.reasons
    first = {order[at] for at in range(0, len(order), 2)}
    assert first == {b"a\n", b"b\n"}


def test_what_is_sent_in_memory_counts_as_shared_memory():
    notes = checked(echo, ("a", [b"a\n"]), ("b", [b"b\n"]))[0].notes
    assert any("tasks talk over a connection in memory" in note for note in notes)


def test_two_servers_do_not_share_a_port_and_a_closed_one_is_gone():
    async def body(world):
        world.actor("a", asyncio.sleep, 0)
        await world.run()
        server = await asyncio.start_server(echo, "127.0.0.1", 7000)
        with pytest.raises(OSError, match="port 7000 is in use"):
            await asyncio.start_server(echo, "127.0.0.1", 7000)
        server.close()
        await server.wait_closed()
        assert not server.is_serving()
        again = await asyncio.start_server(echo, "127.0.0.1", 7000)
        assert await talk(7000, b"x\n") == [b"x\n"]
        again.close()

    result = check(body, guarantees=())
    assert result.verdict is Verdict.HOLDS, result.reasons


def test_a_large_answer_arrives_whole_although_reading_pauses():
    size = 1 << 20

    async def large(reader, writer):
        await reader.readline()
        writer.write(b"x" * size)
        writer.close()

    async def body(world):
        server = await asyncio.start_server(large, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]

        async def ask():
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"go\n")
            answer = await reader.read()
            writer.close()
            return len(answer)

        world.actor("a", ask)
        assert await world.run() == {"a": size}

    result = check(body, guarantees=())
    assert result.verdict is Verdict.HOLDS, result.reasons
