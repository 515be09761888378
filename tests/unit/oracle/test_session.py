"""``read_your_writes``: each history that breaks it beside the nearest one that does not."""

import dataclasses

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from pytest_supercache.core.operation import RACE, Commit, History, Operation
from pytest_supercache.oracle.guarantee import NotJudgedError, check_history
from pytest_supercache.oracle.session import READ_YOUR_WRITES
from tests.histories import history


def violation(text, **options):
    return check_history(history(text, **options), READ_YOUR_WRITES)


def breaks(text, **options):
    return violation(text, **options) is not None


OLD_READ = """
    writer 0-2 put x=1
    commit 1 x=1
    writer 2-4 get x=0
"""


def test_reading_the_value_before_the_own_write_breaks_it():
    found = violation(OLD_READ, given={"x": 0})
    assert found is not None
    assert (found.guarantee, found.key, found.user, found.node) == (
        "read_your_writes", "x", "writer", "a",
    )  # fmt: skip
    assert (found.evidence["wrote"], found.evidence["seen"]) == (1, 0)


def test_reading_the_own_write_holds():
    assert not breaks(OLD_READ.replace("get x=0", "get x=1"), given={"x": 0})


def test_another_user_may_read_the_old_value():
    assert not breaks(OLD_READ.replace("writer 2-4", "reader 2-4"), given={"x": 0})


def test_another_key_may_be_old():
    text = OLD_READ.replace("get x=0", "get y=0")
    assert not breaks(text, given={"x": 0, "y": 0})


def test_a_read_before_the_own_write_may_be_old():
    text = """
        writer 0-2 get x=0
        writer 2-4 put x=1
        commit 3 x=1
    """
    assert not breaks(text, given={"x": 0})


def test_another_node_does_not_excuse_an_old_value():
    assert breaks(OLD_READ.replace("writer 2-4", "writer@b 2-4"), given={"x": 0})


def test_an_own_write_that_failed_or_never_returned_promises_nothing():
    assert not breaks(OLD_READ.replace("put x=1", "put x=1 raises OSError"), given={"x": 0})
    assert not breaks(OLD_READ.replace("0-2 put", "0-? put"), given={"x": 0})


def test_a_read_that_failed_shows_nothing():
    assert not breaks(OLD_READ.replace("get x=0", "get x raises OSError"), given={"x": 0})


def test_a_newer_write_of_somebody_else_may_be_read():
    text = """
        writer 0-2 put x=1
        commit 1 x=1
        other 2-4 put x=2
        commit 3 x=2
        writer 4-6 get x=2
    """
    assert not breaks(text, given={"x": 0})


def test_an_older_write_of_somebody_else_may_not_be_read():
    text = """
        other 0-2 put x=2
        commit 1 x=2
        writer 2-4 put x=1
        commit 3 x=1
        writer 4-6 get x=2
    """
    assert breaks(text, given={"x": 0})


def test_the_commit_order_decides_between_overlapping_writes():
    overlapping = """
        writer 0-4 put x=1
        other 0-4 put x=2
        {}
        {}
        writer 4-6 get x=2
    """
    assert breaks(overlapping.format("commit 2 x=2", "commit 3 x=1"), given={"x": 0})
    assert not breaks(overlapping.format("commit 2 x=1", "commit 3 x=2"), given={"x": 0})


def test_nothing_is_an_answer_when_the_key_has_always_existed():
    assert breaks(OLD_READ.replace("get x=0", "get x=miss"), given={"x": 0})


def test_nothing_is_the_older_version_of_a_key_that_did_not_exist():
    assert breaks(OLD_READ.replace("get x=0", "get x=miss"))


def test_after_the_own_delete_the_old_value_breaks_it_and_nothing_holds():
    text = """
        writer 0-2 delete x
        commit 1 x=miss
        writer 2-4 get x={}
    """
    assert breaks(text.format(0), given={"x": 0})
    assert not breaks(text.format("miss"), given={"x": 0})


