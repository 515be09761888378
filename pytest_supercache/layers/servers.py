"""The servers behind the existing cache: fakeredis in this process, or a real server."""

import shutil
import socket
import subprocess
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.lifeline import Lifeline
from pytest_supercache.core.masking import masked, masked_address
from pytest_supercache.core.real_clock import real_seconds, real_sleep
from pytest_supercache.layers.connections import portable_arguments, private_client
from pytest_supercache.layers.fake_server import FakeRedisServer

if TYPE_CHECKING:
    import redis

START_SECONDS = 10.0
"""The longest time until a server answers its first PING."""

STOP_SECONDS = 5.0
"""The longest time until a server ends after a request."""

_ENDS_WITH_US = """
exec 3<&0
(trap "" HUP INT TERM; read -r _ <&3; kill -9 $$; rm -rf "$0") &
exec "$@" 3<&- </dev/null
"""
"""The program of a shell: before it becomes the server, it forks a process that kills the server,
and removes its folder, as soon as the lifeline on its input is cut."""


class RealServer:
    """A ``redis-server`` or ``valkey-server`` of our own on a unix socket."""

    runs_scripts = True
    moves_time = False
    reuses_connections = False
    tells_of_changes = True
    has_databases = True
    messages_arrive = True
    """Once it is quiet, all messages of channels that it has sent have arrived."""

    def __init__(self, program: str = "redis-server") -> None:
        self.backend = program
        path = shutil.which(program)
        if path is None:
            raise SupercacheError(
                f"--supercache-backend={program}: there is no {program} on this machine. "
                f"Install it (Debian: apt-get install {program}), or use the default, fakeredis."
            )
        self._folder = tempfile.mkdtemp(prefix="supercache-")
        self._socket = str(Path(self._folder) / "server.sock")
        lifeline = Lifeline()
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", _ENDS_WITH_US, self._folder,
             path, "--port", "0", "--unixsocket", self._socket, "--save", "", "--appendonly", "no",
             "--dir", self._folder],
            stdin=lifeline.far_end, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        lifeline.drop_far_end()
        self._stop = weakref.finalize(self, _stop, self._process, self._folder, lifeline)
        self.url = f"unix://{self._socket}"
        self.addresses = frozenset({self._socket})
        self._admin = self._wait_until_ready(program)
        facts = self._admin.info("server")
        number = facts.get("valkey_version") or facts["redis_version"]
        self.description = f"{program} {number}"
        self._has_functions = int(number.partition(".")[0]) >= 7
        self._usual = dict[str, str]()  # settings that were changed since, as they were before

    @property
    def socket(self) -> str:
        """The path of the unix socket."""
        return self._socket

    def connection(self, arguments: Mapping[str, Any], library: str = "redis") -> Any:
        """Make a connection of redis-py or valkey-py to the server."""
        make: Any = import_module(f"{library}.connection").UnixDomainSocketConnection
        return make(path=self._socket, **portable_arguments(arguments))

    def aconnection(self, arguments: Mapping[str, Any], library: str = "redis") -> Any:
        """Make an asyncio connection of redis-py or valkey-py to the server."""
        make: Any = import_module(f"{library}.asyncio.connection").UnixDomainSocketConnection
        return make(path=self._socket, **portable_arguments(arguments))

    def reset(self, *, was_plain: bool = False) -> None:  # noqa: ARG002 - they are closed anyway
        """Drop all data, scripts and functions; connections are closed by their owners."""
        self._admin.flushall()
        self._admin.script_flush()
        if self._has_functions:
            self._admin.function_flush()
        self._configure_as_usual()

    def _configure_as_usual(self) -> None:
        """Set what was changed back; what cannot be changed is as it was."""
        while self._usual:
            name, value = self._usual.popitem()
            if self._admin.config_get(name) != {name: value}:
                self._admin.config_set(name, value)

    def remember(self, setting: str) -> None:
        """Remember how a setting is, for the next execution, because it is about to be changed."""
        for name, value in self._admin.config_get(setting).items():
            self._usual.setdefault(str(name), str(value))

    def strings(self, _database: int) -> dict[str, str] | None:
        """Return None, because another process has no shortcut to its content."""
        return None

    def save(self) -> Any:
        """Return the content of every database, for :meth:`load`."""
        numbers = (int(name.removeprefix("db")) for name in self._admin.info("keyspace"))
        saved = {}
        for number in numbers:
            with self._database(number) as database:
                saved[number] = _dump(database)
        return saved

    def load(self, saved: Any) -> None:
        """Restore what :meth:`save` returned."""
        self._admin.flushall()
        for number, content in saved.items():
            with self._database(number) as database:
                _restore(database, content)

    @contextmanager
    def _database(self, number: int) -> Iterator["redis.Redis"]:
        client = private_client(lambda: self.connection({"db": number}))
        try:
            yield client
        finally:
            client.connection_pool.disconnect()

    def expiries(self) -> dict[str, float]:
        """Return nothing, because real time cannot be moved, so no expiry is a deadline."""
        return {}

    def quiesce(self) -> None:
        """Return when all earlier commands are answered and all invalidations were sent."""
        _quiesce(self._admin)

    def close(self) -> None:
        """Stop the process and remove its folder."""
        self._admin.connection_pool.disconnect()  # the client itself leaves a given pool alone
        self._stop()

    def _wait_until_ready(self, program: str) -> "redis.Redis":
        import redis

        admin = private_client(lambda: self.connection({}))
        end = real_seconds() + START_SECONDS
        while True:
            try:
                admin.ping()
            except redis.exceptions.ConnectionError as error:
                if self._process.poll() is not None or real_seconds() > end:
                    self._stop()
                    raise SupercacheError(f"{program} did not start: {error}") from error
                real_sleep(0.01)
            else:
                return admin


