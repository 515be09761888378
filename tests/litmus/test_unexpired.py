"""What the sentence of a verdict says of keys with a time to live that could not expire."""

from time import sleep  # noqa: TID251 - what code under test does

import pytest

from pytest_supercache import Verdict, check
from pytest_supercache.checking.coverage import NO_KEY_EXPIRED


def _set(client):
    client.set("k", "v", px=300)


def _expire(client):
    client.set("k", "v")
    client.pexpire("k", 300)


def _pipeline(client):
    client.pipeline().set("k", "v").pexpire("k", 300).execute()


def _look(client, pause=0.0):
    if pause:
        sleep(pause)
    return client.get("k") is not None if client.exists("k") else None


def _checked(given, look, **options):
    def body(world):
        client = world.existing_cache.client()
        given(client)
        world.actor("alice", look, client)
        world.run()

    return check(body, **options)


@pytest.mark.parametrize("given", [_set, _expire, _pipeline])
def test_a_key_that_the_body_gave_a_time_to_live_is_said_not_to_have_expired(given):
    result = _checked(given, _look)
    assert result.verdict is Verdict.HOLDS
    assert NO_KEY_EXPIRED in result.coverage


def test_a_sleep_that_ends_before_the_key_does_not_let_it_expire():
    result = _checked(_set, lambda client: _look(client, 0.2))
    assert NO_KEY_EXPIRED in result.coverage


def test_what_the_body_sleeps_after_the_flow_does_not_count():
    def body(world):
        client = world.existing_cache.client()
        _set(client)
        world.actor("alice", client.get, "k")
        world.run()
        sleep(1)
        assert client.get("k") is None

    result = check(body)
    assert result.verdict is Verdict.HOLDS, result.reasons
    assert NO_KEY_EXPIRED in result.coverage


def _without(client):
    client.set("k", "v")


def _asked(client):
    client.set("k", "v")
    client.pttl("k")


@pytest.mark.parametrize(
    ("given", "look", "options"),
    [
        pytest.param(_set, lambda client: _look(client, 1.0), {}, id="it expires"),
        pytest.param(_set, _look, {"ticks": 1}, id="it may expire early"),
        pytest.param(_set, lambda client: client.get("other"), {}, id="another key is read"),
        pytest.param(_without, _look, {}, id="it has no time to live"),
        pytest.param(_asked, _look, {}, id="it is only asked for one"),
    ],
)
def test_nothing_is_said_where(given, look, options):
    result = _checked(given, look, **options)
    assert result.verdict is Verdict.HOLDS
    assert "no key expired" not in result.coverage


def elected(world):
    """Let two users ask for a lease once each; nobody deletes it."""
    client = world.existing_cache.client()

    def lead(me):
        if client.set("leader", me, nx=True, px=1_000):
            client.set("data", me)

    world.actor("alice", lead, "alice")
    world.actor("bob", lead, "bob")
    world.run()
    assert client.get("data") == client.get("leader")


def test_a_lease_that_is_asked_for_in_vain_is_said_not_to_have_expired():
    result = check(elected)
    assert result.verdict is Verdict.HOLDS
    assert NO_KEY_EXPIRED in result.coverage


def test_with_ticks_it_expires_before_its_holder_has_written():
    assert check(elected, ticks=1).verdict is Verdict.VIOLATED
