"""A server that code under test has looked for before the checks, and not found, is named.

Its checks show what the code does without a cache. Inside of an execution such an attempt is a
hazard: `soundness/test_connections_from_before.py` and its neighbours.
"""

import os
import socket

import pytest
from click.testing import CliRunner

from pytest_supercache.cli import main
from tests.plugin.conftest import Project
from tests.plugin.projects import SHOP, race
from tests.plugin.test_plugin_gate import gate
from tests.selection import few

NO_SERVER = "localhost:1"
"""Nobody listens at a port that only the superuser may use."""

LOOKS = """
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

def found():
    client = redis.Redis(host="localhost", port={port}, retry=Retry(NoBackoff(), 1))
    try:
        client.ping()
    except redis.ConnectionError:
        return None
    return client
"""
AT_IMPORT = LOOKS.format(port=1) + "\nCACHE = found()\n"
SYSTEM = f"import finds\n{SHOP}"
USED_BY_A_SYSTEM = "in_vain"
TOLD = "in_vain_besides"


@pytest.fixture
def held(project: Project) -> Project:
    """A project whose two scenarios hold."""
    project.conftest(SYSTEM)
    write(project, "finds.py", AT_IMPORT)
    for name in ("one", "two"):
        project.scenario(race(name, "uncached"), name)
    return project


def write(project: Project, name: str, text: str) -> None:
    path = project.path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def named(project: Project, kind: str = USED_BY_A_SYSTEM) -> list[str]:
    """Return the places that are named, without the line and the error."""
    found = project.verdict()["run"][kind]
    assert all(":" in one and one.endswith("refused)") for one in found), found
    return [f"{one.partition(':')[0]} {one.split('(')[1].rpartition(':')[0]}" for one in found]


@pytest.mark.parametrize(
    "options", few([["-n1"], [], ["--supercache-workers=2", "-p", "no:xdist"]], 1)
)
def test_a_cache_that_is_missing_at_import_is_no_go(held: Project, options: list[str]) -> None:
    result = held.run_apart("--supercache-gate", *options)
    assert result.ret == 6
    assert named(held) == [f"finds.py {NO_SERVER}"]
    result.stdout.fnmatch_lines(["*finds.py:* (localhost:1: Connection refused) is code under*"])


def test_a_cache_that_is_there_at_import_is_go(held: Project) -> None:
    """The twin."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        write(
            held,
            "finds.py",
            f"import socket\nsocket.create_connection(('localhost', {port})).close()\n",
        )
        assert held.run("--supercache-gate").ret == 0
    assert gate(held)["limits"] == []


def test_without_the_gate_it_is_recorded_all_the_same(
    held: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert held.run().ret == 0
    assert named(held) == [f"finds.py {NO_SERVER}"]
    monkeypatch.chdir(held.path)
    said = CliRunner().invoke(main, ["verdict"])
    assert said.exit_code == 6
    assert "is code under test that could not connect" in said.output


@pytest.mark.parametrize(
    "where",
    few(["tests/helping.py", "conftest.py", "test_it.py"], 1),
)
def test_what_tests_look_for_is_told_beside_a_go(held: Project, where: str) -> None:
    """A conftest, a test module or a helper that looks for a server, to skip tests without it."""
    write(held, "finds.py", "")
    if where == "conftest.py":
        held.conftest(f"{SYSTEM}\n{AT_IMPORT}")
    elif where == "test_it.py":
        write(held, where, f"{AT_IMPORT}\ndef test_it(): pass\n")
    else:
        write(held, where, AT_IMPORT)
        write(held, "tests/test_it.py", "from helping import CACHE\ndef test_it(): pass\n")
    assert held.run("--supercache-gate").ret == 0
    assert named(held) == []
    assert named(held, TOLD) == [f"{where} {NO_SERVER}"]
    (limit,) = gate(held)["limits"]
    assert limit.startswith(f"connections outside of the checks failed: {where}:")
    for name in ("message.md", "index.html"):
        assert (
            "connections outside of the checks failed" in (held.path / "reports" / name).read_text()
        )


def test_what_a_tool_reports_to_is_told_beside_a_go(
    held: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plugin with telemetry; a logger of the code under test is one, too."""
    write(held, "finds.py", "")
    tool = LOOKS.format(port=1) + "\ndef pytest_collection(): found()\n"
    write(held, ".venv/lib/site-packages/telemetry.py", tool)
    monkeypatch.setenv(
        "PYTHONPATH", "/".join((f"{held.path}", ".venv/lib/site-packages")), prepend=os.pathsep
    )
    assert held.run_cold("--supercache-gate", "-p", "telemetry").ret == 0
    assert held.verdict()["run"][TOLD] == ["telemetry (localhost:1: Connection refused)"]
    write(
        held,
        "finds.py",
        "import logging.handlers, socket\n"
        "out = logging.handlers.SocketHandler('localhost', 1)\n"
        "out.handle(logging.makeLogRecord({'msg': 'hello'}))\n",
    )
    assert held.run_apart("--supercache-gate").ret == 0
    assert held.verdict()["run"][TOLD] == ["logging.handlers (localhost:1: Connection refused)"]


