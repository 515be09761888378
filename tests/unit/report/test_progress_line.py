"""The line of a long search: what is known, as far as it fits."""

from dataclasses import replace

import pytest

from pytest_supercache.core.progress import Progress
from pytest_supercache.report.progress_line import progress_line
from pytest_supercache.report.values import width_of

NOW = Progress(executions=1_500, executions_max=20_000, seconds=2.0, seconds_max=120.0)


def test_it_says_rate_state_and_how_much_is_left() -> None:
    now = replace(NOW, owed=56, schedules=184_756)
    assert progress_line("S-1", now, 200) == (
        "S-1: 1,500 runs, 750/s, nothing found, at least 56 to go, at most 184,756 schedules, "
        "8% of the budget"
    )


def test_it_says_the_best_so_far_and_under_which_fault() -> None:
    now = replace(NOW, best=1, guarantee="answers", faults="evict(existing_cache,k)")
    assert progress_line("S-1", now, 200) == (
        "S-1: 1,500 runs, 750/s, best so far: answers with 1 preemption, "
        "with evict(existing_cache,k), 8% of the budget"
    )


def test_a_count_that_says_nothing_is_left_out() -> None:
    line = progress_line("S-1", replace(NOW, schedules=1_400, seconds=0.0), 200)
    assert line == "S-1: 1,500 runs, nothing found, 8% of the budget"
    assert "schedules" not in progress_line("S-1", replace(NOW, schedules=10**40), 200)


@pytest.mark.parametrize("width", [20, 40, 79])
@pytest.mark.parametrize("name", ["S-1", "x" * 500, "購物車" * 50, "\x1b[2J\n"])
def test_it_never_leaves_its_line(name: str, width: int) -> None:
    line = progress_line(name, replace(NOW, owed=5, best=2, guarantee="\x1b[2J"), width)
    assert width_of(line) <= width
    assert line.isprintable()
