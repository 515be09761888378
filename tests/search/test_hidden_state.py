"""Steps that share what they do not declare: the reduction finds out, or says what it assumed."""

from random import Random

import pytest

from pytest_supercache import Verdict, check
from tests.selection import either

SEEDS = range(either(4, 20))


def touch(world, key):
    """Take a step that declares one key and nothing else."""
    world.step(f"touch {key}", reads=key, writes=key)


def lost_update(world, random, hidden):
    """Two flows with keys of their own count in one dict, and tell what they found there."""

    def flow(key, pauses):
        touch(world, key)
        value = hidden.get("count", 0)
        for _ in range(pauses):
            touch(world, key)
        hidden["count"] = value + 1
        return value

    for key in ("k1", "k2"):
        world.actor(key, flow, key, random.randrange(1, 3))


def rarely_read(world, random, hidden):
    """The dict is looked at only by a flow that has seen a flag in time."""
    pauses = random.randrange(1, 3)

    def writes():
        touch(world, "k1")
        hidden["seen"] = True

    def reads():
        world.step("read k3", reads="k3", writes=())
        if not hidden.get("flag"):
            return None
        for _ in range(pauses):
            touch(world, "k2")
        return "seen" in hidden

    def raises_flag():
        world.step("write k3", reads=(), writes="k3")
        hidden["flag"] = True

    for flow in (writes, reads, raises_flag):
        world.actor(flow.__name__, flow)


def three_must_reverse(world, random, hidden):
    """Only one order of three steps shows anything: no swap of neighbours does."""
    order = random.sample(range(3), 3)

    def flow(number):
        touch(world, f"k{number}")
        hidden.setdefault("order", []).append(number)

    def looks():
        touch(world, "z")
        return hidden.get("order") == list(reversed(order))

    for number in order:
        world.actor(f"m{number}", flow, number)
    world.actor("looks", looks)


KINDS = [lost_update, rarely_read, three_must_reverse]


def planted(kind, seed, *, bystanders=0):
    """Make a body with hidden state, and so many flows of four steps that share nothing."""

    def body(world):
        kind(world, Random(f"{kind.__name__} {seed}"), {})
        for number in range(bystanders):
            world.actor(f"b{number}", lambda n=number: [touch(world, f"own{n}") for _ in range(4)])
        world.run()

    return body


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_hidden_state_is_always_caught_where_all_schedules_are_executed(kind):
    for seed in SEEDS:
        body = planted(kind, seed)
        result = check(body, search="exhaustive", memory="declared", executions=20)
        assert any("partial-order reduction is off" in note for note in result.notes), seed


def test_memory_is_taken_for_shared_when_nothing_else_is_said():
    result = check(planted(lost_update, 0), search="exhaustive")
    assert (result.verdict, result.scope["memory"]) == (Verdict.HOLDS, "shared")
    assert any("memory is treated as shared" in note for note in result.notes)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_hidden_state_is_caught_nine_times_of_ten_where_schedules_are_too_many(kind):
    caught = 0
    for seed in SEEDS:
        body = planted(kind, seed, bystanders=2)
        result = check(body, search="exhaustive", memory="declared", executions=20)
        caught += any("partial-order reduction is off" in note for note in result.notes)
        if result.verdict is Verdict.HOLDS:
            assert "assuming that steps share only what they declare" in result.coverage
    assert caught >= 0.9 * len(SEEDS)


def test_two_steps_are_named_and_every_schedule_is_executed_instead():
    result = check(planted(lost_update, 0), search="exhaustive", memory="declared")
    assert (result.verdict, result.exhausted) == (Verdict.HOLDS, True)
    assert result.executions == result.schedules
    assert "partial-order reduction is off" in result.notes[0]


def test_steps_that_share_nothing_hidden_keep_the_reduction():
    def body(world):
        world.actor("a", lambda: [touch(world, "k1"), touch(world, "k1")])
        world.actor("b", lambda: [touch(world, "k2"), touch(world, "k2")])
        world.run()

    result = check(body, search="exhaustive")
    assert (result.verdict, result.executions, result.schedules) == (Verdict.HOLDS, 1, 6)
    assert result.notes == ()
