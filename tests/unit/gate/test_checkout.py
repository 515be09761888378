"""What a run was about besides its commit: which changes are others, whatever lies in the tree."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_supercache.core.real_clock import real_sleep
from pytest_supercache.gate import checkout, contents, work_tree
from pytest_supercache.gate.checkout import (
    Checkout,
    checkout_of,
    few,
    meanwhile,
    others,
    written_files,
)
from pytest_supercache.gate.git import ask
from tests.repositories import append, committed, git


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A work tree with a change of a file, a new file, and one that git ignores."""
    folder = tmp_path / "tree"
    folder.mkdir()
    for name in ("shop.py", "text.txt"):
        append(folder / name)
    append(folder / ".gitignore", "ignored.py\n")
    committed(folder)
    for name in ("shop.py", "new.py", "ignored.py"):
        append(folder / name)
    return folder


def changes(folder: Path) -> checkout.Changes:
    found = checkout_of(folder, folder / "reports").changes
    assert found is not None
    return found


def instead(path: Path, make: Callable[[Path], object]) -> None:
    path.unlink()
    make(path)


def hidden(folder: Path, option: str) -> None:
    git(folder, "update-index", option, "text.txt")
    append(folder / "text.txt")


def watched(folder: Path) -> None:
    """Let git ask a program what was changed, which says: nothing."""
    program = folder / ".git" / "monitor"
    program.write_text("#!/bin/sh\nprintf 'now\\0'\n")
    program.chmod(0o755)
    git(folder, "config", "core.fsmonitor", str(program))
    git(folder, "update-index", "--fsmonitor")
    git(folder, "status")
    append(folder / "text.txt")


def hardly_compared(folder: Path) -> None:
    """Let git compare sizes and times only, and put another file there with the same."""
    git(folder, "config", "core.checkStat", "minimal")
    git(folder, "config", "core.trustctime", "false")
    path = folder / "text.txt"
    os.utime(path, (1e9, 1e9))
    git(folder, "status")
    other = folder / "other.txt"
    other.write_text(path.read_text().upper())
    os.utime(other, (1e9, 1e9))
    other.replace(path)


def filtered(folder: Path) -> None:
    """Let git keep a file as a program makes it of what is there."""
    git(folder, "config", "filter.lower.clean", "tr '[:upper:]' '[:lower:]'")
    (folder / ".git" / "info" / "attributes").write_text("text.txt filter=lower\n")
    path = folder / "text.txt"
    path.write_text(path.read_text().upper())


def filtered_as_by_lfs(folder: Path) -> None:
    """Let git keep what another program makes of a file, by the name of the filter of LFS."""
    git(folder, "config", "filter.lfs.clean", "tr '[:upper:]' '[:lower:]'")
    (folder / ".git" / "info" / "attributes").write_text("text.txt filter=lfs\n")
    path = folder / "text.txt"
    path.write_text(path.read_text().upper())


def added_through_a_filter(folder: Path) -> None:
    """Let git note the size and the time of a file whose content it has replaced by another."""
    path = folder / "text.txt"
    git(folder, "config", "filter.lower.clean", "tr '[:upper:]' '[:lower:]'")
    attributes = folder / ".git" / "info" / "attributes"
    attributes.write_text("text.txt filter=lower\n")
    path.write_text(path.read_text().upper())
    os.utime(path, (1e9, 1e9))
    git(folder, "add", "text.txt")
    attributes.unlink()


def written_within_one_second(folder: Path) -> None:
    """Write a file of the same size, with the same time, before its change time is another one."""
    path = folder / "text.txt"
    content = path.read_text()
    while time.time() % 1 > 0.5:  # noqa: TID251 - the steps of git's times are those of this clock
        real_sleep(0.01)
    os.utime(path, (1e9, 1e9))
    git(folder, "status")
    path.write_text(content.upper())
    os.utime(path, (1e9, 1e9))


def other_letters(folder: Path) -> None:
    git(folder, "config", "core.ignoreCase", "true")
    append(folder / "SHOP.py")


