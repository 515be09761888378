"""``coherent_when_settled``: what may be left in the layers, and the nearest that may not."""

import dataclasses
from itertools import product

import pytest

from pytest_supercache.core.execution import Execution, Settled
from pytest_supercache.core.footprint import NOTHING, footprint_of
from pytest_supercache.core.operation import Commit, History, Operation
from pytest_supercache.core.places import place_in_words
from pytest_supercache.core.schedule import Schedule
from pytest_supercache.core.trace import Pending, Step
from pytest_supercache.oracle.guarantee import NotJudgedError, check_history
from pytest_supercache.oracle.settled import COHERENT_WHEN_SETTLED
from tests.histories import history

WRITTEN = """
    writer 0-2 put x=1
    commit 1 x=1
"""


def violation(text, *, given=None, layers=None, probes=None):
    settled = Settled(layers=layers or {}, probes=probes or {})
    return check_history(history(text, given=given), COHERENT_WHEN_SETTLED, settled)


def left(where, value, *, text=WRITTEN, truth=1):
    """Judge ``value`` left in a layer while the origin holds ``truth``."""
    origin = {} if truth is None else {"x": truth}
    layers = {where: {"x": value}, "origin": origin}
    return violation(text, given={"x": 0}, layers=layers)


def answered(value, *, text=WRITTEN, truth=1):
    """Judge ``value`` as the answer of node b."""
    origin = {} if truth is None else {"x": truth}
    probes = {("a", "x"): truth, ("b", "x"): value}
    return violation(text, given={"x": 0}, layers={"origin": origin}, probes=probes)


@pytest.mark.parametrize("where", ["existing_cache", "super_cache@a", "super_cache@b"])
def test_an_older_version_in_a_layer_breaks_it_and_the_newest_does_not(where):
    found = left(where, 0)
    assert found is not None
    assert (found.guarantee, found.key) == ("coherent_when_settled", "x")
    assert f"{place_in_words(where)} still holds 0" in found.summary
    assert left(where, 1) is None


def test_an_older_version_in_another_encoding_breaks_it():
    assert left("existing_cache", b"0") is not None
    assert left("existing_cache", "0") is not None
    assert left("existing_cache", b"1") is None
    assert left("existing_cache", "1") is None


def test_nothing_in_a_layer_is_coherent():
    layers = {"existing_cache": {}, "super_cache@a": {}, "origin": {"x": 1}}
    assert violation(WRITTEN, given={"x": 0}, layers=layers) is None


def test_an_answer_other_than_the_origins_breaks_it():
    found = answered(0)
    assert found is not None
    assert (found.key, found.node) == ("x", "b")
    assert answered(1) is None


def test_an_answer_that_was_never_a_version_cannot_be_compared():
    with pytest.raises(NotJudgedError, match="no version that the origin ever had"):
        answered(99)


def test_an_answer_that_was_neither_given_nor_written_cannot_be_compared():
    with pytest.raises(NotJudgedError, match="neither given nor written"):
        agreed("writer 0-2 put x=1", 99)


def test_no_answer_is_coherent():
    assert answered(None) is None


def test_no_answer_breaks_it_where_the_system_loads_from_the_origin_and_not_where_it_only_writes():
    asked = Settled(layers={"origin": {"x": 1}}, probes={("b", "x"): None})

    def breaks(*accesses):
        steps = [Step("writer", at, "x", "origin", one) for at, one in enumerate(accesses)]
        execution = Execution(
            schedule=Schedule(),
            steps=steps,
            history=history(WRITTEN, given={"x": 0}),
            settled=asked,
        )
        return COHERENT_WHEN_SETTLED.find_violation(execution) is not None

    load, write = footprint_of("origin:x", ()), footprint_of((), "origin:x")
    assert breaks(write, load)
    assert not breaks(write)
    assert not breaks(write, footprint_of("origin:y", ()))


def test_a_probe_that_failed_is_left_to_answers():
    assert answered(OSError("down")) is None


def test_a_value_after_the_last_write_was_a_delete_breaks_it():
    text = "writer 0-2 delete x\n commit 1 x=miss"
    assert left("existing_cache", 0, text=text, truth=None) is not None
    assert answered(0, text=text, truth=None) is not None
    assert answered(None, text=text, truth=None) is None


def test_a_value_that_came_back_is_the_truth_again():
    text = WRITTEN + "writer 2-4 put x=0\n commit 3 x=0"
    assert left("existing_cache", 0, text=text, truth=0) is None
    assert left("existing_cache", 1, text=text, truth=0) is not None


def test_an_older_version_of_another_key_is_no_violation():
    def super_cache_holds(content):
        layers = {"super_cache@a": content, "origin": {"x": 1, "y": 0}}
        return violation(WRITTEN, given={"x": 0, "y": 0}, layers=layers)

    assert super_cache_holds({"y": 0, "x": 1}) is None
    assert super_cache_holds({"x": 0}) is not None


def test_content_that_cannot_be_read_is_judged_only_through_the_system():
    layers = {"existing_cache": {"x": "\\x80pickled"}, "origin": {"x": 1}}
    with pytest.raises(NotJudgedError, match="existing_cache:x"):
        violation(WRITTEN, given={"x": 0}, layers=layers)
    assert violation(WRITTEN, given={"x": 0}, layers=layers, probes={("a", "x"): 1}) is None
    assert violation(WRITTEN, given={"x": 0}, layers=layers, probes={("a", "x"): 0}) is not None


