"""Items whose ids differ only in a masked password are two, wherever the gate tells of them."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from pytest_supercache.cli import main
from pytest_supercache.core.masking import masked_id
from tests.plugin.conftest import Project
from tests.plugin.test_plugin_gate import TODAY, gate, waive
from tests.selection import few

TESTS = """
import pytest
from pytest_supercache import explore

def play(world, users):
    def increment():
        world.origin.set("k", (world.origin.get("k") or 0) + 1)
    for name in users:
        world.actor(name, increment)
    world.run()
    assert world.origin.get("k") == len(users)

@explore
def test_race(world):
    play(world, "ab")

@pytest.mark.parametrize("url", {urls})
@explore
def test_check(world, url):
    play(world, "ab" if "{racing}" in url else "a")
"""
SHOP, TILL = "redis://shop:hunter2@h", "redis://till:hunter2@h"
ID = r"test_check\[redis://\*\*\*@h\]#[0-9a-f]{12}"


@pytest.fixture
def alike(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with two tests that are shown alike."""
    monkeypatch.chdir(project.path)
    write(project)
    return project


def write(project: Project, *urls: str, racing: str = "nobody") -> None:
    """Write the module anew; the files are of one size, so no bytecode may be left."""
    project.test_file(TESTS.format(urls=list(urls or (SHOP, TILL)), racing=racing))
    for compiled in project.path.rglob("*.pyc"):
        compiled.unlink()


_fingerprints: list[str] = []
"""That of the race, which is found once."""


def waive_the_race(project: Project) -> None:
    if not _fingerprints:
        project.run("-k", "test_race")
        _fingerprints.append(project.row()["counterexample"]["fingerprint"])
    waive(project, _fingerprints[0], TODAY, systems="[]", workaround_checked_by='"test_check"')


def reason(project: Project) -> str:
    return str(gate(project)["reasons"][0])


def checks(project: Project) -> list[str]:
    """Return the ids of the two tests, by their node ids."""
    rows = project.verdict()["scenarios"]
    return [row["id"] for row in rows if row["id"].startswith("test_check")]


def test_two_tests_that_are_shown_alike_are_two_rows(alike: Project) -> None:
    waive_the_race(alike)
    alike.run("--supercache-gate")
    assert gate(alike)["verdict"] == "GO WITH KNOWN WORKAROUND"
    assert len(set(checks(alike))) == 2
    assert all(re.fullmatch(ID, one) for one in checks(alike))
    written = [path.read_bytes() for path in Path("reports").rglob("*") if path.is_file()]
    assert written
    assert not any(b"hunter2" in content for content in written)


@pytest.mark.parametrize("racing", few(["shop", "till"], 1))
def test_a_conflict_does_not_vanish_behind_one_that_is_shown_alike(
    alike: Project, racing: str
) -> None:
    waive_the_race(alike)
    write(alike, racing=racing)
    assert alike.run("--supercache-gate").ret == 1
    assert re.match(f"{ID}: test body .* is broken and nobody has waived it", reason(alike))


def test_a_check_that_was_left_out_is_missed_at_once(alike: Project) -> None:
    waive_the_race(alike)
    assert alike.run("--supercache-gate", "-k", "not till").ret == 1
    assert re.search(f"the check of its workaround, {ID}, was not run", reason(alike))
    assert CliRunner().invoke(main, ["verdict"]).exit_code == 1


def test_a_check_is_named_by_its_own_id(alike: Project) -> None:
    """The twin: of two that are shown alike, the one that is named was run."""
    waive_the_race(alike)
    alike.run("-k", "check")
    known = Path("known-issues.toml")
    (shop,) = [one for one in checks(alike) if one == masked_id(f"test_check[{SHOP}]")]
    known.write_text(known.read_text().replace('"test_check"', f'"{shop}"'))
    assert alike.run("--supercache-gate", "-k", "not till").ret == 0
    assert alike.run("--supercache-gate", "-k", "not shop").ret == 1


def test_the_lock_knows_each_of_two_that_are_shown_alike(alike: Project) -> None:
    waive_the_race(alike)
    assert alike.run("--supercache-gate").ret == 0
    assert CliRunner().invoke(main, ["verdict", "--lock"]).exit_code == 0
    assert len(re.findall(f"counts test_it.py::{ID}\n", Path("gate.lock").read_text())) == 2
    assert alike.run("--supercache-gate").ret == 0
    write(alike, SHOP)
    assert alike.run("--supercache-gate").ret == 6
    assert re.search(f"{ID} is in gate.lock and was not run", reason(alike))


def test_a_plugin_that_removes_one_of_two_is_noticed(alike: Project) -> None:
    waive_the_race(alike)
    alike.add_to_conftest("def pytest_collection_modifyitems(items): del items[-1]")
    assert alike.run("--supercache-gate").ret != 0
    assert re.search(f"{ID} was collected and is missing", "\n".join(gate(alike)["reasons"]))


def test_a_token_and_a_reproducer_mean_one_of_two(alike: Project) -> None:
    write(alike, racing="till")
    alike.run()
    token = alike.rows()[masked_id(f"test_check[{TILL}]")]["counterexample"]["token"]
    alike.run(f"--supercache-replay={token}").assert_outcomes(failed=1, deselected=2)
    older = re.sub("%23[0-9a-f]{12}", "", token)  # as it was, and meant both
    alike.run(f"--supercache-replay={older}").assert_outcomes(failed=2, deselected=1)
    (reproducer,) = Path("reports").glob("repro_*check*.py")
    alike.run(str(reproducer)).assert_outcomes(failed=1, deselected=1)


def test_ids_in_which_nothing_is_masked_are_as_they_were(alike: Project) -> None:
    write(alike, "redis://h", "redis://***@h")
    alike.run()
    assert sorted(checks(alike)) == ["test_check[redis://***@h]", "test_check[redis://h]"]
