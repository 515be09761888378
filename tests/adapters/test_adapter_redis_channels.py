"""Channels of real servers: messages, and news of keys, arrive in every order that matters."""

import asyncio
import re
import time
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import redis
import redis.asyncio

from pytest_supercache import Verdict
from pytest_supercache.checking.check import check_on
from pytest_supercache.core.footprint import dependent
from pytest_supercache.core.settings import Exploration
from pytest_supercache.layers.redis_commands import described, footprint
from pytest_supercache.layers.servers import ForeignServer, RealServer, start_server
from tests.adapters.flows import is_conflict
from tests.litmus.test_channels import two_messages
from tests.selection import few

SETTINGS = Exploration(search="exhaustive")
OF_KEYS = "__keyspace@0__:*"
TOLD = "notify-keyspace-events"


@pytest.fixture(scope="module")
def server():
    server = start_server("redis-server")
    yield server
    server.close()


@pytest.fixture(scope="module")
def fake():
    return start_server("fakeredis")


def outcomes(server, body, **settings):
    """Search a body, which returns an outcome; return all of them, and the result."""
    seen = set()

    def noted(world):
        seen.add(body(world))

    async def noted_awaited(world):
        seen.add(await body(world))

    noting = noted_awaited if asyncio.iscoroutinefunction(body) else noted
    return seen, check_on(server, noting, replace(SETTINGS, **settings), guarantees=())


async def next_message(channel):
    """Wait for a message; that of the subscription is None."""
    while not (message := await channel.get_message(timeout=None)):
        pass
    return message


@asynccontextmanager
async def listening():
    """Open a client, and a channel of it on which news arrive."""
    client = redis.asyncio.Redis(host="production", decode_responses=True)
    async with client, client.pubsub(ignore_subscribe_messages=True) as channel:
        await channel.subscribe("news")
        yield client, channel


async def two_messages_awaited(world):
    seen = []

    async def publish():
        await client.publish("news", "first")
        await client.publish("news", "second")
        seen.append("published")

    async def hear():
        for _ in range(2):
            message = await next_message(channel)
            seen.append(message["data"])

    async with listening() as (client, channel):
        world.actor("alice", publish)
        world.actor("bob", hear)
        await world.run()
    return tuple(seen)


async def two_looks_awaited(world, timeout=0.0):
    """Somebody looks for messages twice, after that of the subscription."""
    seen = []

    async def publish():
        await client.publish("news", "first")
        await client.publish("news", "second")

    async def hear():
        await channel.get_message(timeout=timeout)
        for _ in range(2):
            message = await channel.get_message(timeout=timeout)
            seen.append(message and message["data"])

    async with listening() as (client, channel):
        world.actor("alice", publish)
        world.actor("bob", hear)
        await world.run()
    return tuple(seen)


async def within_a_second_awaited(world):
    """Somebody waits twice for the only message, for a second each."""
    seen = []

    async def publish():
        await client.publish("news", "heard")
        seen.append("published")

    async def hear():
        for _ in range(2):
            try:
                async with asyncio.timeout(1):
                    message = await channel.get_message(timeout=None)
            except TimeoutError:
                seen.append("too late")
            else:
                seen.append(message["data"])

    async with listening() as (client, channel):
        await channel.get_message(timeout=1)  # of the subscription
        world.actor("alice", publish)
        world.actor("bob", hear)
        await world.run()
    return tuple(seen)


def test_a_time_limit_takes_no_message_with_it(fake):
    found, _ = outcomes(fake, within_a_second_awaited, ticks=1)
    assert ("published", "too late", "heard") in found
    assert ("published", "too late", "too late") not in found


@pytest.mark.redis_server
@pytest.mark.parametrize(
    "flow", [two_messages, two_messages_awaited, two_looks_awaited, within_a_second_awaited]
)
def test_messages_arrive_in_the_orders_in_which_they_do_in_virtual_time(server, fake, flow):
    found, result = outcomes(server, flow)
    expected, _ = outcomes(fake, flow)
    assert found == expected
    assert len(found) > 2
    assert result.verdict is Verdict.HOLDS


def two_late_messages(world):
    """The client of the listener would ask whether its connection still lives."""
    client = redis.Redis("production", decode_responses=True, health_check_interval=1)
    channel = client.pubsub(ignore_subscribe_messages=True)
    channel.subscribe("news")

    def publish():
        time.sleep(5)  # noqa: TID251 - virtual: a health check becomes due
        client.publish("news", "first")
        client.publish("news", "second")

    world.actor("alice", publish)
    world.actor("bob", lambda: [next(channel.listen()) for _ in range(2)])
    world.run()


