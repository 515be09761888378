"""Makes commands sent through ``redis.asyncio`` and ``valkey.asyncio`` steps, as `doors` does.

The switch point precedes the command, with none inside it: the awaits within redis-py vary from
version to version and allow no context switch.
"""

import asyncio
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.layers.connections import channel_of
from pytest_supercache.runtime.aio.memory_net import is_in_memory
from pytest_supercache.runtime.kernel import async_context
from pytest_supercache.runtime.kernel.active import controlled
from pytest_supercache.runtime.kernel.calling import current_actor
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext
from pytest_supercache.runtime.kernel.spinning import Question
from pytest_supercache.runtime.redis.blocking_commands import refuse_waits
from pytest_supercache.runtime.redis.cluster_doors import AsyncClusterDoors, ClusterDoors
from pytest_supercache.runtime.redis.doors import (
    UNTOLD,
    Doors,
    _Method,
    astray,
    execution_for,
)
from pytest_supercache.runtime.redis.few_connections import areleasing, awaiting
from pytest_supercache.runtime.redis.leasing import note_answer
from pytest_supercache.runtime.redis.listening import HEARD, areceive, has_arrived
from pytest_supercache.runtime.redis.pipelines import broken
from pytest_supercache.runtime.redis.retrying import attempts, retry_of, without_default
from pytest_supercache.runtime.redis.topologies import (
    note_node,
    note_sentinel,
    note_server,
    slots_of_one_node,
)
from pytest_supercache.runtime.redis.wire import SENDS

BY_HAND = (
    "the code under test sends a command on a connection of asyncio by itself; when a real server "
    "answers it is not controlled in this version. Let it call execute_command of its client"
)


