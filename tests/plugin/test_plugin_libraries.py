"""Real conflicts in published libraries: those in the test environment are found, and replay."""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
HERE = "scenarios/libraries"


def run(tmp_path: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "ignore", "-p", "no:cacheprovider",
         f"--supercache-report={tmp_path}", *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def test_every_library_that_is_here_shows_its_conflict(tmp_path):
    found = run(tmp_path, HERE)
    assert found.returncode == 0, found.stdout
    rows = json.loads((tmp_path / "verdict.json").read_text())["scenarios"]
    assert {row["id"].partition("[")[0] for row in rows} >= {
        "LIB-01", "LIB-08", "LIB-09", "LIB-15", "LIB-28", "MLC-01",
    }  # fmt: skip
    assert {(row["verdict"], row["label"]) for row in rows} == {("violated", "conflict")}
    assert {row["counterexample"]["replays"] for row in rows} == {"10/10"}


def test_a_documented_conflict_replays_in_another_process(tmp_path):
    known = (ROOT / "docs/found.md").read_text(encoding="utf-8")
    token = re.search(r"sc1:LIB-15[^']*", known)[0]
    replayed = run(tmp_path, HERE, f"--supercache-replay={token}")
    assert replayed.returncode == 1, replayed.stdout
    assert "LIB-15[larzcache]: VIOLATED expect" in replayed.stdout
