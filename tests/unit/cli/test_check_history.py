"""``supercache check-history``: a line a file, the exit status, and the picture."""

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from click.testing import CliRunner

from pytest_supercache.cli import main

RECORDED = Path(__file__).parents[2] / "corpus" / "porcupine"


def line(type_, f, value, process=1, **more):
    return json.dumps({"process": process, "type": type_, "f": f, "value": value, **more})


def call(f, value, **more):
    return [line("invoke", f, value, **more), line("ok", f, value, **more)]


GOOD = [*call("write", 1), *call("read", 1)]
BAD = [*call("write", 1), *call("write", 2), *call("read", 1)]


@pytest.fixture
def check(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, lines in {"good": GOOD, "bad": BAD}.items():
        Path(name).write_text("\n".join(lines))

    def check(*args, model="register", format_="jsonl"):
        options = ["--model", model, "--format", format_]
        return CliRunner().invoke(main, ["check-history", *options, *map(str, args)])

    return check


def test_what_holds_is_one_line_and_exits_0(check):
    result = check("good")
    assert (result.output, result.exit_code) == ("good: HOLDS\n", 0)


def test_a_violation_exits_1_whatever_else_there_is_and_is_explained_on_standard_error(check):
    result = check("bad", "good")
    assert (result.stdout, result.exit_code) == ("bad: VIOLATED\ngood: HOLDS\n", 1)
    assert result.stderr == (
        "  no order in which these calls fit (3 of 3):\n"
        "    lines 1-2  process 1  write = 1\n"
        "    lines 3-4  process 1  write = 2\n"
        "    lines 5-6  process 1  read -> 1\n"
        "  a value was written once, and read again after another had replaced it\n"
    )


def test_jepsens_recordings_of_both_kinds(check):
    result = check(RECORDED / "etcd_002.log", RECORDED / "etcd_024.log", format_="jepsen")
    assert [text.rpartition("/")[2] for text in result.stdout.splitlines()] == [
        "etcd_002.log: HOLDS", "etcd_024.log: VIOLATED",
    ]  # fmt: skip
    result = check(RECORDED / "c01-ok.txt", model="kv", format_="jepsen")
    assert (result.stdout, result.exit_code) == (f"{RECORDED / 'c01-ok.txt'}: HOLDS\n", 0)


def test_only_unknown_exits_3_and_says_what_to_do(check):
    lines = [text for at in range(20) for text in call("cas", [0, at % 2], process=at, key="k")[:1]]
    lines += [text for at in range(30) for text in call("write", at % 3, process=99, key="k")]
    lines += call("read", 0, process=98, key="k")
    Path("hard").write_text("\n".join(lines))
    result = check("hard", "--budget", 20)
    assert (result.stdout, result.exit_code) == ("hard: UNKNOWN\n", 3)
    assert "key k; nothing wrong was found so far, and nothing was proved" in result.stderr
    assert "--budget" in result.stderr
    assert check("hard", "bad", "--budget", 20).exit_code == 1


def test_a_file_that_cannot_be_read_exits_2_and_the_others_are_judged(check):
    Path("broken").write_text("\n".join([*GOOD, "\x1b[2J{"]))
    result = check("broken", "good", "bad")
    assert (result.stdout, result.exit_code) == ("good: HOLDS\nbad: VIOLATED\n", 2)
    assert result.stderr.startswith("broken:5: not JSON")


@pytest.mark.parametrize(
    "args",
    [
        (), ("missing",), (".",), ("good", "--model", "queue"), ("good", "--format", "edn"),
        ("good", "--budget", "0"),
    ],
)  # fmt: skip
def test_a_wrong_call_exits_2(check, args):
    assert check(*args).exit_code == 2


HOSTILE = "</text><script>alert(1)</script>\x1b[31m\n" + "w" * 500


def test_the_picture_shows_the_calls_and_nothing_in_a_recording_can_break_it(check):
    values = [[HOSTILE, 1], [HOSTILE, 2]]
    lines = [text for value in values for text in call("write", value, process=HOSTILE, key="<k>")]
    lines += call("read", values[0], process="p & q", key="<k>")
    Path("bad").write_text("\n".join(lines))
    result = check("bad", "--svg", "pictures/of")
    assert "drawn in pictures/of/bad.svg" in result.stderr
    assert "\x1b" not in result.stderr
    text = Path("pictures/of/bad.svg").read_text()
    assert "<script" not in text
    texts = [element.text for element in ET.fromstring(text).findall(".//{*}text")]
    assert any(shown.startswith("write <k> = ") for shown in texts)
    assert any(shown.startswith("read <k> -> ") for shown in texts)
    assert "process p & q" in texts
    assert [shown for shown in texts if shown.isdigit()] == list("123456")
    assert all(shown.isprintable() and len(shown) < 200 for shown in texts)


def test_recordings_of_one_name_are_drawn_beside_each_other(check):
    Path("old").mkdir()
    Path("old/bad").write_text("\n".join([*BAD, *BAD]))
    check("bad", "old/bad", "--svg", "pictures")
    assert sorted(path.name for path in Path("pictures").iterdir()) == ["bad-2.svg", "bad.svg"]


def test_a_picture_that_cannot_be_written_exits_2(check):
    Path("pictures").write_text("a file")
    result = check("bad", "--svg", "pictures/of")
    assert result.exit_code == 2
    assert "pictures" in result.stderr


def test_the_example_of_the_documentation_is_true(check):
    page = (Path(__file__).parents[3] / "docs" / "history.md").read_text()
    trace = page.partition("```json\n")[2].partition("```")[0]
    shown = page.partition("--format jsonl`:\n\n```\n")[2].partition("```")[0]
    Path("trace.jsonl").write_text(trace)
    result = check("trace.jsonl")
    assert result.stdout + result.stderr == shown


def test_what_is_shown_does_not_depend_on_the_order_of_sets(check, tmp_path):
    lines = []
    for old in "abcdefgh":  # each of them is read again after another was seen
        new = f"{old}2"
        lines += [*call("write", old), line("invoke", "write", new), *call("read", new, process=2)]
        lines += [line("ok", "write", new), *call("read", old)]
    Path("many").write_text("\n".join(lines))
    command = [sys.executable, "-m", "pytest_supercache.cli", "check-history", "many"]
    command += ["--model", "register", "--format", "jsonl"]
    shown = {
        subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stderr
        for seed in ("1", "2", "3", "4")
    }
    assert len(shown) == 1
    assert "no order in which these calls fit" in shown.pop()
