"""Which host names are looked up elsewhere, and which need no asking."""

import socket

import pytest

from pytest_supercache.layers.servers import _addresses
from pytest_supercache.runtime.process.look_ups import EVENTS, foreign_host

OWN = frozenset({"/run/redis.sock", ("redis.shop", 6379), ("10.0.0.7", 6379)})


@pytest.mark.parametrize("host", ["cache.shop", b"cache.shop", "10.0.0.300", "shop"])
def test_a_name_that_somebody_else_has_to_be_asked_for_is_foreign(host):
    for event in EVENTS:
        assert foreign_host(event, host, OWN) == (host if isinstance(host, str) else host.decode())


@pytest.mark.parametrize(
    "host",
    [None, "", "localhost", "LOCALHOST", "127.0.0.1", b"::1", "fe80::1%eth0", "redis.shop",
     socket.gethostname()],
)  # fmt: skip
def test_a_number_this_machine_and_the_server_of_the_cache_are_not(host):
    assert foreign_host("socket.getaddrinfo", host, OWN) is None
    assert foreign_host("socket.gethostbyname", host, OWN) is None


@pytest.mark.parametrize("host", ["192.0.2.1", ("192.0.2.1", 80), b"2001:db8::1", "fe80::1%eth0"])
def test_the_name_of_a_number_is_asked_for_elsewhere(host):
    for event in ("socket.gethostbyaddr", "socket.getnameinfo"):
        assert foreign_host(event, host, OWN) is not None


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", ("127.0.0.1", 80), ("::1", 80, 0, 0), "localhost", "", "10.0.0.7",
     ("10.0.0.7", 6379), ()],
)  # fmt: skip
def test_this_machine_and_the_server_of_the_cache_are_not(host):
    for event in ("socket.gethostbyaddr", "socket.getnameinfo"):
        assert foreign_host(event, host, OWN) is None


def test_the_server_of_the_cache_is_known_by_its_name_too():
    assert ("localhost", 6379) in _addresses({})
    assert _addresses({"path": "/run/redis.sock"}) == {"/run/redis.sock"}
