"""What a test made before its check, and files, outlive an execution: none begins warm unnoticed.

Two users load what nobody has loaded yet, so both may. If the next execution finds what the first
one has stored, nobody loads any more, and the race is never tried again.
"""

import collections
import functools
import mmap
import random
import sqlite3

import pytest

from pytest_supercache import Verdict, check


class Holder:
    """An instance with an attribute, and a class with one."""

    known = None

    def __init__(self):
        self.known = None


def in_dict():
    known = {}

    def load(loads):
        if "EUR" not in known:
            loads.append(1)
            known["EUR"] = 1

    return load, known.clear


def in_default_dict():
    known = collections.defaultdict(list)

    def load(loads):
        if not known["EUR"]:
            loads.append(1)
            known["EUR"].append(1)

    return load, known.clear


def in_list():
    known = []

    def load(loads):
        if not known:
            loads.append(1)
            known.append(1)

    return load, known.clear


def in_set():
    known = set()

    def load(loads):
        if "EUR" not in known:
            loads.append(1)
            known.add("EUR")

    return load, known.clear


def in_attribute():
    holder = Holder()

    def load(loads):
        if holder.known is None:
            loads.append(1)
            holder.known = 1

    def reset():
        holder.known = None

    return load, reset


def in_variable():
    known = None

    def load(loads):
        nonlocal known
        if known is None:
            loads.append(1)
            known = 1

    def reset():
        nonlocal known
        known = None

    return load, reset


def in_memo():
    told = []

    @functools.cache
    def loaded():
        told[-1].append(1)
        return 1

    def load(loads):
        told.append(loads)
        loaded()

    return load, loaded.cache_clear


HOLDERS = [in_dict, in_default_dict, in_list, in_set, in_attribute, in_variable, in_memo]


def checked(load, before=lambda: None):
    """Let two users load, on both of whom the body insists that they load once."""

    def body(world):
        before()
        loads = []
        world.actor("alice", load, loads)
        world.actor("bob", load, loads)
        world.run()
        assert len(loads) <= 1

    return check(body, guarantees=())


@pytest.mark.parametrize("made", HOLDERS, ids=lambda made: made.__name__)
def test_a_flow_that_finds_what_an_earlier_execution_left_proves_nothing(made):
    result = checked(made()[0])
    assert result.verdict is Verdict.UNKNOWN
    assert "made before the check" in " ".join(result.reasons)


@pytest.mark.parametrize("made", HOLDERS[:-1], ids=lambda made: made.__name__)
def test_a_body_that_puts_it_back_finds_the_race(made):
    load, reset = made()
    assert checked(load, before=reset).verdict is Verdict.VIOLATED


def test_what_a_test_only_collects_may_stay():
    seen, counts = [], set()

    def body(world):
        client = world.existing_cache.client()

        def count(name):
            seen.append(name)
            counts.add(client.incr("n"))

        world.actor("alice", count, "alice")
        world.actor("bob", count, "bob")
        world.run()

    assert check(body, guarantees=()).verdict is Verdict.HOLDS
    assert set(seen) == {"alice", "bob"}
    assert counts == {1, 2}


def test_what_each_body_puts_into_an_object_anew_is_not_left_by_an_earlier_one():
    holder = Holder()

    def body(world):
        holder.client = world.existing_cache.client()
        holder.known = None

        def count():
            holder.known = holder.client.incr("n")
            assert holder.known in {1, 2}

        world.actor("alice", count)
        world.actor("bob", count)
        world.run()

    assert check(body, guarantees=()).verdict is Verdict.HOLDS


def load_from_file(path, loads):
    if not path.exists():
        loads.append(1)
        path.write_text("1")


def load_from_table(path, loads):
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("CREATE TABLE IF NOT EXISTS t (k PRIMARY KEY)")
    if database.execute("SELECT * FROM t").fetchone() is None:
        loads.append(1)
        database.execute("INSERT OR IGNORE INTO t VALUES (1)")
    database.close()


FILES = [load_from_file, load_from_table]


@pytest.mark.parametrize("load", FILES)
def test_a_file_that_an_earlier_execution_left_is_named(load, tmp_path):
    result = checked(functools.partial(load, tmp_path / "rates"))
    assert result.verdict is Verdict.UNKNOWN
    assert f"{tmp_path}/rates what an earlier one has left" in " ".join(result.reasons)


@pytest.mark.parametrize("load", FILES)
def test_a_file_in_the_folder_of_the_execution_is_fresh(load):
    def body(world):
        loads = []
        for name in ("alice", "bob"):
            world.actor(name, load, world.tmp_path / "rates", loads)
        world.run()
        assert len(loads) <= 1

    assert check(body, guarantees=()).verdict is Verdict.VIOLATED


@pytest.mark.parametrize("load", FILES)
def test_a_file_that_the_body_removes_is_fresh(load, tmp_path):
    path = tmp_path / "rates"
    result = checked(functools.partial(load, path), before=lambda: path.unlink(missing_ok=True))
    assert result.verdict is Verdict.VIOLATED


def test_a_file_that_is_only_written_may_stay(tmp_path):
    def body(world):
        for name in ("alice", "bob"):
            world.actor(name, (tmp_path / name).write_text, str(random.Random(1).random()))
        world.run()

    assert check(body, guarantees=()).verdict is Verdict.HOLDS


NOT_GIVEN_BACK = mmap.mmap(-1, 2)


def _fill_once(place, made):
    if not NOT_GIVEN_BACK[place]:
        made.append(1)
        NOT_GIVEN_BACK[place] = 1


@pytest.mark.parametrize(("place", "is_first_judged"), [(0, True), (1, False)])
def test_what_breaks_the_first_execution_only_is_undecided(place, is_first_judged):
    def body(world):
        made = []
        for name in ("alice", "bob"):
            world.actor(name, _fill_once, place, made)
        world.run()
        assert not (is_first_judged and made)

    result = check(body, guarantees=())
    assert result.verdict is (Verdict.UNKNOWN if is_first_judged else Verdict.HOLDS)
    assert (
        "broke test body in one run and not in another" in str(result.reasons)
    ) is is_first_judged
