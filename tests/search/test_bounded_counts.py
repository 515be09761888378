"""Preemption-bounded searches execute exactly the schedules with so few preemptions."""

from itertools import accumulate

import pytest

from pytest_supercache.core.verdict import End
from pytest_supercache.search.all_schedules import AllSchedules
from tests.programs import Simulator, straight


@pytest.mark.parametrize(
    ("actors", "steps", "at_most"),
    [
        (2, 2, [2, 4, 6]),
        (2, 3, [2, 6, 14, 18, 20]),
        (2, 4, [2, 8, 26, 44, 62, 68, 70]),
        (3, 2, [6, 24, 60, 90]),
    ],
)
def test_schedules_with_at_most_so_many_preemptions(actors, steps, at_most):
    programs = {f"a{number}": straight(steps) for number in range(actors)}
    for most, expected in enumerate(at_most):
        simulator = Simulator(lambda: programs)
        end = AllSchedules(preemptions_max=most).explore(simulator.attempt)
        assert len(simulator.runs) == expected
        assert end is (End.EXHAUSTED if most == len(at_most) - 1 else End.OUT_OF_BUDGET)


def test_schedules_of_one_step_writers_within_so_many_delays():
    """A delay passes over the first of those that are left (Emmi et al., POPL 2011)."""
    for writers, expected in [
        (4, [1, 4, 9, 15, 20, 23, 24]),
        (6, [1, 6, 20, 49, 98, 169, 259, 360]),
    ]:
        programs = {f"w{number}": straight(1) for number in range(writers)}
        simulator = Simulator(lambda programs=programs: programs)
        AllSchedules().explore(simulator.attempt)
        delays = [_delays(list(programs), run.schedule.choices) for run in simulator.runs]
        exactly = [delays.count(number) for number in range(len(expected))]
        assert list(accumulate(exactly)) == expected


def _delays(left, choices):
    total = 0
    for choice in choices:
        total += left.index(choice)
        left.remove(choice)
    return total
