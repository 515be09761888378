"""Files that are reached by a descriptor or a link, and what is known of a file beside its text."""

import os
import socket
import tempfile
import threading
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.soundness.truth import broken, right, systems_of

LOST = "both read the same number before either writes it"
APART = "the two names are those of two files"


def _write_next(path):
    path.write_text(str(int(path.read_text() or 0) + 1))


def _written_next(world, other, expected):
    file = world.tmp_path / "file"
    file.write_text("0")
    world.actor("one", _write_next, file)
    world.actor("two", _write_next, other(file))
    world.run()
    assert file.read_text() == expected


def _link(file):
    link = file.with_name("link")
    link.symlink_to(file)
    return link


def _hard_link(file):
    link = file.with_name("link")
    link.hardlink_to(file)
    return link


def _copy(file):
    copy = file.with_name("link")
    copy.write_text(file.read_text())
    return copy


@broken(LOST)
def a_number_behind_a_symbolic_link(world):
    _written_next(world, _link, "2")


@right(APART)
def a_number_in_a_copy(world):
    _written_next(world, _copy, "1")


@broken(LOST)
def a_number_behind_a_hard_link(world):
    _written_next(world, _hard_link, "2")


@right("each user has a hard link of its own file")
def numbers_behind_links_of_their_own(world):
    def linked(file):
        other = _copy(file)
        return _hard_link(other.rename(file.with_name("other")))

    _written_next(world, linked, "1")


def _released(world, read):
    """A release is two files in a folder; a link leads to the current one, and is replaced."""
    for release in ("old", "new"):
        folder = world.tmp_path / release
        folder.mkdir()
        for name in ("page", "style"):
            (folder / name).write_text(release)
    current = world.tmp_path / "current"
    current.symlink_to(world.tmp_path / "old")

    def release():
        link = world.tmp_path / "next"
        link.symlink_to(world.tmp_path / "new")
        link.replace(current)

    def ask():
        page, style = read(current)
        assert page == style

    world.actor("reader", ask)
    world.actor("release", release)
    world.run()


def _both_in(folder):
    return (folder / "page").read_text(), (folder / "style").read_text()


@broken("the link is replaced between the two files")
def two_files_behind_a_link_that_is_replaced(world):
    _released(world, _both_in)


@broken("the link is replaced between the two looks at it")
def a_link_that_is_read_twice(world):
    _released(world, lambda current: (os.readlink(current), os.readlink(current)))  # noqa: PTH115 - the case


@broken("the link is replaced between the two looks at it")
def a_link_that_is_resolved_twice(world):
    _released(world, lambda current: (current.resolve(), current.resolve()))


@right("it looks at the link once, and nobody changes what the link led to")
def two_files_of_the_release_that_a_link_led_to(world):
    _released(world, lambda current: _both_in(current.resolve()))


def _linked_once(world, look, lock):
    first, second = (world.tmp_path / name for name in "ab")
    first.write_text("")
    second.write_text("")
    linked = []

    def link(new):
        with lock:
            if not look(first, second):
                new.replace(second)
                linked.append(1)

    for name in ("one", "two"):
        (world.tmp_path / name).symlink_to(first)
        world.actor(name, link, world.tmp_path / name)
    world.run()
    assert len(linked) == 1


@broken("both see two files before either makes one a link to the other")
def two_paths_of_one_file(world):
    _linked_once(world, os.path.samefile, nullcontext())


@right("both hold one lock")
def two_paths_of_one_file_under_a_lock(world):
    _linked_once(world, os.path.samefile, threading.Lock())


@broken("both see two files before either makes one a link to the other")
def two_paths_that_are_asked(world):
    _linked_once(world, lambda first, second: first.samefile(second), nullcontext())


@right("both hold one lock")
def two_paths_that_are_asked_under_a_lock(world):
    _linked_once(world, lambda first, second: second.samefile(first), threading.Lock())


def _descriptor_next(number):
    os.pwrite(number, b"%d" % (int(os.pread(number, 1, 0)) + 1), 0)


