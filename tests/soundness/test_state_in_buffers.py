"""State in arrays and buffers."""

import os
import struct
import threading
from array import array

import pytest

from tests.soundness.truth import broken, right, systems_of


def _together(world, *flows):
    for number, flow in enumerate(flows):
        world.actor(f"user-{number}", flow)
    world.run()


@broken("the cells are added up between the two writes")
def an_array_added_up(world):
    cells, sums = array("i", [5, 0]), []

    def move():
        cells[0] = 0
        cells[1] = 5

    _together(world, move, lambda: sums.append(sum(cells)))
    assert sums == [5]


class Cells(array):
    """A class of Python around what C fills."""


@broken("the cells are added up between the two writes")
def an_array_of_a_class_derived_from_it_added_up(world):
    cells, sums = Cells("i", [5, 0]), []

    def move():
        cells[0] = 0
        cells[1] = 5

    _together(world, move, lambda: sums.append(cells[0] + cells[1]))
    assert sums == [5]


@right("one cell is written at once")
def one_cell_of_a_class_derived_from_an_array(world):
    cells, seen = Cells("i", [5, 0]), []

    def change():
        cells[0] = 7

    _together(world, change, lambda: seen.append(cells[0]))
    assert seen[0] in {5, 7}


@right("the lock covers both writes, and the sum")
def an_array_added_up_under_a_lock(world):
    cells, sums, lock = array("i", [5, 0]), [], threading.Lock()

    def move():
        with lock:
            cells[0] = 0
            cells[1] = 5

    def add_up():
        with lock:
            sums.append(sum(cells))

    _together(world, move, add_up)
    assert sums == [5]


@broken("the buffer changes by way of the view between the two reads")
def a_buffer_written_through_a_view(world):
    buffer, seen = bytearray(b"aa"), []
    view = memoryview(buffer)

    def write():
        view[0:1] = b"b"

    _together(world, write, lambda: seen.append((bytes(buffer), bytes(buffer))))
    assert seen[0][0] == seen[0][1]


@right("the buffer is copied once")
def a_buffer_copied_once(world):
    buffer, seen = bytearray(b"aa"), []
    view = memoryview(buffer)

    def write():
        view[0:1] = b"b"

    def read():
        copy = bytes(buffer)
        seen.append((copy, copy))

    _together(world, write, read)
    assert seen[0][0] == seen[0][1]


@broken("both unpack the same number before either packs")
def a_number_packed_into_a_buffer(world):
    buffer, number = bytearray(4), struct.Struct("i")

    def count():
        number.pack_into(buffer, 0, number.unpack_from(buffer, 0)[0] + 1)

    _together(world, count, count)
    assert number.unpack_from(buffer, 0) == (2,)


@right("each packs at its own place")
def a_number_packed_each(world):
    buffer, number = bytearray(8), struct.Struct("i")

    def count(at):
        number.pack_into(buffer, at, number.unpack_from(buffer, at)[0] + 1)

    _together(world, lambda: count(0), lambda: count(4))
    assert struct.unpack("ii", buffer) == (1, 1)


def _read_at_places(world, buffer_of):
    path, shared, read = world.tmp_path / "rows", bytearray(1), {}
    path.write_bytes(b"ab")

    def look(at):
        buffer = buffer_of(shared)
        with path.open("rb") as rows:
            os.preadv(rows.fileno(), [buffer], at)
        read[at] = bytes(buffer)

    _together(world, lambda: look(0), lambda: look(1))
    assert read == {0: b"a", 1: b"b"}


@broken("both read into the buffer before the first has looked at it")
def a_buffer_in_a_list_that_a_file_is_read_into(world):
    _read_at_places(world, lambda shared: shared)


@right("each has a buffer")
def a_buffer_each_that_a_file_is_read_into(world):
    _read_at_places(world, bytearray)


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
