"""Folders as memory: which entries one has, and whether it is there."""

import os
import tempfile
import threading
from pathlib import Path

import pytest

from tests.soundness.truth import broken, right, systems_of


def _against(world, look, change):
    folder = world.tmp_path / "shelf"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / name).write_text(name)
    world.actor("reader", look, folder)
    world.actor("writer", change, folder)
    return world.run()["reader"]


def _remove_b(folder):
    (folder / "b").unlink()


def _sizes(folder):
    return sum(path.stat().st_size for path in Path(folder).iterdir())


@broken("the folder is listed, one file is removed, and then looked at")
def a_file_removed_after_its_folder_was_listed(world):
    _against(world, _sizes, _remove_b)


@right("no file is removed, only filled anew by renaming")
def a_file_replaced_after_its_folder_was_listed(world):
    def replace(folder):
        (folder / "new").write_text("bb")
        (folder / "new").replace(folder / "b")

    _against(world, lambda folder: (folder / "b").stat(), replace)


def _twice(look):
    return lambda folder: sorted(look(folder)) == sorted(look(folder))


@broken("a file is made between the two listings")
def a_folder_listed_twice_while_a_file_is_made(world):
    assert _against(world, _twice(os.listdir), lambda folder: (folder / "c").write_text("c"))


@right("the file is made in another folder")
def a_folder_listed_twice_while_another_one_changes(world):
    def make(folder):
        other = folder.parent / "other"
        other.mkdir()
        (other / "c").write_text("c")

    assert _against(world, _twice(os.listdir), make)


@broken("a file is renamed between the two matches")
def a_pattern_matched_twice_while_a_file_is_renamed(world):
    def rename(folder):
        (folder / "b").rename(folder / "z")

    assert _against(world, _twice(lambda folder: folder.glob("*")), rename)


@right("a file is written again: its folder has the entries that it had")
def a_folder_listed_twice_while_a_file_is_filled(world):
    assert _against(world, _twice(os.listdir), lambda folder: (folder / "b").write_text("bbb"))


def _scanned(folder):
    with os.scandir(folder) as entries:
        return sum(entry.stat().st_size for entry in entries)


@broken("the entries are scanned, one file is removed, and its size is asked for")
def a_file_removed_after_its_folder_was_scanned(world):
    _against(world, _scanned, _remove_b)


@right("the reader expects that files go")
def a_removed_file_expected_by_its_reader(world):
    def look(folder):
        for path in folder.iterdir():
            try:
                path.read_text()
            except FileNotFoundError:
                continue

    _against(world, look, _remove_b)


def _put(folder):
    folder.mkdir(exist_ok=True)
    (folder / "entry").write_text("1")


def _put_again(folder):
    for _ in range(2):
        folder.mkdir(exist_ok=True)
        try:
            (folder / "entry").write_text("1")
            return
        except FileNotFoundError:
            continue


def _prune(folder):
    try:
        folder.rmdir()
    except OSError:
        return


def _put_and_pruned(world, put):
    folder = world.tmp_path / "shard"
    world.actor("writer", put, folder)
    world.actor("cleaner", _prune, folder)
    world.run()
    assert (folder / "entry").read_text() == "1"


@broken("the empty folder is removed after it was made and before the file is")
def a_folder_removed_before_its_first_file(world):
    _put_and_pruned(world, _put)


@right("the folder is made again; it is removed but once")
def a_folder_made_again_after_it_was_removed(world):
    _put_and_pruned(world, _put_again)


def _found(world, lock):
    folder = world.tmp_path / "jobs"

    def make():
        with lock:
            folder.mkdir()
            (folder / "job").write_text("1")

    def count():
        with lock:
            return len(list(folder.iterdir())) if folder.is_dir() else 1

    world.actor("maker", make)
    world.actor("reader", count)
    assert world.run()["reader"] == 1


@broken("the folder is there, and the file in it is not yet")
def a_folder_listed_before_its_first_file(world):
    _found(world, threading.Semaphore(2))


@right("one lock covers the folder and its first file")
def a_folder_listed_under_the_lock_of_its_maker(world):
    _found(world, threading.Lock())


def _swept(world, folder):
    kept = Path(folder) / "kept"
    kept.write_text("1")
    world.actor("writer", kept.unlink)
    world.actor("reader", _sizes, folder)
    world.run()


@broken("a folder with a random name is listed, and then its file is removed")
def a_temporary_folder_swept_while_it_is_read(world):
    with tempfile.TemporaryDirectory() as folder:
        _swept(world, folder)


@right("each user has a temporary folder of its own")
def temporary_folders_of_two(world):
    def work():
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "a").write_text("1")
            return _sizes(folder)

    world.actor("one", work)
    world.actor("two", work)
    assert world.run() == {"one": 1, "two": 1}


@pytest.mark.parametrize("system", systems_of(__name__, every=5), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
