"""Coroutines that start tasks and meet end as under brute force on asyncio's own loop."""

from tests.search.random_meetings import disagreements
from tests.selection import either


def test_random_coroutines_that_meet_have_the_outcomes_of_brute_force():
    assert list(disagreements(1, either(4, 600), most=either(60, 2_000))) == []
