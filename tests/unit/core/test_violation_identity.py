"""When two violations are the same failure: what a replay is compared by."""

import pytest

from pytest_supercache import Verdict, check
from pytest_supercache.core.verdict import Violation


def violation(summary="alice wrote x and read y", **about):
    return Violation(guarantee="answers", summary=summary, **about).identity


def test_the_evidence_may_differ():
    assert violation(evidence={"at": 1}) == violation(evidence={"at": 2})


@pytest.mark.parametrize("about", [{"key": "x"}, {"user": "bob"}, {"summary": "another sentence"}])
def test_key_user_and_sentence_may_not(about):
    assert violation(**about) != violation()


class Shown:
    """An object whose text has its address."""


def test_a_failed_assert_about_an_object_that_every_run_makes_anew_still_replays():
    kept = []

    def body(world):
        kept.append(Shown())  # never freed, so that no address comes back
        world.actor("a", world.step, "work", ())
        world.run()
        assert kept[-1] is None

    result = check(body, search="all-schedules")
    assert result.verdict is Verdict.VIOLATED, result.reasons
    assert result.counterexample.replays == "10/10"
