"""The grid and its drawing as text."""

from dataclasses import replace

import pytest

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.footprint import NOTHING
from pytest_supercache.core.operation import History, Operation
from pytest_supercache.core.schedule import CLOCK, Schedule
from pytest_supercache.core.trace import Pending, Step
from pytest_supercache.core.waits import LockState, Wait
from pytest_supercache.report.agreement import canonical, first_disagreement
from pytest_supercache.report.picture import picture
from pytest_supercache.report.timeline import Timeline, timeline
from pytest_supercache.report.values import shown, width_of
from pytest_supercache.report.verdict_json import counterexample_to_json
from tests.unit.report.report_stories import Recorder, counterexample_of, stale_set

GOLDEN = """\
   #  alice @a                   bob @b                     | super cache @a  existing cache  origin
      start                                                 | -               -               100
   1  read product:42                                       |
        GET product:42                                      | -               -               100
   2    origin: read product:42                             | -               -               100
   3                             write product:42 = 120     |
                                   origin: write product:42 | -               -               120 *
                                   = 120                    |
   4                               DEL product:42           | -               -               120
                                   done                     |
  !5    SET product:42                                      | 100 *           100 *           120
        -> 100                                              |
      ! from this step on the layers stay inconsistent

      values of product:42 after each step
      * changed by this step
      not drawn, because it plays no part: messages to b, super cache @b"""

LISTED = """\
   #  who       step
                start
                  origin holds 100
   1  alice @a  read product:42
                  GET product:42
   2              origin: read product:42
   3  bob @b    write product:42 = 120
                  origin: write product:42 = 120
                  origin holds 120
   4              DEL product:42
                  done
  !5  alice @a    SET product:42
                  super cache @a holds 100
                  existing cache holds 100
                  -> 100
      ! from this step on the layers stay inconsistent

      not drawn, because it plays no part: messages to b,
      super cache @b"""


def drawn(execution: Execution) -> Timeline:
    return timeline(counterexample_to_json(counterexample_of(execution)))


def test_two_users_on_two_nodes_fit_a_hundred_columns():
    text = picture(drawn(stale_set()), 100)
    assert max(map(width_of, text.splitlines())) <= 100
    assert text == GOLDEN


def test_every_value_in_the_grid_is_the_value_recorded_after_that_step():
    execution = stale_set()
    grid = drawn(execution)
    rows = [row for row in grid.rows if row.number is not None]
    assert len(rows) == len(execution.steps)
    for row, step in zip(rows, execution.steps, strict=True):
        for column, value in zip(grid.columns, row.values, strict=True):
            assert value == shown(step.layers[column.place].get(column.key))


@pytest.mark.parametrize(
    "execution",
    [stale_set(old=7, new=8), stale_set(users=("eve", "mallory")), stale_set(key="cart:9")],
    ids=["values", "users", "keys"],
)
def test_other_values_users_and_keys_change_the_picture(execution):
    text = picture(drawn(execution), 200)
    assert text != picture(drawn(stale_set()), 200)
    for expected in {str(value) for value in execution.history.given.values()}:
        assert expected in text
    for operation in execution.history:
        assert operation.user in text
        assert operation.key in text


@pytest.mark.parametrize("width", [120, 100, 80, 60, 40, 24])
def test_narrow_pictures_lose_no_value_and_no_label(width):
    text = picture(drawn(stale_set(old="old-price", new="new-price")), width)
    joined = "".join(text.split())
    for part in ("alice", "bob", "old-price", "new-price", "messagestob", "->"):
        assert part in joined or width < 30
    if width >= 40:
        assert max(map(width_of, text.splitlines())) <= width


def test_where_no_table_fits_all_actors_share_a_column_and_steps_tell_what_they_change():
    assert picture(drawn(stale_set()), 60) == LISTED


def test_step_from_which_layers_never_agree_again_is_the_stale_fill():
    assert first_disagreement(stale_set()) == 4


def test_layers_that_agree_at_the_end_have_no_marked_step():
    execution = stale_set()
    execution.steps[-1].layers = execution.start
    assert first_disagreement(execution) is None
    assert "inconsistent" not in picture(drawn(execution), 120)


def test_value_in_an_encoding_we_cannot_read_is_not_called_a_disagreement():
    execution = stale_set(cached=b"\x80\x04pickled")
    for step in execution.steps:
        step.layers["super_cache@a"] = {}
    assert first_disagreement(execution) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [("100", 100), (b"100", 100), ('{"b": 1, "a": 2}', {"a": 2, "b": 1}), (b"x", "x"), (1.0, 1)],
)
def test_text_bytes_and_json_of_one_value_agree(one, other):
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(("one", "other"), [("100", 101), (b"\xff", "x"), ([1], [2]), (True, 1)])
def test_different_values_do_not_agree(one, other):
    assert canonical(one) != canonical(other)


def test_two_keys_give_a_column_each_and_name_them():
    start = {"existing_cache": {"x": "1", "y": "2"}, "origin": {"x": 1, "y": 2, "unrelated": 3}}
    run = Recorder(start)
    run.step("alice", "MSET x y", operation=0, existing_cache=("x", "5"), origin=("y", 6))
    operations = tuple(
        Operation(user="alice", node="a", kind="write", key=k, value=1, returned_at=1) for k in "xy"
    )
    execution = Execution(
        schedule=Schedule(("alice",)), steps=run.steps, start=start,
        history=History(operations=operations, origin_watched=True),
    )  # fmt: skip
    grid = drawn(execution)
    assert [(c.place, c.key) for c in grid.columns] == [
        ("existing_cache", "x"), ("existing_cache", "y"), ("origin", "x"), ("origin", "y"),
    ]  # fmt: skip
    assert "unrelated" not in picture(grid, 120)


