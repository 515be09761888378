"""No file keeps us busy: pipes, devices, size, depth and length are refused in bounded time."""

import os
import tracemalloc

import pytest
from click.testing import CliRunner

from pytest_supercache import check
from pytest_supercache.cli import main
from pytest_supercache.core import inputs
from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.inputs import InputError, parse_json, parse_toml, read_bytes, read_text
from pytest_supercache.gate.project import read_rules
from tests.hostile.mutations import judged, prepared
from tests.hostile.readers import READERS, TODAY

FILES = {kind: reader for kind, reader in READERS.items() if kind != "token"}


def pipe(path):
    os.mkfifo(path)


def endless(path):
    path.symlink_to("/dev/zero")


def folder(path):
    path.mkdir()


def huge(path):
    with path.open("wb") as file:
        file.truncate((1 << 30) + 1)  # sparse: it takes no room


@pytest.mark.parametrize("make", [pipe, endless, folder, huge])
@pytest.mark.parametrize("kind", FILES)
def test_what_is_no_regular_file_of_bounded_size_is_refused_by_its_name(kind, make, tmp_path):
    path = prepared(tmp_path, FILES[kind])
    path.unlink()
    make(path)
    with pytest.raises((SupercacheError, OSError), match=path.name):
        FILES[kind].read(path)


COMMANDS = {
    "verdict": (["verdict", "input"], 6),
    "message": (["message", "input"], 6),
    "report": (["report", "--to", "page", "input"], 2),
    "known issues": (["known", "check", "--known-issues", "input"], 2),
    "history": (["check-history", "--model", "register", "--format", "jsonl", "input"], 2),
    "format": (["fmt", "--check", "input.supercache.yaml"], 1),
}


