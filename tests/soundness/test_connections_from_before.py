"""Connections that were made before the execution: at import, by a fixture.

What a declared call does with its own is declared: `plugin/test_plugin_foreign_redis.py`.
"""

import socket
from contextlib import closing, contextmanager

import pytest

from pytest_supercache import Verdict, check

NAMED = "uses a connection to 127.0.0.1:"


@contextmanager
def connected():
    """Yield the near end of a connection, and the far end, which a server would have."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = socket.create_connection(server.getsockname(), timeout=2)
        far, _ = server.accept()
    with closing(near), closing(far):
        yield near, far


def asking(ask):
    """A reader asks a cache elsewhere for the price that a writer changes in the origin alone."""

    def body(world):
        world.origin.set("k", "1")
        world.actor("reader", ask)
        world.actor("writer", world.origin.set, "k", "2")
        world.run()

    return check(body)


USES = {
    "recv": lambda near: near.recv(1),
    "recv_into": lambda near: near.recv_into(bytearray(1)),
    "sendall": lambda near: near.sendall(b"get k"),
    "a file of it": lambda near: near.makefile("rb", buffering=0).read(1),
    "send": lambda near: near.send(b"get k"),
}


@pytest.mark.parametrize("use", USES)
def test_a_connection_from_before_is_named_where_it_is_used(use):
    with connected() as (near, far):
        far.sendall(b"1" * 100)
        result = asking(lambda: USES[use](near))
    assert result.verdict is Verdict.UNKNOWN
    assert any(NAMED in reason for reason in result.reasons), result.reasons


def test_a_connection_from_before_that_no_user_uses_is_none_of_their_business():
    with connected() as (near, far):
        near.sendall(b"1")
        assert asking(lambda: None).verdict is Verdict.HOLDS
        assert far.recv(1) == b"1"


def test_a_pair_of_sockets_from_before_leads_nowhere():
    near, far = socket.socketpair()
    with near, far:
        far.sendall(b"1" * 100)
        assert asking(lambda: near.recv(1)).verdict is Verdict.HOLDS