async def two_late_messages_awaited(world):
    async def publish():
        await asyncio.sleep(5)
        await client.publish("news", "first")
        await client.publish("news", "second")

    async def hear():
        await next_message(channel)
        await next_message(channel)

    client = redis.asyncio.Redis(host="production", health_check_interval=1)
    async with client, client.pubsub(ignore_subscribe_messages=True) as channel:
        await channel.subscribe("news")
        world.actor("alice", publish)
        world.actor("bob", hear)
        await world.run()


@pytest.mark.redis_server
@pytest.mark.parametrize("flow", [two_late_messages, two_late_messages_awaited])
def test_a_listener_does_not_take_a_health_check_for_a_lack_of_messages(server, fake, flow):
    assert check_on(fake, flow, SETTINGS, guarantees=()).verdict is Verdict.HOLDS
    assert check_on(server, flow, SETTINGS, guarantees=()).verdict is Verdict.HOLDS


def two_looks_for_a_long_message(world):
    client = redis.Redis("production")
    channel = client.pubsub(ignore_subscribe_messages=True)
    channel.subscribe("news")
    channel.get_message()
    seen = []
    world.actor("alice", client.publish, "news", "long" * 1_000_000)
    world.actor("bob", lambda: seen.extend(bool(channel.get_message()) for _ in range(2)))
    world.run()
    return tuple(seen)


@pytest.mark.redis_server
def test_a_message_longer_than_a_buffer_arrives_as_a_whole(server):
    found, result = outcomes(server, two_looks_for_a_long_message)
    assert found == {(False, False), (False, True), (True, False)}
    assert result.verdict is Verdict.HOLDS


@pytest.mark.redis_server
def test_a_subscription_has_taken_effect_before_the_next_command(server, monkeypatch):
    """A server that wakes up late reads what was sent meanwhile in an order of its own."""
    quiet, asked = server.quiesce, []
    monkeypatch.setattr(server, "quiesce", lambda: asked.append(quiet()))

    def body(world):
        client = redis.Redis("production")
        channel = client.pubsub()
        for change in (channel.subscribe, channel.unsubscribe):
            before = len(asked)
            change("news")
            assert len(asked) > before
        world.actor("alice", client.publish, "news", "first")
        world.run()

    assert check_on(server, body, SETTINGS, guarantees=()).verdict is Verdict.HOLDS


@pytest.mark.redis_server
@pytest.mark.parametrize("is_awaited", [False, True])
def test_who_listens_to_a_silent_channel_of_a_server_waits_for_ever(server, is_awaited):
    def body(world):
        channel = redis.Redis("production").pubsub(ignore_subscribe_messages=True)
        channel.subscribe("news")
        world.actor("alice", lambda: next(channel.listen()))
        world.run()

    async def body_awaited(world):
        client = redis.asyncio.Redis(host="production")
        async with client, client.pubsub(ignore_subscribe_messages=True) as channel:
            await channel.subscribe("news")
            world.actor("alice", next_message, channel)
            await world.run()

    result = check_on(server, body_awaited if is_awaited else body, SETTINGS, guarantees=())
    assert "nobody can go on" in result.counterexample.violation.summary


class Near:
    """A near cache on an event loop that hears of changes; `careful`, it reads after them anew."""

    def __init__(self, client, channel, careful):
        self.client, self.channel, self.careful = client, channel, careful
        self.entries, self.heard = {}, 0

    async def get(self, key):
        if key not in self.entries:
            heard, value = self.heard, await self.client.get(key)
            await asyncio.sleep(0)
            if self.careful and heard != self.heard:
                return value
            self.entries[key] = value
        return self.entries[key]

    async def hear(self):
        message = await next_message(self.channel)
        self.heard += 1
        self.entries.pop(message["channel"].partition(":")[2] or message["data"], None)


@pytest.mark.redis_server
@pytest.mark.parametrize(
    ("careful", "of_keys"), few([(False, False), (True, False), (False, True), (True, True)], 4)
)
def test_a_fill_on_a_loop_is_overtaken_by_its_message(server, careful, of_keys):
    """Whether the writer publishes the message, or the server tells of its keys."""

    async def body(world):
        client = redis.asyncio.Redis(host="production", decode_responses=True)
        async with client, client.pubsub(ignore_subscribe_messages=True) as channel:
            await client.set("k", "old")
            if of_keys:
                await client.config_set(TOLD, "KEA")
                await channel.psubscribe(OF_KEYS)
            else:
                await channel.subscribe("changes")
            near = Near(client, channel, careful)

            async def change():
                await client.set("k", "new")
                if not of_keys:
                    await client.publish("changes", "k")

            world.actor("alice", near.get, "k")
            world.actor("bob", change)
            world.actor("node", near.hear)
            await world.run()
            assert await near.get("k") == "new"

    result = check_on(server, body, SETTINGS, guarantees=())
    assert is_conflict(result) is not careful
    if careful:
        assert result.verdict is Verdict.HOLDS


