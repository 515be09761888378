"""Makes commands sent through redis-py and valkey-py steps.

The user's code is unchanged: the client methods through which every command passes are wrapped
while a check runs. Connections that a pool opens inside an execution lead to the existing cache,
whatever address they name; one that was opened before, or without a pool, is a hazard.
"""

import sys
from collections.abc import Callable, Coroutine, Sequence
from functools import partial, reduce
from importlib import import_module
from operator import or_
from types import FrameType
from typing import Any

from pytest_supercache.core.footprint import NOTHING, Footprint
from pytest_supercache.core.switch import at_once_of
from pytest_supercache.layers import redis_commands
from pytest_supercache.layers.connections import any_connection, channel_of, push_parsers
from pytest_supercache.layers.existing_cache import PLACE, ExistingCache
from pytest_supercache.layers.fake_server import FakeRedisServer
from pytest_supercache.runtime.kernel.active import controlled
from pytest_supercache.runtime.kernel.execution_context import CallSteps, ExecutionContext
from pytest_supercache.runtime.kernel.faults import Failure
from pytest_supercache.runtime.kernel.patches import Patches
from pytest_supercache.runtime.kernel.spinning import Question, take
from pytest_supercache.runtime.redis import listening
from pytest_supercache.runtime.redis.blocking_commands import answered, refuse_waits
from pytest_supercache.runtime.redis.by_hand import Sending, is_by_hand, sendings_in, touched_by
from pytest_supercache.runtime.redis.cluster_doors import ClusterDoors
from pytest_supercache.runtime.redis.few_connections import (
    awaiting,
    note_way,
    releasing,
    using_connection,
)
from pytest_supercache.runtime.redis.leasing import note_answer, note_lease
from pytest_supercache.runtime.redis.pipelines import (
    arguments,
    broken,
    finished,
    is_divided,
    is_transaction,
    one_by_one,
    speak,
)
from pytest_supercache.runtime.redis.retrying import attempts, retry_of, without_default
from pytest_supercache.runtime.redis.topologies import (
    lead_sentinel,
    note_node,
    note_question,
    note_sentinel,
    note_server,
    slots_of_one_node,
)
from pytest_supercache.runtime.redis.unsupported import hear_errors, note_unsupported
from pytest_supercache.runtime.redis.wire import CACHES, SENDS, Wire, has_data, note_cached

UNTOLD = (
    "the code under test reads messages of a Redis channel on a server that this run has not "
    "started; when they arrive is not controlled. Use --supercache-backend=redis-server"
)

OF_KEYS = (
    "the code under test subscribes to keyspace notifications, or to a pattern that matches their "
    "channels; fakeredis publishes them whatever its configuration says. Use "
    "--supercache-backend=redis-server"
)

EXPIRED = (
    "the code under test hears of keyspace notifications, and sets keys that expire; a real server "
    "tells of that in real time, which is not controlled"
)

_Method = Callable[..., Any]


