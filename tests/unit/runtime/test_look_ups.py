"""Which host names are looked up elsewhere, and which need no asking."""

import socket

import pytest

from pytest_supercache.layers.servers import _addresses
from pytest_supercache.runtime.process.look_ups import foreign_host

OWN = frozenset({"/run/redis.sock", ("redis.shop", 6379), ("10.0.0.7", 6379)})


@pytest.mark.parametrize("host", ["cache.shop", b"cache.shop", "10.0.0.300", "shop"])
def test_a_name_that_somebody_else_has_to_be_asked_for_is_foreign(host):
    assert foreign_host(host, OWN) == (host if isinstance(host, str) else host.decode())


@pytest.mark.parametrize(
    "host",
    [None, "", "localhost", "LOCALHOST", "127.0.0.1", b"::1", "fe80::1%eth0", "redis.shop",
     socket.gethostname()],
)  # fmt: skip
def test_a_number_this_machine_and_the_server_of_the_cache_are_not(host):
    assert foreign_host(host, OWN) is None


def test_the_server_of_the_cache_is_known_by_its_name_too():
    assert ("localhost", 6379) in _addresses({})
    assert _addresses({"path": "/run/redis.sock"}) == {"/run/redis.sock"}
