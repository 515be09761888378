"""Implements the grain ``wire``: sending and receiving are steps, and replies may get lost.

A command is a step when it is sent; at grain ``wire`` its reply, which may be delayed for as long
as the schedule says, is received in another. After every send the process waits for a real server,
until its replies and pushed messages have arrived. So a read from a connection without data in
flight is detected: the client then waits, in virtual time, for a reply.
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
from pytest_supercache.runtime.kernel.stepping import Stepping

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
            channel = channel_of(connection)
            if self.parts or channel.is_tracked:
                execution = None if channel.is_private else controlled()
                if (
                    execution is not None
                    and _is_watched(connection)
                    and not options.get("push_request")
                ):
                    _receive(execution, connection)
            return method(connection, *args, **options)

        return read_response

    def sent(self, execution: Stepping, connection: Any, send: Callable[[], Any]) -> Any:
        """Send, and wait until a real server has processed the command and its consequences.

        Data sent without a command, directly on a connection, is a step of its own.
        """
        if self.parts:
            _send_by_hand(execution, connection)
        answer = send()
        self._quiesce()
        return answer

    @contextmanager
    def under_way(self, execution: Stepping, label: str) -> Iterator[None]:
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


def note_cached(execution: Stepping) -> None:
    """Note that a client caches replies on its side, which is sound at grain ``wire`` only."""
    execution.tracks = True
    if execution.controller.grain != "wire":
        execution.controller.leave_unproven(CACHED)


def _send_by_hand(execution: Stepping, connection: Any) -> None:
    actor = current_actor()
    if actor is None or actor.is_task or channel_of(connection).is_connecting:
        return
    if actor.name not in execution.commands:
        execution.step("send", _SENDS_ANYTHING, kind="command")


def _is_watched(connection: Any) -> bool:
    actor, channel = current_actor(), channel_of(connection)
    is_open = channel.owner is not None and not channel.is_connecting
    return is_open and actor is not None and not actor.is_task


def _receive(execution: Stepping, connection: Any) -> None:
    """Take the step of receiving a reply, after waiting if it has not arrived."""
    actor = current_actor()
    assert actor is not None, "only actors come here"
    label = execution.commands.get(actor.name, "what was sent")
    is_step = execution.controller.grain == "wire" and bool(label)
    timeout = getattr(connection, "socket_timeout", None)
    deadline = None if timeout is None else execution.now() + timeout
    while True:
        if is_step:
            execution.step(f"receive the reply to {label}".rstrip(), RECEIVES, kind="reply")
            if actor.name in execution.commands:
                execution.commands[actor.name] = ""  # the following replies arrived with it
                execution.received.add(actor.name)
        if _has_data(connection):
            return
        _wait(execution, actor, connection, deadline)
        is_step = True


def _wait(execution: Stepping, actor: Actor, connection: Any, deadline: float | None) -> None:
    """Wait until another step has sent data; waiting itself touches nothing visible to others."""
    announced = execution.announced(
        actor, "wait for a reply: none is under way", Footprint(), "reply", None, deadline,
        recheck_from=len(execution.record.steps),
    )  # fmt: skip
    announced.footprint = Footprint(reads=_UNDER_WAY)
    execution.controller.arrive(actor, announced)
    execution.begun(actor, announced)
    if announced.fired:
        _time_out(connection)


def _has_data(connection: Any) -> bool:
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