class AsyncDoors(Doors):
    """The wrapped methods of the asynchronous clients."""

    VALKEY = ("valkey.asyncio.client", "valkey.asyncio.connection")
    CLUSTERS: type[ClusterDoors] = AsyncClusterDoors
    FAILURES: tuple[type[BaseException], ...] = (Exception, asyncio.CancelledError)

    def open(self) -> None:
        """Wrap the methods of ``redis.asyncio``, and of ``valkey.asyncio`` if it is imported."""
        client = import_module("redis.asyncio.client")
        self._open(client, import_module("redis.asyncio.connection"), "Redis")
        self.notice()

    def _open(self, client: Any, connection: Any, name: str) -> None:
        self._wrap_client(client, connection, name)
        self._patches.wrap(connection.ConnectionPool, "release", areleasing)
        self._patches.wrap(connection.BlockingConnectionPool, "get_connection", awaiting)

    def command(self, method: _Method, *, chosen: bool = False) -> _Method:
        """Wrap a method that sends a command; its client, or the node of a cluster, comes first."""

        async def execute_command(client: Any, *args: Any, **options: Any) -> Any:
            execution = execution_for(client)
            if execution is None or not args:
                return await method(client, *args, **options)
            if (slots := slots_of_one_node(execution, args, client)) is not None:
                return slots
            if not chosen:
                note_node(execution, client)
            dialect = execution.dialect()
            args = dialect.sent(args) if dialect else args
            label, footprint, is_usual = self.announce(execution, args)
            if not (is_usual or self.cache.server.moves_time):
                refuse_waits(execution, [args], partial(broken, client))
            ask = partial(method, client, *args, **options)
            answer, question = None, Question(execution, label, footprint)
            for attempt in attempts(execution, retry_of(client)):
                with attempt:
                    shown = label + attempt.mark
                    answer = await self._call(
                        execution, shown, question.footprint, ask, asks=True,
                        recheck_from=question.since,
                    )  # fmt: skip
            note_answer(self.cache.leases, args, answer)
            question.answered(args, answer)
            return dialect.received(answer) if dialect else answer

        return execute_command

    def lets_wait(self) -> bool:
        """Say whether a pipeline may hold a command that blocks in the server."""
        return self.cache.server.moves_time

    def _pipeline(self, method: _Method) -> _Method:
        return self._executing(method)

    async def send(
        self,
        execution: ExecutionContext,
        pipeline: Any,  # noqa: ARG002 - as for synchronous clients
        label: str,
        footprint: Footprint,
        ask: Callable[[], Any],
        *,
        is_last: bool = True,
    ) -> Any:
        """Take a step of a pipeline and send its commands; the last answer is a switch point."""
        return await self._call(execution, label, footprint, ask, parts_answer=is_last)

    def _subscribing(self, method: _Method) -> _Method:
        async def execute_command(subscription: Any, *args: Any, **options: Any) -> Any:
            answer = await method(subscription, *args, **options)
            self.cache.server.quiesce()
            return answer

        return self.command(execute_command)

    def _checking_health(self, method: _Method) -> _Method:
        async def check_health(subscription: Any) -> None:
            if execution_for(subscription) is None:
                await method(subscription)

        return check_health

    def _subscription(self, method: _Method) -> _Method:
        async def parse_response(
            subscription: Any, block: bool = True, timeout: float = 0, **options: Any
        ) -> Any:
            execution = execution_for(subscription)
            if execution is None:
                return await method(subscription, block, timeout, **options)
            server = self.cache.server
            if not server.messages_arrive:
                execution.controller.hazard(UNTOLD)
                return await method(subscription, block, timeout, **options)
            ask = partial(method, subscription, True, **options)
            read = partial(self._message, execution, subscription, ask)
            if block or timeout:
                return await areceive(execution, read, None if block else timeout)
            await async_context.step(execution, "poll for a message", HEARD, kind="command")
            return await read()

        return parse_response

    async def _message(
        self, execution: ExecutionContext, subscription: Any, ask: Callable[[], Any]
    ) -> Any:
        """Return a message that the server has sent; None: it has sent none.

        It is taken in the step that asks for it: a switch point behind it would let a time limit
        end the task that has it, and the message would be lost.
        """
        server, connection = self.cache.server, subscription.connection
        server.quiesce()
        if connection is not None and connection.is_connected:
            is_there = (
                connection.can_read if server.moves_time else partial(has_arrived, connection)
            )
            if not await is_there():
                return None
        return await self._expect(execution, HEARD, ask)

    def _connection(self, method: _Method) -> _Method:
        def make_connection(pool: Any) -> Any:
            execution = controlled()
            port = pool.connection_kwargs.get("port")
            if execution is None or any(loop.serves(port) for loop in execution.controller.loops):
                return method(pool)  # to a server of the code under test itself
            note_sentinel(execution, pool)
            note_server(execution, pool, self.cache.url)
            self._pools.add(pool)
            library = method.__module__.partition(".")[0]
            return self.cache.aconnect(without_default(pool.connection_kwargs), library)

        return make_connection

    def _sending(self, method: _Method) -> _Method:
        async def send_packed_command(connection: Any, *args: Any, **options: Any) -> Any:
            execution = controlled()
            actor = None if execution is None else current_actor()
            if actor is None or not actor.asks:
                self.cache.is_plain = False  # a pipeline, a subscription, by hand
            for loop in () if execution is None else execution.controller.loops:
                loop.keep(connection)
            was_ours = self._leads_here(connection)
            send = partial(method, connection, **options)
            try:
                if execution is not None and actor is not None:
                    return await self._send_by_hand(execution, connection, args, send)
                return await send(*args)
            except Exception as error:
                self.note_failure(error)
                raise
            finally:
                if execution is not None and not (was_ours or self._leads_here(connection)):
                    execution.controller.hazard(astray(connection))

        return send_packed_command

    async def _send_by_hand(
        self,
        execution: ExecutionContext,
        connection: Any,
        args: tuple[Any, ...],
        send: Callable[..., Any],
    ) -> Any:
        """Send what the connection is given; commands that code sends by itself take steps."""
        is_ours = channel_of(connection).owner is self.cache
        found = self._by_hand(execution, connection, args, sys._getframe(1)) if is_ours else []
        if not found:
            return await send(*args)
        if not self.cache.server.moves_time:
            execution.controller.hazard(BY_HAND)
        for label, footprint, data in found:
            await async_context.step(execution, label, footprint, kind="command")
            self._keep(execution, footprint)
            await send(data)
        return None

    def _leads_here(self, connection: Any) -> bool:
        """Say whether a connection leads to the existing cache, or to a server on its own loop."""
        if channel_of(connection).owner is self.cache:
            return True
        return is_in_memory(getattr(connection, "_writer", None))

    async def _call(
        self,
        execution: ExecutionContext,
        label: str,
        footprint: Footprint,
        make: Callable[[], Any],
        *,
        asks: bool = False,
        parts_answer: bool = True,
        recheck_from: int | None = None,
    ) -> Any:
        """Take the step of a command and wait for its answer without a context switch.

        ``asks`` marks a single command; after an error its connection's state is unknown.
        """
        if execution.controller.grain == "wire":
            execution.controller.simplify("commands of asyncio clients atomic")
            footprint = footprint | SENDS

        expecting = partial(self._expect, execution, footprint, make, asks=asks)
        return await async_context.call(
            execution, label, footprint, expecting, kind="command", failure=partial(broken, None),
            parts_answer=parts_answer, recheck_from=recheck_from,
        )  # fmt: skip

    async def _expect(
        self,
        execution: ExecutionContext,
        footprint: Footprint,
        make: Callable[[], Any],
        *,
        asks: bool = False,
    ) -> Any:
        """Wait for what a server sends, without a context switch."""
        self._keep(execution, footprint)
        actor = current_actor()
        assert actor is not None, "a command is sent by an actor"
        actor.in_command += 1
        actor.asks += asks
        for loop in execution.controller.loops:
            loop.answers_awaited += 1
        try:
            return await make()
        except BaseException as error:
            if asks:
                self.cache.is_plain = False
            self.note_failure(error)
            raise
        finally:
            actor.in_command -= 1
            actor.asks -= asks
            for loop in execution.controller.loops:
                loop.answers_awaited -= 1
