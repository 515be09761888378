"""One rule says whether an actor is enabled: it answers as its predecessors did."""

from random import Random

import pytest

from pytest_supercache.search.enabledness import Enabledness
from tests.laws.former_enabledness import FormerAbility, differences, disagreements, random_trace
from tests.selection import either

SEED = 20_261_129


def test_the_answers_agree_at_every_moment_of_random_programs() -> None:
    assert list(disagreements(SEED, either(8, 2_000))) == []


def test_the_answers_agree_at_every_moment_of_random_traces() -> None:
    random = Random(SEED)
    for _ in range(either(1_000, 100_000)):
        events, waiting, waits = random_trace(random)
        assert list(differences(events, waiting, waits)) == [], (events, waiting, waits)


def test_a_random_trace_has_actors_that_are_enabled_and_actors_that_are_not() -> None:
    random, counts = Random(SEED), [0, 0]
    for _ in range(200):
        events, waiting, waits = random_trace(random)
        former = FormerAbility(events, waiting, waits)
        for actor in former.actors:
            counts[former.can_go_on(actor, 0)] += 1
    assert min(counts) > sum(counts) / 5


@pytest.mark.parametrize("name", ["_has_come", "_is_news", "_is_set", "_state", "_is_in"])
def test_another_answer_to_any_part_of_the_question_is_noticed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comparison can fail: each part is asked where it decides."""
    true = getattr(Enabledness, name)

    def wrong(self: Enabledness, *given: object) -> object:
        if name == "_state":
            return None
        return not true(self, *given)

    monkeypatch.setattr(Enabledness, name, wrong)
    random = Random(SEED)
    traces = [random_trace(random) for _ in range(200)]
    assert any(list(differences(*trace)) for trace in traces)
