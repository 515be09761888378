"""Random walks repeat with their seed; a replay follows or says where it no longer can."""

from collections import Counter

import pytest

from pytest_supercache.core.errors import ReplayDivergedError
from pytest_supercache.core.schedule import Choices, Schedule
from pytest_supercache.core.verdict import End
from pytest_supercache.search.random_walk import RandomWalk
from pytest_supercache.search.replay import Replay
from pytest_supercache.search.search import SearchEnded
from tests.programs import Simulator, straight

PROGRAMS = {"a": straight(3), "b": straight(3)}


def walked(seed, runs):
    simulator = Simulator(lambda: PROGRAMS)

    def attempt(scheduler):
        if len(simulator.runs) == runs:
            raise SearchEnded(End.OUT_OF_BUDGET)
        return simulator.attempt(scheduler)

    with pytest.raises(SearchEnded):
        RandomWalk(seed).explore(attempt)
    return simulator.schedules


def test_the_same_seed_tries_the_same_schedules_in_the_same_order():
    assert walked(7, 30) == walked(7, 30)
    assert walked(7, 60)[:30] == walked(7, 30)


def test_another_seed_tries_others():
    assert walked(7, 30) != walked(8, 30)


def test_a_random_walk_visits_every_schedule_of_a_small_program_sooner_or_later():
    assert len(set(walked(0, 600))) == 20


def test_every_actor_that_may_go_on_is_as_likely():
    first = Counter(schedule[0] for schedule in walked(0, 600))
    assert 220 < first["a"] < 380


def replayed(*choices):
    return Simulator(lambda: PROGRAMS).attempt(Replay(Schedule(choices))).schedule.choices


def test_a_replay_takes_exactly_the_recorded_choices():
    assert replayed(*"abbaab") == tuple("abbaab")


def test_an_actor_that_may_not_go_on_is_a_divergence_that_says_where():
    with pytest.raises(ReplayDivergedError, match=r"choice 4 .*'a'.* b may go on"):
        replayed(*"aaaabb")
    with pytest.raises(ReplayDivergedError, match=r"choice 1 .*'carol'"):
        replayed("carol", *"aaabbb")


def test_a_recording_that_is_too_short_is_a_divergence():
    with pytest.raises(ReplayDivergedError, match="ends after 4 choices"):
        replayed(*"aaab")


def test_a_replay_does_not_depend_on_who_was_last():
    replay = Replay(Schedule(("a", "b")))
    assert replay.choose(Choices(("a", "b"), "b", 0)) == "a"
    assert replay.choose(Choices(("a", "b"), None, 1)) == "b"
