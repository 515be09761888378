"""In-memory connections between servers and clients on one event loop.

Nothing leaves the process, so nothing arrives by itself: what is written is received as soon as the
loop has its turn, in the order it was written. A server that answers late says so with a step of
its own, like ``asyncio.sleep``. What passes here is in no footprint, so it counts as shared memory.
"""

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any

FIRST_PORT = 49152
"""What a server is given that asks for any port."""


class Network:
    """The servers of one event loop, by port."""

    def __init__(self, loop: Any) -> None:
        self._loop = loop
        self._servers: dict[int, Server] = {}
        self._pipes: list[Pipe] = []

    def listen(self, make: Callable[[], Any], host: str | None, port: int | None) -> "Server":
        """Serve on a port; a free one when none is named.

        Raises:
            OSError: somebody serves there already.
        """
        free = next(n for n in range(FIRST_PORT, FIRST_PORT + 9999) if n not in self._servers)
        port = port or free
        if port in self._servers:
            raise OSError(f"port {port} is in use by another server of this event loop")
        server = Server(self, make, (host or "127.0.0.1", port))
        self._servers[port] = server
        return server

    def serves(self, port: int | None) -> bool:
        """Say whether a connection to a port stays in memory."""
        return port in self._servers

    def connect(self, make: Callable[[], Any], port: int) -> tuple["Pipe", Any]:
        """Connect to a server; both ends are told."""
        server = self._servers[port]
        ours, theirs = make(), server.make()
        near = Pipe(self._loop, ours, copy_context(), server.address)
        far = Pipe(self._loop, theirs, server.context.copy(), ("127.0.0.1", 0))
        near.peer, far.peer = far, near
        self._pipes += [near, far]
        ours.connection_made(near)
        far.later(theirs.connection_made, far)
        return near, ours

    def forget(self, server: "Server") -> None:
        """Serve there no more."""
        self._servers.pop(server.address[1], None)

    def close(self) -> None:
        """Let go of everything: the loop is over."""
        for pipe in self._pipes:
            pipe.drop()
        self._pipes.clear()
        self._servers.clear()


class Server(asyncio.AbstractServer):
    """What ``loop.create_server`` returns."""

    def __init__(self, network: Network, make: Callable[[], Any], address: tuple[str, int]) -> None:
        self.make = make
        self.address = address
        self.context = copy_context()
        self._network = network

    @property
    def sockets(self) -> tuple["_Socket", ...]:
        """What tells the port."""
        return (_Socket(self.address),)

    def close(self) -> None:
        """Take no new connections."""
        self._network.forget(self)

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop that it serves on: the one that runs."""
        return asyncio.get_running_loop()

    def is_serving(self) -> bool:
        """Say whether it takes new connections."""
        return self._network.serves(self.address[1])

    async def start_serving(self) -> None:
        """It does from the beginning."""

    async def serve_forever(self) -> None:
        """Wait until somebody cancels this."""
        await asyncio.get_running_loop().create_future()

    async def wait_closed(self) -> None:
        """It is closed at once."""


class _Socket:
    """Stands for the socket of a connection in memory: it accepts options and ignores them."""

    family, type, proto = socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._options: dict[tuple[int, int], Any] = {}

    def getsockname(self) -> tuple[str, int]:
        return self._address

    def getpeername(self) -> tuple[str, int]:
        return self._address

    def setsockopt(self, level: int, name: int, value: Any, _length: int | None = None) -> None:
        self._options[level, name] = value

    def getsockopt(self, level: int, name: int, _length: int = 0) -> Any:
        return self._options.get((level, name), 0)

    def gettimeout(self) -> float | None:
        return 0.0

    def fileno(self) -> int:
        return -1


class Pipe(asyncio.Transport):
    """One end of a connection."""

    def __init__(self, loop: Any, protocol: Any, context: Context, address: Any) -> None:
        super().__init__({"peername": address, "socket": _Socket(address)})
        self.context = context
        self.peer: Pipe | None = None
        self._loop = loop
        self._protocol = protocol
        self._is_paused = False
        self._kept: deque[bytes | None] = deque()  # what has come; None: nothing more comes
        self._closing = False

    def set_protocol(self, protocol: Any) -> None:
        """Let another protocol receive."""
        self._protocol = protocol

    def get_protocol(self) -> Any:
        """Return who receives."""
        return self._protocol

    def is_closing(self) -> bool:
        """Say whether this end is closed."""
        return self._closing

    def write(self, data: Any) -> None:
        """Send to the other end."""
        if not self._closing and self.peer is not None:
            self._loop.note_exchange()
            self.peer.later(self.peer.receive, bytes(data))

    def can_write_eof(self) -> bool:
        """It can."""
        return True

    def write_eof(self) -> None:
        """Send nothing more."""
        if self.peer is not None:
            self.peer.later(self.peer.end)

    def get_write_buffer_size(self) -> int:
        """Nothing waits here."""
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """There is nothing to limit."""

    def is_reading(self) -> bool:
        """Say whether what comes is received at once."""
        return not self._is_paused and not self._closing

    def pause_reading(self) -> None:
        """Keep what comes."""
        self._is_paused = True

    def resume_reading(self) -> None:
        """Receive what has been kept, when the loop has its turn."""
        if self._is_paused and not self._closing:
            self._is_paused = False
            self.later(self._deliver)

    def abort(self) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Close this end; the other one reads to the end."""
        if not self._closing:
            self._closing = True
            self.write_eof()
            self.later(self._protocol.connection_lost, None)

    def drop(self) -> None:
        """Be closed without telling anybody: nobody is left."""
        self._closing = True
        self.peer = self._loop = self._protocol = None

    def later(self, callback: Callable[..., None], *args: Any) -> None:
        """Call in this end's context, when the loop has its turn."""
        self._loop.call_soon(callback, *args, context=self.context)

    def receive(self, data: bytes) -> None:
        """Take what the other end has sent."""
        self._kept.append(data)
        self._deliver()

    def end(self) -> None:
        """Learn that nothing more comes, after all that has come."""
        self._kept.append(None)
        self._deliver()

    def _deliver(self) -> None:
        while self._kept and not self._is_paused and not self._closing:
            data = self._kept.popleft()
            if data is not None:
                self._protocol.data_received(data)
            elif not self._protocol.eof_received():
                self.close()


def is_in_memory(writer: Any) -> bool:
    """Say whether what is written there stays in memory."""
    return isinstance(getattr(writer, "transport", None), Pipe)
