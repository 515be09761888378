"""A body that asserts what an earlier execution has left proves nothing.

Two users count. The one who comes to 2 tells somebody, and the body insists that it was told.
Nobody is told if both have read 0; but if what was told is kept from one execution to the next, the
body finds what was told in an earlier one.
"""

import collections
import functools
import io
import logging.handlers
import warnings
from unittest import mock

import pytest

from pytest_supercache import Verdict, check

LOG = logging.getLogger("tests.soundness.told")


class Counter:
    def __init__(self, tell):
        self.n, self.tell = 0, tell

    def hit(self):
        n = self.n
        self.n = n + 1
        if self.n == 2:
            self.tell()


class Spy:
    def __init__(self):
        self.told = []

    def __call__(self):
        self.told.append("two")


def checked(tell, was_told, before=lambda: None):
    """Let two users count, and the body insist that 2 was told."""

    def body(world):
        before()
        counter = Counter(tell)
        world.actor("a", counter.hit)
        world.actor("b", counter.hit)
        world.run()
        assert was_told()

    return check(body, guarantees=())


def in_list():
    told = []
    return lambda: told.append("two"), lambda: "two" in told, told.clear


def in_deque():
    told = collections.deque()
    return lambda: told.append("two"), lambda: len(told) > 0, told.clear


def in_dict():
    told = {}
    return lambda: told.setdefault("two", 1), lambda: "two" in told, told.clear


def in_attribute_of_spy():
    spy = Spy()
    return spy, lambda: spy.told, lambda: spy.told.clear()


def in_variable():
    told = False

    def tell():
        nonlocal told
        told = True

    def reset():
        nonlocal told
        told = False

    return tell, lambda: told, reset


def in_stream():
    told = io.StringIO()

    def reset():
        told.seek(0)
        told.truncate()

    return lambda: told.write("two"), lambda: "two" in told.getvalue(), reset


def in_mock():
    told = mock.Mock()
    return told, lambda: told.called, told.reset_mock


def in_attribute_of_mock():
    mail = mock.MagicMock()

    def was_told():
        mail.send.assert_called_with("two")
        return True

    return lambda: mail.send("two"), was_told, mail.reset_mock


def in_log():
    told = logging.handlers.BufferingHandler(100)

    def tell():
        told.emit(logging.makeLogRecord({"msg": "two"}))

    return tell, lambda: told.buffer, told.flush


KEPT = [
    in_list, in_deque, in_dict, in_attribute_of_spy, in_variable, in_stream, in_mock,
    in_attribute_of_mock, in_log,
]  # fmt: skip


@pytest.mark.parametrize("kept", KEPT, ids=lambda kept: kept.__name__)
def test_a_body_that_finds_what_an_earlier_execution_left_proves_nothing(kept):
    tell, was_told, _ = kept()
    result = checked(tell, was_told)
    assert result.verdict is Verdict.UNKNOWN
    assert "has left there" in " ".join(result.reasons)


@pytest.mark.parametrize("kept", KEPT, ids=lambda kept: kept.__name__)
def test_a_body_that_empties_it_before_the_race_finds_the_race(kept):
    tell, was_told, reset = kept()
    assert checked(tell, was_told, before=reset).verdict is Verdict.VIOLATED


def test_a_file_that_an_earlier_execution_left_proves_nothing(tmp_path):
    told = tmp_path / "told"
    result = checked(lambda: told.write_text("two"), told.exists)
    assert result.verdict is Verdict.UNKNOWN
    assert f"{told} what an earlier one has left" in " ".join(result.reasons)


def test_a_file_that_the_body_removes_is_fresh(tmp_path):
    told = tmp_path / "told"
    result = checked(
        lambda: told.write_text("two"), told.exists, before=lambda: told.unlink(missing_ok=True)
    )
    assert result.verdict is Verdict.VIOLATED


def answered(keep, found):
    """Let two users keep what a counter in the cache answers, and judge what the body finds."""

    def body(world):
        cache = world.existing_cache.client()
        for name in ("a", "b"):
            world.actor(name, lambda name=name: keep(name, cache.incr("n")))
        world.run()
        assert found()

    return check(body, guarantees=()).verdict


