"""The example application says what its scenarios state, and its README is true."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.adapters.servers import postgresql

SHOP = Path(__file__).parents[2] / "examples/fastapi_shop"


def run(tmp_path: Path, *arguments: str, database: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "supercache", "-p", "no:cacheprovider",
         f"--supercache-report={tmp_path}", *arguments, "."],
        cwd=SHOP, capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "SHOP_DATABASE": database},
    )  # fmt: skip


def verdicts(report: Path) -> dict[str, tuple[str, str | None]]:
    rows = json.loads((report / "verdict.json").read_text())["scenarios"]
    return {row["id"]: (row["verdict"], row["label"]) for row in rows}


EXPECTED = {
    "SHOP-01[shop.first]": ("violated", "conflict"),
    "SHOP-01[shop.guarded]": ("holds", None),
    "SHOP-02[shop.first]": ("violated", "conflict"),
    "SHOP-02[shop.guarded]": ("holds", None),
}


def test_the_shop_on_fastapi_shows_two_conflicts_and_their_fixes_hold(tmp_path: Path) -> None:
    done = run(tmp_path, "-v", "--supercache-odds=0")
    assert done.returncode == 0, done.stdout
    assert verdicts(tmp_path) == EXPECTED
    readme = (SHOP / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^SHOP-.*stated$", readme, re.MULTILINE)) == {
        line for line in done.stdout.splitlines() if re.match(r"SHOP-.*as stated$", line)
    }
    rows = json.loads((tmp_path / "verdict.json").read_text())["scenarios"]
    assert all("assuming" in row["coverage"] for row in rows if row["verdict"] == "holds")


@pytest.mark.postgresql
@pytest.mark.long
def test_it_says_the_same_on_postgresql(tmp_path: Path) -> None:
    with postgresql() as address:
        words = dict(word.split("=") for word in address.split())
        url = f"postgresql+psycopg://{words['user']}@/{words['dbname']}?host={words['host']}"
        done = run(tmp_path, "--supercache-odds=0", database=url)
    assert done.returncode == 0, done.stdout
    assert verdicts(tmp_path) == EXPECTED


def test_the_token_in_its_readme_replays(tmp_path: Path) -> None:
    token = re.search(r"sc1:SHOP-01[^']*", (SHOP / "README.md").read_text(encoding="utf-8"))
    assert token is not None
    replayed = run(tmp_path, f"--supercache-replay={token[0]}")
    assert replayed.returncode == 1, replayed.stdout
    assert "SHOP-01[shop.first]: VIOLATED expect" in replayed.stdout
    assert "expected 120, saw 100" in replayed.stdout
