"""Makes what clients of Redis Cluster send steps: commands, parts of pipelines, transactions.

Such a client sends them on connections of its own, past the methods of a client of one server.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.switch import at_once, at_once_of
from pytest_supercache.layers import redis_commands
from pytest_supercache.layers.existing_cache import PLACE, ExistingCache
from pytest_supercache.layers.fake_server import FakeRedisServer
from pytest_supercache.runtime.kernel.active import controlled
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext
from pytest_supercache.runtime.kernel.patches import Patches
from pytest_supercache.runtime.redis.blocking_commands import refuse_waits
from pytest_supercache.runtime.redis.pipelines import arguments, broken
from pytest_supercache.runtime.redis.retrying import without_default
from pytest_supercache.runtime.redis.topologies import (
    by_slot,
    let_find_keys,
    name_transaction,
    note_cluster_command,
    report_others,
    report_scripts,
)
from pytest_supercache.runtime.sync.threads import run_together

_Method = Callable[..., Any]


class CommandDoors(Protocol):
    """What the doors of clients of one server do for those of clusters."""

    cache: ExistingCache

    def command(self, method: _Method, *, chosen: bool = False) -> _Method:
        """Wrap a method that sends a command; its client, or the node of a cluster, comes first."""
        ...

    async def send(
        self,
        execution: ExecutionContext,
        pipeline: Any,
        label: str,
        footprint: Footprint,
        ask: Callable[[], Any],
        *,
        is_last: bool = True,
    ) -> Any:
        """Take a step of a pipeline and send its commands; the last answer is a switch point."""
        ...

    def lets_wait(self) -> bool:
        """Say whether a pipeline may hold a command that blocks in the server."""
        ...

    def announce(
        self, execution: ExecutionContext, args: Sequence[Any]
    ) -> tuple[str, Footprint, bool]:
        """Return the label and footprint of a command, and whether the command is a usual one."""
        ...

    def announce_all(
        self,
        execution: ExecutionContext,
        pipeline: Sequence[Sequence[Any]],
        *,
        is_watching: bool,
        is_atomic: bool,
    ) -> tuple[str, Footprint]:
        """Return the label and footprint of all commands of a pipeline."""
        ...


class ClusterDoors:
    """The methods of synchronous clients of clusters, wrapped by the doors of other clients."""

    PARSER = "CommandsParser"
    """The name of the class that finds the keys of commands; before redis-py 5 there was one."""

    def __init__(self, doors: CommandDoors) -> None:
        self._doors = doors

    def open(self, patches: Patches, cluster: Any, name: str) -> None:
        """Wrap the methods of a module such as ``redis.cluster``; ``name`` begins its classes."""
        client = getattr(cluster, f"{name}Cluster")
        report_others(patches, cluster, client)
        server = self._doors.cache.server
        if isinstance(server, FakeRedisServer):
            report_scripts(patches, server.script_callers())
        let_find_keys(patches, getattr(cluster, self.PARSER, None) or cluster.CommandsParser)
        self._wrap(patches, cluster, client)

    def _wrap(self, patches: Patches, cluster: Any, client: type) -> None:
        patches.wrap(client, "_execute_command", self._command)
        patches.wrap(cluster.NodeCommands, "write", self._part)
        transaction = getattr(cluster, "TransactionStrategy", None)  # since redis-py 6.2
        if transaction is not None:
            patches.wrap(transaction, "_send_command_parse_response", self._watching)
            patches.wrap(transaction, "_execute_transaction", self._transaction)

    def forget_connections(self) -> None:
        """Start the next execution without connections: those of pools are dropped with them."""

    def _command(self, method: _Method) -> _Method:
        def _execute_command(client: Any, node: Any, *args: Any, **options: Any) -> Any:
            _note_command(args)

            def send(_node: Any, *words: Any, **named: Any) -> Any:
                return method(client, node, *words, **named)

            return self._doors.command(send)(node, *args, **options)

        return _execute_command

    def _part(self, method: _Method) -> _Method:
        """Wrap the method that sends the commands of a pipeline that are for one node.

        The one node here stands for several, which execute the commands for their slots in any
        order: each slot has an actor of its own.
        """
        from redis.exceptions import ConnectionError as BrokenConnectionError

        def write(part: Any) -> None:
            execution = controlled()
            if execution is None:
                method(part)
                return
            commands, sent, errors = part.commands, list[Any](), list[Exception]()

            def send(command: Any) -> None:
                part.commands = [command]
                sent.append(command)
                method(part)

            def send_all(group: Sequence[Any]) -> None:
                try:
                    at_once(self._send_all(execution, part, group, send))
                except BrokenConnectionError as error:
                    errors.append(error)

            run_together([partial(send_all, group) for group in by_slot(commands)])
            part.commands = commands if errors else sent  # answers are read in this order
            if errors:  # no command of the part has one, as redis-py has it
                part.connection.disconnect()
                for command in commands:
                    command.result = errors[0]

        return write

    async def _send_all(
        self,
        execution: ExecutionContext,
        node: Any,
        commands: Sequence[Any],
        send: Callable[[Any], Any],
    ) -> list[Any]:
        """Take a step for each of these commands to a node, and send it."""
        if not self._doors.lets_wait():
            refuse_waits(execution, map(arguments, commands), partial(broken, None))
        answers = []
        for command in commands:
            label, footprint, _ = self._doors.announce(execution, arguments(command))
            note_cluster_command(execution, label, footprint)
            ask, is_last = partial(send, command), command is commands[-1]
            answers.append(
                await self._doors.send(execution, node, label, footprint, ask, is_last=is_last)
            )
        return answers

    def _watching(self, method: _Method) -> _Method:
        """Wrap the method that sends a command of a transaction before its MULTI."""

        def _send_command_parse_response(
            transaction: Any, connection: Any, node: Any, name: str, *args: Any, **options: Any
        ) -> Any:
            def send(_node: Any, *words: Any, **named: Any) -> Any:
                return method(transaction, connection, node, name, *words, **named)

            return self._doors.command(send, chosen=True)(node, *args, **options)

        return _send_command_parse_response

    def _transaction(self, method: _Method) -> _Method:
        async def _execute_transaction(
            transaction: Any, stack: Sequence[Any], raise_on_error: bool
        ) -> Any:
            execution = controlled()
            send = partial(method, transaction, stack, raise_on_error)
            if execution is None:
                return send()
            label, footprint = self._doors.announce_all(
                execution,
                [arguments(command) for command in stack],
                is_watching=transaction._watching,  # noqa: SLF001 - nothing else tells of it
                is_atomic=True,
            )
            return await self._doors.send(execution, transaction, label, footprint, send)

        return at_once_of(_execute_transaction)


class AsyncClusterDoors(ClusterDoors):
    """The methods of asyncio clients of clusters, whose nodes make connections without a pool."""

    PARSER = "AsyncCommandsParser"

    def __init__(self, doors: CommandDoors) -> None:
        super().__init__(doors)
        self._clients: list[Any] = []  # that have asked for their slots
        self._nodes: list[tuple[Any, Any]] = []  # and what made their connections

    def _wrap(self, patches: Patches, cluster: Any, client: type) -> None:
        patches.wrap(client, "initialize", self._initializing)
        patches.wrap(cluster.ClusterNode, "acquire_connection", self._acquiring)
        patches.wrap(cluster.ClusterNode, "execute_command", self._command)
        patches.wrap(cluster.ClusterNode, "execute_pipeline", self._part)
        transaction = getattr(cluster, "TransactionStrategy", None)  # since redis-py 6.2
        if transaction is not None:
            patches.wrap(transaction, "execute_command", name_transaction)

    def forget_connections(self) -> None:
        """Let clients begin anew: without their loop, connections cannot be closed."""
        for client in self._clients:
            client._initialize = True  # noqa: SLF001 - as after aclose(): it will ask again
        for node, connection_class in self._nodes:
            node.connection_class = connection_class
            node._connections.clear()  # noqa: SLF001 - no method drops them without closing
            node._free.clear()  # noqa: SLF001 - likewise
        self._clients.clear()
        self._nodes.clear()

    def _initializing(self, method: _Method) -> _Method:
        async def initialize(client: Any, *args: Any, **options: Any) -> Any:
            if controlled() is not None and not any(client is known for known in self._clients):
                self._clients.append(client)
            return await method(client, *args, **options)

        return initialize

    def _acquiring(self, method: _Method) -> _Method:
        library = method.__module__.partition(".")[0]

        def connect(**options: Any) -> Any:
            return self._doors.cache.aconnect(without_default(options), library)

        def acquire_connection(node: Any) -> Any:
            execution = controlled()
            if execution is not None and not (
                any(loop.serves(node.port) for loop in execution.controller.loops)
                or any(node is known for known, _ in self._nodes)
            ):
                self._nodes.append((node, node.connection_class))
                node.connection_class = connect
            return method(node)

        return acquire_connection

    def _command(self, method: _Method) -> _Method:
        send = self._doors.command(method)

        async def execute_command(node: Any, *args: Any, **options: Any) -> Any:
            _note_command(args)
            return await send(node, *args, **options)

        return execute_command

    def _part(self, method: _Method) -> _Method:
        async def execute_pipeline(node: Any, commands: Sequence[Any]) -> bool:
            execution = controlled()
            if execution is None:
                return bool(await method(node, commands))
            parts = [
                self._send_all(execution, node, group, lambda one: method(node, [one]))
                for group in by_slot(commands)
            ]
            failed = await asyncio.gather(*parts) if len(parts) > 1 else [await parts[0]]
            return any(any(one) for one in failed)

        return execute_pipeline


def _note_command(args: Sequence[Any]) -> None:
    execution = controlled()
    if execution is not None and args:
        command = redis_commands.described(args, PLACE)
        note_cluster_command(execution, command.label, command.footprint)
