"""A server and its clients on one loop: what is written arrives, in order, and can be late."""

import asyncio
import socket

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


@pytest.mark.parametrize("wanted", [20, 30, -1])
def test_a_reader_with_little_room_gets_all_that_was_sent_and_then_the_end(wanted):
    sent = [letter * 10 for letter in (b"a", b"b", b"c")]

    async def three(_reader, writer):
        writer.writelines(sent[:1])
        for data in sent[1:]:
            writer.write(data)
        writer.close()

    async def body(world):
        server = await asyncio.start_server(three, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]

        async def ask():
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4)
            first = b"" if wanted < 0 else await reader.readexactly(wanted)
            rest = await reader.read()
            writer.close()
            return first + rest

        world.actor("a", ask)
        assert await world.run() == {"a": b"".join(sent)}

    result = check(body, guarantees=())
    assert result.verdict is Verdict.HOLDS, result.reasons


@pytest.mark.parametrize("pauses", [0, 1, 2])
def test_who_pauses_gets_what_is_kept_in_order_when_it_resumes(pauses):
    class Listing(asyncio.Protocol):
        def __init__(self):
            self.got = []

        def data_received(self, data):
            self.got.append(data)

        def eof_received(self):
            self.got.append("end")

    async def speak(_reader, writer):
        writer.write(b"x")
        writer.write(b"y")
        writer.close()

    async def body(world):
        server = await asyncio.start_server(speak, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]

        async def ask():
            loop = asyncio.get_running_loop()
            transport, listing = await loop.create_connection(Listing, "127.0.0.1", port)
            for _ in range(pauses):
                transport.pause_reading()
                assert not transport.is_reading()
                await asyncio.sleep(0.1)
            before = list(listing.got)
            transport.resume_reading()
            assert listing.got == before
            await asyncio.sleep(0.1)
            return before, listing.got

        world.actor("a", ask)
        before, got = (await world.run())["a"]
        assert before == []
        assert got == [b"x", b"y", "end"]

    result = check(body, guarantees=())
    assert result.verdict is Verdict.HOLDS, result.reasons


def test_the_socket_of_a_connection_in_memory_takes_options():
    async def echo(reader, writer):
        writer.write(await reader.readline())
        writer.close()

    async def body(world):
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)

        async def ask():
            own = writer.get_extra_info("socket")
            own.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            writer.write(b"hello\n")
            answer = await reader.readline()
            return answer, own.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)

        world.actor("a", ask)
        assert await world.run() == {"a": (b"hello\n", 1)}
        writer.close()

    assert check(body, guarantees=()).verdict is Verdict.HOLDS
