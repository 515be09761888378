"""A program written with coroutines and its twin for threads are one program to every search."""

import asyncio
import random
import time

import pytest

from pytest_supercache import Verdict, check
from tests.selection import few

KEYS = ("x", "y")


def programs(seed):
    """Make two or three short programs of commands, and sometimes a sleep."""
    source = random.Random(seed)
    return {
        name: [_move(source) for _ in range(source.randint(1, 2))]
        for name in ("a", "b", "c")[: source.choice((2, 2, 3))]
    }


def _move(source):
    verb = source.choice(("get", "set", "incr", "delete", "sleep"))
    if verb == "sleep":
        return verb, source.choice((0, 0.5))
    key = source.choice(KEYS)
    return (verb, key, source.randint(1, 3)) if verb == "set" else (verb, key)


def awaited(made, outcomes):
    async def body(world):
        client = world.existing_cache.aclient(decode_responses=True)

        async def flow(moves):
            answers = []
            for verb, *args in moves:
                act = asyncio.sleep if verb == "sleep" else getattr(client, verb)
                answers.append(await act(*args))
            return answers

        for name, moves in made.items():
            world.actor(name, flow, moves)
        keep(world, await world.run(), outcomes)

    return body


def called(made, outcomes):
    def body(world):
        client = world.existing_cache.client(decode_responses=True)

        def flow(moves):
            answers = []
            for verb, *args in moves:
                act = time.sleep if verb == "sleep" else getattr(client, verb)  # noqa: TID251 - a twin
                answers.append(act(*args))
            return answers

        for name, moves in made.items():
            world.actor(name, flow, moves)
        keep(world, world.run(), outcomes)

    return body


def keep(world, results, outcomes):
    left = tuple(world.existing_cache.peek(key) for key in KEYS)
    outcomes.add((repr(sorted(results.items())), left, world.clock.now()))


@pytest.mark.parametrize("seed", few([1, 2, 3, 0, 4, 5], 3))
def test_random_programs_have_the_interleavings_and_outcomes_of_their_twins(seed):
    made = programs(seed)
    found = []
    for make in (awaited, called):
        outcomes = set()
        result = check(make(made, outcomes), search="exhaustive", ticks=seed % 2)
        assert result.verdict is Verdict.HOLDS, (made, result.reasons)
        found.append((result.executions, result.schedules, outcomes))
    assert found[0] == found[1], made
