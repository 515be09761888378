"""State outside of objects: files, the environment, modules, buffers of C, streams."""

import ctypes
import json
import multiprocessing
import os
import sys
import threading

import pytest

from tests.soundness.truth import broken, right, systems_of

rate = 1


def _together(world, *flows):
    for number, flow in enumerate(flows):
        world.actor(f"user-{number}", flow)
    world.run()


def _file(world, name, text):
    path = world.tmp_path / name
    path.write_text(text)
    return path


@broken("write_text empties the file before it fills it, and the reader comes in between")
def a_file_written_in_place(world):
    path = _file(world, "in-place", "[1]")
    _together(world, lambda: path.write_text("[2]"), lambda: json.loads(path.read_text()))


@right("the new file takes the place of the old one at once")
def a_file_replaced(world):
    path = _file(world, "replaced", "[1]")

    def write():
        fresh = path.with_suffix(".new")
        fresh.write_text("[2]")
        os.replace(fresh, path)  # noqa: PTH105 - os.replace is what is tested

    _together(world, write, lambda: json.loads(path.read_text()))


@broken("the file is open and empty while the writer asks the cache for what to write")
def a_file_open_while_its_text_is_made(world):
    redis = world.existing_cache.client(decode_responses=True)
    path = _file(world, "open", "[1]")

    def write():
        with path.open("w") as stream:
            stream.write(json.dumps([redis.get("k")]))

    _together(world, write, lambda: json.loads(path.read_text()))


@right("the lock covers the file while it is open")
def a_file_open_under_a_lock(world):
    redis = world.existing_cache.client(decode_responses=True)
    path, lock = _file(world, "open-under-a-lock", "[1]"), threading.Lock()

    def write():
        with lock, path.open("w") as stream:
            stream.write(json.dumps([redis.get("k")]))

    def read():
        with lock:
            json.loads(path.read_text())

    _together(world, write, read)


@broken("both read the same number before either writes the file")
def a_number_in_a_file(world):
    path = _file(world, "number", "0")

    def count():
        path.write_text(str(int(path.read_text() or 0) + 1))

    _together(world, count, count)
    assert path.read_text() == "2"


@right("the lock covers the read and the write")
def a_number_in_a_file_under_a_lock(world):
    path, lock = _file(world, "number-under-a-lock", "0"), threading.Lock()

    def count():
        with lock:
            path.write_text(str(int(path.read_text()) + 1))

    _together(world, count, count)
    assert path.read_text() == "2"


@broken("the flag file stands before the value is set, and both are looked at in between")
def a_flag_file_before_the_value(world):
    redis = world.existing_cache.client(decode_responses=True)
    flag = _file(world, "flag-before", "")
    flag.unlink()

    def look():
        if flag.exists():
            assert redis.get("k") == "new"

    def publish():
        flag.touch()
        redis.set("k", "new")

    _together(world, look, publish)


@right("the flag file stands after the value was set")
def a_flag_file_after_the_value(world):
    redis = world.existing_cache.client(decode_responses=True)
    flag = _file(world, "flag-after", "")
    flag.unlink()

    def look():
        if flag.exists():
            assert redis.get("k") == "new"

    def publish():
        redis.set("k", "new")
        flag.touch()

    _together(world, look, publish)


@broken("the file is there at the first look and gone at the second")
def a_file_looked_for_twice(world):
    path, seen = _file(world, "twice", ""), []
    _together(world, lambda: seen.append((path.exists(), path.exists())), path.unlink)
    assert seen[0][0] == seen[0][1]


@right("the file is looked for once")
def a_file_looked_for_once(world):
    path, seen = _file(world, "once", ""), []
    _together(world, lambda: seen.append(path.exists()), path.unlink)
    assert seen[0] in (True, False)


@broken("the variable changes between the two reads by getenv")
def a_variable_of_the_environment(world):
    os.environ["SOUNDNESS_RATE"] = "1"
    seen = []

    def change():
        os.environ["SOUNDNESS_RATE"] = "2"

    def read():
        seen.append((os.getenv("SOUNDNESS_RATE"), os.getenv("SOUNDNESS_RATE")))

    _together(world, read, change)
    assert seen[0][0] == seen[0][1]


@right("the variable is read once")
def a_variable_of_the_environment_once(world):
    os.environ["SOUNDNESS_RATE"] = "1"
    seen = []

    def change():
        os.environ["SOUNDNESS_RATE"] = "2"

    _together(world, lambda: seen.append(os.getenv("SOUNDNESS_RATE")), change)
    assert seen[0] in ("1", "2")


@broken("the module's attribute is imported twice, and written in between")
def an_attribute_imported_twice(world):
    shop, seen = sys.modules[__name__], []
    shop.rate = 1

    def read():
        from tests.soundness.test_state_outside import rate as first
        from tests.soundness.test_state_outside import rate as second

        seen.append((first, second))

    def change():
        shop.rate = 2

    _together(world, read, change)
    assert seen[0][0] == seen[0][1]


@right("the module's attribute is imported once")
def an_attribute_imported_once(world):
    shop, seen = sys.modules[__name__], []
    shop.rate = 1

    def read():
        from tests.soundness.test_state_outside import rate as first

        seen.append(first)

    def change():
        shop.rate = 2

    _together(world, read, change)
    assert seen[0] in (1, 2)


@broken("the name changes by way of globals() between the two reads")
def a_global_changed_by_globals(world):
    globals()["rate"] = 1
    seen = []
    _together(world, lambda: seen.append((rate, rate)), lambda: globals().update(rate=2))
    assert seen[0][0] == seen[0][1]


@right("the name is read once")
def a_global_read_once(world):
    globals()["rate"] = 1
    seen = []
    _together(world, lambda: seen.append(rate), lambda: globals().update(rate=2))
    assert seen[0] in (1, 2)


@broken("the number of C changes between the two reads")
def a_number_of_ctypes(world):
    number, seen = ctypes.c_int(1), []

    def change():
        number.value = 2

    _together(world, lambda: seen.append((number.value, number.value)), change)
    assert seen[0][0] == seen[0][1]


@right("the number of C is read once")
def a_number_of_ctypes_once(world):
    number, seen = ctypes.c_int(1), []

    def change():
        number.value = 2

    _together(world, lambda: seen.append(number.value), change)
    assert seen[0] in (1, 2)


@broken("the lock of a Value covers a read and a write, but not both: an update is lost")
def a_value_of_multiprocessing(world):
    hits = multiprocessing.Value("i", 0)

    def hit():
        hits.value += 1

    _together(world, hit, hit)
    assert hits.value == 2


@right("each has a Value of its own")
def two_values_of_multiprocessing(world):
    mine, yours = multiprocessing.Value("i", 0), multiprocessing.Value("i", 0)

    def hit(hits):
        hits.value += 1

    _together(world, lambda: hit(mine), lambda: hit(yours))
    assert (mine.value, yours.value) == (1, 1)


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
