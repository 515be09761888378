"""What is relied on of redis-py, and of valkey-py, which was made from it."""

import asyncio
import inspect
import socket
from importlib import import_module
from types import SimpleNamespace

import redis
import redis.asyncio
import redis.asyncio.client
import redis.asyncio.connection
import redis.asyncio.retry
import redis.client
import redis.cluster
import redis.connection
import redis.sentinel
import valkey
import valkey.asyncio
import valkey.asyncio.client
import valkey.asyncio.connection
import valkey.client
import valkey.cluster
import valkey.connection
import valkey.sentinel
from redis.backoff import NoBackoff
from redis.retry import Retry

from pytest_supercache.layers.client_templates import _KNOWN
from pytest_supercache.layers.connections import any_connection
from pytest_supercache.layers.event_dispatchers import _DISPATCHER
from pytest_supercache.layers.pools import AsyncPool, Pool
from pytest_supercache.runtime.redis import retrying
from tests.compatibility.rows import Checks

CHECKS = Checks()

LIBRARIES = (
    (redis.client, redis.connection, "Redis", False),
    (redis.asyncio.client, redis.asyncio.connection, "Redis", True),
    (valkey.client, valkey.connection, "Valkey", False),
    (valkey.asyncio.client, valkey.asyncio.connection, "Valkey", True),
)


CLUSTERS = ((redis, "RedisCluster"), (valkey, "ValkeyCluster"))


class _Told:
    """A connection that only notes what it is told, and answers what it is asked."""

    pid = None

    def __init__(self):
        self.retry = Retry(NoBackoff(), 0)
        self.told = []

    def __getattr__(self, name):
        def note(*args, **_options):
            self.told.append((name, args))
            return b"answer" if name == "read_response" else False

        return note


def _pool_of(connection, kind=redis.ConnectionPool, **options):
    pool = kind(**options)
    pool.make_connection = lambda: connection
    return pool


@CHECKS.of("Redis.execute_command, Pipeline.execute, PubSub.parse_response")
def _every_command_goes_through_the_methods_that_are_wrapped():
    for client, connection, name, is_async in LIBRARIES:
        wrapped = (
            (getattr(client, name), "execute_command"), (client.Pipeline, "execute"),
            (client.Pipeline, "immediate_execute_command"), (client.PubSub, "execute_command"),
            (client.PubSub, "parse_response"), (any_connection(connection), "send_packed_command"),
            (any_connection(connection), "connect"), (any_connection(connection), "read_response"),
        )  # fmt: skip
        for owner, method in wrapped:
            found = inspect.getattr_static(owner, method, None)
            where = f"{client.__name__}: {owner.__name__}.{method}"
            assert found is not None, f"{where} is gone"
            assert not is_async or method == "execute_command" or _awaited(found), where
    connection = _Told()
    client = redis.Redis(connection_pool=_pool_of(connection))
    assert client.get("k") == b"answer"
    assert ("send_command", ("GET", "k")) in connection.told, "a command is sent as it was given"


def _awaited(function):
    return inspect.iscoroutinefunction(function)


@CHECKS.of("ConnectionPool.make_connection, release, BlockingConnectionPool.get_connection")
def _pools_open_connections_by_one_method():
    for _, connection, _, is_async in LIBRARIES:
        for kind in (connection.ConnectionPool, connection.BlockingConnectionPool):
            for name in ("make_connection", "release", "get_connection", "disconnect", "reset"):
                assert callable(getattr(kind, name)), f"{kind.__module__}.{kind.__name__}.{name}"
        pool = connection.ConnectionPool(max_connections=3)
        assert pool.max_connections == 3
        assert isinstance(pool.connection_kwargs, dict), "a pool knows the arguments of connections"
        assert not hasattr(pool, "timeout"), "a pool that refuses has no time limit"
        if not is_async:
            blocking = connection.BlockingConnectionPool(max_connections=2)
            assert hasattr(blocking, "timeout"), "a pool that waits has one"
            assert hasattr(blocking.pool, "empty"), "a pool that waits keeps a queue"
            assert blocking._connections == [], "a pool that waits lists what it has made"
        assert hasattr(connection.ConnectionPool, "can_get_connection") or not is_async


