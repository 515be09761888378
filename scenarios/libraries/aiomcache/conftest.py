"""aiomcache, unmodified: a client with one connection, to a server that takes its time."""

import asyncio
from types import SimpleNamespace

import pytest_supercache as sc


@sc.system("aiomcache")
async def cache(_layers):
    """A client whose users do not wait for ever, and a server of twelve lines."""
    import aiomcache

    held = {b"alice": b"hers", b"bob": b"his"}

    async def serve(reader, writer):
        while line := await reader.readline():
            key = line.split()[1]
            await asyncio.sleep(0)  # others may run, and whoever waits may give up
            writer.write(b"VALUE %s 0 %d\r\n%s\r\nEND\r\n" % (key, len(held[key]), held[key]))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 11211)
    client = aiomcache.Client("127.0.0.1", 11211, pool_size=1)
    yield SimpleNamespace(client=client)
    await client.close()
    server.close()


@sc.verb("fetch")
async def fetch(system, _user, name):
    """Ask for a key, for a second at most."""
    try:
        async with asyncio.timeout(1):
            return await system.client.get(name.encode())
    except TimeoutError:
        return "no answer in time"
