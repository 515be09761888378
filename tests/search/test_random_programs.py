"""The exhaustive search against brute force on random programs with waiting."""

from fractions import Fraction
from random import Random

import pytest

from pytest_supercache.core.execution import Execution
from pytest_supercache.search.dpor import Exhaustive
from pytest_supercache.search.enabledness import Enabledness
from pytest_supercache.search.events import StepEvent
from pytest_supercache.search.orders import walk_chance
from tests.random_programs import (
    KINDS,
    Move,
    Programs,
    Run,
    brute_force,
    disagreements,
    explore,
    random_programs,
    reading,
    writing,
)
from tests.selection import either

SEED = 20_261_125
EACH = 300


def test_every_interleaving_of_random_programs_is_executed_exactly_once() -> None:
    each = either(EACH // 20, EACH)
    assert each * len(KINDS) >= either(150, 3_000)
    assert list(disagreements(SEED, each, most=60)) == []


def test_a_search_that_believes_in_false_independence_disagrees(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The comparison can fail: a dependence that forgets reads misses interleavings."""
    monkeypatch.setattr(
        "pytest_supercache.search.events.dependent",
        lambda left, right: not left.writes.isdisjoint(right.writes),
    )
    programs = {"a": [Move("write", writing("x"))], "b": [Move("read", reading("x"))]}
    assert len(explore(programs)[0]) == 1
    monkeypatch.undo()
    assert len(explore(programs)[0]) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_random_walk_takes_one_of_all_interleavings_for_certain(kind: str) -> None:
    """So who could have gone on is known at every moment of every schedule."""
    random = Random(kind)
    small = 0
    while small < either(4, 20):
        programs = random_programs(random, KINDS[kind].split())
        if brute_force(programs, 0, 60) is None:
            continue
        small += 1
        chances = chances_of(programs)
        assert sum(chances) == Fraction(1), programs


def chances_of(programs: Programs) -> list[Fraction | None]:
    chances = []

    def see(_key: object, events: list[StepEvent], run: Execution) -> None:
        chances.append(walk_chance(Enabledness(events, search.waits, run.waiting)))

    search = Exhaustive(see)
    search.explore(lambda scheduler: Run(programs).play(scheduler).execution())
    return chances