def test_clock_ticks_have_a_column_of_their_own_at_the_right():
    execution = stale_set()
    execution.steps.append(Step(CLOCK, 0, "tick +1 s", "clock", NOTHING, choice=6))
    grid = drawn(execution)
    assert grid.lanes[-1].title == "clock"
    assert grid.rows[-1].values == ("?", "?", "?", "?")  # no layers were recorded for it


def test_blocked_actor_ends_waiting_and_the_holder_is_named():
    execution = stale_set()
    lock = Wait("lock:shop.py:12#0", "acquire", guarded=True)
    execution.steps[3].wait = lock
    execution.steps[3].wait_after = LockState(holder="bob", depth=1)
    execution.blocked = (Pending("alice", "acquire shop.py:12", NOTHING, enabled=False, wait=lock),)
    assert drawn(execution).rows[-1].text == ("waits for: acquire shop.py:12 (held by bob)",)


def test_operation_that_raised_shows_its_error():
    grid = drawn(stale_set(error=LookupError("no such price")))
    assert grid.rows[5].after == (("raised LookupError: no such price",),)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ({"key": "product:42", "answer": 100}, "read product:42 -> 100 (without a step)"),
        ({"key": "product:42"}, "read product:42 -> nothing (without a step)"),
        ({"kind": "pay"}, "pay done (without a step)"),
    ],
)
def test_operation_without_a_step_is_shown_where_it_happened(call, text):
    execution = stale_set()
    kind = {"kind": "read", **call}
    cached = Operation(user="bob", node="b", called_at=2, returned_at=2, **kind)
    history = execution.history
    execution.history = replace(history, operations=(*history.operations, cached))
    row = drawn(execution).rows[3]
    assert "".join(row.text) == text
    assert row.number is None


def test_after_the_race_only_operations_and_changes_are_shown():
    execution = stale_set()
    run = Recorder(execution.steps[-1].layers, execution.steps)
    run.step("@expiry", "nothing happens", phase="settle")
    run.step("@expiry", "expire product:42", phase="settle", existing_cache=("product:42", None))
    execution.settled.probes = {("a", "product:42"): 100, ("b", "product:42"): KeyError("x")}
    text = picture(drawn(execution), 120)
    assert "nothing happens" not in text
    assert "@expiry: expire product:42" in text
    assert "node a: read product:42 -> 100" in text
    assert "node b: read product:42 raised KeyError: 'x'" in text


@pytest.mark.parametrize("phase", ["before", "finally"])
def test_unraced_operation_is_one_row_with_its_answer(phase):
    execution = stale_set()
    at = len(execution.history.operations)
    alone = Operation(
        user="body", node="a", kind="read", key="product:42", answer=100, phase=phase,
        called_at=6, returned_at=8,
    )  # fmt: skip
    run = Recorder(execution.steps[-1].layers, execution.steps)
    run.step("body", "first half", phase=phase, operation=at)
    run.step("body", "second half", phase=phase, operation=at)
    operations = (*execution.history.operations, alone)
    execution.history = replace(execution.history, operations=operations)
    rows = [row for row in drawn(execution).rows if row.group]
    assert ["".join(row.text) for row in rows] == ["node a: read product:42 -> 100"]


def test_long_value_is_shortened_in_the_cell_and_whole_in_the_legend():
    long = {"price": 100, "name": "x" * 50}
    text = picture(drawn(stale_set(old=long)), 160)
    assert '{"price"...xxxx"} [1]' in text
    assert f'[1] {{"price": 100, "name": "{"x" * 50}"}}' in text


@pytest.mark.parametrize("hostile", ["a\nb", "\x1b[31mred", "\u202egnp", "tab\there", "\x00"])
def test_hostile_values_cannot_break_the_lines_or_the_terminal(hostile):
    text = picture(drawn(stale_set(old=hostile)), 120)
    assert all(line.isprintable() for line in text.splitlines())
    assert len(text.splitlines()) <= len(GOLDEN.splitlines()) + 6


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"), ("-", '"-"'), ("", '""'), (" x", '" x"'), (b"text", "text"),
        (b"\xff", "b'\\\\xff'"), ({"a": [1, None]}, '{"a": [1, null]}'),
        ('{"a":1}', '{"a": 1}'), ("\U0001f600", "\U0001f600"),
    ],
)  # fmt: skip
def test_values_read_unambiguously_on_one_line(value, text):
    assert shown(value) == text.replace("\\\\", "\\")


def test_wide_characters_keep_the_columns_aligned():
    lines = picture(drawn(stale_set(old="\u4fa1\u683c")), 120).splitlines()
    bars = {width_of(line[: line.index(" |")]) for line in lines if " |" in line}
    assert len(bars) == 1


def test_picture_without_recorded_layers_still_shows_who_did_what():
    execution = stale_set()
    execution.start = {}
    for step in execution.steps:
        step.layers = None
    text = picture(drawn(execution), 120)
    assert "SET product:42" in text
    assert "|" not in text


def test_an_answer_that_came_after_a_tick_has_a_row_of_its_own_in_the_lane_of_its_user():
    execution = stale_set(error=TimeoutError("too late"))
    execution.steps.insert(5, Step(CLOCK, 0, "tick +1 s", "clock", NOTHING, choice=5))
    late = replace(execution.history.operations[0], returned_at=6)
    operations = (late, *execution.history.operations[1:])
    execution.history = replace(execution.history, operations=operations)
    rows = drawn(execution).rows
    assert ["".join(row.text) for row in rows[5:8]] == [
        "SET product:42", "tick +1 s", "raised TimeoutError: too late",
    ]  # fmt: skip
    assert rows[7].lane == rows[5].lane
    assert rows[5].after == ()
