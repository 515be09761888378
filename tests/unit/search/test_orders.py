"""The schedules of one interleaving: what would take too long to find is not known."""

import pytest

from pytest_supercache.core.footprint import NOTHING
from pytest_supercache.core.trace import Step
from pytest_supercache.search import orders
from pytest_supercache.search.counting import merges
from pytest_supercache.search.enabledness import Enabledness
from pytest_supercache.search.events import Dependence, events_of, order
from pytest_supercache.search.orders import (
    fewest_preemptions,
    linear_extensions,
    walk_chance,
)

CLOSED_SETS = 3**3 - 1
"""Of three actors, each of which takes none, one or two steps; without the empty set."""


@pytest.fixture
def look_at_most(monkeypatch):
    """Return three actors of two independent steps; no more than so many states are looked at."""

    def bounded(states):
        monkeypatch.setattr(orders, "STATES_MAX", states)
        orders._extensions.cache_clear()  # it knows nothing of the bound
        return enabledness.events, enabledness

    actors = "xyzxyz"
    steps = [
        Step(actor, at // 3, f"step {at}", "hand", NOTHING, choice=at)
        for at, actor in enumerate(actors)
    ]
    dependence = Dependence()
    events, _ = events_of(steps, actors, dependence)
    order(events, 0, dependence)
    enabledness = Enabledness(events, {})
    yield bounded
    orders._extensions.cache_clear()


def test_what_takes_more_states_than_the_bound_is_not_known(look_at_most):
    events, enabledness = look_at_most(CLOSED_SETS - 1)
    assert linear_extensions(events) is None
    assert walk_chance(enabledness) is None
    _, enabledness = look_at_most(len(events) - 1)
    assert fewest_preemptions(enabledness) is None


def test_what_takes_as_many_states_as_the_bound_is_known(look_at_most):
    events, enabledness = look_at_most(CLOSED_SETS)
    assert linear_extensions(events) == merges((2, 2, 2))
    assert walk_chance(enabledness) == 1  # every schedule is one of this interleaving
    assert fewest_preemptions(enabledness) == (0, [0, 3, 1, 4, 2, 5])
