"""Whatever a file holds, reading it gives a result or one of our own errors, and does no more."""

import builtins
import gc
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pytest_supercache import Verdict, check
from pytest_supercache.core.errors import SupercacheError
from tests.hostile.mutations import Wrong, judged, run, told
from tests.hostile.readers import READERS, Reader
from tests.selection import LONG, either

SEED = 22


@pytest.mark.parametrize("kind", READERS)
def test_a_mutated_input_is_read_or_refused_and_nothing_else_happens(kind, tmp_path, capsys):
    count = either(READERS[kind].short, READERS[kind].long)
    found = run(kind, tmp_path, count, SEED, measures=LONG in os.environ)
    with capsys.disabled():
        sys.stdout.write(f"\n{told(kind, found)}\n")
    assert found.total() == count
    assert found["accepted"], "mutations that leave nothing valid try nothing"
    assert found["refused"], "mutations that break nothing try nothing"


def test_there_are_2_000_inputs_a_push_and_100_000_in_the_long_form():
    assert sum(reader.short for reader in READERS.values()) == 2_000
    assert sum(reader.long for reader in READERS.values()) == 100_000


def test_the_same_seed_gives_the_same_inputs(tmp_path):
    one, again, other = (run("token", tmp_path, 60, seed) for seed in (1, 1, 2))
    assert one == again != other


def reader_of(read) -> Reader:
    return Reader(texts=("x",), name="input", read=read, short=1, long=1)


def opens(mode):
    return lambda path: (path.parent.parent / "elsewhere").open(mode).close()


WRONGS = {
    "another file": (opens("rb"), "open"),
    "a write": (opens("wb"), "open"),
    "a write here": (lambda path: (path.parent / "new").write_text("x"), "open"),
    "a link to another file": (lambda path: (path.parent / "link").read_bytes(), "open"),
    "a list of files": (lambda path: list(Path("/").iterdir()), r"os\.(listdir|scandir)"),
    "code": (lambda path: builtins.eval("1"), "compile"),
    "code that was compiled": (lambda path: exec(CODE), "exec"),
    "an import": (lambda path: __import__("colorsys"), "import"),
    "a program": (lambda path: subprocess.Popen(["true"]).wait(), "subprocess.Popen"),
    "a shell": (lambda path: os.system("true"), "os.system"),
    "a connection": (lambda path: socket.socket().close(), "socket"),
    "a traceback": (lambda path: [][1], "IndexError"),
    "an error without a text": (lambda path: _raise(SupercacheError("")), "without a text"),
    "an error of a million letters": (lambda path: _raise(SupercacheError("x" * 10**6)), "1000000"),
}
CODE = compile("1", "here", "eval")


def _raise(error):
    raise error


@pytest.mark.parametrize("name", WRONGS)
def test_a_reader_that_does_something_else_is_found_out(name, tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    (tmp_path / "elsewhere").write_text("x")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    read, sign = WRONGS[name]
    with pytest.raises(Wrong, match=sign):
        judged(reader_of(read), folder / "input")


def test_a_reader_that_takes_too_long_is_found_out(tmp_path):
    with pytest.raises(Wrong, match="took longer than"):
        judged(reader_of(lambda path: time.sleep(60)), tmp_path / "input", seconds=0.05)  # noqa: TID251 - a reader that hangs


def test_a_reader_that_reads_its_file_and_refuses_it_is_right(tmp_path):
    (tmp_path / "input").write_text("x")
    assert judged(reader_of(lambda path: path.read_bytes()), tmp_path / "input") == "accepted"
    refusing = reader_of(lambda path: _raise(SupercacheError("input:1: no")))
    assert judged(refusing, tmp_path / "input") == "refused"


def test_a_check_in_the_same_process_does_not_see_the_hook(tmp_path):
    (tmp_path / "input").write_text("x")
    judged(reader_of(lambda path: path.read_bytes()), tmp_path / "input")

    def body(world):
        world.actor("alice", lambda: (world.step("a", writes="k"), gc.collect()))
        world.actor("bob", lambda: world.step("b", reads="k"))
        world.run()

    assert check(body, search="all-schedules").verdict is Verdict.HOLDS
