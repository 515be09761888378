"""The exhaustive search shows what all schedules show, of random flows on the real stack."""

import pytest

from tests.search.random_bodies import disagreements


@pytest.mark.parametrize(("ticks", "count"), [(0, 8), (1, 6), (2, 3), ("auto", 3)])
def test_random_flows_have_the_same_outcomes_in_both_searches(ticks, count, is_long):
    assert list(disagreements(1, count if is_long else count // 3, 120, (ticks,))) == []