def test_a_value_that_became_true_again_before_the_read_was_called_may_be_read():
    text = OLD_READ.replace("writer 2-4", "other 2-4 put x=0\n commit 3 x=0\n writer 4-6")
    assert not breaks(text, given={"x": 0})


def test_a_value_that_became_true_again_during_the_read_may_be_read():
    assert not breaks(OLD_READ + "commit 4 x=0", given={"x": 0})


def test_a_value_that_became_true_again_only_after_the_read_is_no_excuse():
    assert breaks(OLD_READ + "commit 5 x=0", given={"x": 0})


def test_a_value_that_was_there_before_and_between_cannot_be_told_apart():
    text = OLD_READ.replace(
        "writer 2-4", "other 2-4 put x=0\n commit 3 x=0\n commit 4 x=7\n writer 5-6"
    )
    with pytest.raises(NotJudgedError, match="before and after"):
        violation(text, given={"x": 0})


def test_an_own_value_that_somebody_else_had_written_earlier_is_still_the_own_write():
    text = """
        other 0-1 put x=1
        commit 1 x=1
        other 1-2 put x=2
        commit 2 x=2
        writer 2-3 put x=1
        commit 3 x=1
        writer 3-4 get x={}
    """
    assert breaks(text.format(2), given={"x": 0})
    assert not breaks(text.format(1), given={"x": 0})


def test_a_value_that_the_origin_never_had_is_not_judged():
    with pytest.raises(NotJudgedError, match="no version"):
        violation(OLD_READ.replace("get x=0", "get x=99"), given={"x": 0})


def test_an_own_write_that_the_origin_never_saw_is_not_judged():
    with pytest.raises(NotJudgedError, match="never saw"):
        violation(OLD_READ.replace("commit 1 x=1", "commit 1 x=8"), given={"x": 0})


def test_a_violation_outranks_what_was_not_judged():
    text = OLD_READ.replace("get x=0", "get x=99") + "writer 4-5 get x=0"
    assert breaks(text, given={"x": 0})


def test_bytes_text_and_json_are_one_value():
    text = OLD_READ.replace("x=1", 'x={"price": 1}')
    for seen in (b'{"price": 1}', '{ "price" : 1 }', {"price": 1}):
        read = dataclasses.replace(history(text).operations[1], answer=seen)
        changed = dataclasses.replace(
            history(text, given={"x": 0}), operations=(history(text).operations[0], read)
        )
        assert check_history(changed, READ_YOUR_WRITES) is None


def test_what_a_verb_observes_and_writes_is_judged_like_reads_and_writes():
    buy = Operation(
        user="writer", node="a", kind="buy", writes=(("x", 1),), called_at=0, returned_at=2
    )
    look = Operation(
        user="writer", node="a", kind="look", sightings=(("x", 0),), called_at=2, returned_at=4
    )
    seen = History(
        operations=(buy, look),
        commits=(Commit("x", 1, 1, 1),),
        origin_watched=True,
        given={"x": 0},
    )
    assert check_history(seen, READ_YOUR_WRITES) is not None
    fresh = dataclasses.replace(look, sightings=(("x", 1),))
    seen = dataclasses.replace(seen, operations=(buy, fresh))
    assert check_history(seen, READ_YOUR_WRITES) is None


# Without an origin only real time is known.


def test_without_an_origin_a_value_replaced_before_the_own_write_began_breaks_it():
    text = """
        other 0-2 put x=0
        writer 2-4 put x=1
        writer 4-6 get x=0
    """
    assert breaks(text)


def test_without_an_origin_a_write_that_overlaps_the_own_one_may_be_read():
    text = """
        other 0-3 put x=0
        writer 2-4 put x=1
        writer 4-6 get x=0
    """
    assert not breaks(text)


def test_without_an_origin_a_cache_may_forget():
    assert not breaks("writer 0-2 put x=1\n writer 2-4 get x=miss")


def test_without_an_origin_a_write_without_an_end_may_be_read():
    text = "other 0-? put x=0\n writer 2-4 put x=1\n writer 4-6 get x=0"
    assert not breaks(text)


