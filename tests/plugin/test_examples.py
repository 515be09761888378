"""The example applications say what their scenarios state, and their READMEs are true."""

import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from tests.adapters.servers import postgresql
from tests.plugin.forks import Parents
from tests.selection import few

EXAMPLES = Path(__file__).parents[2] / "examples"
SHOP, DJANGO_SHOP = EXAMPLES / "fastapi_shop", EXAMPLES / "django_shop"


Run = Callable[..., CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path, parents: Parents) -> Run:
    """Run an example in a process of its own, as its README says."""

    def run_it(
        *arguments: str, database: str = "", of: Path = SHOP, **variables: str
    ) -> CompletedProcess[str]:
        return parents.run(
            [sys.executable, "-m", "pytest", "-p", "supercache", "-p", "no:cacheprovider",
             f"--supercache-report={tmp_path}", *arguments, "."],
            cwd=of, env={**os.environ, "SHOP_DATABASE": database, **variables},
        )  # fmt: skip

    return run_it


def verdicts(report: Path) -> dict[str, tuple[str, str | None]]:
    return {row["id"]: (row["verdict"], row["label"]) for row in rows(report)}


def rows(report: Path) -> "list[dict[str, Any]]":
    found: list[dict[str, Any]] = json.loads((report / "verdict.json").read_text())["scenarios"]
    return found


def token_of(report: Path, item: str) -> str:
    """Return the token of an item that was found and replayed as often as it says."""
    (found,) = [row["counterexample"] for row in rows(report) if row["id"] == item]
    assert found["replays"] == "10/10"
    return str(found["token"])


EXPECTED = {
    "SHOP-01[shop.first]": ("violated", "conflict"),
    "SHOP-01[shop.guarded]": ("holds", None),
    "SHOP-02[shop.first]": ("violated", "conflict"),
    "SHOP-02[shop.guarded]": ("holds", None),
}


def expected_lines(output: str, left_out: str) -> set[str]:
    """Return the lines that say what was expected of an item and came."""
    lines = re.findall(r"^(?:SHOP|DJANGO)-.*as expected$", output, re.MULTILINE)
    return {line for line in lines if not line.startswith(left_out)}


@pytest.mark.parametrize("left_out", few(["SHOP-01[shop.guarded]", "nothing"], 1))
def test_the_shop_on_fastapi_shows_two_conflicts_and_their_fixes_hold(
    tmp_path: Path, run: Run, left_out: str
) -> None:
    """One proof takes half of the time, and is left to the long form."""
    done = run("-v", "--supercache-odds=0", f"--deselect=prices.supercache.yaml::{left_out}")
    assert done.returncode == 0, done.stdout
    assert verdicts(tmp_path) == {name: EXPECTED[name] for name in EXPECTED if name != left_out}
    readme = (SHOP / "README.md").read_text(encoding="utf-8")
    assert expected_lines(readme, left_out) == expected_lines(done.stdout, left_out) != set()
    assert f"{token_of(tmp_path, 'SHOP-01[shop.first]')}'" in readme
    held = [row for row in rows(tmp_path) if row["verdict"] == "holds"]
    assert all("assuming" in row["coverage"] for row in held)


@pytest.mark.postgresql
@pytest.mark.long
def test_it_says_the_same_on_postgresql(tmp_path: Path, run: Run) -> None:
    with postgresql() as address:
        words = dict(word.split("=") for word in address.split())
        url = f"postgresql+psycopg://{words['user']}@/{words['dbname']}?host={words['host']}"
        done = run("--supercache-odds=0", database=url)
    assert done.returncode == 0, done.stdout
    assert verdicts(tmp_path) == EXPECTED