class Doors:
    """The wrapped methods of one check, and the pools redirected to the existing cache."""

    VALKEY = ("valkey.client", "valkey.connection")
    """The modules of valkey-py whose methods are wrapped."""
    CLUSTERS: type[ClusterDoors] = ClusterDoors
    """Wraps the methods of clients of clusters."""
    FAILURES: tuple[type[BaseException], ...] = (BaseException,)
    """What ends a pipeline early, so that it starts over."""

    def __init__(self, cache: ExistingCache, grain: str) -> None:
        self.cache = cache
        self.clusters = self.CLUSTERS(self)
        self._pools: set[Any] = set()
        self._patches = Patches()
        self.pairs: list[tuple[Any, Any]] = []  # none: methods are patched in their classes
        self._is_valkey_open = False
        self._commands = 0  # being sent, or waiting for their answer
        self._wire = Wire(cache.server.quiesce, parts=grain == "wire")

    def open(self) -> None:
        """Wrap the methods of redis-py, and those of valkey-py if it is imported."""
        self._open(import_module("redis.client"), import_module("redis.connection"), "Redis")
        hear_errors(self._patches, self.cache.server)
        self.cache.is_observed = True
        self.notice()

    def notice(self) -> bool:
        """Wrap the methods of valkey-py once it has been imported; True when this call did so."""
        client, connection = self.VALKEY
        if self._is_valkey_open or client not in sys.modules:
            return False
        self._is_valkey_open = True
        self._open(sys.modules[client], sys.modules[connection], "Valkey")
        return True

    def _open(self, client: Any, connection: Any, name: str) -> None:
        self._wrap_client(client, connection, name)
        self._patches.wrap(connection.BlockingConnectionPool, "make_connection", self._connection)
        self._patches.wrap(connection.ConnectionPool, "release", releasing)
        self._patches.wrap(connection.BlockingConnectionPool, "get_connection", awaiting)
        every = any_connection(connection)
        self._patches.wrap(every, "connect", self._wire.connecting)
        server = self.cache.server
        if self._wire.parts or server.tells_of_changes:  # else a reply has arrived when it is read
            self._patches.wrap(every, "read_response", self._wire.receiving)
            for parser in push_parsers(connection):
                self._patches.wrap(parser, "handle_push_response", self._wire.receiving_push)
            own = server.own_reader(name) if isinstance(server, FakeRedisServer) else None
            if own is not None:
                self._patches.wrap(own, "read_response", self._wire.receiving)

    def _wrap_client(self, client: Any, connection: Any, name: str) -> None:
        """Wrap what synchronous and asyncio clients have in common."""
        self._patches.wrap(getattr(client, name), "execute_command", self.command)
        self._patches.wrap(client.Pipeline, "immediate_execute_command", self.command)
        self._patches.wrap(client.Pipeline, "execute", self._pipeline)
        self._patches.wrap(client.PubSub, "execute_command", self._subscribing)
        self._patches.wrap(client.PubSub, "parse_response", self._subscription)
        self._patches.wrap(client.PubSub, "check_health", self._checking_health)
        self._patches.wrap(connection.ConnectionPool, "make_connection", self._connection)
        self._patches.wrap(any_connection(connection), "send_packed_command", self._sending)
        lead_sentinel(self._patches, client.__package__)
        cluster = sys.modules.get(f"{client.__package__}.cluster")
        if cluster is not None:
            self.clusters.open(self._patches, cluster, name)

    def close(self) -> None:
        """Restore the methods."""
        self.cache.is_observed = self.cache.is_plain = False
        self._patches.undo()

    def forget_connections(self) -> None:
        """Close the connections of pools under test: the next execution starts without any."""
        for pool in self._pools:
            self.cache.forget_pool(pool)
        self._pools.clear()
        self.clusters.forget_connections()

    def command(self, method: _Method, *, chosen: bool = False) -> _Method:
        """Wrap a method that sends a command; its client, or the node of a cluster, comes first.

        A node may have been ``chosen`` by the client of its cluster.
        """

        def execute_command(client: Any, *args: Any, **options: Any) -> Any:
            execution = execution_for(client)
            if execution is None or not args:
                return method(client, *args, **options)
            if (slots := slots_of_one_node(execution, args, client)) is not None:
                return slots
            if not chosen:
                note_node(execution, client)
            retry = retry_of(client)
            if execution.is_undisturbed and retry is None:
                command = redis_commands.described(args, PLACE)
                if command.is_usual:  # nothing to note, and no fault
                    footprint = _widened(execution, client, self.touched(command))
                    take(execution, command.label, footprint, "command")
                    return self._ask(execution, method, client, args, options)
            return self._try(execution, retry, method, client, args, options)

        return execute_command

    def _try(
        self,
        execution: ExecutionContext,
        retry: Any,
        method: _Method,
        client: Any,
        args: tuple[Any, ...],
        options: dict[str, Any],
    ) -> Any:
        """Send a command whose answer tells something, or which faults may strike."""
        dialect = execution.dialect()
        args = dialect.sent(args) if dialect else args
        label, footprint, _ = self.announce(execution, args)
        footprint = _widened(execution, client, footprint)
        question, failure = Question(execution, label, footprint), partial(broken, client)
        ask = partial(
            answered, execution, client, label, footprint, args, options,
            partial(self._ask, execution, method, client), failure,
        )  # fmt: skip
        if execution.is_undisturbed and retry is None:
            question.take("command")
            answer = ask()
        else:
            answer = self._try_again(execution, retry, question, footprint, failure, ask)
        note_answer(self.cache.leases, args, answer)
        question.answered(args, answer)
        return dialect.received(answer) if dialect else answer

    def _try_again(
        self,
        execution: ExecutionContext,
        retry: Any,
        question: Question,
        footprint: Footprint,
        failure: Failure,
        ask: Callable[[], Any],
    ) -> Any:
        """Send a command that faults may strike, with the retries of its client."""
        answer = None
        for attempt in attempts(execution, retry):
            with attempt, CallSteps(
                execution, question.label + attempt.mark, question.footprint, "command", failure,
                recheck_from=question.since,
            ):  # fmt: skip
                self._keep(execution, footprint)
                with self._wire.under_way(execution, question.label):
                    answer = ask()
        return answer

    def _ask(
        self, execution: ExecutionContext, method: _Method, client: Any, args: Any, options: Any
    ) -> Any:
        """Send an announced command and return its answer.

        After an error the state of its connection is unknown.
        """
        is_ours = execution.is_undisturbed and hasattr(client, "announced_to")
        self._commands += 1
        if is_ours:
            client.announced_to = self.cache
        try:
            return method(client, *args, **options)
        except BaseException as error:
            self.cache.is_plain = False
            self.note_failure(error)
            raise
        finally:
            self._commands -= 1
            if is_ours:
                client.announced_to = None

    def _pipeline(self, method: _Method) -> _Method:
        return at_once_of(self._executing(method))

    def _executing(self, method: _Method) -> Callable[..., Coroutine[Any, Any, Any]]:
        """Wrap ``execute`` of a pipeline as a coroutine, for clients of both kinds."""

        async def execute(pipeline: Any, raise_on_error: bool = True) -> Any:
            execution = execution_for(pipeline)
            if execution is None or not pipeline.command_stack:
                return await finished(method(pipeline, raise_on_error))
            note_node(execution, pipeline)
            if pipeline.scripts:  # sent before all other commands
                await finished(pipeline.load_scripts())
                pipeline.scripts = set()
            dialect = speak(execution, pipeline)
            try:
                answer = await self._execute(execution, method, pipeline, raise_on_error)
            except self.FAILURES as error:
                await finished(pipeline.reset())  # it starts over
                self.note_failure(error)
                raise
            self.note_failure(answer)
            return dialect.received(answer) if dialect else answer

        return execute

    async def _execute(
        self, execution: ExecutionContext, method: _Method, pipeline: Any, raise_on_error: bool
    ) -> Any:
        """Send a pipeline's commands: a transaction in one step, others in a step per command."""
        is_atomic = is_transaction(pipeline)
        if not (is_atomic or self.lets_wait()):
            refuse_waits(execution, map(arguments, pipeline.command_stack), partial(broken, None))
        if not is_divided(execution, pipeline, is_atomic=is_atomic):
            label, footprint = self.announce_all(
                execution,
                [arguments(command) for command in pipeline.command_stack],
                is_watching=pipeline.watching,
                is_atomic=is_atomic,
            )
            ask = partial(method, pipeline, raise_on_error)
            return await self.send(execution, pipeline, label, footprint, ask)

        async def send(words: Sequence[Any], ask: Callable[[], Any], is_last: bool) -> Any:
            label, footprint, _ = self.announce(execution, words)
            return await self.send(execution, pipeline, label, footprint, ask, is_last=is_last)

        return await one_by_one(pipeline, method, raise_on_error, send)

    def lets_wait(self) -> bool:
        """Say whether a pipeline may hold a command that blocks in the server."""
        return False

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
        footprint = _widened(execution, pipeline, footprint)
        failure = partial(broken, None)
        with CallSteps(execution, label, footprint, "command", failure, parts_answer=is_last):
            self._keep(execution, footprint)
            with self._wire.under_way(execution, label if is_last else ""):
                return ask()

    def _subscribing(self, method: _Method) -> _Method:
        """Wrap a method that awaits no answer, after which a real server is to have its command."""

        def execute_command(subscription: Any, *args: Any, **options: Any) -> Any:
            answer = method(subscription, *args, **options)
            self.cache.server.quiesce()
            return answer

        return self.command(execute_command)

    def _checking_health(self, method: _Method) -> _Method:
        """Wrap the health check of a subscription: its answer would pass for a lack of messages."""

        def check_health(subscription: Any) -> None:
            if execution_for(subscription) is None:
                method(subscription)

        return check_health

    def _subscription(self, method: _Method) -> _Method:
        def parse_response(
            subscription: Any, block: bool = True, timeout: float = 0, **options: Any
        ) -> Any:
            execution = execution_for(subscription)
            if execution is None or subscription.connection is None:
                return method(subscription, block, timeout, **options)
            server = self.cache.server
            if not server.messages_arrive:
                execution.controller.hazard(UNTOLD)
                return method(subscription, block, timeout, **options)

            def read() -> Any:
                server.quiesce()
                if server.moves_time or not has_data(subscription.connection):
                    return method(subscription, False, 0, **options)
                return method(subscription, True, **options)  # perhaps a part of it has arrived

            if not block and not timeout:
                return listening.receive_now(execution, read)
            return listening.receive(execution, read, None if block else timeout)

        return parse_response

    def _connection(self, method: _Method) -> _Method:
        def make_connection(pool: Any) -> Any:
            execution = controlled()
            if execution is None:
                return method(pool)
            note_sentinel(execution, pool)
            note_server(execution, pool, self.cache.url)
            self._pools.add(pool)
            library = method.__module__.partition(".")[0]
            return self.cache.join(pool, without_default(pool.connection_kwargs), library)

        return make_connection

    def _sending(self, method: _Method) -> _Method:
        def send_packed_command(connection: Any, *args: Any, **options: Any) -> Any:
            execution = controlled()
            if not self._commands:  # a pipeline, a subscription, a connection used directly
                self.cache.is_plain = False
            channel = channel_of(connection)
            if execution is None or channel.is_private:
                return method(connection, *args, **options)
            if channel.owner is not self.cache:
                execution.controller.hazard(astray(connection))
            elif found := self._by_hand(execution, connection, args, sys._getframe()):
                for label, footprint, data in found:
                    execution.step(label, footprint, kind="command")
                    self._keep(execution, footprint)
                    self._noted(partial(method, connection, data, **options))
                return None
            if not (execution.tracks or execution.controller.grain == "wire"):
                return method(connection, *args, **options)
            return self._wire.sent(
                execution, connection, lambda: method(connection, *args, **options)
            )

        return send_packed_command

    def _noted(self, send: Callable[[], Any]) -> Any:
        try:
            answer = send()
            self.cache.server.quiesce()
        except Exception as error:
            self.note_failure(error)
            raise
        return answer

    def _by_hand(
        self, execution: ExecutionContext, connection: Any, args: tuple[Any, ...], frame: FrameType
    ) -> list[tuple[str, Footprint, Any]]:
        """Return label, footprint and data of each step of commands that code sends by itself.

        None are returned for commands about the connection alone, and at grain ``wire``, where each
        sending is a step.
        """
        if self._wire.parts or channel_of(connection).is_connecting or not is_by_hand(frame):
            return []
        steps = [self._announced(execution, one) for one in sendings_in(args[0] if args else ())]
        return steps if any(footprint != NOTHING for _, footprint, _ in steps) else []

    def _announced(
        self, execution: ExecutionContext, sending: Sending
    ) -> tuple[str, Footprint, Any]:
        labels, together = [], NOTHING
        for words in sending.commands:
            refuse_waits(execution, [words], partial(broken, None))
            label, footprint, _ = self.announce(execution, words)
            labels.append(label)
            together = together | touched_by(words, footprint)
        return "; ".join(labels), together, sending.data

    def announce(
        self, execution: ExecutionContext, args: Sequence[Any]
    ) -> tuple[str, Footprint, bool]:
        """Return the label and footprint of a command, and whether the command is a usual one.

        Its effects on time are noted.
        """
        command = redis_commands.described(args, PLACE)
        if execution.is_undisturbed and command.is_usual:
            return command.label, self.touched(command), True
        self._note(execution, command)
        return command.label, execution.logged(self.touched(command)), command.is_usual

    def touched(self, command: redis_commands.Described) -> Footprint:
        """Return the footprint of a command, of whose keys somebody may hear."""
        if self.cache.tells_of_keys:
            return redis_commands.telling_of_keys(command.footprint)
        return command.footprint

    def announce_all(
        self,
        execution: ExecutionContext,
        pipeline: Sequence[Sequence[Any]],
        *,
        is_watching: bool,
        is_atomic: bool,
    ) -> tuple[str, Footprint]:
        """Return the label and footprint of all commands of a pipeline."""
        commands = [redis_commands.described(words, PLACE) for words in pipeline]
        label = "; ".join(command.label for command in commands)
        for command in commands:
            self._note(execution, command, label)
        together = reduce(or_, map(self.touched, commands), NOTHING)
        footprint = execution.logged(together)
        if is_watching:
            footprint = footprint | Footprint(reads=frozenset({f"{PLACE}:*"}))
        if is_atomic:
            label = f"MULTI {label} EXEC"
        return label, footprint

    def note_failure(self, answer: Any) -> None:
        """Note commands that this server does not know, from an answer or an error."""
        execution = controlled()
        if execution is not None:
            note_unsupported(execution, self.cache.server, answer)

    def _keep(self, execution: ExecutionContext, footprint: Footprint) -> None:
        """Save the content of the cache before a write, which a replica may have missed."""
        if execution.faults.keeps_history and any(r.startswith(PLACE) for r in footprint.writes):
            self.cache.history.append(self.cache.server.save())

    def _note(
        self, execution: ExecutionContext, command: redis_commands.Described, within: str = ""
    ) -> None:
        """Note the special properties of a command.

        These are: whether its connection can be reused in the next execution; keys with a TTL; keys
        set with NX, which may be locks; scripts that this server cannot run. ``within`` is the
        label of the pipeline that the command belongs to.
        """
        if command.is_usual and execution.controller.grain != "wire":
            return
        if not command.is_plain or execution.controller.grain == "wire":
            self.cache.is_plain = False
        if command.is_timed:
            self.cache.timed.add(within or command.label)
            self.cache.expiring.update(
                r for r in command.footprint.reads if r.startswith(f"{PLACE}:")
            )
        for setting in command.settings:
            self.cache.server.remember(setting)
        self._note_news_of_keys(execution, command)
        note_lease(execution, self.cache.leases, command)
        note_question(execution, command.label)
        if command.is_script and not self.cache.server.runs_scripts:
            execution.controller.hazard(
                f"{command.label}: this fakeredis runs no scripts. Install fakeredis[lua], or use "
                "--supercache-backend=redis-server"
            )

    def _note_news_of_keys(
        self, execution: ExecutionContext, command: redis_commands.Described
    ) -> None:
        if command.hears_of_keys:
            self.cache.tells_of_keys = True
            if self.cache.server.moves_time:
                execution.controller.hazard(OF_KEYS)
        if not self.cache.tells_of_keys or self.cache.server.moves_time:
            return
        if not all(map(redis_commands.is_container, self.cache.timed)):
            execution.controller.hazard(EXPIRED)