def test_without_an_origin_the_own_earlier_value_breaks_it():
    text = "writer 0-2 put x=0\n writer 2-4 put x=1\n writer 4-6 get x={}"
    assert breaks(text.format(0))
    assert not breaks(text.format(1))


def test_without_an_origin_an_equal_value_written_later_may_be_read():
    text = """
        other 0-2 put x=0
        writer 2-4 put x=1
        other 4-5 put x=0
        writer 5-6 get x=0
    """
    assert not breaks(text)


def test_without_an_origin_equal_values_of_equal_operations_keep_their_places():
    text = "writer 0-0 put x=0\n writer 0-0 put x=1\n writer 0-0 put x=0\n writer 0-0 get x=0"
    assert not breaks(text)
    assert breaks("writer 0-0 put x=0\n writer 0-0 put x=1\n writer 0-0 get x=0")


def test_phases_are_ordered_even_when_no_step_was_taken():
    text = "alone 0-0 put x=0 (before)\n writer 0-0 put x=1\n writer 0-0 get x=0"
    assert breaks(text)


# The definition once more, by brute force: give the read every version it may be.

STEPS = st.tuples(
    st.sampled_from(["alice", "bob"]), st.sampled_from(["put", "get"]), st.integers(0, 5)
)


def sequential(moves):
    """Build a history without overlap: each operation is one step; a read shows a past value."""
    operations, commits, values = [], [], [0]
    for at, (user, kind, choice) in enumerate(moves):
        common = {"user": user, "node": "a", "key": "x", "called_at": at, "returned_at": at + 1}
        if kind == "put":
            values.append(len(values))  # every write is another value
            commits.append(Commit("x", values[-1], len(commits) + 1, at + 1))
            operations.append(Operation(kind="write", value=values[-1], **common))
        else:
            operations.append(Operation(kind="read", answer=values[choice % len(values)], **common))
    return History(
        operations=tuple(operations),
        commits=tuple(commits),
        origin_watched=True,
        given={"x": 0},
    )


def breaks_by_definition(seen):
    """Values are versions here: after an own write of version j, a read below j breaks it."""
    for at, read in enumerate(seen.operations):
        own = [
            other.value
            for other in seen.operations[:at]
            if other.user == read.user and other.kind == "write"
        ]
        if read.kind == "read" and own and read.answer < own[-1]:
            return True
    return False


@for_all(st.lists(STEPS, max_size=7))
def test_it_agrees_with_its_definition_on_small_histories(moves):
    seen = sequential(moves)
    assert (check_history(seen, READ_YOUR_WRITES) is not None) == breaks_by_definition(seen)


@for_all(st.lists(STEPS, max_size=7), st.data())
def test_one_mutated_answer_flips_the_verdict(moves, data):
    seen = sequential(moves)
    at = data.draw(st.integers(0, len(seen.operations)))
    newest = len(seen.commits)
    stale = Operation(
        user="alice", node="a", kind="read", key="x", answer=0, called_at=99, returned_at=100
    )
    own = dataclasses.replace(
        stale, kind="write", value=newest + 1, answer=None, called_at=97, returned_at=98
    )
    operations = (*seen.operations, own, stale)
    broken = dataclasses.replace(
        seen,
        operations=operations,
        commits=(*seen.commits, Commit("x", newest + 1, newest + 1, 98)),
    )
    assert check_history(broken, READ_YOUR_WRITES) is not None
    healthy = [
        dataclasses.replace(one, answer=newest + 1) if one.kind == "read" else one
        for one in operations
    ]
    # Only the last read is surely after all commits; earlier ones would see the future.
    kept = (*[one for one in healthy[:at] if one.kind == "write"], own, healthy[-1])
    assert check_history(dataclasses.replace(broken, operations=kept), READ_YOUR_WRITES) is None


def test_the_phase_of_the_race_is_the_default():
    assert history("writer 0-1 put x=1").operations[0].phase == RACE