@CHECKS.of("Pipeline.command_stack, scripts, explicit_transaction, watching")
def _a_pipeline_shows_what_it_has_collected():
    for client, _, name, is_async in LIBRARIES:
        made = getattr(client, name)()
        pipeline = made.pipeline()
        pipeline.set("k", 1)
        (command,) = pipeline.command_stack
        words = command.args if hasattr(command, "args") else command[0]
        assert tuple(words) == ("SET", "k", 1), f"{client.__name__}: a command is kept as it was"
        for part in ("scripts", "explicit_transaction", "watching", "reset", "load_scripts"):
            assert hasattr(pipeline, part), f"{client.__name__}: Pipeline.{part}"
        assert hasattr(pipeline, "raise_first_error"), client.__name__
        assert getattr(pipeline, "is_transaction" if is_async else "transaction") is True


@CHECKS.of("ConnectionPool._available_connections, _in_use_connections, _lock, _checkpid, pid")
def _a_pool_keeps_its_connections_in_two_places():
    connection = _Told()
    pool = _pool_of(connection)
    taken = pool.get_connection()
    assert taken is connection, "a connection is made by make_connection()"
    assert pool._in_use_connections == {connection}, "one that is in use is in a set"
    connection.pid = pool.pid
    pool.release(connection)
    assert pool._available_connections == [connection], "one that is idle is in a list"
    assert pool._in_use_connections == set()
    with pool._lock:
        pool._checkpid()
    ours = _pool_of(connection, Pool)
    assert vars(ours).keys() == vars(pool).keys(), "our pool has the same parts"
    on_loops = vars(redis.asyncio.ConnectionPool())
    assert {"_available_connections", "_in_use_connections"} <= on_loops.keys()
    for name in ("get_available_connection", "ensure_connection"):
        assert hasattr(redis.asyncio.ConnectionPool, name), f"redis.asyncio.ConnectionPool.{name}"
    assert vars(AsyncPool()).keys() == on_loops.keys(), "our pool has the same parts"


@CHECKS.of("ConnectionPool._created_connections")
def _a_pool_counts_the_connections_that_it_has_made():
    for library in (redis, valkey):
        pool = library.ConnectionPool(max_connections=2)
        assert pool._created_connections == 0, f"{library.__name__}: a new pool has made none"
        pool.make_connection()
        assert pool._created_connections == 1, f"{library.__name__}: make_connection() counts"


@CHECKS.of("the attributes of a client and of its pool")
def _a_client_consists_of_what_is_copied():
    from pytest_supercache.layers.clients import AsyncClient, Client

    made = (Client(connection_pool=Pool()), AsyncClient(connection_pool=AsyncPool()))
    for client, known in zip(made, _KNOWN, strict=True):
        parts = vars(client).keys(), vars(client.connection_pool).keys()
        assert parts == known, "clients are no longer copied, so each execution is slower"


@CHECKS.of("Redis._event_dispatcher, _event_listeners_mapping, _async_lock")
def _a_dispatcher_consists_of_what_is_copied():
    parts = vars(vars(redis.Redis())["_event_dispatcher"])
    assert parts.keys() == _DISPATCHER
    listeners = parts["_event_listeners_mapping"]
    assert all(isinstance(told, list) for told in listeners.values())


@CHECKS.of("Redis._execute_command, response_callbacks, CaseInsensitiveDict")
def _a_client_reads_answers_by_a_table():
    connection = _Told()
    client = redis.Redis(connection_pool=_pool_of(connection))
    assert type(client.response_callbacks) is redis.client.CaseInsensitiveDict
    client.set_response_callback("ECHO", lambda answer, **_options: answer.decode())
    assert client._execute_command("ECHO", "x") == "answer", "an answer is read by its row"
    assert [name for name, _ in connection.told if name in {"send_command", "read_response"}] == [
        "send_command", "read_response",
    ]  # fmt: skip
    assert client.connection is None, "a client that was not asked to keep one has no connection"