def news_of_keys(world):
    client = redis.Redis("production", decode_responses=True)
    client.config_set(TOLD, "KEA")
    channel = client.pubsub(ignore_subscribe_messages=True)
    channel.psubscribe(OF_KEYS)
    seen = []

    def change():
        client.set("k", "new")
        seen.append("set")
        client.delete("k")
        seen.append("deleted")

    def hear():
        seen.append(f"heard of {next(channel.listen())['data']}")

    world.actor("alice", change)
    world.actor("bob", hear)
    world.run()
    return tuple(seen)


@pytest.mark.redis_server
def test_a_server_tells_of_a_key_at_any_time_after_its_change(server):
    found, result = outcomes(server, news_of_keys)
    assert found == {
        ("set", "deleted", "heard of set"),
        ("set", "heard of set", "deleted"),
        ("heard of set", "set", "deleted"),
    }
    assert result.verdict is Verdict.HOLDS


@pytest.mark.redis_server
def test_an_execution_does_not_inherit_what_an_earlier_one_has_configured(server):
    """The other check is about code that subscribes and does not configure anything."""

    def not_configured(world):
        client = redis.Redis("production")
        channel = client.pubsub(ignore_subscribe_messages=True)
        channel.psubscribe(OF_KEYS)
        client.set("k", 1)
        seen = []
        world.actor("alice", lambda: seen.extend(channel.get_message() for _ in range(2)))
        world.run()
        return tuple(map(bool, seen))

    outcomes(server, news_of_keys)
    assert outcomes(server, not_configured)[0] == {(False, False)}


@pytest.mark.redis_server
def test_settings_that_cannot_be_changed_are_not_set_back(server):
    def body(world):
        client = redis.Redis("production")
        for name in ("databases", "dir"):
            with pytest.raises(redis.ResponseError):
                client.config_set(name, 5)
        world.actor("alice", client.get, "k")
        world.actor("bob", client.set, "k", 1)
        world.run()

    assert check_on(server, body, SETTINGS, guarantees=()).verdict is Verdict.HOLDS


@pytest.mark.redis_server
def test_news_of_keys_that_expire_are_not_controlled(server):
    def body(world):
        redis.Redis("production").set("k", 1, ex=60)
        news_of_keys(world)

    result = check_on(server, body, SETTINGS, guarantees=())
    assert result.verdict is Verdict.UNKNOWN
    assert "tells of that in real time" in result.reasons[0]


def test_fakeredis_does_not_tell_of_keys_as_a_server_does(fake):
    result = check_on(fake, news_of_keys, SETTINGS, guarantees=())
    assert result.verdict is Verdict.UNKNOWN
    assert "--supercache-backend=redis-server" in result.reasons[0]


@pytest.mark.redis_server
@pytest.mark.parametrize("flow", [two_messages, two_messages_awaited])
def test_messages_of_a_server_elsewhere_are_unknown(flow):
    real = RealServer()
    foreign = ForeignServer(f"{real.url}?db=3")
    try:
        result = check_on(foreign, flow, SETTINGS, guarantees=())
    finally:
        foreign.close()
        real.close()
    assert result.verdict is Verdict.UNKNOWN
    assert any(re.search("a server that this run has not started", r) for r in result.reasons)


@pytest.mark.parametrize(
    ("words", "hears"),
    [
        (["SUBSCRIBE", "__keyevent@0__:del"], True),
        (["SUBSCRIBE", "news", "__keyspace@0__:k"], True),
        (["SUBSCRIBE", "news", "__cluster"], False),
        (["PSUBSCRIBE", "news:*"], False),
        (["PSUBSCRIBE", "*"], True),
        (["PSUBSCRIBE", "__k?y*"], True),
        (["PSUBSCRIBE", "__kez*"], False),
        (["PUBLISH", "__keyspace@0__:k", "m"], False),
    ],
)
def test_who_may_hear_of_keys_is_known_by_the_channel(words, hears):
    assert described(words).hears_of_keys is hears


@pytest.mark.parametrize(
    ("channel", "is_told"), [("__keyspace@0__:*", True), ("*", True), ("news:*", False)]
)
def test_who_begins_to_hear_of_keys_may_come_before_or_after_each_command(channel, is_told):
    """Those that come earlier publish nothing that anybody hears."""
    subscription = footprint(["PSUBSCRIBE", channel])
    assert dependent(subscription, footprint(["SET", "k", 1])) is is_told
    assert dependent(subscription, footprint(["GET", "k"])) is is_told  # a miss
