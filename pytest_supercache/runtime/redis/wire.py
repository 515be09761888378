"""Implements the grain ``wire``: sending and receiving are steps, and replies may get lost.

A command is a step when it is sent; at grain ``wire`` its reply, which may be delayed for as long
as the schedule says, is received in another. After every send the process waits for a real server,
until its replies and pushed messages have arrived. So a read from a connection without data in
flight is detected: the client then waits, in virtual time, for a reply. A pushed message is none:
the client processes it and waits again.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.layers.connections import channel_for, channel_of
from pytest_supercache.layers.existing_cache import PLACE
from pytest_supercache.runtime.kernel.active import controlled
from pytest_supercache.runtime.kernel.actor import Actor
from pytest_supercache.runtime.kernel.calling import current_actor
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext

_CLIENT = frozenset({"wire:client"})
_UNDER_WAY = frozenset({"wire:under way"})

RECEIVES = Footprint(_CLIENT, _CLIENT)
"""The footprint of receiving, beside its key: connections, and the client's own cache."""

SENDS = RECEIVES | Footprint(_UNDER_WAY, _UNDER_WAY)
"""The footprint of sending, beside its key: it may cause a reply."""

CACHES = SENDS | Footprint(reads=frozenset({f"{PLACE}:*"}))
"""The footprint of a command of a client that the server notifies of every change."""

_SENDS_ANYTHING = SENDS | Footprint(frozenset({f"{PLACE}:*"}), frozenset({f"{PLACE}:*"}))

CACHED = (
    "a client keeps what it has read (cache_config): what others change after a command and before "
    "its reply is received is tried at grain wire only. Use it: explore: {grain: wire}, or "
    "grain='wire' of check and @explore"
)


class Wire:
    """The data in flight in one check, on connections of one client library.

    Args:
        quiesce: waits until a real server has processed all that was sent.
        parts: sending and receiving are steps of their own.
    """

    def __init__(self, quiesce: Callable[[], None], *, parts: bool) -> None:
        self._quiesce = quiesce
        self.parts = parts
        self._readings: dict[Actor, _Reading] = {}

    def connecting(self, method: Any) -> Any:
        """Wrap ``connect``: the commands that set up a new connection are no steps."""

        def connect(connection: Any, *args: Any, **options: Any) -> Any:
            channel = channel_for(connection)
            outer, channel.is_connecting = channel.is_connecting, True
            try:
                return method(connection, *args, **options)
            finally:
                channel.is_connecting = outer

        return connect

    def receiving(self, method: Any) -> Any:
        """Wrap ``read_response``: receiving a reply is a step, or waits for one."""

        def read_response(connection: Any, *args: Any, **options: Any) -> Any:
            reading = None if options.get("push_request") else self._reading_of(connection)
            if reading is None:
                return method(connection, *args, **options)
            reading.receive()
            self._readings[reading.actor] = reading
            try:
                return method(connection, *args, **options)
            finally:
                del self._readings[reading.actor]

        return read_response

    def receiving_push(self, method: Any) -> Any:
        """Wrap the handling of a pushed message: an actor that reads a reply waits again."""

        def handle_push_response(parser: Any, *args: Any, **options: Any) -> Any:
            answer = method(parser, *args, **options)
            actor = current_actor()
            reading = None if actor is None else self._readings.get(actor)
            if reading is not None:
                reading.wait_for_data()
            return answer

        return handle_push_response

    def _reading_of(self, connection: Any) -> "_Reading | None":
        """Return the read that begins; None: it is no step, and its reply has arrived."""
        channel, actor = channel_of(connection), current_actor()
        if channel.is_private or not (self.parts or channel.is_tracked):
            return None
        execution = controlled()
        is_open = channel.owner is not None and not channel.is_connecting
        if execution is None or actor is None or actor.is_task or not is_open:
            return None
        return _Reading(execution, actor, connection)

    def sent(self, execution: ExecutionContext, connection: Any, send: Callable[[], Any]) -> Any:
        """Send, and wait until a real server has processed the command and its consequences.

        Data sent without a command, directly on a connection, is a step of its own.
        """
        if self.parts:
            _send_by_hand(execution, connection)
        answer = send()
        self._quiesce()
        return answer

    @contextmanager
    def under_way(self, execution: ExecutionContext, label: str) -> Iterator[None]:
        """Register a command while it is in flight, at grain ``wire``."""
        actor = current_actor() if self.parts else None
        if actor is None:
            yield
            return
        execution.commands[actor.name] = label
        try:
            yield
        finally:
            execution.commands.pop(actor.name, None)


def note_cached(execution: ExecutionContext) -> None:
    """Note that a client caches replies on its side, which is sound at grain ``wire`` only."""
    execution.tracks = True
    if execution.controller.grain != "wire":
        execution.controller.leave_unproven(CACHED)


def _send_by_hand(execution: ExecutionContext, connection: Any) -> None:
    actor = current_actor()
    if actor is None or actor.is_task or channel_of(connection).is_connecting:
        return
    if actor.name not in execution.commands:
        execution.step("send", _SENDS_ANYTHING, kind="command")


class _Reading:
    """An actor's read of one reply."""

    def __init__(self, execution: ExecutionContext, actor: Actor, connection: Any) -> None:
        self.actor = actor
        self._execution, self._connection = execution, connection
        self._label = execution.commands.get(actor.name, "what was sent")

    def receive(self) -> None:
        """Take the step of receiving a reply, after waiting if it has not arrived."""
        if self._execution.controller.grain == "wire" and self._label:
            self._step()
        self.wait_for_data()

    def wait_for_data(self) -> None:
        """Wait until the connection has data; receiving after a wait is a step."""
        timeout = getattr(self._connection, "socket_timeout", None)
        deadline = None if timeout is None else self._execution.now() + timeout
        while not has_data(self._connection):
            self._wait(deadline)
            self._step()

    def _step(self) -> None:
        label = f"receive the reply to {self._label}".rstrip()
        self._execution.step(label, RECEIVES, kind="reply")
        if self.actor.name in self._execution.commands:
            self._execution.commands[self.actor.name] = ""  # the following replies came with it
            self._execution.received.add(self.actor.name)

    def _wait(self, deadline: float | None) -> None:
        """Wait until another step has sent data; the wait itself touches nothing shared."""
        announced = self._execution.announced(
            self.actor, "wait for a reply: none is under way", Footprint(), "reply", None, deadline,
            recheck_from=len(self._execution.record.steps),
        )  # fmt: skip
        announced.footprint = Footprint(reads=_UNDER_WAY)
        self._execution.controller.arrive(self.actor, announced)
        self._execution.begun(self.actor, announced)
        if announced.fired:
            _time_out(self._connection)


def has_data(connection: Any) -> bool:
    """Say whether a connection has something to read, or is broken."""
    try:
        return bool(connection.can_read(0))
    except Exception:  # noqa: BLE001 - reading will say what is wrong
        return True


def _time_out(connection: Any) -> None:
    """Disconnect and raise the client library's TimeoutError, as on a socket timeout."""
    library = type(connection).__module__.partition(".")[0]
    exceptions = import_module("valkey.exceptions" if library == "valkey" else "redis.exceptions")
    connection.disconnect()
    raise exceptions.TimeoutError("Timeout reading from socket (virtual time)")