def execution_for(client: Any) -> ExecutionContext | None:
    """Return the running execution; None for a command of this package itself."""
    execution = controlled()
    pool = getattr(client, "connection_pool", None)
    if execution is None or channel_of(pool).is_private:
        return None
    if pool not in execution.ways:
        note_way(execution, pool)
    return execution


def _widened(execution: ExecutionContext, client: Any, footprint: Footprint) -> Footprint:
    """Add to a footprint what the client's connection, its own cache and the grain touch."""
    pool = getattr(client, "connection_pool", None)
    footprint = using_connection(execution, pool, footprint)
    if getattr(pool, "cache", None) is not None:
        note_cached(execution)
        return footprint | CACHES
    return footprint | SENDS if execution.controller.grain == "wire" else footprint


def astray(connection: Any) -> str:
    """Return a message about a command that does not go to the existing cache, with the remedy."""
    if channel_of(connection).owner is not None:
        return (
            "a command went to the existing cache of another check, or of a fixture: its client "
            "was made there and kept. Make the client in the system's factory, for every execution "
            "anew"
        )
    place = getattr(connection, "path", None) or (
        f"{getattr(connection, 'host', '?')}:{getattr(connection, 'port', '?')}"
    )
    return (
        f"a command went to a Redis elsewhere: {place}. That connection was not made by a pool "
        "inside an execution; name its client in @system(redis=[...]), or make the client in the "
        "system's factory"
    )
