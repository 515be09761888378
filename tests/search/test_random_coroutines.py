"""Coroutines end as by brute force, though the exhaustive search skips most orders."""

from pytest_supercache import check
from pytest_supercache.core.verdict import Verdict
from tests.search.random_coroutines import disagreements
from tests.selection import either


def test_random_coroutines_have_the_outcomes_of_brute_force():
    assert list(disagreements(1, either(6, 1_000))) == []


def counting(users, *, awaits_between):
    """Coroutines that count with a client that blocks, and then await something else."""

    async def body(world):
        blocking, aio = world.existing_cache.client(), world.existing_cache.aclient()

        async def count():
            number = int(blocking.get("n") or 0)
            if awaits_between:
                await aio.get("other")
            blocking.set("n", number + 1)
            await aio.get("other")

        for name in users:
            world.actor(name, count)
        await world.run()
        assert int(world.existing_cache.peek("n")) == len(users)

    return body


def test_calls_that_block_do_not_end_the_reduction():
    """Each counts in one go, and reads of what nobody writes commute: six orders of three."""
    result = check(counting("abc", awaits_between=False))
    assert (result.verdict, result.interleavings) == (Verdict.HOLDS, 6)


def test_an_await_between_calls_that_block_lets_others_in():
    result = check(counting("ab", awaits_between=True))
    assert result.verdict is Verdict.VIOLATED
    assert result.counterexample.replays == "10/10"