def test_what_each_execution_puts_anew_is_not_left_by_an_earlier_one(tmp_path):
    answers, last, file = {}, Spy(), tmp_path / "last"
    assert (
        answered(answers.__setitem__, lambda: sorted(answers.values()) == [1, 2]) is Verdict.HOLDS
    )
    keep = lambda _, answer: setattr(last, "told", answer)  # noqa: E731 - a lambda is what is tried
    assert answered(keep, lambda: last.told in {1, 2}) is Verdict.HOLDS
    assert (
        answered(lambda *_: file.write_text("x"), lambda: file.read_text() == "x") is Verdict.HOLDS
    )

    latest = None

    def keep_latest(_, answer):
        nonlocal latest
        latest = answer

    assert answered(keep_latest, lambda: latest in {1, 2}) is Verdict.HOLDS


def test_what_only_the_body_collects_may_stay():
    seen = []
    assert answered(lambda *_: None, lambda: seen.append(1) or seen) is Verdict.HOLDS


def test_a_mock_that_is_not_asked_for_its_calls_may_stay():
    rates = mock.Mock()
    rates.get.return_value = 5
    seen = []
    keep = lambda *_: seen.append(rates.get("EUR"))  # noqa: E731 - a lambda is what is tried
    assert answered(keep, lambda: rates.get("USD") == 5) is Verdict.HOLDS


def test_calls_from_before_the_check_are_not_left_by_an_execution():
    rates = mock.Mock()
    rates.connect()
    assert answered(lambda *_: None, lambda: rates.connect.called) is Verdict.HOLDS


def warned():
    warnings.warn("two", stacklevel=1)


def test_what_caplog_and_recwarn_have_recorded_is_named(caplog, recwarn):
    result = checked(lambda: LOG.warning("two"), lambda: "two" in caplog.text)
    assert result.verdict is Verdict.UNKNOWN
    assert "caplog.clear()" in " ".join(result.reasons)
    result = checked(lambda: LOG.warning("two"), lambda: caplog.records, before=caplog.clear)
    assert result.verdict is Verdict.VIOLATED
    warnings.simplefilter("always")
    assert checked(warned, lambda: recwarn.list).verdict is Verdict.UNKNOWN
    assert checked(warned, lambda: recwarn.list, before=recwarn.clear).verdict is Verdict.VIOLATED


def in_global(near, answer):
    if near.seen is None:
        near.seen = answer
    return near.seen


def in_dict_of_module(near, answer):
    if "n" not in near.entries:
        near.entries["n"] = answer
    return near.entries["n"]


def in_memo(near, answer):
    near.answer = answer
    return near.memo()


@pytest.mark.parametrize("keep", [in_global, in_dict_of_module, in_memo])
def test_what_the_body_stores_in_the_code_under_test_is_given_back(keep, module):
    """The first execution stores 2; a later one that finds it does not see the lost update."""
    module.seen, module.entries, module.answer = None, {}, None
    module.memo = functools.cache(lambda: module.answer)

    def body(world):
        cache = world.existing_cache.client()

        def hit():
            cache.set("n", int(cache.get("n") or 0) + 1)

        world.actor("a", hit)
        world.actor("b", hit)
        world.run()
        assert keep(module, int(cache.get("n"))) == 2

    assert check(body, guarantees=()).verdict is Verdict.VIOLATED


def left_by_the_body(use):
    """Return what the verdict says that the body has left to itself."""

    def body(world):
        cache = world.existing_cache.client()
        world.actor("a", cache.incr, "n")
        world.actor("b", cache.incr, "n")
        world.run()
        assert use(int(cache.get("n")))

    result = check(body, guarantees=())
    assert result.verdict is Verdict.HOLDS
    return result.scope.get("left by the body", "")


COLLECTED = []