CLAIM = "pytest-supercache"
"""The name of our first connection to a database, which marks it as taken."""


class ForeignServer:
    """A server of the user, named by a URL; its database is ours during the run.

    It is emptied at every reset and at the end, so it must be empty and unused.
    """

    runs_scripts = True
    moves_time = False
    reuses_connections = False
    tells_of_changes = True
    messages_arrive = False  # it may be far away
    has_databases = False  # all numbers stand for the one that the URL names

    def __init__(self, url: str) -> None:
        import redis

        _refuse_wrong_url(url)
        self.url = url
        self.backend = shown = masked(url)
        self._pool = redis.ConnectionPool.from_url(url)
        self._admin = private_client(lambda: self.connection({"client_name": CLAIM}))
        try:
            facts = self._admin.info("server")
            is_taken, is_used = self._is_anybody_elses(), self._admin.dbsize() > 0
            self.addresses = _addresses(self._pool.connection_kwargs)
        except (redis.exceptions.RedisError, OSError) as error:
            self._disconnect()
            raise SupercacheError(f"--supercache-backend={shown}: no answer: {error}") from error
        if is_taken or is_used:
            self._disconnect()
        if is_taken:
            raise SupercacheError(
                f"--supercache-backend={shown}: another run uses this database, and each would "
                "erase what the other one stores. Name another database; with -n leave it to "
                "--supercache-backend=redis-server, which starts a server for each worker."
            )
        if is_used:
            raise SupercacheError(
                f"--supercache-backend={shown}: the database is not empty. Every execution would "
                "erase it; name an empty one (redis://host/9), or empty it yourself if a run that "
                "was killed has left something there."
            )
        self.description = f"redis {facts['redis_version']} at {shown}"

    def _is_anybody_elses(self) -> bool:
        """Say whether an older connection has the same claim; claims end with their run."""
        own, database = self._admin.client_id(), self._pool.connection_kwargs.get("db", 0)
        return any(
            each["name"] == CLAIM and each["db"] == str(database) and int(each["id"]) < own
            for each in self._admin.client_list()
        )

    def connection(self, arguments: Mapping[str, Any], library: str = "redis") -> Any:
        """Make a connection of redis-py or valkey-py to the server."""
        own = {name: value for name, value in portable_arguments(arguments).items() if name != "db"}
        pool: Any = self._pool
        if library != "redis":
            pool = import_module(library).ConnectionPool.from_url(self.url)
        return pool.connection_class(**{**pool.connection_kwargs, **own})

    def aconnection(self, arguments: Mapping[str, Any], library: str = "redis") -> Any:
        """Make an asyncio connection of redis-py or valkey-py to the server."""
        own = {name: value for name, value in portable_arguments(arguments).items() if name != "db"}
        pool = import_module(f"{library}.asyncio").ConnectionPool.from_url(self.url)
        return pool.connection_class(**{**pool.connection_kwargs, **own})

    def reset(self, *, was_plain: bool = False) -> None:  # noqa: ARG002 - they are closed anyway
        """Empty the database."""
        self._admin.flushdb()

    def remember(self, setting: str) -> None:
        """Remember nothing: what code under test changes of somebody else's server stays so."""

    def strings(self, _database: int) -> dict[str, str] | None:
        """Return None, because another process has no shortcut to its content."""
        return None

    def save(self) -> Any:
        """Return the stored bytes and remaining TTLs, for :meth:`load`."""
        return _dump(self._admin)

    def load(self, saved: Any) -> None:
        """Restore what :meth:`save` returned."""
        self._admin.flushdb()
        _restore(self._admin, saved)

    def expiries(self) -> dict[str, float]:
        """Return nothing, because real time cannot be moved, so no expiry is a deadline."""
        return {}

    def quiesce(self) -> None:
        """Return when all earlier commands are answered and all invalidations were sent."""
        _quiesce(self._admin)

    def close(self) -> None:
        """Empty the database and close our own connections; the server keeps running."""
        self._admin.flushdb()
        self._disconnect()

    def _disconnect(self) -> None:
        self._admin.connection_pool.disconnect()
        self._pool.disconnect()


