"""What a search has done is read back whole, or as far as it is whole; never something else."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_supercache.checking import journal as journals
from pytest_supercache.checking import journal_files
from pytest_supercache.checking.coverage import Reach
from pytest_supercache.checking.journal import Division, Entry, Journal
from pytest_supercache.checking.journal_files import SUFFIX, FileLines, forget_oldest
from pytest_supercache.checking.reduction_check import Tally
from pytest_supercache.checking.runner import Observations
from pytest_supercache.core.footprint import Footprint
from pytest_supercache.search.frontier import Explored, Leaf, Remainder
from pytest_supercache.search.walk import Root

DIVISION = Division(runs=7, known="abc")
STEP = ("alice", Footprint(frozenset({"x"}), frozenset({"y"})))


def entry(number: int) -> Entry:
    return Entry(
        leaves=(Leaf(Root(), ("alice",) * number, STEP),),
        explored=(
            Explored(
                reversals=((0, (STEP, STEP)),),
                left=Remainder(),
                parts=((frozenset({("bob", 1, frozenset({("alice", 0)}))}), None),),
            ),
        ),
        tally=Tally(
            outcomes={bytes([number]): number << 90},
            schedules=None, idle_schedules=0, reversible=1, further=2,
        ),
        observations=Observations(
            executions=number, idle=0, blocked=0, different={number}, early_ticks=0, expired=False,
            keeps_keys=True, simplified={"a": None}, isolation={("a", "b")}, left_by_body={},
            reach=Reach(layers=True), not_judged={}, never_judged=frozenset({"x"}),
        ),
    )  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store" / f"one{SUFFIX}"


def opened(path: Path) -> Journal:
    journal = Journal(FileLines(path))
    assert journal.open()
    return journal


def written(path: Path, entries: int) -> None:
    journal = opened(path)
    journal.begin(DIVISION)
    for number in range(entries):
        journal.add(entry(number))
    journal.close()


def kept(path: Path) -> list[Entry]:
    journal = opened(path)
    found = list(journal.entries())
    journal.close()
    return found


def test_it_is_read_as_it_was_written(path: Path) -> None:
    written(path, 3)
    journal = opened(path)
    assert journal.division == DIVISION
    assert list(journal.entries()) == [entry(0), entry(1), entry(2)]
    journal.close()


def test_it_goes_on_where_it_ended(path: Path) -> None:
    written(path, 2)
    journal = opened(path)
    list(journal.entries())
    journal.add(entry(2))
    journal.close()
    assert kept(path) == [entry(0), entry(1), entry(2)]


@pytest.mark.parametrize("lost", [1, 30, 300])
def test_a_line_that_was_cut_off_is_forgotten(path: Path, lost: int) -> None:
    written(path, 3)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - lost)
    journal = opened(path)
    assert list(journal.entries()) == [entry(0), entry(1)]
    journal.add(entry(5))
    journal.close()
    assert kept(path) == [entry(0), entry(1), entry(5)]


def test_a_line_that_was_changed_is_forgotten_with_all_after_it(path: Path) -> None:
    written(path, 3)
    data = path.read_bytes()
    path.write_bytes(data.replace(b'["alice"]', b'["bob"]', 1))
    assert kept(path) == [entry(0)]


def test_a_line_that_is_about_something_else_is_forgotten_with_all_after_it(path: Path) -> None:
    written(path, 1)
    journal = opened(path)
    journal.add(replace(entry(1), leaves=(7,)))
    journal.add(entry(2))
    journal.close()
    assert kept(path) == [entry(0)]
    assert kept(path) == [entry(0)]


def test_one_process_writes_it_at_a_time(path: Path) -> None:
    written(path, 1)
    first = opened(path)
    assert not Journal(FileLines(path)).open()
    assert path.exists()
    first.close()
    opened(path).close()


def test_one_that_is_empty_in_the_end_leaves_no_file(path: Path) -> None:
    opened(path).close()
    assert not path.exists()
    written(path, 1)
    opened(path).end()
    assert not path.exists()


def test_it_grows_up_to_its_size(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(path, 2)
    monkeypatch.setattr(journals, "JOURNAL_BYTES_MAX", path.stat().st_size + 10)
    journal = opened(path)
    journal.add(entry(2))
    journal.close()
    assert kept(path) == [entry(0), entry(1)]


def test_the_oldest_are_forgotten_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, name in enumerate(("a", "b", "c")):
        path = tmp_path / f"{name}{SUFFIX}"
        path.write_bytes(b"x" * 100)
        os.utime(path, (number, number))
    other = tmp_path / "notes.txt"
    other.write_bytes(b"x" * 1000)
    monkeypatch.setattr(journal_files, "STORE_BYTES_MAX", 250)
    forget_oldest(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"b{SUFFIX}", f"c{SUFFIX}", "notes.txt",
    ]  # fmt: skip
