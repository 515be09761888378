"""Where values come from: back to who read them, to the call that gave them, or to the start."""

from typing import Any

from pytest_supercache.report.provenance import ANSWER, CALL, Earlier, provenance
from pytest_supercache.report.timeline import Timeline, timeline
from pytest_supercache.report.verdict_json import counterexample_to_json
from tests.unit.report.report_stories import counterexample_of, stale_set

READS = ((0, "existing_cache:product:42"), (1, "origin:product:42"))


def drawn(**changed: Any) -> Timeline:
    """Lay out a stale set whose first two steps are known to read."""
    found: Any = counterexample_to_json(counterexample_of(stale_set(**changed)))
    for at, resource in READS:
        found["steps"][at].update(reads=[resource], writes=[])
    return timeline(found)


def way(layout: Timeline, row: int, column: int) -> list[tuple[int, int]]:
    """Follow a value back; rows count from the start, which is row 0."""
    came = provenance(layout)
    stops = [(row, column)]
    while (before := came[stops[-1][0]].get(stops[-1][1])) is not None:
        stops.append((before.row, before.column))
    return stops


def column(layout: Timeline, place: str) -> int:
    return next(at for at, one in enumerate(layout.columns) if one.place == place)


def test_a_stale_value_leads_back_to_the_read_of_the_origin_and_to_the_start() -> None:
    layout = drawn()
    near, origin = column(layout, "super_cache@a"), column(layout, "origin")
    assert layout.rows[5].changed[near]
    assert way(layout, 5, near) == [(5, near), (2, origin), (0, origin)]


def test_a_value_that_somebody_writes_leads_to_the_call_that_gave_it() -> None:
    layout = drawn()
    origin = column(layout, "origin")
    assert way(layout, 3, origin) == [(3, origin), (3, CALL)]


def test_an_answer_leads_to_the_step_that_had_the_value_last() -> None:
    layout = drawn()
    came = provenance(layout)
    (before,) = (came[5][ANSWER],)
    assert before.row == 5
    assert layout.rows[5].values[before.column] == "100"


def test_what_another_user_had_or_nobody_had_leads_nowhere() -> None:
    layout = drawn(cached=7)
    far, near = column(layout, "existing_cache"), column(layout, "super_cache@a")
    assert layout.rows[5].values[far] == "7"
    assert far not in provenance(layout)[5]
    assert near in provenance(layout)[5]
    same = drawn(old=120)  # bob's 120 is in nobody's cache when alice stores hers
    assert provenance(same)[5][near] == Earlier(row=2, column=column(same, "origin"))


def test_what_was_not_recorded_ends_the_way() -> None:
    found: Any = counterexample_to_json(counterexample_of(stale_set()))
    for at, resource in READS:
        found["steps"][at].update(reads=[resource], writes=[])
    found["steps"][0].update(layers=None)
    layout = timeline(found)
    assert way(layout, 2, column(layout, "origin")) == [(2, column(layout, "origin"))]
