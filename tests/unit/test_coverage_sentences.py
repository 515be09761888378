"""What the sentences about coverage count."""

from pytest_supercache import Verdict, check


def _straight(*lengths):
    def body(world):
        for name, length in zip("abc", lengths, strict=False):
            cache = world.existing_cache.client()
            world.actor(name, lambda n=length, c=cache: [c.incr("k") for _ in range(n)])
        world.run()

    return body


def test_a_budget_that_ran_out_is_set_against_the_number_of_orders():
    result = check(_straight(5, 5), executions=10)
    assert result.verdict is Verdict.UNKNOWN
    assert "252 ways at most" in result.reasons[0]
    assert "252" in check(_straight(5, 5)).coverage


def test_one_schedule_is_not_called_schedules():
    result = check(_straight(3, 3), executions=1)
    assert result.coverage.startswith("1 schedule was executed")
