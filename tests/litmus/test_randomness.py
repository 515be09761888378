"""What users draw: the same in every execution, whoever draws first."""

import random
import secrets
import subprocess
import sys
from random import randint
from random import random as fraction  # noqa: TID251 - what code under test does
from uuid import uuid1, uuid4  # noqa: TID251 - likewise

import pytest

from pytest_supercache import Verdict, check
from tests.selection import few

DRAWS = {
    "uuid4": lambda: uuid4().hex,
    "uuid1": lambda: uuid1().hex,
    "random": lambda: repr(fraction()),
    "a name of its own": lambda: str(randint(0, 10**9)),
    "shuffle": lambda: str(random.sample(range(100), 20)),
    "secrets": lambda: secrets.token_hex(8),
    "choice of secrets": lambda: str([secrets.choice(range(100)) for _ in range(20)]),
    "system": lambda: repr(random.SystemRandom().random()),
    "gauss": lambda: repr(random.gauss()),
}


def drawn(draw, search, *, users="ab", is_async=False):
    """Let users draw and store what they drew, each under a key of theirs."""
    seen = {user: set() for user in users}

    def body(world):
        client = world.existing_cache.client(decode_responses=True)
        aclient = world.existing_cache.aclient(decode_responses=True)

        def use(user):
            token = draw()
            client.set(f"lock:{user}", token)
            seen[user].add((token, draw()))
            assert client.get(f"lock:{user}") == token

        async def ause(user):
            token = draw()
            await aclient.set(f"lock:{user}", token)
            seen[user].add((token, draw()))
            assert await aclient.get(f"lock:{user}") == token

        for user in seen:
            world.actor(user, ause if is_async else use, user)
        world.run()

    return check(body, search=search), seen


WHO_DRAWS = [
    ("uuid4", False), ("uuid4", True), ("secrets", True), ("uuid1", False), ("random", False),
    ("choice of secrets", False), ("system", False), ("gauss", False),
]  # fmt: skip
"""One for each source of numbers: the others draw from the same ones."""

REST = [(draw, is_async) for draw in DRAWS for is_async in (False, True)]


@pytest.mark.parametrize(
    ("draw", "is_async"), few(dict.fromkeys([*WHO_DRAWS, *REST]), len(WHO_DRAWS))
)
def test_who_draws_first_makes_no_difference(draw, is_async):
    result, seen = drawn(DRAWS[draw], "exhaustive", is_async=is_async)
    assert result.verdict is Verdict.HOLDS
    assert result.executions == 1, "their steps have nothing in common"
    assert [len(values) for values in seen.values()] == [1, 1]
    assert len(set.union(*seen.values())) == 2, "they are not the same"


def test_every_schedule_shows_the_same():
    result, seen = drawn(DRAWS["uuid4"], "all-schedules", users="abc")
    assert result.verdict is Verdict.HOLDS
    assert result.executions == 90
    assert [len(values) for values in seen.values()] == [1, 1, 1]


def test_another_seed_is_another_draw():
    drawn_by = []

    def body(world):
        world.actor("a", lambda: drawn_by.append(uuid4()))
        world.run()

    for seed in (1, 2, 1):
        check(body, seed=seed)
    assert len(set(drawn_by)) == 2


def test_who_shares_a_generator_still_depends_on_the_other():
    """Such a generator is state of the code under test, and nobody declares it."""

    def body(world):
        generator = random.Random(5)

        def use(user):
            world.step("draw", reads=(), writes=())
            value = generator.random()
            assert user == "a" or value == first

        first = random.Random(5).random()
        for user in "ab":
            world.actor(user, use, user)
        world.run()

    assert check(body, search="exhaustive").verdict is Verdict.VIOLATED


def told(draw):
    """Return what two users drew, in every schedule."""
    seen = []

    def body(world):
        answers = {}

        def use(user):
            world.step("draw", reads=())
            answers[user] = draw()

        for user in "ab":
            world.actor(user, use, user)
        world.run()
        seen.append((answers["a"], answers["b"]))

    check(body, search="all-schedules")
    return set(seen)


@pytest.mark.parametrize("token", [lambda: uuid4().hex, lambda: secrets.token_hex(8)])
def test_who_seeds_alike_draws_the_same_numbers_and_other_tokens(token):
    def draw():
        random.seed(42)
        return random.randrange(10**9), token()

    ((a, b),) = told(draw)
    assert a[0] == b[0]
    assert a[1] != b[1]


def test_who_seeds_without_a_number_gets_one_that_repeats():
    def draw():
        random.seed()
        return random.randrange(10**9)

    ((a, b),) = told(draw)
    assert a != b


def test_what_a_test_has_put_there_stays(monkeypatch):
    monkeypatch.setattr("uuid.uuid4", lambda: "fixed")
    monkeypatch.setattr("random.randint", lambda _low, _high: 7)

    def draw():
        import uuid

        return uuid.uuid4(), random.randint(0, 9)  # noqa: TID251 - what code under test does

    assert told(draw) == {(("fixed", 7), ("fixed", 7))}


FIRST_CHECK_UNDER_A_PATCH = """
import random, uuid
from unittest import mock
from pytest_supercache import check

def body(world):
    world.actor("a", lambda: seen.append((uuid.uuid4(), random.randint(0, 10**9))))
    world.run()

seen = []
with mock.patch("uuid.uuid4", lambda: 1), mock.patch("random.randint", lambda low, high: 2):
    check(body, memory="declared")
assert set(seen) == {(1, 2)}, seen
seen.clear()
check(body, memory="declared")
assert len(set(seen)) == 1 and seen[0] != (1, 2), seen
"""


def test_a_patch_at_the_first_check_of_a_process_is_not_taken_for_the_real_one():
    subprocess.run([sys.executable, "-c", FIRST_CHECK_UNDER_A_PATCH], check=True, timeout=60)