def _counted_by_descriptors(world, *, is_shared):
    paths = [world.tmp_path / name for name in ("a", "a" if is_shared else "b")]
    numbers = [os.open(path, os.O_RDWR | os.O_CREAT) for path in paths]
    for number in numbers:
        os.pwrite(number, b"0", 0)
    world.actor("one", _descriptor_next, numbers[0])
    world.actor("two", _descriptor_next, numbers[1])
    world.run()
    found = [os.pread(number, 1, 0) for number in numbers]
    for number in numbers:
        os.close(number)
    assert found == [b"2" if is_shared else b"1"] * 2


@broken(LOST)
def a_number_by_two_descriptors(world):
    _counted_by_descriptors(world, is_shared=True)


@right(APART)
def numbers_by_descriptors_of_two_files(world):
    _counted_by_descriptors(world, is_shared=False)


@broken("both see the old time before either sets the new one")
def a_claim_by_the_time_of_a_file(world):
    file = world.tmp_path / "file"
    file.touch()
    os.utime(file, (1, 1))

    def claim():
        if is_free := file.stat().st_mtime == 1:
            os.utime(file, (2, 2))
        return is_free

    world.actor("one", claim)
    world.actor("two", claim)
    assert sum(world.run().values()) == 1


@right("to make the file is the claim")
def a_claim_by_making_a_file(world):
    def claim():
        try:
            os.close(os.open(world.tmp_path / "file", os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return False
        return True

    world.actor("one", claim)
    world.actor("two", claim)
    assert sum(world.run().values()) == 1


@broken(LOST + ", in a file that has no name")
def a_number_in_a_file_without_a_name(world):
    with tempfile.TemporaryFile() as file:
        os.pwrite(file.fileno(), b"0", 0)
        world.actor("one", _descriptor_next, file.fileno())
        world.actor("two", _descriptor_next, file.fileno())
        world.run()
        assert os.pread(file.fileno(), 1, 0) == b"2"


@right("each has a file of its own")
def numbers_in_files_without_names(world):
    with tempfile.TemporaryFile() as one, tempfile.TemporaryFile() as two:
        for name, file in (("one", one), ("two", two)):
            os.pwrite(file.fileno(), b"0", 0)
            world.actor(name, _descriptor_next, file.fileno())
        world.run()
        assert os.pread(one.fileno(), 1, 0) == os.pread(two.fileno(), 1, 0) == b"1"


def _adds_a_file(folder, number):
    (folder / str(len(os.listdir(number)))).touch()  # noqa: PTH208 - by its descriptor


@broken("both count the same files before either adds one")
def a_folder_that_is_listed_by_its_descriptor(world):
    folder = world.tmp_path / "numbered"
    folder.mkdir()
    number = os.open(folder, os.O_RDONLY)
    try:
        world.actor("one", _adds_a_file, folder, number)
        world.actor("two", _adds_a_file, folder, number)
        world.run()
        assert len(list(folder.iterdir())) == 2
    finally:
        os.close(number)


def _made_once(world, name, make, guard):
    path, made = world.tmp_path / name, []

    def use():
        with guard:
            if not path.exists():
                make(path)
                made.append(name)

    world.actor("one", use)
    world.actor("two", use)
    world.run()
    assert len(made) == 1


def _bind(path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def _state_made(name, make):
    def unguarded(world):
        _made_once(world, name, make, nullcontext())

    def guarded(world):
        _made_once(world, name, make, threading.Lock())

    unguarded.__name__, guarded.__name__ = f"{name} that is made", f"{name} made under a lock"
    broken("both find it missing")(unguarded)
    right("the second one finds it")(guarded)


for _name, _make in {
    "config.py": lambda path: path.write_text("NEW_CART = True"),
    "isnull": lambda path: path.write_text(""),
    "pipe": os.mkfifo,
    "socket": _bind,
}.items():
    _state_made(_name, _make)


@right("what is written to a device is no file")
def devices(world):
    def use():
        Path(os.devnull).write_text("x")

    world.actor("one", use)
    world.actor("two", use)
    world.run()


@pytest.mark.parametrize("system", systems_of(__name__, every=5))
def test_verdicts_are_the_truth(system):
    system.must_be_told()