@CHECKS.of("Connection._command_packer, PythonRespSerializer, Encoder")
def _a_connection_writes_commands_down_by_its_parts():
    from redis.connection import Encoder, PythonRespSerializer

    connection = redis.connection.Connection()
    if type(connection._command_packer) is PythonRespSerializer:  # hiredis packs in its own way
        assert b"".join(connection._command_packer.pack("GET", "k")).endswith(b"$1\r\nk\r\n")
    assert type(connection.encoder) is Encoder
    assert (connection.encoder.encoding, connection.encoder.encoding_errors) == ("utf-8", "strict")
    assert connection.encoder.encode("k") == b"k"


@CHECKS.of("Retry._retries, _supported_errors")
def _a_retry_tells_how_often_and_after_which_errors():
    for kind in (Retry, redis.asyncio.retry.Retry):
        retry = kind(NoBackoff(), 4, supported_errors=(ValueError,))
        assert (retry._retries, tuple(retry._supported_errors)) == (4, (ValueError,))
        assert retry == kind(NoBackoff(), 4, supported_errors=(ValueError,)), "equal ones are equal"
    for make in (redis.Redis, redis.asyncio.Redis):
        usual = make().connection_pool.connection_kwargs.get("retry")
        assert usual is None or retrying._is_default(usual), "the usual one is known as such"


@CHECKS.of("CacheProxyConnection(connection, cache, pool_lock)")
def _a_client_that_caches_has_a_proxy_around_its_connection():
    parameters = list(inspect.signature(redis.connection.CacheProxyConnection).parameters)
    assert parameters == ["conn", "cache", "pool_lock"]


@CHECKS.of("_RESP3Parser, _HiredisParser, handle_push_response")
def _a_parser_handles_a_pushed_message_before_it_reads_on():
    for name in ("_RESP3Parser", "_HiredisParser"):
        assert callable(getattr(redis.connection, name).handle_push_response), name
    ours, theirs = socket.socketpair()
    with ours, theirs:
        parser = redis.connection._RESP3Parser(65536)
        parser.on_connect(SimpleNamespace(_sock=ours, socket_timeout=None, encoder=_encoder()))
        told = []
        parser.set_invalidation_push_handler(told.append)
        theirs.sendall(b">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n+PONG\r\n")
        assert parser.read_response() == b"PONG"
    assert told == [[b"invalidate", [b"k"]]]


def _encoder():
    return redis.connection.Encoder("utf-8", "strict", decode_responses=False)


@CHECKS.of("redis.asyncio Connection._writer")
def _an_asyncio_connection_keeps_the_stream_that_it_writes_to():
    async def answer(_reader, writer):
        writer.close()

    async def body():
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        made = redis.asyncio.connection.Connection(host=host, port=port)
        before = made._writer
        await made._connect()
        socket = made._writer.get_extra_info("socket")
        assert before is None, "a connection that is not open writes to nothing"
        assert socket.fileno() > 0, "its socket is asked for its descriptor"
        await made.disconnect(nowait=True)
        server.close()
        await server.wait_closed()

    asyncio.run(body())


@CHECKS.of("redis.asyncio Connection._reader, _parser, StreamReader._buffer")
def _an_asyncio_connection_keeps_what_it_has_not_taken_in_its_stream():
    async def answer(_reader, writer):
        writer.write(b"+one\r\n+two\r\n")
        writer.close()

    async def body():
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        made = redis.asyncio.connection.Connection(host=host, port=port)
        await made._connect()
        made._parser.on_connect(made)
        assert await made._parser.read_response() == b"one"
        replies = getattr(made._parser, "_reader", None)  # of hiredis
        assert made._reader._buffer or replies.has_data(), "the other one was not taken"
        await made.disconnect(nowait=True)
        server.close()
        await server.wait_closed()

    asyncio.run(body())


