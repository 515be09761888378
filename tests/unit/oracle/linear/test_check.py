"""Small recordings by hand: each that has no order beside the nearest that has one."""

import random
from dataclasses import replace

import pytest

from pytest_supercache.core.verdict import Verdict
from pytest_supercache.oracle.linear.call import Json
from pytest_supercache.oracle.linear.check import check_calls
from pytest_supercache.oracle.linear.smallest import smallest_core
from pytest_supercache.oracle.linear.zones import Reason
from tests.calls import Store, calls, record


def answer(text, initial=None, **options):
    return check_calls(calls(text), (initial,), **options)


def holds(text, initial=None):
    verdict = answer(text, initial).verdict
    assert verdict is not Verdict.UNKNOWN
    return verdict is Verdict.HOLDS


STALE = """
    a 1-2 write = 1
    a 3-4 write = 2
    b 5-6 read -> 1
"""


def test_reading_what_was_replaced_has_no_order():
    assert not holds(STALE)


def test_reading_what_is_being_replaced_has_one():
    assert holds(STALE.replace("a 3-4", "a 3-7"))


def test_reading_what_was_replaced_is_right_when_it_was_written_again():
    assert holds(STALE + "c 3-9 write = 1")


def test_two_readers_may_not_see_two_writes_in_two_orders():
    text = """
        a 1-20 write = 1
        b 2-21 write = 2
        c 3-4 read -> 1
        c 5-6 read -> 2
        d 7-8 read -> 1
    """
    assert not holds(text)
    assert holds(text.replace("d 7-8", "d 3-8"))


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (Reason.FROM_NOWHERE, "a 1-2 read -> 1"),
        (Reason.TOO_EARLY, "a 1-2 read -> 1 \n b 3-4 write = 1"),
        (Reason.OVERWRITTEN, STALE),
        (
            Reason.ENTWINED,
            """
            a 1-9 write = 1
            b 2-10 write = 2
            c 3-4 read -> 1
            c 5-6 read -> 2
            c 7-8 read -> 1
            c 11-12 read -> 2
            """,
        ),
        (Reason.NO_ORDER, STALE + "c 9-10 write = 1"),
    ],
)
def test_a_violation_has_its_reason(reason, text):
    assert answer(text).clash.reason is reason


def test_a_call_of_unknown_outcome_may_take_effect_late():
    assert holds("a 1-? write = 1 \n b 2-3 read -> nil \n b 4-5 read -> 1")


def test_or_never():
    assert holds("a 1-? write = 1 \n b 2-3 read -> nil \n b 4-5 read -> nil")


def test_but_not_before_it_was_called_and_not_twice():
    assert not holds("b 0-1 read -> 1 \n a 2-? write = 1")
    twice = "a 1-? write = 1 \n b 2-3 read -> 1 \n b 4-5 write = 2 \n b 6-7 read -> 1"
    assert not holds(twice)
    assert holds(twice + "\n c 3-? write = 1")


def test_a_comparison_that_succeeded_needs_the_value_and_replaces_it():
    text = "a 1-2 write = 1 \n a 3-4 cas 1 2 ok \n a 5-6 read -> 2"
    assert holds(text)
    assert not holds(text.replace("cas 1 2", "cas 3 2"))
    assert not holds(text.replace("read -> 2", "read -> 1"))


def test_a_comparison_that_failed_needs_another_value():
    text = "a 1-2 write = 1 \n a 3-4 cas 1 2 failed"
    assert not holds(text)
    assert holds(text.replace("cas 1 2", "cas 3 2"))
    assert holds(text + "\n b 0-? write = 5")


def test_appends_are_seen_in_the_order_in_which_they_were_made():
    text = """
        a 1-2 append k = "x1"
        a 3-4 append k = "x2"
        b 5-6 get k -> "x1x2"
    """
    assert holds(text, initial="")
    assert not holds(text.replace("x1x2", "x2x1"), initial="")
    assert holds(text.replace("x1x2", "x2x1").replace("a 3-4", "c 1-4"), initial="")


def test_an_append_that_was_answered_is_not_lost_unless_a_put_replaced_it():
    text = 'a 1-2 append k = "x1" \n b 5-6 get k -> ""'
    assert not holds(text, initial="")
    assert holds(text + '\n c 0-9 put k = ""', initial="")


def test_keys_do_not_know_of_each_other():
    text = "a 1-2 write x = 1 \n a 3-4 write y = 2 \n b 5-6 read x -> 1"
    assert holds(text)
    assert not holds(text.replace("write y", "write x"))


def test_true_is_not_one():
    text = calls("a 1-2 write = 1 \n a 3-4 read -> 1")
    text[1].answer = Json("true")
    assert check_calls(text, (None,)).verdict is Verdict.VIOLATED


def hard(key, size=400):
    """Return a recording with an order that takes the search very long to find."""
    store = Store(kinds=("write", "read", "cas"), calls=size, processes=40, values=(0, 1, 2, 3))
    return [replace(call, key=key) for call in record(store, random.Random(1))]


def test_a_budget_that_runs_out_is_unknown_and_names_the_keys():
    easy = calls("a 1-2 write = 1 \n a 3-4 read -> 1")
    found = check_calls([*hard("h"), *easy], (None,), budget=2_000)
    assert (found.verdict, found.undecided) == (Verdict.UNKNOWN, ("h",))
    assert 2_000 <= found.steps < 2_200


def test_a_hard_key_does_not_hide_an_easy_no_even_of_a_key_with_more_calls():
    late = [
        call
        for at in range(0, 2_400, 8)
        for call in calls(
            f"a {at}-{at + 1} write e = 1 \n a {at + 2}-{at + 3} write e = 2 \n"
            f"a {at + 4}-{at + 5} cas e {2 if at < 2_000 else 1} 1 ok"
        )
    ]
    slow = hard("h")
    assert len(slow) < len(late)
    found = check_calls([*slow, *late], (None,), budget=100_000)
    assert (found.verdict, found.key) == (Verdict.VIOLATED, "e")
    assert check_calls(slow, (None,), budget=100_000).verdict is Verdict.UNKNOWN


def test_of_a_long_violation_only_what_matters_is_shown():
    store = Store(kinds=("read", "read", "write"), calls=4_000, processes=6, values=(0, 1, 2, 3))
    made = record(store, random.Random(2))
    end = max(call.returned_at for call in made)
    made += calls(
        f"a {end + 1}-{end + 2} write = 1 \n a {end + 3}-{end + 4} write = 2 \n"
        f"b {end + 5}-{end + 6} read -> 1"
    )
    found = check_calls(made, (None,))
    core = smallest_core(made, found.clash, (None,))
    assert [(call.kind, call.value or call.answer) for call in core.calls] == [
        ("write", 2), ("read", 1),
    ]  # fmt: skip
    assert core.minimal
    assert core.since == end + 3


def test_a_write_that_may_have_made_a_compare_and_set_fail_is_not_left_out_of_the_proof():
    """Without the read of 2 the 2 may come last, and then nothing is wrong with the failure."""
    without = """
        d 5-12 read -> 1
        e 13-14 cas 1 3 failed
        a 1-20 write = 1
        b 2-11 write = 2
    """
    made = calls(f"c 3-4 read -> 2 \n {without}")
    found = check_calls(made, (None,))
    assert found.verdict is Verdict.VIOLATED
    assert holds(without)
    core = smallest_core(made, found.clash, (None,))
    assert [(call.kind, call.value or call.answer) for call in core.calls] == [
        ("read", 2), ("read", 1), ("cas", (1, 3)),
    ]  # fmt: skip
    assert core.minimal