def run_or_not(folder: Path) -> None:
    git(folder, "config", "core.fileMode", "false")
    (folder / "text.txt").chmod(0o755)


OTHER: dict[str, tuple[Callable[[Path], object], str]] = {
    "the same file": (lambda p: append(p / "shop.py"), "shop.py"),
    "another file": (lambda p: append(p / "text.txt"), "text.txt"),
    "the same new file": (lambda p: append(p / "new.py"), "new.py"),
    "one more new file": (lambda p: append(p / "more" / "a.py"), "more/a.py"),
    "a scenario in a cache": (
        lambda p: append(p / "__pycache__" / "a.supercache.yaml"), "__pycache__/a.supercache.yaml",
    ),
    "a file is gone": (lambda p: (p / "text.txt").unlink(), "text.txt"),
    "a new file is gone": (lambda p: (p / "new.py").unlink(), "new.py"),
    "a change is gone": (lambda p: git(p, "checkout", "shop.py"), "shop.py"),
    "a link": (lambda p: instead(p / "shop.py", lambda at: at.symlink_to("text.txt")), "shop.py"),
    "a pipe": (lambda p: instead(p / "shop.py", os.mkfifo), "shop.py"),
    "a program": (lambda p: (p / "shop.py").chmod(0o755), "shop.py"),
    "git does not look": (lambda p: hidden(p, "--assume-unchanged"), "text.txt"),
    "git asks a monitor": (watched, "text.txt"),
    "git compares sizes and times": (hardly_compared, "text.txt"),
    "git keeps something else": (filtered, "text.txt"),
    "git keeps something else for LFS": (filtered_as_by_lfs, "text.txt"),
    "git has kept something else": (added_through_a_filter, "text.txt"),
    "git has the same times": (written_within_one_second, "text.txt"),
    "git takes letters for equal": (other_letters, "SHOP.py"),
    "git takes programs for files": (run_or_not, "text.txt"),
    "git skips it": (lambda p: hidden(p, "--skip-worktree"), "text.txt"),
    "a name that is no text": (
        lambda p: Path(os.fsdecode(os.fsencode(p) + b"/\xff")).touch(), "\\xff",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHER)
def test_other_changes_are_told(tree: Path, name: str) -> None:
    before, (change, path) = changes(tree), OTHER[name]
    change(tree)
    assert list(others(before, changes(tree))) == [path]


def test_words_of_git_mean_what_they_say(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_LITERAL_PATHSPECS", "1")
    before = changes(tree)
    filtered(tree)
    assert list(others(before, changes(tree))) == ["text.txt"]


def test_a_file_in_the_place_of_a_link_is_a_change_whatever_git_was_told(tree: Path) -> None:
    """The twin: the link itself is none."""
    (tree / "settings.py").symlink_to("shop.py")
    git(tree, "add", "settings.py")
    git(tree, "commit", "-qm", "link")
    git(tree, "config", "core.symlinks", "false")
    assert "settings.py" not in changes(tree)
    instead(tree / "settings.py", lambda at: at.write_text("shop.py"))
    assert "settings.py" in changes(tree)


def test_modes_say_nothing_where_every_file_is_shown_as_a_program(tree: Path) -> None:
    git(tree, "config", "core.fileMode", "false")
    for path in (tree / ".git" / "HEAD", tree / "text.txt"):
        path.chmod(0o755)
    assert "text.txt" not in changes(tree)


def test_what_git_writes_into_a_file_is_compared_with_what_is_there(tree: Path) -> None:
    """The twin: without the attribute, the same commit has no change of this file."""
    (tree / "version.py").write_text("KEYS = '$Id: first $'\n")
    git(tree, "add", "version.py")
    git(tree, "commit", "-qm", "version")
    assert "version.py" not in changes(tree)
    append(tree / ".git" / "info" / "attributes", "version.py ident\n")
    git(tree, "add", "--renormalize", "version.py")
    git(tree, "commit", "-qm", "ident")
    before = changes(tree)
    (tree / "version.py").write_text("KEYS = '$Id: other $'\n")
    assert list(others(before, changes(tree))) == ["version.py"]


def test_ends_of_lines_that_git_converts_are_no_change(tree: Path) -> None:
    """The twin: another content with such ends of lines is one."""
    git(tree, "config", "core.autocrlf", "true")
    (tree / "text.txt").unlink()
    git(tree, "checkout", "text.txt")
    assert b"\r\n" in (tree / "text.txt").read_bytes()
    before = changes(tree)
    assert "text.txt" not in before
    (tree / "text.txt").write_bytes((tree / "text.txt").read_bytes().upper())
    assert list(others(before, changes(tree))) == ["text.txt"]


@pytest.mark.parametrize("name", ['"a b".txt', "a\nb.txt", "käse.txt", " a", "-a"])
def test_git_hashes_files_whatever_their_names(tree: Path, name: str) -> None:
    (tree / name).write_text("first\n")
    git(tree, "add", "--all")
    git(tree, "commit", "-qm", "names")
    git(tree, "config", "core.autocrlf", "true")
    (tree / name).unlink()
    git(tree, "checkout", "--", name)
    assert b"\r\n" in (tree / name).read_bytes()
    assert changes(tree) == {}


@pytest.mark.parametrize("bound", ["FILES_MAX", "FILE_BYTES_MAX", "BYTES_MAX"])
def test_contents_beyond_the_bounds_are_left_to_git(
    tree: Path, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    """The twin: within them, the same file is a change."""
    before = changes(tree)
    added_through_a_filter(tree)
    assert list(others(before, changes(tree))) == ["text.txt"]
    monkeypatch.setattr(contents, bound, 0)
    assert list(others(before, changes(tree))) == []


def test_new_rules_about_what_is_ignored_are_a_change(tree: Path) -> None:
    """The twin: in a folder of which git has no file, they are part of what is new there."""
    before = changes(tree)
    append(tree / "built" / ".gitignore", "*\n")
    assert list(others(before, changes(tree))) == []
    append(tree / "shop" / "price.py")
    git(tree, "add", "shop")
    git(tree, "commit", "-qm", "shop")
    before = changes(tree)
    append(tree / "shop" / ".gitignore", "*\n")
    append(tree / "shop" / "conftest.py")
    assert list(others(before, changes(tree))) == ["shop/.gitignore"]


def test_what_a_machine_ignores_is_still_a_change(
    tree: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path_factory.mktemp("home")
    (home / ".gitconfig").write_text(f"[core]\nexcludesFile = {home}/ignored\n")
    (home / "ignored").write_text("conftest.py\n")
    monkeypatch.setenv("HOME", str(home))
    before = changes(tree)
    (tree / "conftest.py").write_text("left = 1\n")
    assert list(others(before, changes(tree))) == ["conftest.py"]


def test_what_a_clone_ignores_is_still_a_change_and_what_the_project_ignores_is_none(
    tree: Path,
) -> None:
    append(tree / ".git" / "info" / "exclude", "conftest.py\n__pycache__\n")
    before = changes(tree)
    assert set(before) == {"new.py", "shop.py"}
    append(tree / "__pycache__" / "shop.pyc")
    append(tree / "ignored.py")
    assert changes(tree) == before
    (tree / "conftest.py").write_text("left = 1\n")
    assert list(others(before, changes(tree))) == ["conftest.py"]


def test_a_commit_is_what_its_id_says_and_not_what_replaces_it(tree: Path) -> None:
    """The twin: without the replacement, the same work tree has the same changes."""
    git(tree, "commit", "-qam", "tested")
    append(tree / "text.txt")
    git(tree, "commit", "-qam", "other")
    git(tree, "replace", "HEAD~1", "HEAD")
    git(tree, "reset", "-q", "--soft", "HEAD~1")
    assert set(changes(tree)) == {"new.py", "text.txt"}
    git(tree, "replace", "--delete", "HEAD")
    assert set(changes(tree)) == {"new.py", "text.txt"}


@pytest.mark.parametrize("is_setting", [True, False])
def test_what_git_says_of_a_work_tree_elsewhere_is_no_answer(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_setting: bool
) -> None:
    """The twin: it says it of the work tree that this folder is in."""
    elsewhere = tmp_path / "elsewhere"
    git(tmp_path, "clone", "-q", str(tree), str(elsewhere))
    monkeypatch.setenv("GIT_DIR", str(tree / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tree))
    assert checkout_of(tree, tree / "reports").commit is not None
    if is_setting:
        monkeypatch.delenv("GIT_DIR")
        monkeypatch.delenv("GIT_WORK_TREE")
        git(tree, "config", "core.worktree", str(elsewhere))
    else:
        monkeypatch.setenv("GIT_WORK_TREE", str(elsewhere))
    found = checkout_of(tree, tree / "reports")
    assert (found.commit, found.changes) == (None, None)
    assert found.why_unknown.startswith(f"it answers for {elsewhere}")
    assert written_files(tree, tree / "reports", 0) == []


THE_SAME: dict[str, Callable[[Path], object]] = {
    "nothing": lambda _: None,
    "its times are others": lambda p: os.utime(p / "shop.py", (0, 0)),
    "it was staged": lambda p: git(p, "add", "--all"),
    "what git ignores": lambda p: append(p / "ignored.py"),
    "a report": lambda p: append(p / "reports" / "junit.xml"),
    "a cache": lambda p: append(p / "__pycache__" / "shop.pyc"),
    "the lock, which is compared as a rule": lambda p: append(p / "gate.lock"),
}  # fmt: skip


@pytest.mark.parametrize("name", THE_SAME)
def test_the_same_changes_are_no_others(tree: Path, name: str) -> None:
    before = changes(tree)
    assert set(before) == {"shop.py", "new.py"}
    THE_SAME[name](tree)
    assert list(others(before, changes(tree))) == []


def test_reports_beside_the_project_are_no_change(tree: Path) -> None:
    """The twin: a file of the project there, or one with another name, is one."""
    before = checkout_of(tree, tree).changes
    append(tree / "verdict.json")
    append(tree / "message.md")
    assert checkout_of(tree, tree).changes == before
    append(tree / "data.json")
    assert list(others(before or {}, checkout_of(tree, tree).changes or {})) == ["data.json"]


def test_a_commit_that_is_not_known_at_one_end_is_no_change_of_it() -> None:
    """The twin: two commits."""
    known, other = Checkout(commit="1", changes={}), Checkout(commit="2", changes={})
    assert meanwhile(known, other) == (Checkout(commit="1"), ["HEAD"])
    assert meanwhile(known, Checkout()) == (Checkout(commit="1"), [])
    assert meanwhile(Checkout(), known) == (Checkout(), [])


def test_what_of_the_project_lies_among_the_reports_is_a_change(tree: Path) -> None:
    """The twin: what a run writes there is none."""
    reports = tree / "reports"
    for name in ("rules.toml", "a.supercache.yaml", "verdict.json", "repro_a.py"):
        append(reports / name)
    git(tree, "add", "reports")
    git(tree, "commit", "-qm", "reports among scenarios")
    before = changes(tree)
    for name in ("verdict.json", "repro_a.py", "index.html", "allurerc.json"):
        append(reports / name)
    append(reports / "allure-results" / "1-result.json")
    assert list(others(before, changes(tree))) == []
    told = ["a.supercache.yaml", "b.supercache.yaml", "conftest.py", "rules.toml", "table.csv"]
    for name in told:
        append(reports / name)
    assert list(others(before, changes(tree))) == [f"reports/{name}" for name in told]


DATA: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "beside a scenario": (("a.supercache.yaml",), ("table.csv",)),
    "beside a module": (("conftest.py",), ("table.csv",)),
    "beside a folder with a module": (("deep/shop.py",), ("table.csv",)),
    "beside the reproducers of a run": (("repro_a.py", "junit.xml"), ()),
    "alone": ((), ()),
}  # fmt: skip


@pytest.mark.parametrize("is_committed", [True, False])
@pytest.mark.parametrize("place", DATA)
def test_what_lies_among_the_reports_may_be_the_data_of_code_that_lies_there(
    tree: Path, place: str, is_committed: bool
) -> None:
    """The twin: where no code lies, they are what other tools write."""
    there, told = DATA[place]
    (tree / "reports").mkdir()
    for name in there:
        append(tree / "reports" / name)
    if is_committed and there:
        git(tree, "add", "reports")
        git(tree, "commit", "-qm", "reports with more than reports")
    append(tree / "reports" / "table.csv")
    before = changes(tree)
    append(tree / "reports" / "table.csv")
    assert list(others(before, changes(tree))) == [f"reports/{name}" for name in told]


def test_what_of_the_project_lies_in_the_folder_of_a_run_is_a_change(tree: Path) -> None:
    """The twin: what the run has written there is none."""
    run = tree / "reports" / "runs" / "20261130T102652.000000Z-7"
    for folder in (run / "allure-results", run / "deep", tree / "reports" / "allure-history"):
        folder.mkdir(parents=True)
    before = changes(tree)
    for name in ("verdict.json", "repro_a.py", "index.html", "allurerc.json", "message.md"):
        append(run / name)
    append(run / "allure-results" / "1-result.json")
    append(tree / "reports" / "allure-history" / "history.json")
    assert list(others(before, changes(tree))) == []
    told = [run / "conftest.py", run.parent / "repro_a.py", run / "deep" / "repro_a.py"]
    for path in told:
        append(path)
    named = sorted(path.relative_to(tree).as_posix() for path in told)
    assert list(others(before, changes(tree))) == named


@pytest.mark.parametrize("is_submodule", [True, False])
def test_repositories_inside_are_looked_into(tree: Path, is_submodule: bool) -> None:
    inner = tree / "inner"
    if is_submodule:
        library = tree.parent / "library"
        append(library / "lib.py")
        committed(library)
        git(tree, "submodule", "add", str(library), "inner")
        git(tree, "commit", "-qm", "with a submodule")
    else:
        append(inner / "lib.py")
        committed(inner)
    before = changes(tree)
    name = "inner" if is_submodule else "inner/"
    assert (name in before) != is_submodule
    append(inner / "__pycache__" / "lib.pyc")
    assert list(others(before, changes(tree))) == []
    append(inner / "lib.py")
    changed = changes(tree)
    assert list(others(before, changed)) == [name]
    append(inner / "lib.py")
    assert list(others(changed, changes(tree))) == [name]


def excluded(folder: Path) -> None:
    append(folder.parent / ".git" / "modules" / "inner" / "info" / "exclude", "more.py\n")
    append(folder / "more.py")


def replaced(folder: Path) -> None:
    append(folder / "lib.py")
    git(folder, "commit", "-qam", "another")
    git(folder, "tag", "another")
    git(folder, "reset", "-q", "--soft", "HEAD^")
    git(folder, "replace", "HEAD", "another")


def of_another_folder(folder: Path) -> None:
    other = folder.parent.parent / "other"
    shutil.copytree(folder, other)
    git(folder, "config", "core.worktree", str(other))
    append(folder / "lib.py")


def told(option: str) -> Callable[[Path], None]:
    def hidden(folder: Path) -> None:
        git(folder, "update-index", option, "lib.py")
        append(folder / "lib.py")

    return hidden


HIDDEN = {
    "assumed": told("--assume-unchanged"), "skipped": told("--skip-worktree"),
    "excluded": excluded, "replaced": replaced, "of another folder": of_another_folder,
}  # fmt: skip


@pytest.mark.parametrize("way", HIDDEN)
def test_what_a_submodule_hides_from_git_is_a_change(tree: Path, way: str) -> None:
    library = tree.parent / "library"
    append(library / "lib.py")
    committed(library)
    git(tree, "submodule", "add", str(library), "inner")
    git(tree, "commit", "-qm", "with a submodule")
    before = changes(tree)
    assert "inner" not in before
    HIDDEN[way](tree / "inner")
    assert list(others(before, changes(tree))) == ["inner"]


def test_a_file_that_is_taken_out_of_the_index_is_still_one_of_the_commit(tree: Path) -> None:
    """The twin: a new file, which may be what a run writes."""
    before = checkout_of(tree, tree / "reports")
    git(tree, "rm", "-q", "--cached", "text.txt")
    append(tree / "more.txt")
    assert meanwhile(before, checkout_of(tree, tree / "reports"))[1] == ["text.txt"]


def test_another_commit_of_a_submodule_is_a_change(tree: Path) -> None:
    library = tree.parent / "library"
    append(library / "lib.py")
    committed(library)
    git(tree, "submodule", "add", str(library), "inner")
    git(tree, "commit", "-qm", "with a submodule")
    git(tree / "inner", "commit", "-qm", "another", "--allow-empty")
    assert "inner" in changes(tree)


def without_files(folder: Path) -> None:
    git(folder, "sparse-checkout", "set", "--no-cone", "/*", "!/deep")


def skipped(folder: Path) -> None:
    git(folder, "update-index", "--skip-worktree", "deep/b.supercache.yaml")
    (folder / "deep" / "b.supercache.yaml").unlink()


LEFT_OUT: dict[str, tuple[Callable[[Path], None], Callable[[Path], None], str]] = {
    "a sparse checkout": (
        without_files, lambda p: git(p, "sparse-checkout", "disable"), "deep/b.supercache.yaml",
    ),
    "a skipped file": (
        skipped,
        lambda p: append(p / "deep" / "b.supercache.yaml", "# b\n"), "deep/b.supercache.yaml",
    ),
    "a submodule": (
        lambda p: git(p, "submodule", "deinit", "-f", "inner"),
        lambda p: git(p, "submodule", "update", "--init", "inner"), "inner",
    ),
    "a submodule whose files are copied there": (
        lambda p: git(p, "submodule", "deinit", "-f", "inner"),
        lambda p: append(p / "inner" / "b.supercache.yaml"), "inner",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_git_has_and_was_not_checked_out_is_a_difference_and_no_change(
    tree: Path, name: str
) -> None:
    """The twin: what is checked out is none."""
    leave_out, bring_back, path = LEFT_OUT[name]
    library = tree.parent / "library"
    append(library / "lib.py")
    committed(library)
    git(tree, "submodule", "add", str(library), "inner")
    append(tree / "deep" / "b.supercache.yaml", "# b\n")
    committed(tree)
    assert changes(tree) == {}
    leave_out(tree)
    before = checkout_of(tree, tree / "reports").part()
    assert (before["dirty"], before["changes"]) == (False, {path: work_tree.NOT_THERE})
    assert changes(tree) == before["changes"]
    bring_back(tree)
    assert list(others(before["changes"], changes(tree))) == [path]


def test_files_in_the_place_of_a_submodule_are_compared(tree: Path) -> None:
    library = tree.parent / "library"
    append(library / "lib.py")
    committed(library)
    git(tree, "submodule", "add", str(library), "inner")
    committed(tree)
    (tree / "inner" / ".git").unlink()
    before = changes(tree)
    append(tree / "inner" / "__pycache__" / "lib.pyc")
    assert changes(tree) == before
    append(tree / "inner" / "lib.py")
    assert list(others(before, changes(tree))) == ["inner"]


def test_much_is_known_by_size_and_time(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And so told in bounded time; a file that was written again counts as another one."""
    monkeypatch.setattr(work_tree, "FILE_BYTES_MAX", 10)
    before = changes(tree)
    assert str(before["shop.py"]).startswith("28 bytes of ")
    os.utime(tree / "shop.py", (0, 0))
    assert list(others(before, changes(tree))) == ["shop.py"]


def test_many_files_have_one_digest_together(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkout, "FILES_MAX", 1)
    tested = few(changes(tree))
    assert set(tested) == {"new.py", "and 1 more files"}
    assert list(others(tested, changes(tree))) == []
    append(tree / "shop.py")
    assert list(others(tested, changes(tree))) == ["and 1 more files"]


def test_too_many_repositories_are_not_known(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append(tree / "inner" / "lib.py")
    committed(tree / "inner")
    monkeypatch.setattr(work_tree, "REPOSITORIES_MAX", 1)
    part = checkout_of(tree, tree / "reports").part()
    assert part["dirty"] is part["changes"] is None


def test_nothing_is_known_where_git_is_missing(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert checkout_of(tree, tree / "reports").part() == {}


def test_a_repository_up_to_which_git_must_not_look_is_not_taken_for_none(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin: where there is none."""
    (tree / "deep").mkdir()
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tree))
    refused = checkout_of(tree / "deep", tree / "reports")
    assert (refused.commit, refused.is_refused) == (None, True)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tree.parent))
    assert not checkout_of(tree / "deep", tree / "reports").is_refused
    assert not checkout_of(tree.parent, tree / "reports").is_refused
    (tree.parent / ".git" / "hooks").mkdir(parents=True)
    assert not checkout_of(tree.parent, tree / "reports").is_refused
    (tree.parent / ".git" / "objects").mkdir()
    assert checkout_of(tree.parent, tree / "reports").is_refused


@pytest.mark.parametrize(
    ("there", "is_asked"),
    [("nothing", False), ("a work tree", True), ("bare", True), ("a variable", True)],
)
def test_git_is_started_only_where_it_may_find_a_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: str, is_asked: bool
) -> None:
    """What is said without git is what git says."""
    (tmp_path / "deep").mkdir()
    if there == "a variable":
        monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    elif there != "nothing":
        git(tmp_path, "init", "-q", *(["--bare"] if there == "bare" else []))
    command = ["git", "rev-parse", "HEAD"]
    said = subprocess.run(command, cwd=tmp_path / "deep", capture_output=True, text=True).stderr
    started = []
    real = subprocess.run
    monkeypatch.setattr(
        subprocess, "run", lambda *args, **rest: started.append(args) or real(*args, **rest)
    )
    assert ask(tmp_path / "deep", "rev-parse", "HEAD").why == said.splitlines()[0]
    assert bool(started) is is_asked


def test_what_a_run_was_about_is_what_was_there_when_it_began() -> None:
    """What git does not have may be written by the run; what it has may not change."""
    begun = {"shop.py": "1", "log": "1", "temporary": "1", "new.py": "1"}
    ended = {"shop.py": "2", "log": "2", "junit.xml": "1", "new.py": "1", "text.txt": "1"}
    began = Checkout(commit="a", changes=begun, untracked=frozenset(["log", "temporary", "new.py"]))
    end = Checkout(commit="a", changes=ended, untracked=frozenset(["log", "junit.xml", "new.py"]))
    about, changed = meanwhile(began, end)
    assert changed == ["shop.py", "text.txt"]
    assert about.changes == {
        "shop.py": "1", "new.py": "1", "log": None, "temporary": None, "junit.xml": None
    }  # fmt: skip
    assert list(others(about.changes, {**begun, "junit.xml": "9"})) == []
    assert meanwhile(began, Checkout(commit="b", changes=begun))[1] == ["HEAD"]
    assert meanwhile(began, Checkout(commit="a"))[0].changes is None


LATER: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "the same content": (lambda p: (p / "text.txt").write_bytes((p / "text.txt").read_bytes()),
                         ["text.txt"]),
    "with the old time": (lambda p: (append(p / "text.txt"), os.utime(p / "text.txt", (1, 1))),
                          ["text.txt"]),
    "gone": (lambda p: (p / "text.txt").unlink(), ["text.txt"]),
    "what git does not have": (lambda p: append(p / "newer.py"), []),
    "what it ignores": (lambda p: append(p / "ignored.py"), []),
    "a report": (lambda p: append(p / "reports" / "verdict.json"), []),
    "nothing": (lambda p: (p / "text.txt").read_bytes(), []),
}  # fmt: skip


@pytest.mark.parametrize("name", LATER)
def test_files_of_git_that_were_written_since_are_known(tree: Path, name: str) -> None:
    append(tree / "reports" / "verdict.json", "{}")
    committed(tree)
    moment = max(path.lstat().st_ctime_ns for path in (tree, *tree.rglob("*")))
    while time.time_ns() < moment + 20_000_000:
        real_sleep(0.005)
    change, found = LATER[name]
    change(tree)
    assert written_files(tree, tree / "reports", moment) == found
