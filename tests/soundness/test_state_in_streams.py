"""State in streams and buffers that functions of the standard library fill."""

import array
import csv
import io
import json
import mmap
import pickle
import tempfile
import threading
from contextlib import nullcontext

import pytest

from tests.soundness.truth import broken, right, systems_of


def _together(world, *flows):
    for number, flow in enumerate(flows):
        world.actor(f"user-{number}", flow)
    world.run()


def _two_lines(world, out, line):
    """Two users write a head and a body each."""

    def write(user):
        line(f"{user}1")
        line(f"{user}2")

    _together(world, lambda: write("a"), lambda: write("b"))
    return "".join(out.getvalue().split())


def _two_lines_at_once(world, out, line):
    """Two users write a head with its body each."""
    _together(world, lambda: line("a1 a2"), lambda: line("b1 b2"))
    return "".join(out.getvalue().split())


_WHOLE = ("a1a2b1b2", "b1b2a1a2")


@broken("print of the other comes between the two lines of this user")
def two_lines_printed(world):
    out = io.StringIO()
    assert _two_lines(world, out, lambda text: print(text, file=out)) in _WHOLE


@right("each prints both of its parts in one write")
def two_lines_printed_at_once(world):
    out = io.StringIO()
    assert _two_lines_at_once(world, out, lambda text: print(text, file=out, end="")) in _WHOLE


@broken("the other's write comes between the two of this user")
def two_lines_written(world):
    out = io.StringIO()
    assert _two_lines(world, out, out.write) in _WHOLE


@right("each writes both of its parts at once")
def two_lines_written_at_once(world):
    out = io.StringIO()
    assert _two_lines_at_once(world, out, out.write) in _WHOLE


@broken("the other's row comes between the two of this user")
def two_rows_of_csv(world):
    out = io.StringIO()
    rows = csv.writer(out)
    assert _two_lines(world, out, lambda text: rows.writerow([text])) in _WHOLE


@right("each has a writer and a stream of its own")
def rows_of_csv_each(world):
    outs = [io.StringIO(), io.StringIO()]

    def write(out):
        rows = csv.writer(out)
        rows.writerow("1")
        rows.writerow("2")

    _together(world, lambda: write(outs[0]), lambda: write(outs[1]))
    assert [out.getvalue().split() for out in outs] == [["1", "2"]] * 2


@broken("the other's pickle comes between the two of this user")
def two_pickles_in_a_stream(world):
    out = io.BytesIO()

    def write(user):
        pickle.dump(user, out)
        pickle.dump(user, out)

    _together(world, lambda: write("a"), lambda: write("b"))
    out.seek(0)
    users = "".join(pickle.load(out) for _ in range(4))
    assert users in ("aabb", "bbaa")


@right("each pickles both at once")
def two_pickles_in_one(world):
    out = io.BytesIO()
    _together(world, lambda: pickle.dump("aa", out), lambda: pickle.dump("bb", out))
    out.seek(0)
    assert pickle.load(out) + pickle.load(out) in ("aabb", "bbaa")


@broken("the other's text comes between the two of this user")
def two_texts_of_json(world):
    out = io.StringIO()

    def write(number):
        json.dump(number, out)
        json.dump(number, out)

    _together(world, lambda: write(1), lambda: write(2))
    assert out.getvalue() in ("1122", "2211")


@right("each text is a number of one write")
def one_text_of_json_each(world):
    out = io.StringIO()
    _together(world, lambda: json.dump(11, out), lambda: json.dump(22, out))
    assert out.getvalue() in ("1122", "2211")


@broken("the map of memory is read between the two writes")
def a_map_of_memory(world):
    cells, seen = mmap.mmap(-1, 2), []
    cells[:] = b"\5\0"

    def move():
        cells[0] = 0
        cells[1] = 5

    _together(world, move, lambda: seen.append(cells[:]))
    assert sum(seen[0]) == 5


@right("one slice assignment moves the money")
def a_map_of_memory_by_a_slice(world):
    cells, seen = mmap.mmap(-1, 2), []
    cells[:] = b"\5\0"

    def move():
        cells[:] = b"\0\5"

    _together(world, move, lambda: seen.append(cells[:]))
    assert sum(seen[0]) == 5


@broken("the buffer is filled from the stream between the two reads")
def a_buffer_filled_by_readinto(world):
    buffer, seen = bytearray(b"aa"), []
    source = io.BytesIO(b"bb")
    _together(
        world,
        lambda: seen.append((bytes(buffer), bytes(buffer))),
        lambda: source.readinto(buffer),
    )
    assert seen[0][0] == seen[0][1]


