"""A GO is about the changes that were there, committed or not: others make it an old one."""

import pytest

from tests.plugin.conftest import Project
from tests.plugin.projects import race
from tests.plugin.test_gate_old_go import verdict
from tests.plugin.test_plugin_gate import gate
from tests.repositories import append, committed, git
from tests.selection import few

IGNORED = "__pycache__/\nreports/\nignored.py\n"


@pytest.fixture
def dirty_go(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with changes that are not committed, whose last gate run said GO."""
    monkeypatch.delenv("SUPERCACHE_RUN_ID", raising=False)
    monkeypatch.chdir(project.path)
    project.scenario(race("U-1", "uncached"))
    append(project.path / "shop.py")
    append(project.path / ".gitignore", IGNORED)
    committed(project.path)
    append(project.path / "shop.py", "FIXED = True\n")
    append(project.path / "new.py")
    append(project.path / "ignored.py")
    assert project.run("--supercache-gate").ret == 0
    told = verdict()
    assert told.exit_code == 0, told.output
    assert "with changes that are not committed" in told.output
    return project


def test_a_verdict_about_other_changes_is_none(dirty_go: Project) -> None:
    """The twin: the lock is written meanwhile, which is a rule, and what git ignores changes."""
    assert verdict("--lock").exit_code == 0
    append(dirty_go.path / "ignored.py")
    assert verdict().exit_code == 0
    assert set(dirty_go.verdict()["changes"]) == {"shop.py", "new.py"}
    append(dirty_go.path / "shop.py", "FIXED = False\n")
    told = verdict()
    assert told.exit_code == 6
    assert "changes that are not committed are others here: shop.py; run the gate again" in (
        told.output
    )


def test_a_clean_run_says_nothing_about_later_changes(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SUPERCACHE_RUN_ID", raising=False)
    monkeypatch.chdir(project.path)
    project.scenario(race("U-2", "uncached"))
    append(project.path / ".gitignore", IGNORED)
    committed(project.path)
    assert project.run("--supercache-gate").ret == 0
    assert project.verdict()["changes"] == {}
    assert verdict().exit_code == 0
    append(project.path / "conftest.py")
    told = verdict()
    assert told.exit_code == 6
    assert "are others here: conftest.py; " in told.output


@pytest.mark.parametrize("is_added", few([False, True], 1), ids=["new", "in the index"])
def test_a_verdict_in_a_repository_without_a_commit_is_about_the_files_there(
    project: Project, monkeypatch: pytest.MonkeyPatch, is_added: bool
) -> None:
    """The twins: what git ignores changes, and the files are as they were. A commit is another."""
    monkeypatch.delenv("SUPERCACHE_RUN_ID", raising=False)
    monkeypatch.chdir(project.path)
    project.scenario(race("U-5", "uncached"))
    append(project.path / ".gitignore", IGNORED)
    append(project.path / "ignored.py")
    git(project.path, "init", "-q")
    if is_added:
        git(project.path, "add", "--all")
    assert project.run("--supercache-gate").ret == 0
    append(project.path / "ignored.py")
    told = verdict()
    assert told.exit_code == 0, told.output
    assert "scope: commit none yet, with changes that are not committed; run on" in told.output
    before = (project.path / "conftest.py").read_text()
    append(project.path / "conftest.py")
    told = verdict()
    assert told.exit_code == 6
    assert "are others here: conftest.py; run the gate again" in told.output
    (project.path / "conftest.py").write_text(before)
    assert verdict().exit_code == 0
    committed(project.path)
    told = verdict()
    assert told.exit_code == 6
    assert "it is about commit none yet, and " in told.output


def test_what_changes_while_the_run_goes_on_gives_no_verdict(project: Project) -> None:
    """The twin: what git does not have may be what the run writes, before and after its end."""
    project.scenario(race("U-3", "uncached"))
    append(project.path / ".gitignore", IGNORED)
    append(project.path / "shop.py")
    project.add_to_conftest("""
import pathlib
def pytest_collection_finish():
    for name in pathlib.Path("touched.txt").read_text().split():
        with pathlib.Path(name).open("a") as file:
            file.write("# changed\\n")
""")
    append(project.path / "touched.txt", "made.log log.txt")
    committed(project.path)
    append(project.path / "log.txt", "begun\n")
    assert project.run("--supercache-gate").ret == 0
    assert project.verdict()["changes"] == {"log.txt": None, "made.log": None}
    append(project.path / "made.log", "the end\n")
    (project.path / "touched.txt").write_text("shop.py")
    git(project.path, "commit", "-qam", "another")
    assert project.run("--supercache-gate").ret == 6
    assert gate(project)["reasons"] == ["shop.py was changed while the run went on"]


@pytest.mark.parametrize(
    ("name", "hook"),
    few(
        [
            ("new.py", "pytest_collection_finish"),
            ("new.supercache.yaml", "pytest_unconfigure"),
            ("new.toml", "pytest_collection_finish"),
            ("new.py", "pytest_unconfigure"),
            ("new.supercache.yaml", "pytest_collection_finish"),
            ("new.toml", "pytest_unconfigure"),
        ],
        3,
    ),
)
def test_new_code_that_was_there_before_is_no_output_of_the_run(
    project: Project, name: str, hook: str
) -> None:
    """The twin: the run makes it."""
    new = project.path / name
    text = race("U-7", "uncached") if name.endswith(".yaml") else ""
    project.scenario(race("U-6", "uncached"))
    append(project.path / ".gitignore", IGNORED)
    project.add_to_conftest(f"""
import pathlib
def {hook}():
    with pathlib.Path("{name}").open("a") as file:
        file.write("# changed\\n")
""")
    committed(project.path)
    assert project.run("--supercache-gate").ret == 0
    assert verdict().exit_code == 0
    new.write_text(text)
    status = project.run("--supercache-gate").ret
    told = verdict()
    assert told.exit_code == 6
    if hook == "pytest_unconfigure":
        assert f"are others here: {name}; " in told.output
    else:
        assert status == 6
        assert f"{name} was changed while the run went on" in told.output


EDITS = """
import pathlib
_file = pathlib.Path(__file__).with_name("text.txt")
_file.write_text(_file.with_name("next.txt").read_text())
"""


@pytest.mark.parametrize("place", few(["test_it.py", "conftest.py"], 1))
def test_so_does_what_changes_while_files_are_imported(project: Project, place: str) -> None:
    """The twin: the file has the same content afterwards."""
    project.scenario(race("U-4", "uncached"))
    append(project.path / ".gitignore", IGNORED + "next.txt\n")
    append(project.path / "text.txt", "1")
    append(project.path / place, EDITS)
    (project.path / "next.txt").write_text("1")
    committed(project.path)
    assert project.run("--supercache-gate").ret == 0
    (project.path / "next.txt").write_text("2")
    assert project.run("--supercache-gate").ret == 6
    assert gate(project)["reasons"] == ["text.txt was changed while the run went on"]


def test_a_run_without_the_gate_knows_what_was_written_while_it_loaded(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin: it was written before."""
    monkeypatch.delenv("SUPERCACHE_RUN_ID", raising=False)
    monkeypatch.chdir(project.path)
    project.scenario(race("U-5", "uncached"))
    append(project.path / ".gitignore", IGNORED + "test_it.py\nnext.txt\n")
    append(project.path / "text.txt", "1")
    committed(project.path)
    (project.path / "text.txt").write_text("2")
    assert project.run().ret == 0
    assert verdict().exit_code == 0, verdict().output
    append(project.path / "test_it.py", EDITS)
    append(project.path / "next.txt", "3")
    assert project.run().ret == 0
    assert project.verdict()["run"]["written"] == ["text.txt"]
    told = verdict()
    assert told.exit_code == 6
    assert "text.txt was written while the run loaded its files" in told.output


SUMMARIES = """
import pathlib
def pytest_terminal_summary(): pathlib.Path("coverage.xml").write_text("1")
def pytest_unconfigure(): pathlib.Path("late.xml").write_text("1")
"""


@pytest.mark.parametrize("with_gate", few([[], ["--supercache-gate"]], 1))
def test_new_files_that_are_written_after_the_tests_are_no_change(
    project: Project, monkeypatch: pytest.MonkeyPatch, with_gate: list[str]
) -> None:
    """The twins: a new file that is written after the run, and one that git has."""
    monkeypatch.delenv("SUPERCACHE_RUN_ID", raising=False)
    monkeypatch.chdir(project.path)
    project.scenario(race("U-6", "uncached"))
    append(project.path / ".gitignore", IGNORED)
    project.add_to_conftest(SUMMARIES)
    committed(project.path)
    assert project.run(*with_gate).ret == 0
    assert project.verdict()["changes"] == {"coverage.xml": None, "late.xml": None}
    assert verdict().exit_code == 0, verdict().output
    append(project.path / "later.xml")
    assert "are others here: later.xml;" in verdict().output
    committed(project.path)
    (project.path / "coverage.xml").write_text("2")
    committed(project.path)
    assert project.run(*with_gate).ret == 0
    assert "are others here: coverage.xml;" in verdict().output


REPLACES = """
import json, pathlib
def pytest_unconfigure():
    file = pathlib.Path("reports/verdict.json")
    file.write_text(json.dumps({**(it := json.loads(file.read_text())), "build": "other", "run": {
        **it["run"], "owner": "other"}}))
"""


def test_a_run_without_the_gate_leaves_alone_what_another_one_has_written_since(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin: a file that is its own has at its end what was written late (above)."""
    monkeypatch.delenv("SUPERCACHE_RUN_ID", raising=False)
    project.scenario(race("U-7", "uncached"))
    project.add_to_conftest(REPLACES)
    assert project.run().ret == 0
    assert project.verdict()["build"] == "other"


def test_a_go_says_what_was_not_checked_out_and_is_none_once_it_is(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin: as long as nothing is checked out, it stays one."""
    monkeypatch.delenv("SUPERCACHE_RUN_ID", raising=False)
    monkeypatch.chdir(project.path)
    project.scenario(race("S-1", "uncached"))
    (project.path / "deep").mkdir()
    project.scenario(race("S-2"), "deep/b")
    append(project.path / ".gitignore", "__pycache__/\nreports/\n.hypothesis/\n")
    committed(project.path)
    git(project.path, "sparse-checkout", "set", "--no-cone", "/*", "!/deep")
    result = project.run("--supercache-gate")
    assert result.ret == 0
    left_out = "*not covered: what git has and was not checked out: deep/b.supercache.yaml"
    result.stdout.fnmatch_lines([left_out])
    assert project.verdict()["dirty"] is False
    assert verdict().exit_code == 0
    git(project.path, "sparse-checkout", "disable")
    told = verdict()
    assert told.exit_code == 6
    assert "are others here: deep/b.supercache.yaml;" in told.output
    assert project.run("--supercache-gate").ret == 1