@pytest.mark.long  # it is the one that was found and replayed ten times above
def test_the_token_in_its_readme_replays(run: Run) -> None:
    token = re.search(r"sc1:SHOP-01[^']*", (SHOP / "README.md").read_text(encoding="utf-8"))
    assert token is not None
    replayed = run(f"--supercache-replay={token[0]}")
    assert replayed.returncode == 1, replayed.stdout
    assert "SHOP-01[shop.first]: VIOLATED expect" in replayed.stdout
    assert "expected 120, saw 100" in replayed.stdout


def readme_of_django_shop() -> str:
    return (DJANGO_SHOP / "README.md").read_text(encoding="utf-8")


EXPECTED_ON_DJANGO = {
    "DJANGO-01[shop.first]": ("violated", "conflict"),
    "DJANGO-01[shop.guarded]": ("holds", None),
    "DJANGO-02[shop.first]": ("violated", "conflict"),
    "DJANGO-02[shop.guarded]": ("holds", None),
}


@pytest.mark.parametrize("left_out", few(["DJANGO-01[shop.guarded]", "nothing"], 1))
def test_the_shop_on_django_forgets_and_tells_too_early_and_its_fixes_hold(
    tmp_path: Path, run: Run, left_out: str
) -> None:
    """One proof takes half of the time, and is left to the long form, and with it the gate."""
    is_whole = left_out not in EXPECTED_ON_DJANGO
    done = run(
        "-v", "--supercache-odds=0", f"--deselect=prices.supercache.yaml::{left_out}",
        *["--supercache-gate"] * is_whole, of=DJANGO_SHOP,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    go = re.search(r"^GO\n  because .*$", readme_of_django_shop(), re.MULTILINE)
    assert go is not None
    assert (f"\n{go[0]}\n" in done.stdout) is is_whole
    assert "gate.lock" not in done.stdout, "all that it names was run"
    said = {name: said for name, said in EXPECTED_ON_DJANGO.items() if name != left_out}
    assert verdicts(tmp_path) == said
    stated = expected_lines(readme_of_django_shop(), left_out)
    assert stated == expected_lines(done.stdout, left_out) != set()
    found = [row["counterexample"] for row in rows(tmp_path) if row["verdict"] == "violated"]
    assert {one["conflict_class"] for one in found} == {"invalidate-before-write"}
    assert not (DJANGO_SHOP / "shop.sqlite3").exists(), "nobody has asked the shop's own database"


@pytest.mark.parametrize("seed", few(["1", "2"], 1))
def test_the_token_in_the_readme_on_django_replays_to_its_picture(run: Run, seed: str) -> None:
    readme = readme_of_django_shop()
    token = re.search(r"sc1:DJANGO-01[^']*", readme)
    assert token is not None
    wide = {"COLUMNS": "120", "PYTHONHASHSEED": seed}
    replayed = run(f"--supercache-replay={token[0]}", of=DJANGO_SHOP, **wide)
    assert replayed.returncode == 1, replayed.stdout
    assert "DJANGO-01[shop.first]: VIOLATED expect" in replayed.stdout
    picture = re.search(r"^   #  clerk.*?\n```", readme, re.MULTILINE | re.DOTALL)
    assert picture is not None
    told = [line.rstrip() for line in replayed.stdout.splitlines()]
    assert [line for line in picture[0].splitlines()[:-1] if line.rstrip() not in told] == []


def test_the_first_version_of_the_shop_on_django_may_not_ship(
    tmp_path: Path, parents: Parents
) -> None:
    shipped = tmp_path / "shop"
    shutil.copytree(DJANGO_SHOP, shipped, ignore=shutil.ignore_patterns("gate.lock", "__pycache__"))
    settings = shipped / "pyproject.toml"
    settings.write_text(settings.read_text().replace("shop.guarded", "shop.first"))
    alone = ("announcements.supercache.yaml", "--supercache-gate", "--supercache-odds=0")
    command = [sys.executable, "-m", "pytest", "-p", "supercache", "-p", "no:cacheprovider"]
    done = parents.run([*command, *alone], cwd=shipped)
    assert done.returncode == 1, done.stdout
    assert "\nNO-GO\n" in done.stdout