def test_a_server_that_is_meant_to_be_missing_is_told_beside_a_go(held: Project) -> None:
    write(held, "pyproject.toml", f"[tool.supercache]\nabsent = ['{NO_SERVER}']\n")
    assert held.run("--supercache-gate").ret == 0
    (limit,) = gate(held)["limits"]
    assert limit.startswith("servers were missing, as `absent` says: finds.py:")
    write(held, "pyproject.toml", "[tool.supercache]\nabsent = ['localhost:2']\n")
    assert held.run("--supercache-gate").ret == 6
    write(held, "pyproject.toml", "[tool.supercache]\nabsent = 'localhost:1'\n")
    result = held.run("--supercache-gate")
    assert result.ret == 4
    assert "expected addresses as a verdict shows them" in result.stderr.str()


RETRIED = """
import socket, threading

waiting = socket.socket()
waiting.bind(("127.0.0.1", 0))
PORT = waiting.getsockname()[1]

def retried():
    for tried in range(2):
        try:
            socket.create_connection(("localhost", PORT)).close()
            return True
        except OSError:
            waiting.listen()

def once():
    try:
        return socket.create_connection(("localhost", PORT)).close()
    except OSError:
        return None
"""


def test_code_that_tries_again_until_its_server_is_there_has_found_it(held: Project) -> None:
    write(held, "finds.py", f"{RETRIED}\nassert retried()\n")
    assert held.run_apart("--supercache-gate").ret == 0
    assert gate(held)["limits"] == []


def test_that_others_reach_the_server_later_does_not_help(held: Project) -> None:
    """The twin: the module has decided, and goes on without it."""
    write(held, "finds.py", f"{RETRIED}\nCACHE = once()\n")
    held.conftest(f"{SYSTEM}\nfinds.waiting.listen()\nfinds.once.__globals__['retried']()\n")
    assert held.run_apart("--supercache-gate").ret == 6


ASYNC = """
import asyncio

async def found():
    try:
        await asyncio.open_connection("127.0.0.1", 1)
    except OSError:
        pass

asyncio.run(found())
"""


def test_a_socket_that_does_not_block_is_heard_too(held: Project) -> None:
    write(held, "finds.py", ASYNC)
    assert held.run_apart("--supercache-gate").ret == 6
    (found,) = held.verdict()["run"][USED_BY_A_SYSTEM]
    assert found.startswith("finds.py:")
    assert "127.0.0.1:1" in found


def test_a_name_that_does_not_resolve_is_a_server_that_is_missing(held: Project) -> None:
    write(held, "finds.py", LOOKS.format(port=1).replace("localhost", "no.invalid") + "found()\n")
    assert held.run_apart("--supercache-gate").ret == 6
    (found,) = held.verdict()["run"][USED_BY_A_SYSTEM]
    assert "(no.invalid:1: " in found


FIXTURE = """
import pytest
import pytest_supercache as sc
import finds

@pytest.fixture(scope={scope!r})
def cache():
    return finds.found()

def test_ordinary({ordinary}):
    {body}

@sc.explore
def test_explored(world{explored}):
    world.actor("alice", world.origin.get, "k")
    world.run()
"""


@pytest.mark.parametrize(
    ("scope", "ordinary", "explored", "body", "is_named"),
    few(
        [
            ("session", "cache", ", cache", "pass", True),
            ("function", "cache", "", "pass", False),
            ("function", "", "", "import lately", True),
            ("function", "", ", cache", "pass", True),
            ("function", "", "", "finds.found()", False),
        ],
        3,
    ),
)
def test_what_an_explored_item_needs_is_heard_and_not_what_an_ordinary_test_does(
    held: Project, scope: str, ordinary: str, explored: str, body: str, *, is_named: bool
) -> None:
    """A test may well ask what the code does without its server."""
    write(held, "finds.py", LOOKS.format(port=1))
    write(held, "lately.py", AT_IMPORT)
    text = FIXTURE.format(scope=scope, ordinary=ordinary, explored=explored, body=body)
    write(held, "test_it.py", text)
    assert held.run_apart("--supercache-gate").ret == (6 if is_named else 0)
    assert len(held.verdict()["run"][USED_BY_A_SYSTEM]) == is_named


RAW = """
import socket

def found():
    try:
        socket.create_connection(("127.0.0.1", 1)).close()
    except OSError:
        pass
"""


def test_a_system_s_factory_that_finds_no_server_is_unknown(held: Project) -> None:
    """An execution hears it: it is named once, as a reason of the item."""
    write(held, "finds.py", RAW)
    held.conftest(SYSTEM.replace("return Uncached(", "finds.found()\n    return Uncached("))
    assert held.run_apart("--supercache-gate").ret == 6
    assert named(held) == []
    assert held.rows()["one"]["verdict"] == "unknown"
