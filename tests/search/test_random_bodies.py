"""The exhaustive search shows what all schedules show, of random flows on the real stack."""

import pytest

from tests.search.random_bodies import disagreements
from tests.selection import either, few


@pytest.mark.parametrize(("ticks", "count"), few([(0, 8), (1, 6), ("auto", 3), (2, 3)], 3))
def test_random_flows_have_the_same_outcomes_in_both_searches(ticks, count):
    """Most of the time goes into trying flows that turn out to have too many schedules."""
    most = either(20, 120)
    assert list(disagreements(1, either(max(count // 3, 1), count), most, (ticks,))) == []
