"""A Redis that is not the existing cache: named as a reason; what can be led to it, is."""

import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest
import redis

from pytest_supercache.layers.servers import RealServer
from tests.plugin.conftest import Project
from tests.plugin.projects import one_reader, race
from tests.selection import few

FOUND_IN_THE_RACE = "sc1:S-1:alice*2,bob*2,alice"

ELSEWHERE = """
import socket
import redis
from redis.connection import UnixDomainSocketConnection

ADDRESS = {address!r}
EARLY = redis.Redis(unix_socket_path=ADDRESS)
EARLY.ping()

def pytest_unconfigure():
    EARLY.close()

class Direct:
    def __init__(self, layers):
        self.own = layers.existing_cache.client()
    def get(self, key):
        self.own.get(key)
        connection = UnixDomainSocketConnection(path=ADDRESS)
        connection.send_command("GET", key)
        return connection.read_response()

class Connected(Direct):
    def get(self, key):
        return EARLY.get(key)

class Raw(Direct):
    def get(self, key):
        self.own.get(key)
        with socket.socket(socket.AF_UNIX) as raw:
            raw.connect(ADDRESS)

sc.system("direct")(lambda layers: Direct(layers))
sc.system("connected")(lambda layers: [Connected(layers)][0])
sc.system("raw")(lambda layers: (Raw(layers),)[0])
sc.system("named", redis=["conftest:EARLY"])(lambda layers: dict(it=Connected(layers))["it"])
"""

AT_IMPORT = """
import redis
CLIENT = redis.Redis(host="cache.example.invalid")

class Early:
    def __init__(self, layers):
        self.db = layers.origin
    def get(self, key):
        found = CLIENT.get(key)
        if found is None:
            found = self.db.get(key)
            CLIENT.set(key, found)
        return int(found)
    def set(self, key, value):
        self.db.set(key, value)
        CLIENT.delete(key)

sc.system("early")(lambda layers: Early(layers))
"""


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """The socket of a Redis that no run controls."""
    server = RealServer()
    yield server.socket
    server.close()


@pytest.mark.redis_server
def test_a_connection_to_a_redis_elsewhere_makes_it_unknown_but_one_that_is_named_is_led_here(
    project: Project, elsewhere: str
) -> None:
    project.add_to_conftest(ELSEWHERE.format(address=elsewhere))
    for system in ("direct", "connected", "raw"):
        project.scenario(one_reader(system, system), system)
    text = one_reader("named", "named", "given: {existing_cache: {k: cached}}\n")
    project.scenario(text.replace("{read: k}", "{read: k, expect: cached}"), "named")
    project.run().assert_outcomes(failed=3, passed=1)
    rows = project.rows()
    assert rows.pop("named")["verdict"] == "holds"
    for row in rows.values():
        assert row["verdict"] == "unknown"
        assert elsewhere in str(row["reasons"])


@pytest.mark.redis_server
def test_a_redis_elsewhere_is_also_noticed_when_the_existing_cache_is_a_real_server(
    project: Project, elsewhere: str
) -> None:
    project.add_to_conftest(ELSEWHERE.format(address=elsewhere))
    project.scenario(one_reader("R-3", "raw"))
    project.run("--supercache-backend=redis-server").assert_outcomes(failed=1)
    assert elsewhere in project.reasons()


def test_a_client_made_at_import_is_led_to_the_existing_cache(project: Project) -> None:
    project.add_to_conftest(AT_IMPORT)
    project.scenario(race("R-4", "early"))
    project.run().assert_outcomes(failed=1)
    row = project.row()
    assert (row["verdict"], row["label"]) == ("violated", "conflict")
    assert any("GET product:42" in step["label"] for step in row["counterexample"]["steps"])


def test_redis_of_an_unknown_name_is_an_error_that_says_so(project: Project) -> None:
    project.add_to_conftest(
        'sc.system("lost", redis=["conftest:NOBODY"])(lambda layers: Uncached(None, layers.origin))'
    )
    project.scenario(one_reader("R-5", "lost"))
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*redis='conftest:NOBODY'*"])
    assert "Traceback" not in result.stdout.str()


@pytest.mark.redis_server
@pytest.mark.parametrize(
    "backend",
    few(
        [
            "redis-server",
            "unix",
            "fakeredis",
            pytest.param("valkey-server", marks=pytest.mark.valkey_server),
            "tcp",
        ],
        2,
    ),
)
def test_every_backend_gives_the_same_counterexample(
    project: Project, elsewhere: str, backend: str
) -> None:
    text, twin = race(), race("U-1", "uncached")
    project.scenario(text)
    project.scenario(twin, "twin")
    named = {"tcp": lambda: listening(elsewhere), "unix": lambda: f"unix://{elsewhere}?db=9"}
    address = named.get(backend, lambda: backend)()
    project.run(f"--supercache-backend={address}").assert_outcomes(failed=1, passed=1)
    (row,) = [row for row in project.rows().values() if row["verdict"] == "violated"]
    assert address in row["scope"]["backend"]
    assert (row["counterexample"]["token"], row["executions"]) == (FOUND_IN_THE_RACE, 2)


def listening(server: str) -> str:
    """Let a server listen on a port of this machine too; return its URL."""
    with redis.Redis(unix_socket_path=server) as client:
        while True:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            with suppress(redis.ResponseError):  # somebody else was faster
                client.config_set("port", port)
                return f"redis://127.0.0.1:{port}/9"


RAW_CLIENT = """
import socket
from urllib.parse import urlparse
import pytest_supercache as sc

class Raw:
    def __init__(self, url):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(urlparse(url).path)
        self.file = self.sock.makefile("rb")

    def ask(self, key, command):
        self.sock.sendall(command.encode() + b"\\r\\n")
        line = self.file.readline()
        size = int(line[1:]) if line[:1] == b"$" else -1
        return self.file.read(size + 2)[:-2].decode() if size >= 0 else None

class Counter:
    def __init__(self, raw):
        self.raw = raw

    def get(self, key):
        return int(self.raw.ask(key, f"GET {key}") or 0)

    def count(self, key):
        self.raw.ask(key, f"SET {key} {self.get(key) + 1}")

@sc.system("counter")
def counter(layers):
    raw = Raw(layers.existing_cache.url)
    yield Counter(raw)
    raw.file.close()
    raw.sock.close()

@sc.verb("count")
def count(system, user, key):
    system.count(key)
"""

TWO_VISITS = """
scenario: Two visits are counted
id: RAW-1
system: counter
guarantees: []
users: {alice: [{count: n}], bob: [{count: n}]}
finally: [{read: n, expect: 2}]
"""


@pytest.mark.redis_server
def test_a_client_of_its_own_on_the_existing_cache_is_no_proof(project: Project) -> None:
    project.conftest(RAW_CLIENT)
    project.scenario(TWO_VISITS)
    project.run("--supercache-backend=redis-server")
    [row] = project.rows().values()
    assert row["verdict"] == "unknown"
    assert "by a socket of its own" in row["reasons"][0]


@pytest.mark.redis_server
def test_a_client_of_its_own_whose_calls_are_declared_is_raced(project: Project) -> None:
    watch = "sc.watch('conftest:Raw.ask', 'existing_cache', reads='key', writes='key')"
    project.conftest(RAW_CLIENT, watch)
    project.scenario(TWO_VISITS)
    project.run("--supercache-backend=redis-server")
    [row] = project.rows().values()
    assert (row["verdict"], row["reasons"]) == ("violated", [])
