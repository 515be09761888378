"""Real conflicts in published libraries: those in the test environment are found, and replay."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HERE = "scenarios/libraries"
FOUND = ROOT / "docs/found.md"


def run(tmp_path: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "ignore", "-p", "no:cacheprovider",
         "--supercache-odds=0", f"--supercache-report={tmp_path}", *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """What a run says of each library that is here."""
    report = tmp_path_factory.mktemp("libraries")
    found = run(report, HERE)
    assert found.returncode == 0, found.stdout
    return json.loads((report / "verdict.json").read_text())["scenarios"]


def test_every_library_that_is_here_shows_its_conflict(rows):
    assert {row["id"].partition("[")[0] for row in rows} >= {
        "LIB-01", "LIB-05", "LIB-08", "LIB-09", "LIB-11", "LIB-15", "LIB-28", "MLC-01",
    }  # fmt: skip
    violated = [row for row in rows if row["verdict"] == "violated"]
    assert {row["label"] for row in violated} == {"conflict"}
    assert {row["counterexample"]["replays"] for row in violated} == {"10/10"}


@pytest.mark.redis_server
def test_a_reply_that_never_comes_is_found_and_replays_in_another_process(tmp_path, rows):
    (hangs,) = [row for row in rows if row["id"] == "LIB-21[redis.reader_8]"]
    assert (hangs["stated_label"], hangs["stated_class"]) == ("conflict", "lost-wakeup")
    replayed = run(tmp_path, HERE, f"--supercache-replay={hangs['counterexample']['token']}")
    assert replayed.returncode == 1, replayed.stdout
    assert "LIB-21[redis.reader_8]: VIOLATED answers" in replayed.stdout


SCENARIOS = sorted((ROOT / HERE).glob("*/*.supercache.yaml"))


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.parent.name)
def test_every_library_states_its_label_and_is_documented_with_it(path):
    text = path.read_text(encoding="utf-8")
    name = re.search("^id: (.*)$", text, re.M)[1]
    stated = re.search(r"^systems:((?: .*)?(?:\n  .*)*)$", text, re.M)[1]
    conflict_class = re.search("class: ([a-z-]+), label: |label: ", stated)[1]
    table, classes = FOUND.read_text(encoding="utf-8").split("## Labels and classes")
    assert f"`pytest {path.relative_to(ROOT)} --supercache-replay='sc1:{name}[" in table
    (row,) = [line for line in classes.splitlines() if line.startswith("|") and name in line]
    assert (f"`{conflict_class}`" if conflict_class else "not classified") in row


def test_a_documented_conflict_replays_in_another_process(tmp_path):
    known = FOUND.read_text(encoding="utf-8")
    path, token = re.search(r"`pytest (\S+) --supercache-replay='(sc1:LIB-15[^']*)", known).groups()
    replayed = run(tmp_path, path, f"--supercache-replay={token}")
    assert replayed.returncode == 1, replayed.stdout
    assert "LIB-15[larzcache]: VIOLATED expect" in replayed.stdout
