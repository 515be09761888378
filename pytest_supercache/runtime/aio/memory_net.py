"""Connects servers and clients on one event loop in memory.

Data never leaves the process and never arrives by itself: it is received as soon as the loop runs,
in the order it was written. A server that answers late does so by a step of its own, like
``asyncio.sleep``. The data is in no footprint, so it counts as shared memory.
"""

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any

FIRST_PORT = 49152
"""The first port given to servers that ask for any port."""


class Network:
    """The servers of one event loop, by port."""

    def __init__(self, loop: Any) -> None:
        self._loop = loop
        self._servers: dict[int, Server] = {}
        self._pipes: list[Pipe] = []

    def listen(self, make: Callable[[], Any], host: str | None, port: int | None) -> "Server":
        """Create a server on ``port``; on a free port if that is None or 0.

        Raises:
            OSError: another server has the port.
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
        """Connect to a server, and notify the protocols of both ends."""
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
        """Remove a server."""
        self._servers.pop(server.address[1], None)

    def close(self) -> None:
        """Drop all connections and servers at the end of the loop."""
        for pipe in self._pipes:
            pipe.drop()
        self._pipes.clear()
        self._servers.clear()


class Server(asyncio.AbstractServer):
    """The server that ``loop.create_server`` returns."""

    def __init__(self, network: Network, make: Callable[[], Any], address: tuple[str, int]) -> None:
        self.make = make
        self.address = address
        self.context = copy_context()
        self._network = network

    @property
    def sockets(self) -> tuple["_Socket", ...]:
        """One socket, which has the server's address."""
        return (_Socket(self.address),)

    def close(self) -> None:
        """Take no new connections."""
        self._network.forget(self)

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the running loop, which is the server's."""
        return asyncio.get_running_loop()

    def is_serving(self) -> bool:
        """Say whether it takes new connections."""
        return self._network.serves(self.address[1])

    async def start_serving(self) -> None:
        """Do nothing: the server accepts connections from the beginning."""

    async def serve_forever(self) -> None:
        """Wait until this task is cancelled."""
        await asyncio.get_running_loop().create_future()

    async def wait_closed(self) -> None:
        """Do nothing: the server closes at once."""


class _Socket:
    """The socket of an in-memory connection; it keeps options, without an effect."""

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
        self._kept: deque[bytes | None] = deque()  # received data; None: end of file
        self._closing = False

    def set_protocol(self, protocol: Any) -> None:
        """Set the protocol that receives."""
        self._protocol = protocol

    def get_protocol(self) -> Any:
        """Return the protocol that receives."""
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
        """Return True."""
        return True

    def write_eof(self) -> None:
        """Send the end of file."""
        if self.peer is not None:
            self.peer.later(self.peer.end)

    def get_write_buffer_size(self) -> int:
        """Return 0: data is never buffered here."""
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Do nothing: there is no write buffer."""

    def is_reading(self) -> bool:
        """Say whether incoming data is received at once."""
        return not self._is_paused and not self._closing

    def pause_reading(self) -> None:
        """Buffer incoming data."""
        self._is_paused = True

    def resume_reading(self) -> None:
        """Receive the buffered data when the loop runs."""
        if self._is_paused and not self._closing:
            self._is_paused = False
            self.later(self._deliver)

    def abort(self) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Close this end; the other end reads the remaining data."""
        if not self._closing:
            self._closing = True
            self.write_eof()
            self.later(self._protocol.connection_lost, None)

    def drop(self) -> None:
        """Close without notifying the protocols, at the end of the loop."""
        self._closing = True
        self.peer = self._loop = self._protocol = None

    def later(self, callback: Callable[..., None], *args: Any) -> None:
        """Schedule ``callback`` in this end's context."""
        self._loop.call_soon(callback, *args, context=self.context)

    def receive(self, data: bytes) -> None:
        """Receive data from the other end."""
        self._kept.append(data)
        self._deliver()

    def end(self) -> None:
        """Receive the end of file, after all data."""
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
    """Say whether a stream writer belongs to an in-memory connection."""
    return isinstance(getattr(writer, "transport", None), Pipe)
