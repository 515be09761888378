"""Connections that native code opens: no audit event tells of them, and what is sent is no step."""

import asyncio
import ctypes
import socket
import struct
import subprocess
import sys
from contextlib import contextmanager, nullcontext
from importlib import import_module

import pytest

from pytest_supercache import Verdict, check
from pytest_supercache.runtime.process.native_clients import CLIENTS

NAMED = "a client in native code has connected to 127.0.0.1:"
SERVER = """
import socket, sys
with socket.create_server(("127.0.0.1", 0), backlog=99) as server:
    print(server.getsockname()[1], flush=True)
    sys.stdin.read()
"""
LIBC = ctypes.CDLL(None, use_errno=True)


@pytest.fixture(scope="module")
def port():
    """The port of another process that lets everybody connect."""
    command = [sys.executable, "-c", SERVER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        yield int(server.stdout.readline())
        server.stdin.close()


@contextmanager
def connected(port):
    """Connect as a client in C does."""
    descriptor = LIBC.socket(socket.AF_INET, socket.SOCK_STREAM, 0)
    family, number = struct.pack("=H", socket.AF_INET), struct.pack("!H", port)
    address = family + number + socket.inet_aton("127.0.0.1") + bytes(8)
    assert LIBC.connect(descriptor, address, len(address)) == 0
    try:
        yield
    finally:
        LIBC.close(descriptor)


def raced(world, ask=lambda: None):
    """A reader asks a cache elsewhere for a price, which is changed in the origin alone."""
    world.actor("reader", ask)
    world.actor("writer", world.origin.set, "k", "2")
    world.run()


@pytest.mark.parametrize("native", [True, False])
def test_a_connection_that_was_made_for_the_execution_is_named(port, native):
    def body(world):
        with connected(port) if native else nullcontext():
            raced(world)

    result = check(body)
    assert result.verdict is (Verdict.UNKNOWN if native else Verdict.HOLDS)
    assert any(NAMED in reason for reason in result.reasons) is native


def test_a_connection_that_a_user_opens_is_named_though_later_runs_find_it_there(port):
    kept = []

    def ask():
        if not kept:
            kept.append(connected(port))
            kept[0].__enter__()

    result = check(lambda world: raced(world, ask))
    kept[0].__exit__(None, None, None)
    assert result.verdict is Verdict.UNKNOWN
    assert any(NAMED in reason for reason in result.reasons)


def test_a_connection_from_before_the_check_is_none_of_its_business(port):
    with connected(port):
        assert check(raced).verdict is Verdict.HOLDS


def test_both_ends_of_a_connection_may_be_here():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def body(world):
            with connected(server.getsockname()[1]):
                raced(world)

        assert check(body).verdict is Verdict.HOLDS


@pytest.mark.parametrize("native", [True, False])
def test_whoever_waits_for_native_code_does_not_wait_for_ever(port, native):
    async def body(world):
        with connected(port) if native else nullcontext():
            world.actor("reader", asyncio.get_running_loop().create_future)
            await asyncio.get_running_loop().create_future()

    result = check(body)
    assert result.verdict is (Verdict.UNKNOWN if native else Verdict.VIOLATED)
    assert any(NAMED in reason for reason in result.reasons) is native


CLIENT = """
class Connection:
    def __init__(self, value):
        self.value = value
    @classmethod
    async def create(cls, value):
        return cls(value)
"""


@pytest.fixture
def named(tmp_path, monkeypatch):
    """Import a stand-in of a client that is known to be native, and return its class."""

    def imported(module, kind):
        package, _, name = module.partition(".")
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
        (tmp_path / package / f"{name}.py").write_text(CLIENT.replace("Connection", kind))
        return getattr(import_module(module), kind)

    monkeypatch.syspath_prepend(tmp_path)
    yield imported
    for module in [name for name in sys.modules if name.partition(".")[0] in NATIVE]:
        del sys.modules[module]


NATIVE = {module.partition(".")[0]: module for module in CLIENTS}


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("module", CLIENTS)
def test_clients_that_are_known_are_named_where_they_are_made(named, module, late):
    kind, method, client, _ = CLIENTS[module]
    made = [] if late else [named(module, kind)]

    async def body(world):
        made[:] = made or [named(module, kind)]
        one = made[0](1) if method == "__init__" else await made[0].create(1)
        assert one.value == 1
        world.actor("reader", asyncio.sleep, 0)
        await world.run()

    result = check(body)
    assert result.verdict is Verdict.UNKNOWN
    assert f"the code under test uses {client}" in result.reasons[0]
    assert vars(made[0])[method].__qualname__.startswith(kind), "it is as it was"


def test_of_a_client_that_is_only_imported_nothing_is_said(named):
    named("pylibmc.client", "Client")
    assert check(raced).verdict is Verdict.HOLDS


def test_a_version_without_the_method_that_makes_clients_is_left_alone(named):
    del named("glide.glide_client", "BaseClient").create
    assert check(raced).verdict is Verdict.HOLDS
