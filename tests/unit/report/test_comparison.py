"""The comparison of both interleavings: every row once, what both do on one line."""

import random
from dataclasses import replace

from pytest_supercache.report.comparison import compared as lines_of
from pytest_supercache.report.timeline import Timeline, timelines
from pytest_supercache.report.verdict_json import finding_row
from tests.unit.report.report_stories import compared


def both() -> tuple[Timeline, Timeline]:
    fails, passes = timelines(finding_row(compared())["counterexample"])  # type: ignore[arg-type]
    assert passes is not None
    return fails, passes


def names(one: Timeline, rows: list[int | None]) -> list[str]:
    return ["".join(one.rows[at].text) for at in rows if at is not None]


def test_the_swapped_step_stands_alone_in_each_and_all_others_on_one_line() -> None:
    fails, passes = both()
    lines = lines_of(fails, passes)
    alone = [line for line in lines if None in line]
    assert len(alone) == 2
    left, right = names(fails, [one for one, _ in alone]), names(passes, [two for _, two in alone])
    assert left == right
    assert left[0] in {"SET product:42", "DEL product:42"}


def test_each_row_is_there_once_and_in_its_order_whatever_the_order() -> None:
    fails, passes = both()
    rows = list(fails.rows)
    for seed in range(40):
        order = random.Random(seed)
        shuffled = replace(passes, rows=tuple(order.sample(rows, order.randint(0, len(rows)))))
        lines = lines_of(fails, shuffled)
        assert [one for one, _ in lines if one is not None] == list(range(len(rows)))
        assert [two for _, two in lines if two is not None] == list(range(len(shuffled.rows)))
