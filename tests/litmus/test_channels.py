"""Threads that listen to a Redis channel: their messages arrive in every order that matters."""

import threading
from time import monotonic

import pytest

from pytest_supercache import Verdict, check
from tests.adapters.flows import is_conflict, judged
from tests.searched import complete
from tests.selection import few


class Node:
    """A near cache that hears of changes; `careful`, it drops a fill that a message overtook."""

    def __init__(self, world, listen, careful=False):
        self.near, self.heard, self.careful, self.world = {}, 0, careful, world
        self.redis = world.existing_cache.client(decode_responses=True)
        self.channel = self.redis.pubsub(ignore_subscribe_messages=True)
        listen(self)

    def forget(self, message):
        self.heard += 1
        self.near.pop(message["data"], None)

    def get(self, key):
        if key in self.near:
            return self.near[key]
        heard, value = self.heard, self.redis.get(key)
        self.world.step("fill", reads=("near:k",), writes=("near:k",))
        if not self.careful or heard == self.heard:
            self.near[key] = value
        return value

    def set(self, key, value):
        self.redis.set(key, value)
        self.redis.publish("changes", key)


def on_a_thread(loop):
    def listen(node):
        def run():
            for message in loop(node.channel):
                node.world.step("hear", reads=("near:k",), writes=("near:k",))
                node.forget(message)

        node.channel.subscribe("changes")
        threading.Thread(target=run, daemon=True).start()

    return listen


def listening(channel):
    yield from channel.listen()


def waiting_a_while(channel):
    while True:
        if message := channel.get_message(timeout=1):
            yield message


def polling(channel):
    while True:
        if message := channel.get_message():
            yield message


def with_the_thread_of_the_library(node):
    node.channel.subscribe(changes=node.forget)
    node.channel.run_in_thread(sleep_time=1, daemon=True)


LISTEN = {
    "listen": on_a_thread(listening),
    "library": with_the_thread_of_the_library,
    "timeout": on_a_thread(waiting_a_while),
    "poll": on_a_thread(polling),
}


@pytest.mark.parametrize(
    ("listen", "careful"),
    few([(listen, careful) for listen in LISTEN for careful in (False, True)], 3),
)
def test_a_fill_that_was_overtaken_by_its_message_stays_unless_it_is_dropped(listen, careful):
    def body(world):
        world.existing_cache.client().set("k", "old")
        node = Node(world, LISTEN[listen], careful)
        world.actor("alice", node.get, "k")
        world.actor("bob", node.set, "k", "new")
        world.run()
        world.settle()
        assert node.get("k") == "new"

    assert is_conflict(judged(body, ticks=0, memory="declared")) is not careful


def two_messages(world):
    """Publish two messages to somebody who listens; return who did what in which order."""
    client = world.existing_cache.client(decode_responses=True)
    channel = client.pubsub(ignore_subscribe_messages=True)
    channel.subscribe("news")
    seen = []

    def publish():
        client.publish("news", "first")
        client.publish("news", "second")
        seen.append("published")

    def hear():
        messages = channel.listen()
        seen.extend(next(messages)["data"] for _ in range(2))

    world.actor("alice", publish)
    world.actor("bob", hear)
    world.run()
    return tuple(seen)


def test_messages_arrive_once_in_their_order_and_at_any_later_time():
    assert set(complete(two_messages)) == {
        ("published", "first", "second"),
        ("first", "published", "second"),
        ("first", "second", "published"),
    }


def test_who_listens_for_a_while_is_told_nothing_when_it_is_over():
    def body(world):
        channel = world.existing_cache.client().pubsub(ignore_subscribe_messages=True)
        channel.subscribe("news")

        def hear():
            assert channel.get_message(timeout=2) is None  # of the subscription
            begin = monotonic()
            assert channel.get_message(timeout=2) is None
            assert monotonic() - begin == pytest.approx(2)

        world.actor("alice", hear)
        world.run()

    assert check(body, guarantees=()).verdict is Verdict.HOLDS


def test_who_listens_to_a_channel_that_stays_silent_waits_for_ever():
    def body(world):
        channel = world.existing_cache.client().pubsub(ignore_subscribe_messages=True)
        channel.subscribe("news")
        world.actor("alice", lambda: next(channel.listen()))
        world.run()

    result = check(body, guarantees=())
    assert result.verdict is Verdict.VIOLATED
    assert "receive a message" in result.counterexample.violation.summary
