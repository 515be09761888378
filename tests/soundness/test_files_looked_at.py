"""Files that the standard library looks at, or writes to, for code under test."""

import codecs
import filecmp
import io
import os
import shutil
import tarfile
import tempfile
import threading
import zipfile
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.soundness.truth import broken, right, systems_of


def _any_there(path):
    return any(map(Path.exists, [path]))


def _is_of_size(path):
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False


def _is_like_itself(path):
    try:
        return filecmp.cmp(path, path)
    except FileNotFoundError:
        return False


LOOKS = {
    "a_path": Path.exists,
    "a_method_of_a_path": lambda path: path.is_file(),
    "a_map": _any_there,
    "os_path": os.path.exists,
    "a_name": lambda path: os.path.lexists(str(path)),
    "glob": lambda path: bool(list(path.parent.glob(path.name))),
    "size": _is_of_size,
    "which": lambda path: shutil.which(str(path), os.F_OK) is not None,
    "compared": _is_like_itself,
    "access": lambda path: os.access(path, os.R_OK),
    "resolved": lambda path: path.resolve().exists(),
}


def _made_if_missing(world, looks, guard):
    path, made = world.tmp_path / "stock.txt", []

    def make():
        with guard:
            if not looks(path):
                path.write_text("1")
                made.append(1)

    world.actor("one", make)
    world.actor("two", make)
    world.run()
    assert made == [1]


def _counted(path):
    descriptor = os.open(path, os.O_RDWR)
    with os.fdopen(descriptor, "r+") as file:
        number = int(file.read())
        file.seek(0)
        file.write(str(number + 1))


def _counted_by_bytes(path):
    with io.FileIO(os.fsencode(path), "r+") as file:
        number = int(file.read())
        file.seek(0)
        file.write(b"%d" % (number + 1))


def _counted_in_utf8(path):
    with codecs.open(str(path), "r+", "utf8") as file:
        number = int(file.read())
        file.seek(0)
        file.write(str(number + 1))


def _added_to_a_zip(path):
    with zipfile.ZipFile(path, "a") as packed:
        packed.writestr(str(len(packed.namelist())), "")


def _added_to_a_tar(path):
    with tarfile.open(path, "a") as packed:
        packed.addfile(tarfile.TarInfo(str(len(packed.getnames()))))


def _names_of_a_zip(path):
    with zipfile.ZipFile(path) as packed:
        return len(packed.namelist())


def _names_of_a_tar(path):
    with tarfile.open(path) as packed:
        return len(packed.getnames())


def _number(path):
    return int(path.read_text())


def _zero(path):
    path.write_text("0")


def _empty_zip(path):
    zipfile.ZipFile(path, "w").close()


def _empty_tar(path):
    tarfile.open(path, "w").close()


CHANGES = {
    "a_descriptor": (_zero, _counted, _number),
    "a_path_of_bytes": (_zero, _counted_by_bytes, _number),
    "a_file_of_codecs": (_zero, _counted_in_utf8, _number),
    "a_zip": (_empty_zip, _added_to_a_zip, _names_of_a_zip),
    "a_tar": (_empty_tar, _added_to_a_tar, _names_of_a_tar),
}


def _changed_by_two(world, make, change, total, guard):
    path = world.tmp_path / "stock"
    make(path)

    def use():
        with guard:
            change(path)

    world.actor("one", use)
    world.actor("two", use)
    world.run()
    assert total(path) == 2


def _sent(world, guard):
    """One user copies a file by the kernel; another one reads what there is."""
    source, target = world.tmp_path / "source", world.tmp_path / "target"
    source.write_text("net")
    target.write_text("")

    def copy():
        with guard, source.open("rb") as read, target.open("r+b") as written:
            os.sendfile(written.fileno(), read.fileno(), 0, 3)
            os.lseek(written.fileno(), 3, os.SEEK_SET)
            os.sendfile(written.fileno(), read.fileno(), 0, 3)

    def read():
        with guard:
            return target.read_text()

    world.actor("copies", copy)
    world.actor("reads", read)
    assert world.run()["reads"] in {"", "netnet"}


def _counted_in_a_temporary_file(world, guard):
    with tempfile.NamedTemporaryFile("r+") as file:
        file.write("0")

        def count():
            with guard:
                file.seek(0)
                number = int(file.read())
                file.seek(0)
                file.write(str(number + 1))

        world.actor("one", count)
        world.actor("two", count)
        world.run()
        file.seek(0)
        assert file.read() == "2"


def _state(name, act, *case):
    def body(world):
        act(world, *case, nullcontext())

    def body_with_a_lock(world):
        act(world, *case, threading.Lock())

    body.__name__, body_with_a_lock.__name__ = name, f"{name}_under_a_lock"
    broken("both look before either changes it")(body)
    right("they hold one lock")(body_with_a_lock)


for _name, _looks in LOOKS.items():
    _state(_name, _made_if_missing, _looks)
for _name, _case in CHANGES.items():
    _state(_name, _changed_by_two, *_case)
_state("sendfile", _sent)
_state("a_temporary_file", _counted_in_a_temporary_file)


@right("each user has a temporary file of its own")
def temporary_files_of_their_own(world):
    def write():
        with tempfile.NamedTemporaryFile("r+") as file:
            file.write("1")
            file.seek(0)
            return file.read()

    world.actor("one", write)
    world.actor("two", write)
    assert set(world.run().values()) == {"1"}


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
