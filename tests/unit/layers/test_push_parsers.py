"""Which parsers of a client library hand over pushed messages."""

from types import SimpleNamespace

from pytest_supercache.layers.connections import push_parsers


class Handing:
    """A parser that hands pushed messages over."""

    def handle_push_response(self) -> None:
        """Hand a message over."""


class Plain:
    """A parser that knows no pushed messages, as that of hiredis in redis-py 5.2."""


def test_only_parsers_that_hand_pushed_messages_over_are_named() -> None:
    old = SimpleNamespace(CacheProxyConnection=object, _RESP3Parser=Handing, _HiredisParser=Plain)
    new = SimpleNamespace(CacheProxyConnection=object, _RESP3Parser=Handing, _HiredisParser=Handing)
    assert push_parsers(old) == [Handing]
    assert push_parsers(new) == [Handing, Handing]


def test_a_client_without_a_cache_of_its_own_has_none() -> None:
    assert push_parsers(SimpleNamespace(_RESP3Parser=Handing, _HiredisParser=Handing)) == []
