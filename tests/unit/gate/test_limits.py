"""Where a GO says less than it seems: of what it rests on, with the names of the runs."""

from typing import Any

from pytest_supercache.gate.message import WORDS_MAX, message
from pytest_supercache.gate.rules import Rules
from tests.unit.gate.runs import TODAY, document, judge, row, waiver

BARE = {"judged only": "errors and deadlocks"}


def held(name: str, **scope: Any) -> dict[str, Any]:
    return row(name, scope={"users": 2, **scope})


def test_a_verdict_of_older_versions_says_nothing_of_it() -> None:
    assert judge(held("A", memory="auto")).limits == ()


def test_each_kind_is_one_line() -> None:
    decision = judge(
        held("A", **BARE),
        held("B", **BARE, memory="declared"),
        held("C", **{"declared atomic": "Stats.hits"}),
        held("D", examples=1),
        held("E"),
    )
    assert decision.limits == (
        "judged only for errors and deadlocks, by no guarantee: A, B",
        "only declared memory was searched: B",
        "shared memory was taken as atomic, as declared: C (Stats.hits)",
        "a sample of the inputs, drawn by @given: D (1 example drawn)",
    )


def test_many_names_are_counted() -> None:
    (told,) = judge(*(held(f"S-{number}", memory="declared") for number in range(7))).limits
    assert told.endswith(": S-0, S-1, S-2, S-3, S-4, 2 more in verdict.json")


def test_only_what_a_go_rests_on_is_named() -> None:
    """What does not count for the release is no evidence; without a GO nothing rests on it."""
    assert judge(held("A[shop]"), held("B[other]", **BARE), release=("shop",)).limits == ()
    assert judge(held("A", **BARE), row("B", "violated")).limits == ()


def test_the_checks_of_workarounds_are_named() -> None:
    conflict, check = row("S[shop]", "violated"), held("W[off]", **BARE)
    decision = judge(conflict, check, issues=(waiver(),), release=("shop",))
    assert decision.limits == ("judged only for errors and deadlocks, by no guarantee: W[off]",)
    told = message(document(conflict, check), decision, Rules(today=TODAY, issues=(waiver(),)))
    assert "judged only for errors and deadlocks, by no guarantee: W" in told
    assert len(told.split()) <= WORDS_MAX