def test_layers_that_nobody_looked_at_are_not_judged():
    with pytest.raises(NotJudgedError, match="settle"):
        violation(WRITTEN, given={"x": 0})
    with pytest.raises(NotJudgedError):
        check_history(history(WRITTEN), COHERENT_WHEN_SETTLED)


@pytest.mark.parametrize(
    "ending",
    [
        {"complete": False},
        {"blocked": (Pending("reader", "GET x", NOTHING, enabled=False),)},
    ],
)
def test_an_execution_that_never_settled_is_left_to_answers(ending):
    stale = Settled(layers={"existing_cache": {"x": 0}, "origin": {"x": 1}})
    settled = Execution(
        schedule=Schedule(), steps=[], history=history(WRITTEN, given={"x": 0}), settled=stale
    )
    assert COHERENT_WHEN_SETTLED.find_violation(settled) is not None
    assert COHERENT_WHEN_SETTLED.find_violation(dataclasses.replace(settled, **ending)) is None


# Without an origin: the last acknowledged write, and the nodes among each other.


def agreed(text, *answers):
    nodes = "abcdefgh"
    return violation(text, probes={(nodes[at], "x"): one for at, one in enumerate(answers)}) is None


def test_without_an_origin_and_without_get_it_is_not_judged():
    with pytest.raises(NotJudgedError, match=r"needs get\(key\)\. .*`guarantees: \[\]`"):
        violation("writer 0-2 put x=1", layers={"existing_cache": {"x": "0"}})


def test_without_an_origin_the_last_acknowledged_write_counts():
    text = "writer 0-2 put x=0\n writer 2-4 put x=1"
    assert agreed(text, 1)
    assert not agreed(text, 0)
    assert agreed(text, None)


def test_without_an_origin_the_last_write_may_be_a_delete():
    text = "writer 0-2 put x=0\n writer 2-4 delete x"
    assert not agreed(text, 0)
    assert agreed(text, None)


def test_without_an_origin_either_of_two_overlapping_writes_may_be_last():
    overlapping = "writer 0-3 put x=1\n other 2-4 put x=2"
    assert agreed(overlapping, 1, 1)
    assert agreed(overlapping, 2, 2)
    assert not agreed(f"before 0-0 put x=3\n{overlapping}", 3)
    touching = "writer 0-2 put x=1\n other 2-4 put x=2"
    assert not agreed(touching, 1, 1)
    assert agreed(touching, 2, 2)


def test_without_an_origin_nodes_that_differ_break_it():
    overlapping = "writer 0-3 put x=1\n other 2-4 put x=2"
    assert not agreed(overlapping, 1, 2)
    assert agreed(overlapping, 1, None)
    assert not agreed("reader 0-1 get x=0", 1, 2)
    assert agreed("reader 0-1 get x=0", 1, 1)


def test_without_an_origin_two_writes_of_one_session_without_steps_keep_their_order():
    text = "writer 0-0 put x=0\n writer 0-0 put x=1"
    assert agreed(text, 1)
    assert not agreed(text, 0)


def test_a_write_without_an_end_may_have_taken_effect_or_not():
    text = "writer 0-2 put x=0\n other 2-? put x=1"
    assert agreed(text, 0)
    assert agreed(text, 1)
    assert not agreed(f"before 0-0 put x=2\n{text}", 2)


def test_a_failed_write_may_have_taken_effect_unless_an_acknowledged_one_followed():
    text = "other 0-2 put x=0 raises TimeoutError\n writer {}-4 put x=1"
    assert agreed(text.format(1), 0)
    assert not agreed(text.format(2), 0)
    assert agreed(text.format(2), 1)


def test_when_no_write_was_acknowledged_nobody_knows_what_is_right():
    assert agreed("other 0-? put x=1", 0)
    assert not agreed("before 0-0 put x=0\n other 0-1 put x=1", 0)


def test_what_a_verb_wrote_counts_as_written():
    sell = Operation(
        user="shop", node="a", kind="sell", writes=(("x", 1),), called_at=0, returned_at=2
    )
    seen = History(operations=(sell,), given_in_caches={"x": (0,)})
    for answer, holds in ((1, True), (0, False)):
        found = check_history(seen, COHERENT_WHEN_SETTLED, Settled(probes={("a", "x"): answer}))
        assert (found is None) == holds


def last_by_definition(writes):
    """Values of writes which some order of all writes, within real time, puts last."""
    return {
        value
        for start, end, value in writes
        if all(end > other_start or (start, end) == (other_start, other_end)
               for other_start, other_end, _ in writes)
    }  # fmt: skip


def test_it_agrees_with_brute_force_on_two_and_three_writes_of_different_users():
    intervals = [(start, end) for start in range(4) for end in range(start + 1, 5)]
    for placed in product(intervals, repeat=3):
        writes = [(start, end, value) for value, (start, end) in enumerate(placed)]
        text = "\n".join(f"user{v} {start}-{end} put x={v}" for start, end, v in writes)
        may_be_last = last_by_definition(writes)
        assert {value for value in range(3) if agreed(text, value)} == may_be_last


def test_a_mutated_layer_flips_the_verdict():
    commits = tuple(Commit("x", value, value, value) for value in (1, 2, 3))
    seen = History(commits=commits, origin_watched=True, given={"x": 0})
    for value in range(4):
        settled = Settled(layers={"super_cache@a": {"x": value}, "origin": {"x": 3}})
        found = check_history(seen, COHERENT_WHEN_SETTLED, settled)
        assert (found is None) == (value == 3)
