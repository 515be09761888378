"""``linearizable``: each history that breaks it beside the nearest one that does not."""

import dataclasses

import pytest

from pytest_supercache.core.operation import History, Operation
from pytest_supercache.oracle.guarantee import NotJudgedError, check_history
from pytest_supercache.oracle.linearizable import LINEARIZABLE
from tests.histories import history


def violation(text, **options):
    return check_history(history(text, **options), LINEARIZABLE)


def breaks(text, **options):
    return violation(text, **options) is not None


STALE = """
    alice 0-2 put x=1
    bob 2-4 get x=0
"""


def test_reading_a_value_after_another_was_acknowledged_breaks_it():
    found = violation(STALE, given={"x": 0})
    assert (found.guarantee, found.key, found.user) == ("linearizable", "x", "bob")
    assert found.summary == (
        "no order of these calls explains their answers: "
        "alice wrote x = 1 (steps 0-2); bob read x -> 0 (steps 2-4)"
    )


def test_while_it_is_being_written_the_old_value_is_right():
    assert not breaks(STALE.replace("bob 2-4", "bob 1-4"), given={"x": 0})


def test_nobody_may_go_back_once_another_has_seen_the_new_value():
    text = """
        alice 0-9 put x=1
        bob 1-3 get x=1
        carol 3-5 get x=0
    """
    assert breaks(text, given={"x": 0})
    assert not breaks(text.replace("carol 3-5", "carol 2-5"), given={"x": 0})


def test_another_key_may_be_old():
    assert not breaks(STALE.replace("get x", "get y"), given={"x": 0, "y": 0})


def test_a_write_that_failed_may_have_taken_effect_later_or_never():
    failed = "alice 0-2 put x=1 raises OSError\n bob 3-4 get x=0\n"
    assert not breaks(failed, given={"x": 0})
    assert not breaks(failed + "bob 5-6 get x=1", given={"x": 0})
    assert breaks(failed + "bob 5-6 get x=1\n bob 7-8 get x=0", given={"x": 0})


def test_so_may_one_that_was_never_answered():
    assert not breaks("alice 0-? put x=1\n bob 3-4 get x=0\n bob 5-6 get x=1", given={"x": 0})


def test_a_deleted_value_may_not_come_back():
    text = "alice 0-2 delete x\n bob 3-4 get x=0"
    assert breaks(text, given={"x": 0})
    assert not breaks(text.replace("x=0", "x=miss"), given={"x": 0})


def test_a_cache_without_an_origin_may_forget_and_one_with_it_may_not():
    text = "alice 0-2 put x=1\n bob 3-4 get x=miss"
    assert not breaks(text, origin=False)
    assert breaks(text, given={"x": 0})


def test_values_compare_in_any_dress():
    assert not breaks('alice 0-2 put x={"a": 1}\n bob 3-4 get x={"a":  1}', given={"x": 0})


def test_what_the_caches_were_given_may_be_read_at_first():
    seen = history("bob 0-1 get x=7\n alice 1-2 put x=1\n bob 2-3 get x=7", given={"x": 0})
    seen = dataclasses.replace(seen, given_in_caches={"x": (7,)})
    assert check_history(seen, LINEARIZABLE) is not None
    early = dataclasses.replace(seen, operations=seen.operations[:2])
    assert check_history(early, LINEARIZABLE) is None


def test_what_verbs_saw_and_wrote_counts():
    buy = Operation(
        user="bob",
        node="a",
        kind="buy",
        called_at=2,
        returned_at=4,
        sightings=(("x", 0),),
        writes=(("y", 5),),
    )
    write = history("alice 0-2 put x=1", given={"x": 0}).operations[0]
    seen = History(operations=(write, buy), origin_watched=True, given={"x": 0})
    assert check_history(seen, LINEARIZABLE).key == "x"
    fresh = dataclasses.replace(buy, sightings=(("x", 1),))
    old_y = Operation(
        user="eve", node="a", kind="read", key="y", answer=4, called_at=4, returned_at=5
    )
    seen = dataclasses.replace(seen, operations=(write, fresh))
    assert check_history(seen, LINEARIZABLE) is None
    seen = dataclasses.replace(seen, operations=(write, fresh, old_y), given={"x": 0, "y": 4})
    assert check_history(seen, LINEARIZABLE).key == "y"


def test_a_value_from_nowhere_is_not_judged():
    with pytest.raises(NotJudgedError, match="the answer 9 for x was neither given nor written"):
        violation("alice 0-1 put x=1\n bob 2-3 get x=9", given={"x": 0})
    assert breaks("alice 0-1 put x=1\n bob 2-3 get x=9\n" + STALE.replace("x", "y"), given={"y": 0})


def test_operations_without_a_step_are_in_the_order_in_which_they_were_called():
    text = "alice 2-2 put x=1\n bob 2-2 get x=0"
    assert breaks(text, given={"x": 0})
    assert not breaks("bob 2-2 get x=0\n alice 2-2 put x=1", given={"x": 0})