AnyServer = FakeRedisServer | RealServer | ForeignServer


def start_server(backend: str) -> AnyServer:
    """Start the server that ``--supercache-backend`` names.

    Raises:
        SupercacheError: the name is unknown, or the server cannot be started or reached.
    """
    if backend == "fakeredis":
        return FakeRedisServer()
    if backend in {"redis-server", "valkey-server"}:
        return RealServer(backend)
    if backend.startswith(("redis://", "rediss://", "unix://")):
        return ForeignServer(backend)
    raise SupercacheError(
        f"--supercache-backend={masked_address(backend)!r} is not known. Expected fakeredis, "
        "redis-server, valkey-server or a redis:// URL."
    )


def shown_address(url: str) -> str:
    """Return a server's name or URL without credentials, valid or not."""
    return masked_address(url) if ":" in url and _is_wrong(url) else masked(url)


def _refuse_wrong_url(url: str) -> None:
    """Refuse a URL that redis-py would parse in another way than the user means.

    Raises:
        SupercacheError: a user or password ends it too early, or its port or an option is wrong.
    """
    if _is_wrong(url):
        raise SupercacheError(
            f"--supercache-backend={masked_address(url)}: this is no URL of a Redis server. "
            "Expected redis://user:password@host:6379/0; in a user or password, / ? # and @ are "
            "written %2F %3F %23 and %40."
        )


def _is_wrong(url: str) -> bool:
    try:
        parts = urlsplit(url)
        is_port = parts.port != 0
    except ValueError:
        return True
    is_one = url.count("://") == 1 and is_port
    if not is_one or (parts.scheme != "unix" and "@" in parts.path):
        return True
    return bool(parts.query) and not _knows_the_options_of(url)


def _knows_the_options_of(url: str) -> bool:
    """Say whether redis-py accepts the options after the question mark."""
    import redis

    try:
        redis.ConnectionPool.from_url(url).make_connection()  # which opens nothing
    except (TypeError, ValueError):
        return False
    return True


def _addresses(arguments: Mapping[str, Any]) -> frozenset[Any]:
    """Return the addresses of a pool with these arguments: a path, or a host and its numbers."""
    if "path" in arguments:
        return frozenset({arguments["path"]})
    host, port = arguments.get("host", "localhost"), arguments.get("port", 6379)
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return frozenset({(host, port), *(address[:2] for *_, address in found)})


def _quiesce(admin: "redis.Redis") -> None:
    """Ping twice: a server writes the answers of one loop in any order, then begins the next."""
    admin.ping()
    admin.ping()


def _dump(admin: "redis.Redis") -> dict[Any, tuple[bytes, int]]:
    saved = {}
    for key in admin.keys("*"):
        body = admin.dump(key)
        if body is not None:
            ttl = admin.pttl(key)
            saved[key] = (body, 0 if ttl == -1 else max(ttl, 1))  # to RESTORE 0 means for ever
    return saved


def _restore(admin: "redis.Redis", saved: dict[Any, tuple[bytes, int]]) -> None:
    for key, (body, ttl) in saved.items():
        admin.restore(key, ttl, body)


def _stop(process: "subprocess.Popen[bytes]", folder: str, lifeline: Lifeline) -> None:
    """Stop a server of this process; a forked process must not stop its parent's."""
    if not lifeline.is_held:
        return
    lifeline.cut()  # before it is waited for: until then its number is nobody else's
    end = real_seconds() + STOP_SECONDS
    while process.poll() is None and real_seconds() < end:
        real_sleep(0.01)
    process.kill()
    process.wait()
    shutil.rmtree(folder, ignore_errors=True)
