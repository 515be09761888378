"""Ways out of what is controlled that end nowhere, and stores that are hardly known as such."""

import asyncio
import os
import shutil
import socket
from contextlib import suppress

import httpx
import pytest
import redis

from tests.soundness.truth import broken, right, systems_of

STALE = "the cache elsewhere keeps the old price"
NO_NAME = "looked up the host cache.invalid, which is not controlled"
DATAGRAM = "sent a datagram to 127.0.0.1:9, which is not controlled"


def _read_while_changed(world, remote):
    """Ask a cache elsewhere for a price first, which is changed meanwhile in the origin alone."""
    world.origin.set("k", "1")

    def read():
        with suppress(OSError, httpx.HTTPError, redis.RedisError):
            return remote()
        return world.origin.get("k")

    world.actor("reader", read)
    world.actor("writer", world.origin.set, "k", "2")
    world.run()


@broken(STALE, unknown=NO_NAME)
def a_connection_to_a_name_that_leads_nowhere(world):
    _read_while_changed(world, lambda: socket.create_connection(("cache.invalid", 1), 1))


@right("names of this machine, and numbers, lead nowhere else")
def names_of_this_machine_are_looked_up(world):
    def look_up():
        for host in ("localhost", "127.0.0.1", "::1", b"127.0.0.1", None, socket.gethostname()):
            with suppress(socket.gaierror):
                socket.getaddrinfo(host, 80)
        with suppress(socket.gaierror):
            socket.gethostbyname("localhost")

    _read_while_changed(world, look_up)


@broken(STALE, unknown=NO_NAME)
def a_request_to_a_name_that_leads_nowhere(world):
    _read_while_changed(world, lambda: httpx.get("http://cache.invalid/k", timeout=1))


@right("the transport is a double in memory")
def a_request_to_a_double(world):
    def answer(_request):
        return httpx.Response(200, text=world.origin.get("k"))

    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        _read_while_changed(world, lambda: client.get("http://cache.invalid/k").text)


@broken(STALE, unknown=DATAGRAM)
def a_question_by_a_datagram(world):
    def ask():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(0.01)
            asking.sendto(b"get k", ("127.0.0.1", 9))
            return asking.recvfrom(99)

    _read_while_changed(world, ask)


@right("nothing is sent")
def a_socket_that_sends_nothing(world):
    def ask():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.bind(("127.0.0.1", 0))

    _read_while_changed(world, ask)


@broken(STALE, unknown=NO_NAME)
def a_redis_connection_without_a_pool(world):
    def ask():
        connection = redis.Connection(host="cache.invalid")
        connection.send_command("GET", "k")
        return connection.read_response()

    _read_while_changed(world, ask)


@right("its pool is led to the cache, and nobody looks up its host")
def a_redis_client_with_a_pool(world):
    client = redis.Redis(host="cache.invalid")
    _read_while_changed(world, lambda: client.get("k"))


@broken(STALE, unknown=DATAGRAM)
def a_message_by_a_datagram(world):
    def send():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
            sending.sendmsg([b"forget k"], [], 0, ("127.0.0.1", 9))

    _read_while_changed(world, send)


@right("both ends are in this process, and only one user has them")
def a_message_to_itself(world):
    def send():
        near, far = socket.socketpair()
        with near, far:
            near.sendmsg([b"k"])
            return far.recv(1)

    _read_while_changed(world, send)


@broken(STALE, unknown=NO_NAME)
def an_address_of_a_name_is_asked_for(world):
    _read_while_changed(world, lambda: socket.gethostbyname("cache.invalid"))


NO_PEER = "looked up the host 192.0.2.1, which is not controlled"  # of TEST-NET-1: nobody has it
PEER = ("192.0.2.1", 80)


@broken(STALE, unknown=NO_PEER)
def the_name_of_an_address_is_asked_for(world):
    _read_while_changed(world, lambda: socket.gethostbyaddr(PEER[0]))


@right("an address is none to resolve, unless its name is asked for")
def an_address_of_an_address_is_asked_for(world):
    def look_up():
        for host in ("192.0.2.1", "2001:db8::1"):
            with suppress(OSError):
                socket.getaddrinfo(host, 80)
        socket.gethostbyname("192.0.2.1")

    _read_while_changed(world, look_up)


@broken(STALE, unknown=NO_PEER)
def the_name_of_a_peer_is_asked_for(world):
    _read_while_changed(world, lambda: socket.getnameinfo(PEER, socket.NI_NAMEREQD))


@right("this machine has these addresses and names, and knows them by itself")
def names_of_addresses_of_this_machine_are_asked_for(world):
    def look_up():
        for address in (("127.0.0.1", 80), ("::1", 80, 0, 0)):
            with suppress(OSError):
                socket.getnameinfo(address, 0)
        for host in ("127.0.0.1", "localhost", ""):
            socket.getfqdn(host)

    _read_while_changed(world, look_up)


