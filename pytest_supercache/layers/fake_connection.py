"""A connection to fakeredis over which commands go as they are, and not as bytes.

redis-py writes a command down as bytes, and fakeredis, in the same process, reads it from them: a
quarter of what a command costs. Here its fields go over in a list. Whatever else is sent (the
commands of a pipeline, what somebody has packed by hand) takes the way of the bytes, and answers
take the way that they always take.
"""

import threading
from functools import cache
from queue import SimpleQueue
from typing import Any

import fakeredis
from redis.connection import PythonRespSerializer

# Older versions have the class of connections by its first name.
_Connection: Any = getattr(fakeredis, "FakeRedisConnection", None) or fakeredis.FakeConnection


class Fields(list[bytes]):
    """The fields of one command, as a server has them when it has read them."""


class Ready(threading.Event):
    """Is set after every answer; waiters, who are seldom there, are only woken when it was not."""

    def set(self) -> None:
        """Wake whoever waits for an answer."""
        if not self._flag:  # type: ignore[attr-defined] # asked after every answer: no call for it
            super().set()


class FieldsConnection(_Connection):  # type: ignore[misc] # either of two classes
    """Sends fields where fakeredis takes them."""

    def _connect(self) -> Any:
        socket = super()._connect()
        if hasattr(socket, "_process_command") and hasattr(socket, "responses"):
            kind: Any = type(socket)
            socket.__class__ = _taking(kind)
            socket.responses = SimpleQueue()  # as good a queue for what has one reader
            if hasattr(socket, "response_ready"):
                socket.response_ready = Ready()
        return socket

    def send_command(self, *args: Any, **options: Any) -> None:
        """Send one command, by its fields if redis-py itself would write them down."""
        packer = self._command_packer
        takes_fields = getattr(self._sock, "takes_fields", False)
        if not takes_fields or type(packer) is not PythonRespSerializer:
            super().send_command(*args, **options)
            return
        name = args[0]
        if isinstance(name, str):
            fields = Fields(name.encode().split())
        else:
            fields = Fields(name.split() if b" " in name else (name,))
        encode = packer.encode
        for arg in args[1:]:
            value = encode(arg)
            fields.append(value if type(value) is bytes else bytes(value))
        self.send_packed_command((fields,), check_health=options.get("check_health", True))

    def can_read(self, timeout: float | None = 0) -> bool:
        """Say whether an answer is there; a lost connection counts as one, for redis-py."""
        socket = self._sock
        if timeout or not self._server.connected or not getattr(socket, "takes_fields", False):
            return bool(super().can_read(timeout))
        return not socket.responses.empty()


@cache
def _taking(kind: Any) -> type:
    """Return the class of sockets that take fields, too, for a class of fakeredis's sockets."""

    class FieldsSocket(kind):  # type: ignore[misc] # fakeredis has several
        takes_fields = True

        def sendall(self, data: Any) -> None:
            if type(data) is not Fields:
                super().sendall(data)
                return
            super().sendall(b"")  # raises what it raises when the connection is lost
            self._process_command(data)

    return FieldsSocket
