"""cashews, unmodified: a client that keeps what it read, and is told when somebody changes it."""

import asyncio
import pickle

import pytest_supercache as sc


class TrackingServer:
    """As much of a Redis as the clients need: strings, and who is told of changes.

    fakeredis does not know CLIENT TRACKING.
    """

    def __init__(self):
        self.held = {}
        self.told = []  # who hears of every change
        self.writers = {}

    async def serve(self, reader, writer):
        """Answer one client."""
        number = len(self.writers) + 1
        self.writers[number] = writer
        while line := await reader.readline():
            words = []
            for _ in range(int(line[1:])):
                size = int((await reader.readline())[1:])
                words.append((await reader.readexactly(size + 2))[:-2])
            writer.write(self.answer(number, words))

    def answer(self, number, words):
        """Do what one command says."""
        match [words[0].upper(), *words[1:]]:
            case [b"GET", key]:
                return _bulk(self.held.get(key))
            case [b"SET", key, value, *_]:
                self.held[key] = value
                channel = _bulk(b"__redis__:invalidate")
                for writer in self.told:
                    writer.write(b"*3\r\n" + _bulk(b"message") + channel + b"*1\r\n" + _bulk(key))
            case [b"PING", *_]:
                return b"+PONG\r\n"
            case [b"CLIENT", b"ID"]:
                return b":%d\r\n" % number
            case [b"CLIENT", b"TRACKING", _, _, target, *_]:
                self.told.append(self.writers[int(target)])
            case [b"SUBSCRIBE", channel]:
                return b"*3\r\n" + _bulk(b"subscribe") + _bulk(channel) + b":1\r\n"
        return b"+OK\r\n"


def _bulk(value):
    return b"$-1\r\n" if value is None else b"$%d\r\n%s\r\n" % (len(value), value)


@sc.system("cashews.client_side")
async def client_side(_layers):
    """A client that keeps what it reads, and another one that writes."""
    from cashews.backends.memory import Memory
    from cashews.backends.redis import Redis
    from cashews.backends.redis.client_side import BcastClientSide

    tracking = TrackingServer()
    server = await asyncio.start_server(tracking.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    where = {"address": f"redis://127.0.0.1:{port}", "suppress": False}
    kept = Memory(check_interval=0)
    reader = BcastClientSide(**where, client_side_prefix="cs:", local_cache=kept)
    writer = Redis(**where)
    await writer.init()
    await reader.init()

    class Shop:
        """What the built-in verbs need."""

        get = staticmethod(reader.get)

        async def set(self, key, value):
            """Write as another process does."""
            await writer.set(f"cs:{key}", value)

        def layers(self):
            """Show what the server holds."""
            return {
                "existing_cache": {k.decode(): pickle.loads(v) for k, v in tracking.held.items()}
            }

    yield Shop()
    await reader.close()
    await writer.close()
    server.close()