async def _asked_by_a_task(world, remote):
    await world.origin.aio.set("k", "1")

    async def read():
        try:
            return await remote()
        except (OSError, httpx.HTTPError):
            return await world.origin.aio.get("k")

    world.actor("reader", read)
    world.actor("writer", world.origin.aio.set, "k", "2")
    await world.run()


@broken(STALE, unknown=NO_NAME)
async def a_task_looks_up_a_name(world):
    loop = asyncio.get_running_loop
    await _asked_by_a_task(world, lambda: loop().getaddrinfo("cache.invalid", 80))


@right("this machine has that name")
async def a_task_looks_up_a_name_of_this_machine(world):
    async def look_up():
        await asyncio.get_running_loop().getaddrinfo("localhost", 80)
        return await world.origin.aio.get("k")

    await _asked_by_a_task(world, look_up)


@broken(STALE, unknown=NO_PEER)
async def a_task_looks_up_a_peer(world):
    loop = asyncio.get_running_loop
    await _asked_by_a_task(world, lambda: loop().getnameinfo(PEER, socket.NI_NAMEREQD))


@right("this machine has that address")
async def a_task_looks_up_an_address_of_this_machine(world):
    async def look_up():
        await asyncio.get_running_loop().getnameinfo(("127.0.0.1", 80))
        return await world.origin.aio.get("k")

    await _asked_by_a_task(world, look_up)


@right("the application is called in memory")
async def a_task_asks_an_application_in_memory(world):
    async def application(_scope, _receive, send):
        price = await world.origin.aio.get("k")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": price.encode()})

    async with httpx.AsyncClient(transport=httpx.ASGITransport(application)) as client:
        await _asked_by_a_task(world, lambda: client.get("http://shop.invalid/k"))


@broken(STALE, unknown=NO_NAME)
async def a_task_connects_to_a_name_that_leads_nowhere(world):
    await _asked_by_a_task(world, lambda: asyncio.open_connection("cache.invalid", 80))


@right("server and client are in this process, on one loop")
async def a_task_connects_to_its_own_server(world):
    async def answer(_reader, writer):
        writer.write(b"1")
        writer.close()

    server = await asyncio.start_server(answer, "localhost", 7002)

    async def ask():
        reader, writer = await asyncio.open_connection("localhost", 7002)
        price = await reader.read(1)
        writer.close()
        return price

    await _asked_by_a_task(world, ask)
    server.close()


@broken(STALE, unknown=NO_NAME)
async def a_task_asks_over_http(world):
    async with httpx.AsyncClient() as client:
        await _asked_by_a_task(world, lambda: client.get("http://cache.invalid/k", timeout=1))


def _noted(path):
    return int(os.getxattr(path, "user.n"))


@broken("both read the number before either writes it")
def a_number_in_an_attribute_of_a_file(world):
    path = world.tmp_path / "counted"
    path.touch()
    os.setxattr(path, "user.n", b"0")

    def count():
        os.setxattr(path, "user.n", b"%d" % (_noted(path) + 1))

    world.actor("a", count)
    world.actor("b", count)
    world.run()
    assert _noted(path) == 2


@right("each has a file of its own")
def a_number_in_attributes_of_two_files(world):
    paths = [world.tmp_path / name for name in "ab"]
    for path in paths:
        path.touch()
        os.setxattr(path, "user.n", b"0")

    def count(path):
        os.setxattr(path, "user.n", b"%d" % (_noted(path) + 1))

    for path in paths:
        world.actor(path.name, count, path)
    world.run()
    assert [_noted(path) for path in paths] == [1, 1]


@broken("who finds the pipe empty before the other one has put the token back gets none")
def a_token_in_a_pipe(world):
    out, into = os.pipe()
    os.set_blocking(out, False)
    os.write(into, b"t")

    def take():
        token = os.read(out, 1)
        os.write(into, token)

    world.actor("a", take)
    world.actor("b", take)
    try:
        world.run()
    finally:
        os.close(out)
        os.close(into)


@right("there is a token for each")
def two_tokens_in_a_pipe(world):
    out, into = os.pipe()
    os.set_blocking(out, False)
    os.write(into, b"tt")

    def take():
        os.write(into, os.read(out, 1))

    world.actor("a", take)
    world.actor("b", take)
    try:
        world.run()
    finally:
        os.close(out)
        os.close(into)


@right("a copy is made of a file that nobody changes")
def a_file_is_copied_with_its_attributes(world):
    path = world.tmp_path / "original"
    path.write_text("1")
    for name in "ab":
        world.actor(name, shutil.copy2, path, world.tmp_path / name)
    world.run()
    assert (world.tmp_path / "a").read_text() == "1"


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
