"""The text notation for histories says what it seems to say."""

import pytest

from pytest_supercache.core.operation import Commit
from tests.histories import history


def only(text):
    (operation,) = history(text)
    return operation


def test_a_put_is_a_write_with_its_value_and_interval():
    put = only("writer 0-3 put x=1")
    assert (put.user, put.node, put.kind, put.key) == ("writer", "a", "write", "x")
    assert (put.value, put.called_at, put.returned_at, put.phase) == (1, 0, 3, "race")


def test_a_get_has_an_answer_and_miss_is_none():
    assert only("reader@b 1-4 get x=two words").answer == "two words"
    assert only("reader@b 1-4 get x=two words").node == "b"
    assert only("reader 1-4 get x=miss").answer is None
    assert only("reader 1-4 get x=miss").value is None


def test_a_delete_has_no_value():
    delete = only("writer 1-4 delete x")
    assert (delete.kind, delete.key, delete.value) == ("delete", "x", None)


def test_an_operation_without_an_end_has_not_returned():
    assert not only("writer 5-? put x=1").returned
    assert only("writer 5-6 put x=1").returned


def test_an_error_is_an_answer():
    failed = only("writer 5-6 put x=1 raises TimeoutError")
    assert isinstance(failed.error, TimeoutError)
    assert failed.returned
    assert failed.value == 1
    assert only("reader 5-6 get x raises OSError").answer is None


def test_a_phase_stands_in_brackets():
    assert only("alone 0-1 put x=1 (before)").phase == "before"
    assert only('alone 0-1 put x={"a": [1]} (before)').value == {"a": [1]}


def test_commits_count_versions_per_key_and_make_the_origin_watched():
    seen = history("""
        commit 1 x=1
        commit 2 y=a
        commit 3 x=miss
    """)
    assert seen.commits == (Commit("x", 1, 1, 1), Commit("y", "a", 1, 2), Commit("x", None, 2, 3))
    assert seen.origin_watched
    assert not history("writer 0-1 put x=1").origin_watched
    assert history("", given={"x": 1}).given == {"x": 1}
    assert history("", given={"x": 1}).origin_watched


@pytest.mark.parametrize(
    "line",
    ["writer put x=1", "writer 0-3 post x=1", "writer 0-3 put x", "writer 0-3 delete x=1", "x"],
)
def test_a_line_that_cannot_be_read_is_an_error_that_shows_it(line):
    with pytest.raises(ValueError, match=line):
        history(line)