def test_what_the_body_has_left_to_itself_is_told(tmp_path):
    """The twins: it only collects, and it begins anew."""
    seen, spy, file = [], Spy(), tmp_path / "seen"
    assert left_by_the_body(lambda n: seen.append(n) or 2 in seen) == "seen"
    assert left_by_the_body(lambda n: COLLECTED.append(n) or COLLECTED[0] == 2)
    assert left_by_the_body(lambda n: spy.told.append(n) or 2 in spy.told)
    assert left_by_the_body(lambda n: bool(file.exists() or file.write_text(str(n)))) == str(file)

    assert not left_by_the_body(lambda n: seen.append(n) is None)
    assert not left_by_the_body(lambda n: seen.clear() or seen.append(n) or seen == [2])
    assert not left_by_the_body(lambda n: spy.__setattr__("last", n) or spy.last == 2)
    assert not left_by_the_body(lambda n: bool(file.write_text(str(n))) and file.read_text() == "2")


NUMBER = 0


def counted(use, *, before=lambda: None):
    """Check two users who may lose an update, and a body that uses the number they come to."""

    def body(world):
        cache = world.existing_cache.client()
        before()

        def hit():
            cache.set("n", int(cache.get("n") or 0) + 1)

        world.actor("a", hit)
        world.actor("b", hit)
        world.run()
        use(int(cache.get("n")))

    return check(body, guarantees=())


def fails_after_a_lost_update(seen):
    def use(n):
        was_lost = bool(seen)
        if n == 1:
            seen.append(n)
        assert not was_lost

    return use


def fails_at_the_second_outcome(seen):
    def use(n):
        seen.append(n)
        assert len(set(seen)) < 2

    return use


def fails_at_a_lost_update(seen):
    def use(n):
        seen.append(n)
        assert n == 2

    return use


def fails_at_the_latest_number(seen):
    def use(n):
        seen.append(n)
        assert seen[-1] == 2

    return use


ONLY_BY_AN_EARLIER_EXECUTION = [fails_after_a_lost_update, fails_at_the_second_outcome]


@pytest.mark.parametrize("use", ONLY_BY_AN_EARLIER_EXECUTION)
def test_what_fails_by_an_earlier_execution_alone_is_undecided_and_named(use):
    seen = []
    for kept, name in [(seen, "seen"), (COLLECTED, f"{__name__}.COLLECTED")]:
        kept.clear()
        result = counted(use(kept))
        assert result.verdict is Verdict.UNKNOWN
        assert f"needs what the body has left in {name} in earlier" in " ".join(result.reasons)


@pytest.mark.parametrize("use", [fails_at_a_lost_update, fails_at_the_latest_number])
def test_a_violation_counts_where_the_body_only_collects_and_what_it_collected_stays(use):
    seen = []
    for kept in seen, COLLECTED:
        kept.clear()
        result = counted(use(kept))
        assert result.verdict is Verdict.VIOLATED
        assert set(kept) == {1, 2}
        assert len(kept) >= result.executions


def test_a_violation_counts_where_the_body_counts_its_executions():
    """The twin: that number is all that fails."""
    total = 0

    def count(n, *, most=1000):
        global NUMBER
        nonlocal total
        total, NUMBER = total + 1, NUMBER + 1
        assert total < most
        assert n == 2

    assert counted(count).verdict is Verdict.VIOLATED
    assert total == NUMBER
    assert counted(functools.partial(count, most=total + 4)).verdict is Verdict.UNKNOWN


def test_what_the_body_sets_up_once_is_set_up_once():
    made = []

    def once():
        if not made:
            made.append(1)

    def use(n):
        assert n == 2

    ready = mock.Mock(side_effect=once)
    assert counted(use, before=ready).verdict is Verdict.VIOLATED
    assert made == [1]


def test_a_violation_after_what_a_file_has_kept_is_undecided(tmp_path):
    """The twin: it is written anew."""
    file = tmp_path / "seen"
    file.touch()

    def append(n):
        with file.open("a") as stream:
            stream.write(str(n))
        assert file.read_text().endswith("2")

    def replace(n):
        file.write_text(str(n))
        assert file.read_text() == "2"

    assert counted(replace).verdict is Verdict.VIOLATED
    result = counted(append)
    assert result.verdict is Verdict.UNKNOWN
    assert f"needs what the body has left in {file} in earlier" in " ".join(result.reasons)
