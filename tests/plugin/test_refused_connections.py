"""A tool of tests that refuses connections does not hide that code under test has tried to connect.

pytest-socket is such a tool: it replaces `connect` or the whole class for each test, and what it
raises is no OSError. The twin of each: nobody connects.
"""

import socket

import pytest

from tests.plugin.conftest import Project

TOOL = """
import socket
import pytest

class Refused(RuntimeError):
    pass

def refuse(*_args, **_options):
    raise Refused

class Refusing(socket.socket):
    def __new__(cls, *args, **options):
        raise Refused

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    item.tool = pytest.MonkeyPatch()
    item.tool.setattr(socket{what})

def pytest_runtest_teardown(item):
    item.tool.undo()
"""
REFUSES = {
    "connect": TOOL.format(what='.socket, "connect", refuse'),
    "connect_ex": TOOL.format(what='.socket, "connect_ex", refuse'),
    "sockets": TOOL.format(what=', "socket", Refusing'),
    "look-ups": TOOL.format(what=', "getaddrinfo", refuse'),
}
_USES = "with socket.socket() as used: used"
CONNECTS = {
    "connect": f"{_USES}.connect(('127.0.0.1', 1))",
    "connect_ex": f"{_USES}.connect_ex(('127.0.0.1', 1))",
    "sockets": f"{_USES}.connect(('127.0.0.1', 1))",
    "look-ups": "socket.create_connection(('localhost', 1))",
}
"""What code under test does, by what the tool refuses."""

FINDS = """
import socket
from contextlib import suppress

def look():
    with suppress(Exception):  # and goes on without it
        {connects}
"""
RACES = """
from finds import look
from pytest_supercache import explore

@explore
def test_it(world):
    found = []
    world.actor("alice", lambda: (look(), found.append(1)))
    world.actor("bob", found.append, 2)
    world.run()
    assert len(found) == 2
"""
PREPARES = """
import pytest
from finds import look
from pytest_supercache import explore

@pytest.fixture
def prepared():
    look()

@explore
def test_it(prepared, world):
    found = []
    world.actor("alice", found.append, 1)
    world.actor("bob", found.append, 2)
    world.run()
    assert len(found) == 2
"""
NOBODY = "pass"


def run(project: Project, what: str, test: str, connects: str) -> int:
    """Return the exit status of a run, in which the tool has refused for another test before."""
    project.conftest(REFUSES[what])
    (project.path / "finds.py").write_text(FINDS.format(connects=connects))
    project.test_file("def test_before(): pass\n", "test_before")
    project.test_file(test, "test_it")
    return int(project.run("test_before.py", "test_it.py").ret)


@pytest.mark.parametrize("what", REFUSES)
def test_a_connection_refused_in_an_execution_is_unknown(project: Project, what: str) -> None:
    assert run(project, what, RACES, CONNECTS[what]) == 1
    (unknown,) = project.verdict()["scenarios"]
    assert unknown["verdict"] == "unknown"
    assert "Refused was raised in its place" in str(unknown["reasons"])
    assert run(project, what, RACES, NOBODY) == 0


@pytest.mark.parametrize("wrong", ["('shop',)", "('127.0.0.1', 70_000)"])
def test_an_error_about_an_address_is_the_code_s_own(project: Project, wrong: str) -> None:
    assert run(project, "look-ups", RACES, f"{_USES}.connect({wrong})") == 0


def test_a_tool_may_refuse_before_it_looks_at_the_address(project: Project) -> None:
    assert run(project, "connect", RACES, f"{_USES}.connect(('shop',))") == 1
    (unknown,) = project.verdict()["scenarios"]
    assert "to ('shop',), and Refused was raised" in str(unknown["reasons"])


@pytest.mark.parametrize("what", REFUSES)
def test_one_refused_in_a_fixture_is_named(project: Project, what: str) -> None:
    assert run(project, what, PREPARES, CONNECTS[what]) == 0
    (named,) = project.verdict()["run"]["in_vain"]
    assert named.startswith("finds.py:")
    assert named.endswith("Refused of a tool)")
    assert run(project, what, PREPARES, NOBODY) == 0
    assert project.verdict()["run"]["in_vain"] == []


@pytest.mark.parametrize("what", ["connect", "sockets"])
def test_sockets_are_as_before_after_a_run(project: Project, what: str) -> None:
    before = dict(vars(socket.socket)), socket.socket, socket.getaddrinfo
    run(project, what, RACES, CONNECTS[what])
    assert before == (dict(vars(socket.socket)), socket.socket, socket.getaddrinfo)


def test_another_class_of_sockets_is_left_as_it_is(project: Project) -> None:
    """That of gevent makes its sockets by `object.__new__`, which takes no arguments."""
    project.conftest("""
import socket
import pytest

class Green:
    def __init__(self, family=-1, *, real=socket.socket):
        self.close = real(family).close

@pytest.fixture(autouse=True)
def green(monkeypatch):
    monkeypatch.setattr(socket, "socket", Green)
""")
    project.test_file("""
import socket

def test_it():
    socket.socket(socket.AF_INET).close()
""")
    assert project.run().ret == 0


@pytest.mark.parametrize("name", ["connect", "connect_ex"])
def test_a_double_may_return_what_it_likes(project: Project, name: str) -> None:
    project.conftest(f"""
import socket
import pytest

@pytest.fixture
def double(monkeypatch):
    monkeypatch.setattr(socket.socket, "{name}", lambda used, address: ("double", address))

@pytest.fixture
def later(double):
    pass
""")
    project.test_file(f"""
import socket

def test_it(later):
    with socket.socket() as used:
        assert used.{name}(("shop", 1)) == ("double", ("shop", 1))
""")
    assert project.run().ret == 0


def test_a_name_that_connect_ex_does_not_find_is_no_refusal(project: Project) -> None:
    project.conftest("")
    (project.path / "finds.py").write_text(
        FINDS.format(connects=f"{_USES}.connect_ex(('nowhere.invalid', 1))")
    )
    project.test_file(PREPARES)
    assert project.run().ret == 0
    (named,) = project.verdict()["run"]["in_vain"]
    assert named.startswith("finds.py:")
    assert "of a tool" not in named


def test_a_mock_in_the_place_of_a_connection_is_called_as_it_was(project: Project) -> None:
    project.conftest("""
import socket
import pytest

@pytest.fixture
def mock(monkeypatch):
    from unittest.mock import Mock
    monkeypatch.setattr(socket.socket, "connect", mock := Mock())
    return mock

@pytest.fixture
def later(mock):
    return mock
""")
    project.test_file("""
import socket

def test_it(later):
    with socket.socket() as used:
        used.connect(("shop", 1))
    later.assert_called_once_with(("shop", 1))
""")
    assert project.run().ret == 0
