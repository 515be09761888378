"""``answers``, and the order in which everything about one execution is judged."""

import dataclasses

import pytest

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.execution import Execution, Settled
from pytest_supercache.core.footprint import NOTHING
from pytest_supercache.core.schedule import Schedule
from pytest_supercache.core.trace import Pending
from pytest_supercache.core.verdict import Violation
from pytest_supercache.oracle.answers import ANSWERS
from pytest_supercache.oracle.guarantee import Guarantee, NotJudgedError
from pytest_supercache.oracle.judge import DEFAULT, KNOWN, judge
from pytest_supercache.oracle.session import READ_YOUR_WRITES
from tests.histories import history

COHERENT = Settled(layers={"existing_cache": {"x": 1}, "origin": {"x": 1}})
STALE = Settled(layers={"existing_cache": {"x": 0}, "origin": {"x": 1}})


def execution(text="", *, given=None, **options):
    return Execution(schedule=Schedule(), steps=[], history=history(text, given=given), **options)


def answers(text="", **options):
    return ANSWERS.find_violation(execution(text, **options))


def test_an_answer_is_all_that_is_asked():
    assert answers("reader 0-1 get x=miss\n writer 0-1 put x=1\n writer 1-2 delete x") is None


def test_an_exception_is_no_answer_and_names_who_what_and_which():
    found = answers("writer 0-1 put x=1\n reader 0-1 get x raises KeyError")
    assert found is not None
    assert (found.guarantee, found.user, found.key) == ("answers", "reader", "x")
    assert "KeyError" in found.summary


def test_an_expected_exception_is_an_answer():
    (failed,) = history("reader 0-1 get x raises KeyError")
    expected = dataclasses.replace(failed, error_expected=True)
    seen = execution()
    seen = dataclasses.replace(
        seen, history=dataclasses.replace(seen.history, operations=(expected,))
    )
    assert ANSWERS.find_violation(seen) is None


def test_an_actor_that_ended_with_an_exception_outside_of_operations_is_named():
    found = answers(errors={"bob": ValueError("boom")})
    assert found is not None
    assert found.user == "bob"
    assert "ValueError: boom" in found.summary


def test_a_probe_that_raised_is_no_answer_and_one_that_found_nothing_is():
    found = answers(settled=Settled(probes={("a", "x"): None, ("b", "x"): OSError("down")}))
    assert found is not None
    assert (found.key, found.node) == ("x", "b")
    assert answers(settled=Settled(probes={("a", "x"): None})) is None


def test_actors_that_can_never_go_on_are_named_with_what_they_wait_for():
    waiting = (
        Pending("alice", "acquire shop.py:3", NOTHING, enabled=False),
        Pending("bob", "acquire shop.py:4", NOTHING, enabled=False),
    )
    found = answers(blocked=waiting)
    assert found is not None
    assert found.evidence["blocked"] == [
        ("alice", "acquire shop.py:3"),
        ("bob", "acquire shop.py:4"),
    ]
    assert answers(blocked=()) is None


def test_a_long_error_is_cut():
    found = answers(errors={"bob": ValueError("x" * 10_000)})
    assert found is not None
    assert len(found.summary) < 3000


STALE_SESSION = """
    writer 0-2 put x=1
    commit 1 x=1
    writer 2-4 get x=0
"""
EXPECTED = Violation(guarantee="expect", summary="alice[1]: 0 instead of 1")


def test_everything_is_judged_with_the_most_telling_violation_first():
    seen = execution(
        STALE_SESSION,
        given={"x": 0},
        settled=STALE,
        errors={"bob": ValueError("boom")},
        broken=(EXPECTED,),
        failure=AssertionError("shown 0"),
    )
    judgement = judge(seen, DEFAULT)
    assert [one.guarantee for one in judgement.violations] == [
        "answers", "expect", "test body", "coherent_when_settled", "read_your_writes",
    ]  # fmt: skip
    assert judgement.not_judged == ()


def test_an_execution_that_breaks_nothing_has_no_violations():
    seen = execution(STALE_SESSION.replace("get x=0", "get x=1"), given={"x": 0}, settled=COHERENT)
    judgement = judge(seen, DEFAULT)
    assert judgement.violations == ()
    assert judgement.not_judged == ()


def test_only_the_named_guarantees_are_judged():
    seen = execution(STALE_SESSION, given={"x": 0}, settled=STALE)
    names = [one.guarantee for one in judge(seen, [READ_YOUR_WRITES]).violations]
    assert names == ["read_your_writes"]
    assert judge(seen, []).violations == ()


def test_what_cannot_be_judged_is_said_and_does_not_hide_a_violation():
    seen = execution(STALE_SESSION.replace("get x=0", "get x=99"), given={"x": 0}, settled=STALE)
    judgement = judge(seen, DEFAULT)
    assert [one.guarantee for one in judgement.violations] == ["coherent_when_settled"]
    (sentence,) = judgement.not_judged
    assert sentence.startswith("read_your_writes was not judged: ")


def test_a_guarantee_of_the_users_own_is_judged_like_ours():
    def never(execution):
        return Violation(guarantee="never", summary="never")

    def unsure(execution):
        raise NotJudgedError("who knows")

    judgement = judge(execution(), [Guarantee("never", never), Guarantee("unsure", unsure)])
    assert [one.guarantee for one in judgement.violations] == ["never"]
    assert judgement.not_judged == ("unsure was not judged: who knows",)


def test_a_bug_in_a_guarantee_is_not_taken_for_a_pass():
    def broken(execution):
        raise ZeroDivisionError

    with pytest.raises(SupercacheError, match="guarantee 'broken' raised ZeroDivisionError"):
        judge(execution(), [Guarantee("broken", broken)])


@pytest.mark.parametrize("answer", [True, False, "broken"])
def test_what_a_guarantee_returns_is_a_violation_or_nothing(answer: object):
    with pytest.raises(SupercacheError, match=f"returned {answer!r}. .* returns a Violation"):
        judge(execution(), [Guarantee("odd", lambda _: answer)])


def test_every_known_guarantee_goes_by_its_name():
    assert {name: guarantee.name for name, guarantee in KNOWN.items()} == {n: n for n in KNOWN}
    assert [one.name for one in DEFAULT] == ["coherent_when_settled", "read_your_writes"]