@right("another buffer is filled from the stream")
def another_buffer_filled_by_readinto(world):
    buffer, seen = bytearray(b"aa"), []
    source = io.BytesIO(b"bb")
    _together(
        world,
        lambda: seen.append((bytes(buffer), bytes(buffer))),
        lambda: source.readinto(bytearray(2)),
    )
    assert seen[0][0] == seen[0][1]


def _two_maps_of_one_file():
    with tempfile.TemporaryFile() as file:
        file.write(b"\5\0")
        file.flush()
        return mmap.mmap(file.fileno(), 2), mmap.mmap(file.fileno(), 2)


@right("the other map is of another file")
def two_maps_of_two_files(world):
    here, _ = _two_maps_of_one_file()
    _, there = _two_maps_of_one_file()
    seen = []

    def move():
        here[0] = 0
        here[1] = 5

    _together(world, move, lambda: seen.append(there[0] + there[1]))
    assert seen == [5]


@broken("the list is longer at the second look than at the first")
def an_array_asked_for_its_length(world):
    cells, seen = array.array("i", [1]), []
    _together(
        world,
        lambda: seen.append((len(cells), len(cells))),
        lambda: cells.append(2),
    )
    assert seen[0][0] == seen[0][1]


@right("the length is asked for once")
def an_array_asked_for_its_length_once(world):
    cells, seen = array.array("i", [1]), []
    _together(world, lambda: seen.append(len(cells)), lambda: cells.append(2))
    assert seen[0] in (1, 2)


@broken("the two arrays differ after the first of two appends")
def two_arrays_compared(world):
    here, there, seen = array.array("i", [1]), array.array("i", [1]), []

    def grow():
        here.append(2)
        there.append(2)

    _together(world, grow, lambda: seen.append(here == there))
    assert seen == [True]


@right("copies are compared that were equal from the start")
def two_arrays_copied_and_compared(world):
    here, there, seen = array.array("i", [1]), array.array("i", [1]), []
    mine, yours = here[:], there[:]

    def grow():
        here.append(2)
        there.append(2)

    _together(world, grow, lambda: seen.append(mine == yours))
    assert seen == [True]


def _pairs_of_lines(world, stream, take, lock):
    """Two users take two lines each, which belong together."""
    taken = []

    def pair():
        with lock:
            taken.append(take(stream))

    _together(world, pair, pair)
    stream.close()
    assert sorted(taken) == ["01", "23"]


def _read_two(stream):
    return stream.readline().strip() + stream.readline().strip()


def _next_two(stream):
    return next(stream).strip() + next(stream).strip()


def _loop_to_the_second(stream):
    taken = ""
    for line in stream:
        taken += line.strip()
        if len(taken) == 2:
            break
    return taken


_LINES = "0\n1\n2\n3\n"


@broken("a line of the other one may come between the two")
def lines_read_from_a_stream(world):
    _pairs_of_lines(world, io.StringIO(_LINES), _read_two, nullcontext())


@right("they hold one lock")
def lines_read_from_a_stream_under_a_lock(world):
    _pairs_of_lines(world, io.StringIO(_LINES), _read_two, threading.Lock())


@broken("a line of the other one may come between the two")
def lines_taken_from_a_stream(world):
    _pairs_of_lines(world, io.StringIO(_LINES), _next_two, nullcontext())


@right("they hold one lock")
def lines_taken_from_a_stream_under_a_lock(world):
    _pairs_of_lines(world, io.StringIO(_LINES), _next_two, threading.Lock())


@broken("two loops go on in one stream")
def lines_of_a_loop(world):
    _pairs_of_lines(world, io.StringIO(_LINES), _loop_to_the_second, nullcontext())


@right("they hold one lock")
def lines_of_a_loop_under_a_lock(world):
    _pairs_of_lines(world, io.StringIO(_LINES), _loop_to_the_second, threading.Lock())


def _file_of_lines(folder):
    path = folder / "lines"
    path.write_text(_LINES)
    return path.open()


@broken("both read on where the other one has come to in the open file")
def lines_read_from_a_file(world):
    _pairs_of_lines(world, _file_of_lines(world.tmp_path), _read_two, nullcontext())


@right("they hold one lock")
def lines_read_from_a_file_under_a_lock(world):
    _pairs_of_lines(world, _file_of_lines(world.tmp_path), _read_two, threading.Lock())


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
