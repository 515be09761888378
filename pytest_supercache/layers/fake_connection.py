"""Connections to fakeredis that pass the fields of a command on, instead of bytes.

redis-py encodes a command as bytes, and fakeredis, in the same process, parses them: a quarter of
the cost of a command. Here its fields are passed in a list. Anything else (the commands of a
pipeline, a command that the caller has packed) is sent as bytes, and answers are read as always.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from queue import SimpleQueue
from typing import Any

import fakeredis
from fakeredis import aioredis
from redis.connection import (  # type: ignore[attr-defined] # not in its __all__
    Encoder,
    PythonRespSerializer,
)

from pytest_supercache.layers.connections import channel_of

# Older versions use the former names of the classes of connections.
_Connection: Any = getattr(fakeredis, "FakeRedisConnection", None) or fakeredis.FakeConnection
_AsyncConnection: Any = (
    getattr(aioredis, "FakeAsyncRedisConnection", None) or aioredis.FakeConnection
)


class CommandFields(list[bytes]):
    """The fields of one command, as a server has them after parsing."""


def fields_of(args: Sequence[Any], encoder: Any, *, is_usual: bool) -> CommandFields:
    """Return the fields of a command as redis-py would encode them; the first may be several.

    An ``encoder`` that ``is_usual`` is not called for text.
    """
    name = args[0]
    if isinstance(name, str):
        fields = CommandFields(_words_of(name))
    else:
        fields = CommandFields(name.split() if b" " in name else (name,))
    for arg in args[1:]:
        if is_usual and type(arg) is str:
            fields.append(arg.encode())
            continue
        value = encoder.encode(arg)
        fields.append(value if type(value) is bytes else bytes(value))
    return fields


@lru_cache(maxsize=1_000)
def _words_of(name: str) -> tuple[bytes, ...]:
    return tuple(name.encode().split())


_USUAL = ("utf-8", "strict")


def _is_usual(encoder: Any) -> bool:
    """Say whether an encoder of redis-py encodes text as strict UTF-8, and is not customized."""
    return type(encoder) is Encoder and (encoder.encoding, encoder.encoding_errors) == _USUAL


class FieldsConnection(_Connection):  # type: ignore[misc] # either of two classes
    """Passes fields to fakeredis if its socket takes them."""

    is_usual: bool
    packs_usually: bool

    def _connect(self) -> Any:
        socket = super()._connect()
        if _is_known(socket):
            _let_take_fields(socket, _TakesFields)
            self.is_usual = _is_usual(self.encoder)
            self.packs_usually = type(self._command_packer) is PythonRespSerializer
            socket.responses = SimpleQueue()  # as good a queue for what has one reader
            if hasattr(socket, "response_ready"):
                socket.response_ready = _Ready()
        return socket

    def send_command(self, *args: Any, **options: Any) -> None:
        """Send one command, by its fields if redis-py itself would encode it."""
        if getattr(self._sock, "takes_fields", False) and self.packs_usually:
            command = (fields_of(args, self.encoder, is_usual=self.is_usual),)
            self.send_packed_command(command, check_health=options.get("check_health", True))
        else:
            super().send_command(*args, **options)

    def send_announced(self, args: Sequence[Any], door: object) -> None:
        """Send a command that the door of a cache has already announced.

        If this connection leads to that cache, the command is not announced again.
        """
        socket = self._sock
        takes_fields = getattr(socket, "takes_fields", False) and self.packs_usually
        if not takes_fields or self.health_check_interval or channel_of(self).owner is not door:
            self.send_command(*args)
            return
        try:
            socket.sendall(fields_of(args, self.encoder, is_usual=self.is_usual))
        except BaseException:
            self.disconnect()
            raise

    @property
    def is_idle(self) -> bool:
        """Whether the connection is open, with nothing to read: ready to send a command."""
        socket = self._sock
        is_open = getattr(socket, "takes_fields", False) and self._server.connected
        return is_open and socket.responses.empty()

    def can_read(self, timeout: float | None = 0) -> bool:
        """Say whether an answer is there; for redis-py, a lost connection counts as one."""
        return not (timeout == 0 and self.is_idle) and bool(super().can_read(timeout))


class AsyncFieldsConnection(_AsyncConnection):  # type: ignore[misc] # either of two classes
    """Passes fields to fakeredis if its socket takes them, on asyncio."""

    is_usual: bool
    socket_timeout: float | None

    async def _connect(self) -> None:
        await super()._connect()
        if _is_known(self._sock) and hasattr(self._sock, "_response_available"):
            self.is_usual = _is_usual(self.encoder)
            _let_take_fields(self._sock, _TakesFieldsOnALoop)
            self._sock.enter_loop()

    async def send_command(self, *args: Any, **options: Any) -> None:
        """Send one command; it arrives at once, so that no timeout is needed."""
        if not getattr(self._sock, "takes_fields", False):
            await super().send_command(*args, **options)
            return
        command = (fields_of(args, self.encoder, is_usual=self.is_usual),)
        limit, self.socket_timeout = self.socket_timeout, None
        try:
            await self.send_packed_command(command, check_health=options.get("check_health", True))
        finally:
            self.socket_timeout = limit

    @property
    def is_idle(self) -> bool:
        """Whether the connection is open, with nothing to read: ready to send a command."""
        return self._is_open and self.is_connected and self._sock.responses.empty()

    @property
    def _is_open(self) -> bool:
        return getattr(self._sock, "takes_fields", False) and self._server.connected

    async def _read_response(self, **options: Any) -> Any:
        if self._is_open and not self._sock.responses.empty():
            response = self._sock.responses.get_nowait()
        else:
            response = await super()._read_response(**options)
        if self.health_check_interval:  # fakeredis replaces the method of redis-py that notes it
            now = asyncio.get_running_loop().time()
            self.next_health_check = now + self.health_check_interval
        return response


class _TakesFields:
    """A mixin by which a socket of fakeredis also takes fields."""

    takes_fields = True
    _paused: bool
    _killed = False
    _server: Any
    _process_command: Callable[[CommandFields], None]

    def sendall(self, data: Any) -> None:
        """Process a command; while another one blocks, it has to wait as bytes."""
        deal: Any = super()
        if type(data) is not CommandFields:
            deal.sendall(data)
        elif self._paused or self._killed or not self._server.connected:
            deal.sendall(_written(data))  # raises what it raises when the connection is lost
        else:
            self._process_command(data)

    def enter_loop(self) -> None:
        """Attach the socket to the running loop: on a thread there is none."""

    def leave_loop(self) -> None:
        """Detach the socket from its loop."""


class _TakesFieldsOnALoop(_TakesFields):
    """A mixin by which a socket of fakeredis on asyncio, which belongs to a loop, takes fields."""

    _event_loop: asyncio.AbstractEventLoop | None

    def enter_loop(self) -> None:
        """Attach the socket to the running loop, with nothing unread."""
        self.responses = _Answers()
        self._response_available = _Heard()
        self._event_loop = asyncio.get_running_loop()
        self._loop_thread_ident = threading.get_ident()

    def leave_loop(self) -> None:
        """Detach the socket from its loop, so that the loop can be freed."""
        self._event_loop = None


class _Answers(asyncio.Queue[Any]):
    """A queue with fast operations while no task waits for an item."""

    _queue: Any
    _getters: Any

    def empty(self) -> bool:
        return not self._queue

    def put_nowait(self, item: Any) -> None:
        if self._getters:
            super().put_nowait(item)
        else:
            self._queue.append(item)

    def get_nowait(self) -> Any:
        return self._queue.popleft() if self._queue else super().get_nowait()

    async def get(self) -> Any:
        return self._queue.popleft() if self._queue else await super().get()


class _Heard(asyncio.Event):
    """An event that is set after every answer, and wakes waiters only if it was not set."""

    _value: bool

    def set(self) -> None:
        if not self._value:
            super().set()


class _Ready(threading.Event):
    """The same for threads: an event that wakes waiters only if it was not set."""

    _flag: bool

    def set(self) -> None:
        if not self._flag:
            super().set()


def _is_known(socket: Any) -> bool:
    return all(hasattr(socket, name) for name in ("_paused", "_process_command", "responses"))


def _let_take_fields(socket: Any, how: type) -> None:
    kind: Any = type(socket)
    socket.__class__ = _both(how, kind)  # fakeredis has no place where one could say so


@cache
def _both(how: Any, kind: Any) -> Any:
    return type("FieldsSocket", (how, kind), {})


def _written(fields: CommandFields) -> bytes:
    lengths = [b"$%d\r\n%b\r\n" % (len(field), field) for field in fields]
    return b"*%d\r\n%b" % (len(fields), b"".join(lengths))