@CHECKS.of(
    "RedisCluster._execute_command, NodeCommands.write, NodesManager.get_node_from_slot, on_connect"
)
def _a_client_of_a_cluster_sends_by_three_methods():
    for library, name in CLUSTERS:
        client = getattr(library.cluster, name)
        parameters = list(inspect.signature(client._execute_command).parameters)
        assert parameters[:2] == ["self", "target_node"], f"{name}: a node, then a command"
        assert callable(client.on_connect), name
        assert list(inspect.signature(library.cluster.NodeCommands.write).parameters) == ["self"]
        choice = inspect.signature(library.cluster.NodesManager.get_node_from_slot).parameters
        assert list(choice)[:3] == ["self", "slot", "read_from_replicas"], name
    made = redis.cluster.TransactionStrategy
    assert list(inspect.signature(made._execute_transaction).parameters) == [
        "self", "stack", "raise_on_error",
    ]  # fmt: skip
    told = list(inspect.signature(made._send_command_parse_response).parameters)
    assert told == ["self", "conn", "redis_node", "command_name", "args", "options"]
    assert "_watching" in made.__init__.__code__.co_names, "it knows whether it watches"


@CHECKS.of(
    "ClusterNode.acquire_connection, connection_class, _connections, _free,"
    " RedisCluster._initialize"
)
def _a_node_of_an_asyncio_cluster_makes_its_connections():
    for library, name in CLUSTERS:
        cluster = import_module(f"{library.__name__}.asyncio.cluster")
        made = []

        def make(made=made, usual=cluster.Connection, **options):
            made.append(usual(**options))
            return made[-1]

        node = cluster.ClusterNode("127.0.0.1", 1, connection_class=make)
        assert node.acquire_connection() is made[0]
        assert (node._connections, list(node._free)) == (made, [])
        node._free.append(made[0])
        assert node.acquire_connection() is made[0], "one that is idle is used again"
        assert getattr(cluster, name)(host="127.0.0.1")._initialize is True, "it is to ask"


@CHECKS.of("CommandsParser.get_keys, AsyncCommandsParser.get_keys, initialize")
def _a_client_of_a_cluster_finds_keys_by_a_parser_that_asks():
    for library, _ in CLUSTERS:
        on_loops = import_module(f"{library.__name__}.asyncio.cluster").AsyncCommandsParser
        on_threads = library.cluster.CommandsParser
        assert list(inspect.signature(on_threads.get_keys).parameters)[1] != "args", "a client"
        assert list(inspect.signature(on_loops.get_keys).parameters) == ["self", "args"]
        assert _awaited(on_loops.get_keys)
        assert _awaited(on_loops.initialize)
        assert callable(on_threads.initialize)


@CHECKS.of("SentinelConnectionPool.owns_connection, is_master, sentinel_manager")
def _a_pool_of_sentinel_knows_whom_it_asks_and_for_whom():
    for library, _ in CLUSTERS:
        for sentinel in (library.sentinel, import_module(f"{library.__name__}.asyncio.sentinel")):
            for is_master in (True, False):
                pool = sentinel.SentinelConnectionPool("shop", None, is_master=is_master)
                assert pool.is_master is is_master
                assert pool.sentinel_manager is None
                assert list(inspect.signature(pool.owns_connection).parameters) == ["connection"]


@CHECKS.of("PubSubWorkerThread")
def _a_thread_that_listens_is_known_by_its_name():
    for client in (redis.client, valkey.client):
        assert client.PubSubWorkerThread.__mro__[1].__name__ == "Thread", client.__name__
        assert "PubSubWorkerThread" in client.PubSub.run_in_thread.__code__.co_names
