"""The exhaustive search against brute force on random programs with waiting."""

import pytest

from tests.random_programs import KINDS, Move, disagreements, explore, reading, writing

SEED = 20_261_125
EACH = 300


def test_every_interleaving_of_random_programs_is_executed_exactly_once() -> None:
    assert EACH * len(KINDS) >= 3_000
    assert list(disagreements(SEED, EACH, most=60)) == []


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
