"""What the coverage sentence says about pipelines."""

import pytest

from pytest_supercache import Verdict, check


def _two_writers(*, transaction: bool):
    def write(cache):
        pipeline = cache.pipeline(transaction=transaction)
        pipeline.set("x", "1")
        pipeline.set("y", "1")
        pipeline.execute()

    def body(world):
        for name in ("alice", "bob"):
            world.actor(name, write, world.existing_cache.client())
        world.run()

    return body


@pytest.mark.parametrize("transaction", [True, False])
def test_a_pipeline_is_one_step_and_the_sentence_says_when_it_is_not_one_in_production(
    transaction,
):
    result = check(_two_writers(transaction=transaction), search="all-schedules")
    assert result.verdict is Verdict.HOLDS
    assert result.executions == 2
    assert ("pipelines without a transaction atomic" in result.coverage) != transaction