@pytest.mark.parametrize("make", [pipe, endless])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_so_and_ends(name, make, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments, status = COMMANDS[name]
    make(tmp_path / arguments[-1])
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == status
    assert "input" in result.output
    assert "Traceback" not in result.output
    assert isinstance(result.exception, SystemExit)


@pytest.mark.parametrize("name", ["pyproject.toml", "known-issues.toml"])
@pytest.mark.parametrize("make", [pipe, endless])
def test_a_file_of_the_project_that_is_none_is_named(name, make, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    prepared(tmp_path, READERS["verdict"])
    (tmp_path / name).unlink(missing_ok=True)
    make(tmp_path / name)
    result = CliRunner().invoke(main, ["verdict", "verdict.json"])
    assert result.exit_code == 4
    assert f"{name} cannot be read: it is not a regular file" in result.output


@pytest.mark.parametrize("make", [pipe, endless])
def test_a_lock_that_is_no_file_is_a_rule_that_nothing_meets(make, tmp_path):
    make(tmp_path / "gate.lock")
    said = read_rules(tmp_path, {}, TODAY).lock_fault
    assert said is not None
    assert said.endswith("gate.lock cannot be read: it is not a regular file")


LONG = {
    "exclamation marks": "!" * 1_000_000,
    "brackets": "[" * 200_000,
    "tables in tables": "x = " + "{a = " * 100_000,
    "a dotted name": "a." * 100_000 + "b = 1",
    "a quoted dotted name": '"a".' * 100_000 + "b = 1",
    "one word": "a" * 300_000,
    "digits": "x = " + "9" * 5_000,
    "hexadecimal digits": "expires = 0x" + "f" * 5_000,
    "spaces": "x = 1\n" + " " * 200_000,
    "quotes": '"' * 200_000,
    "backslashes": '"' + "\\" * 200_000,
    "entries": "[[known]]\n" * 20_000,
    "no numbers": '{"version": 1, "scenarios": [NaN, Infinity]}',
    "a long number": f'{{"version": {"9" * 5_000}, "scenarios": []}}',
    "half of a pair": '{"version": "\\ud800", "scenarios": []}',
    "objects": '{"a":' * 200_000,
}


@pytest.mark.parametrize("name", LONG)
@pytest.mark.parametrize(
    "kind", ["known issues", "lock", "verdict", "history", "settings", "token"]
)
def test_a_text_that_goes_on_is_refused_in_few_words(kind, name, tmp_path):
    path = prepared(tmp_path, READERS[kind])
    path.write_text(LONG[name])
    assert judged(READERS[kind], path) in {
        "refused",
        "accepted" if kind == "settings" else "refused",
    }


def test_a_token_of_150_million_choices_takes_no_memory(tmp_path):
    path = prepared(tmp_path, READERS["token"])
    path.write_text(f"sc1:x:{'a*999999,' * 150}a")
    tracemalloc.start()
    try:
        assert judged(READERS["token"], path) == "refused"
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_what_is_within_the_bounds_is_read():
    depth = inputs.DEPTH_MAX
    assert parse_json("[" * depth + "]" * depth)
    assert parse_json(f'{{"text": "{"[" * 500}", "list": {[[]] * 500}}}')["text"] == "[" * 500
    name = ".".join(["a"] * depth)
    assert parse_toml(f'{name} = 1\ntext = "{"a." * 500}"\nmore = [{"[]," * 500}]  # {"[" * 500}')
    assert parse_toml(f"x = {'9' * 1_000}")


def test_a_key_twice_is_refused_and_the_same_key_in_two_objects_is_not():
    assert parse_json('{"a": {"a": 1}, "b": [{"a": 1}, {"a": 1}]}')["b"] == [{"a": 1}] * 2
    for text in ('{"a": 1, "a": 1}', '[{"b": {"a": 1, "c": 2, "a": 3}}]', r'{"a": 1, "\u0061": 1}'):
        with pytest.raises(ValueError, match="an object has the key 'a' twice"):
            parse_json(text)
    with pytest.raises(ValueError, match=r"'x{200}'\.\.\. \(5,000 characters\) twice"):
        parse_json(f'{{"{"x" * 5_000}": 1, "{"x" * 5_000}": 1}}')


def test_one_level_more_is_too_deep():
    depth = inputs.DEPTH_MAX + 1
    with pytest.raises(ValueError, match="nested more than 64 levels"):
        parse_json("[" * depth + "]" * depth)
    with pytest.raises(ValueError, match="nested more than 64 levels"):
        parse_toml(f"{'.'.join(['a'] * depth)} = 1")
    with pytest.raises(ValueError, match="nested more than 64 levels"):
        parse_toml(f"x = {'[' * depth}{']' * depth}")


def test_a_file_of_the_largest_size_is_read_and_one_byte_more_is_not(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * 100)
    assert read_bytes(path, 100) == b"x" * 100
    with pytest.raises(InputError, match=r"file cannot be read: it is larger than 99 bytes"):
        read_bytes(path, 99)
    path.write_bytes(b"\xff")
    with pytest.raises(InputError, match=r"file cannot be read: byte 0xff at 1 is not UTF-8"):
        read_text(path)
    with pytest.raises(FileNotFoundError):
        read_bytes(tmp_path / "none")
    with pytest.raises(InputError, match=r"null (byte|character)"):
        read_bytes(tmp_path / "a\0b")


@pytest.mark.parametrize("seconds", [float("nan"), -1.0, 0.0])
def test_a_time_that_never_runs_out_is_refused(seconds):
    with pytest.raises(SupercacheError, match="expected seconds, more than 0"):
        check(lambda world: None, time=seconds)


@pytest.mark.parametrize(
    "cell", ['"{""a"": ""\\ud800""}"', '"[""\\udfff""]"', '"[NaN]"', '"{""a"": 1, ""a"": 2}"']
)
def test_a_cell_with_what_is_no_character_number_or_object_is_refused(cell, tmp_path):
    path = prepared(tmp_path, READERS["table"])
    path.write_text(f"case,price\ncold,{cell}\n")
    assert judged(READERS["table"], path) == "refused"
    path.write_text('case,price\ncold,"{""a"": ""\\ud83d\\ude00""}"\n')
    assert judged(READERS["table"], path) == "accepted"
