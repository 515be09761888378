"""What a check has kept is there for the next one: nothing is concluded from code they share."""

import functools
import mmap
import threading

from pytest_supercache import Faults, Verdict, check

KEPT = "something was kept that no execution gives back"
BEFORE = "an earlier check has kept something that no execution gives back, and both lead to "


class Once:
    """Is true once in a process: no execution gives a mapped byte back."""

    def __init__(self):
        self._seen = mmap.mmap(-1, 1)

    def __call__(self):
        is_first = not self._seen[0]
        self._seen[0] = 1
        return is_first


def _body(work):
    """A flow that must find nothing done yet."""

    def body(world):
        made = []
        for name in ("alice", "bob"):
            world.actor(name, work, made)
        world.run()
        assert made == ["made"]

    return body


def _make_once(once):
    lock = threading.Lock()

    def make(made):
        with lock:
            if once():
                made.append("made")

    return make


def _is_kept(result):
    return result.verdict is Verdict.UNKNOWN and KEPT in str(result.reasons)


def _begins_warm(result, by):
    return result.verdict is Verdict.UNKNOWN and f"{BEFORE}{by}. " in str(result.reasons)


def test_a_second_check_of_one_body_is_undecided():
    body = _body(_make_once(Once()))
    assert _is_kept(check(body, guarantees=()))
    again = check(body, guarantees=())
    assert _begins_warm(again, "_body.<locals>.body"), again
    assert again.executions == 0


def test_another_body_that_shares_the_object_is_undecided():
    make = _make_once(Once())

    def other(world):
        world.actor("alice", make, [])
        world.run()

    assert _is_kept(check(_body(make), guarantees=()))
    assert _begins_warm(check(other, guarantees=()), "_make_once.<locals>.make")


SEEN = mmap.mmap(-1, 1)


def test_a_variable_with_an_object_of_a_library_is_shared():
    def first(world):
        world.actor("alice", lambda: SEEN[0])
        before = world.run()["alice"]
        SEEN[0] = 1
        assert before

    def second(world):
        world.actor("alice", lambda: SEEN[0])
        assert world.run()["alice"]

    assert _is_kept(check(first, guarantees=()))
    assert _begins_warm(check(second, guarantees=()), "SEEN")


def test_a_check_that_shares_nothing_is_decided():
    assert _is_kept(check(_body(_make_once(Once())), guarantees=()))

    def right(world):
        lock, made = threading.Lock(), []

        def make():
            with lock:
                if not made:
                    made.append("made")

        world.actor("alice", make)
        world.actor("bob", make)
        world.run()
        assert made == ["made"]

    def broken(world):
        made = []

        def make():
            if not made:
                made.append("made")

        world.actor("alice", make)
        world.actor("bob", make)
        world.run()
        assert made == ["made"]

    assert check(right, guarantees=()).verdict is Verdict.HOLDS
    assert check(broken, guarantees=()).verdict is Verdict.VIOLATED


def test_values_that_keep_nothing_are_not_shared():
    """Two bodies may use the same numbers, texts, modules and functions of libraries."""
    number, text, empty, module, library = 1, "seven", (), functools, functools.reduce
    once = Once()

    def first(world):
        world.actor("alice", once)
        assert world.run()["alice"] == bool(number)
        assert (text, empty, module, library) == ("seven", (), functools, functools.reduce)

    def second(world):
        world.actor("alice", lambda: 1)
        assert world.run()["alice"] == number
        assert (text, empty, module, library) == ("seven", (), functools, functools.reduce)

    assert _is_kept(check(first, guarantees=()))
    assert check(second, guarantees=()).verdict is Verdict.HOLDS


def test_faults_are_not_searched_where_something_was_kept():
    """They would find what the search without faults has left, and call it a plain bug."""
    result = check(_body(_make_once(Once())), guarantees=(), faults=Faults(kinds=("error_before",)))
    assert _is_kept(result)
    assert len(result.reasons) == 1
