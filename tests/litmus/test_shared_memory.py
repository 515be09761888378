"""Where memory is treated as shared, entry code and the arrival of an answer are steps."""

import asyncio

import pytest

from pytest_supercache import Verdict, check
from pytest_supercache.checking.check import check_on
from pytest_supercache.core.schedule import read_token
from pytest_supercache.core.settings import Exploration
from pytest_supercache.layers.servers import start_server


def test_in_shared_memory_the_first_lines_are_a_move_of_their_own():
    def body(world):
        box = {"x": "1"}
        cache = world.existing_cache.client()

        def alice():
            value = box["x"]
            cache.set("k", value)

        def bob():
            cache.get("z")
            box["x"] = "2"
            cache.set("k", "2")

        world.actor("alice", alice)
        world.actor("bob", bob)
        world.run()
        assert world.existing_cache.peek("k") == box["x"]

    assert check(body, memory="shared").verdict is Verdict.VIOLATED


def test_in_shared_memory_an_error_is_an_answer_that_parts():
    def body(world):
        cache = world.existing_cache.client()
        cache.set("text", "x")
        seen = []

        def alice():
            try:
                cache.incr("text")
            except Exception:  # noqa: BLE001 - what the test is about
                seen.append("alice")

        def bob():
            cache.get("k")
            seen.append("bob")
            cache.get("k")

        world.actor("alice", alice)
        world.actor("bob", bob)
        world.run()
        first = next(s.actor for s in world.context.record.steps if s.label.startswith("INCR"))
        assert first != "alice" or seen[0] == "alice" or cache.get("k") is not None

    assert check(body, memory="shared").verdict is Verdict.VIOLATED


class Job:
    """Its task is cancelled by somebody else, perhaps when its command has taken effect."""

    def __init__(self, redis):
        self.redis = redis
        self.task = None

    async def work(self):
        self.task = asyncio.current_task()
        try:
            await self.redis.set("k", 1)
        except asyncio.CancelledError:
            return "not written"
        return "written"

    async def stop(self):
        if self.task:
            self.task.cancel()


async def cancelled_too_late(world):
    job = Job(world.existing_cache.aclient())
    world.actor("alice", job.work)
    world.actor("bob", job.stop)
    result = await world.run()
    assert not (result["alice"] == "not written" and await job.redis.get("k"))


def replayed(token, memory="auto"):
    _, schedule = read_token(token)
    settings = Exploration(memory=memory)
    server = start_server("fakeredis")
    return check_on(server, cancelled_too_late, settings, guarantees=(), replay=schedule)


def test_a_token_says_that_memory_came_to_be_treated_as_shared():
    found = check(cancelled_too_late)
    assert found.verdict is Verdict.VIOLATED
    token = found.counterexample.token
    assert token.endswith(";memory=@/alice/SET%20k,@everything/memory,Job/.task")
    again = replayed(token)
    assert again.verdict is Verdict.VIOLATED
    assert again.counterexample.token == token


@pytest.mark.parametrize("memory", ["shared", "declared"])
def test_a_token_does_not_say_what_the_settings_say(memory):
    found = check(cancelled_too_late, memory=memory)
    assert (found.verdict is Verdict.VIOLATED) == (memory == "shared")
    if found.counterexample is not None:
        assert "@everything" not in found.counterexample.token
        assert replayed(found.counterexample.token, memory).verdict is Verdict.VIOLATED
