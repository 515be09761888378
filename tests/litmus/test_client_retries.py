"""What a client retries by itself: nothing unless it is asked to, and then in steps of its own."""

from contextlib import suppress

import pytest
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

from pytest_supercache import Faults, Verdict, check

CASES = [
    ("error_before", None, Verdict.VIOLATED),  # it was not counted
    ("error_before", 1, Verdict.HOLDS),
    ("error_after", None, Verdict.HOLDS),
    ("error_after", 1, Verdict.VIOLATED),  # it was counted twice
]


def synchronous(retries):
    options = {} if retries is None else {"retry": Retry(NoBackoff(), retries)}

    def body(world):
        client = world.existing_cache.client(**options)

        def count():
            with suppress(RedisConnectionError):
                client.incr("n")

        world.actor("a", count)
        world.run()
        assert int(world.existing_cache.client().get("n") or 0) == 1

    return body


def asynchronous(retries):
    options = {} if retries is None else {"retry": AsyncRetry(NoBackoff(), retries)}

    async def body(world):
        async def count():
            with suppress(RedisConnectionError):
                await world.existing_cache.aclient(**options).incr("n")

        world.actor("a", count)
        await world.run()
        assert int(world.existing_cache.peek("n") or 0) == 1

    return body


@pytest.mark.parametrize("flow", [synchronous, asynchronous])
@pytest.mark.parametrize(("kind", "retries", "verdict"), CASES)
def test_a_retry_heals_what_had_no_effect_and_doubles_what_had(flow, kind, retries, verdict):
    result = check(flow(retries), faults=Faults(max=1, kinds=(kind,)), guarantees=())
    assert result.verdict is verdict, result
    if verdict is Verdict.VIOLATED:
        labels = [step.label for step in result.counterexample.trace if step.phase == "race"]
        assert any("retry 1" in label for label in labels) is (retries is not None)
        assert result.counterexample.replays == "10/10"


def test_what_the_library_does_by_default_is_off():
    from redis import ConnectionPool, Redis

    default = Redis().connection_pool.connection_kwargs["retry"]
    assert default.get_retries() > 0

    def body(world):
        client = Redis(connection_pool=ConnectionPool(retry=default))
        assert client.connection_pool.make_connection().retry.get_retries() == 0
        world.actor("a", client.incr, "n")
        world.run()
        assert client.get("n") == b"1"

    result = check(body, faults=Faults(max=1, kinds=("error_before",)), guarantees=())
    assert result.verdict is Verdict.VIOLATED
