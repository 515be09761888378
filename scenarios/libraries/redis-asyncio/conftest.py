"""redis.asyncio, unmodified: a client with one connection, to a server that takes its time."""

import asyncio
from types import SimpleNamespace

import pytest_supercache as sc


@sc.system("redis.cancelled_4_5_1")
@sc.system("redis.cancelled_4_5_5")
async def secrets(layers):
    """A client whose users do not wait for ever, and a server of a few lines."""
    from redis.asyncio import Connection, Redis

    async def serve(reader, writer):
        while line := await reader.readline():
            words = []
            for _ in range(int(line[1:])):
                await reader.readline()
                words.append((await reader.readline()).strip())
            await asyncio.sleep(0)  # others may run, and whoever waits may give up
            value = layers.origin.peek(words[1].decode()).encode()
            writer.write(b"$%d\r\n%s\r\n" % (len(value), value))

    server = await asyncio.start_server(serve, "127.0.0.1", 6379)
    client = Redis(single_connection_client=True)
    client.connection = Connection(host="127.0.0.1", port=6379, decode_responses=True)
    held = {"existing_cache": {name: layers.origin.peek(name) for name in ("alice", "bob")}}
    yield SimpleNamespace(client=client, layers=lambda: held)
    await client.connection.disconnect()
    client.connection = None
    server.close()


@sc.verb("secret_of", observes=lambda answer, name: {name: answer} if answer else {})
async def secret_of(system, _user, name):
    """Look up somebody's secret, for a second at most."""
    try:
        async with asyncio.timeout(1):
            return await system.client.get(name)
    except TimeoutError:
        return None
