"""Which rules a run would pass over, by where they lie, how they are written, and what they say."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_supercache.core.inputs import InputError
from pytest_supercache.gate.project_table import read_table
from pytest_supercache.gate.unread_rules import unread_rules
from tests.unit.gate.runs import known_issues

RULES = '[tool.supercache]\nrelease = ["shop"]\n'
NONE = "there is none in it"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def unread(root: Path, *starts: Path, known: str | None = None) -> dict[str, str]:
    """Return which files are passed over, by the names of folder and file, and why each counts."""
    found = unread_rules(root, [root, *starts], known)
    return {f"{file.parent.name}/{file.name}": why for file, why in found}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The root of a project in a repository, with a service below it."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "mono" / "svc" / "scenarios").mkdir(parents=True)
    return tmp_path / "mono"


SPELLINGS = (
    "[tool.supercache]\n",
    "[ tool . supercache ]\nrelease = ['shop']\n",
    "[tool.'supercache']\nrelease = ['shop']\n",
    '["tool"."super\\u0063ache"]\nrelease = ["shop"]\n',
    "[tool]\nsupercache.release = ['shop']\n",
    "[tool]\nsupercache = {release = ['shop']}\n",
    "tool.supercache.release = ['shop']\n",
    "tool = {supercache = {release = ['shop']}}\n",
    "[tool.supercache.traffic]\nusers = 2\n",
)


@pytest.mark.parametrize("text", SPELLINGS)
def test_settings_are_found_in_every_spelling(root: Path, text: str) -> None:
    write(root / "svc" / "pyproject.toml", text)
    assert unread(root, root / "svc" / "scenarios") == {"svc/pyproject.toml": NONE}


@pytest.mark.parametrize(
    "text",
    ["", "[tool.ruff]\n# [tool.supercache]\n", "[tool.x]\ny = '''\n[tool.supercache]\n'''\n",
     "[project]\nname = 'supercache'\n", "[tool]\n"],
)  # fmt: skip
def test_settings_of_others_are_none_whatever_their_text(root: Path, text: str) -> None:
    write(root / "svc" / "pyproject.toml", text)
    assert unread(root, root / "svc" / "scenarios") == {}


@pytest.mark.parametrize("text", ["[tool.supercache", "\ufeff[tool.supercache]\n", "x = 1\nx = 2"])
def test_settings_that_cannot_be_read_may_be_rules(root: Path, text: str) -> None:
    write(root / "svc" / "pyproject.toml", text)
    for whys in (unread(root, root / "svc"), unread(root / "svc" / "scenarios")):
        (why,) = whys.values()
        assert why.startswith("it may have rules and cannot be read (")


@pytest.mark.parametrize("name", ["pyproject.toml", "gate.lock", "known-issues.toml"])
def test_a_link_to_nothing_is_a_file_that_somebody_meant(root: Path, name: str) -> None:
    (root / "svc" / name).symlink_to("nothing")
    assert list(unread(root, root / "svc" / "scenarios")) == [f"svc/{name}"]


def test_settings_that_are_a_link_to_nothing_are_a_mistake(root: Path) -> None:
    assert read_table(root) == {}
    (root / "pyproject.toml").symlink_to("nothing")
    with pytest.raises(InputError, match=r"pyproject\.toml is a link to nothing: mend or remove"):
        read_table(root)


@pytest.mark.parametrize("name", ["pyproject.toml", "gate.lock", "known-issues.toml"])
def test_rules_above_a_root_without_any_are_passed_over(root: Path, name: str) -> None:
    """The twin: a root with rules of its own is a project of its own."""
    write(root.parent / name, RULES)
    (why,) = unread(root).values()
    assert why.startswith("it is there; there are no rules in the root (if that is a project of")
    write(root / "pyproject.toml", "[tool.supercache]\n")
    assert unread(root) == {}


def test_rules_above_the_repository_are_those_of_somebody_else(root: Path) -> None:
    service = root / "svc"
    write(root / "gate.lock", "")
    assert list(unread(service)) == ["mono/gate.lock"]
    (service / ".git").write_text("gitdir: elsewhere\n")
    assert unread(service) == {}


def test_rules_above_both_the_root_and_what_is_run_are_not_passed_over(root: Path) -> None:
    """As with `-c cfg/pytest.ini`, in `mono/scenarios`; the root has settings of its own."""
    write(root / "gate.lock", "")
    configured = write(root / "cfg" / "pyproject.toml", RULES).parent
    assert unread(configured) == {}
    assert unread(configured, root / "svc" / "scenarios") == {"mono/gate.lock": NONE}


def test_both_ways_of_a_link_are_looked_at(root: Path) -> None:
    (root / "scenarios").symlink_to("svc/scenarios")
    write(root / "svc" / "gate.lock", "")
    assert unread(root, root / "scenarios") == {"svc/gate.lock": NONE}
    (root / "svc" / "gate.lock").unlink()
    assert unread(root, root / "scenarios") == {}


WAIVED: dict[str, Callable[[Path], object]] = {
    "named": lambda root: write(root / "ki.toml", known_issues()),
    "longer": lambda root: (
        write(root / "ki.toml", known_issues(5)), write(root / "svc" / "ki.toml", known_issues())
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", WAIVED)
def test_known_issues_of_one_name_in_two_folders_are_compared(root: Path, how: str) -> None:
    for folder in (root, root / "svc"):
        write(folder / "pyproject.toml", "[tool.supercache]\nknown_issues = 'ki.toml'\n")
        write(folder / "ki.toml", "")
    assert unread(root, root / "svc") == {}
    WAIVED[how](root)
    assert unread(root, root / "svc") == {"svc/pyproject.toml": "KI-1 is waived there only"}
    write(root / "svc" / "ki.toml", (root / "ki.toml").read_text())
    assert unread(root, root / "svc") == {}


def test_the_known_issues_of_the_command_line_are_those_that_are_used(root: Path) -> None:
    for folder in (root, root / "svc"):
        write(folder / "known-issues.toml", "")
    write(root / "more.toml", known_issues())
    assert unread(root, root / "svc") == {}
    told = unread(root, root / "svc", known="more.toml")
    assert told == {"svc/known-issues.toml": "KI-1 is waived there only"}


@pytest.mark.parametrize("setting", ["ticks = 0", "memory = 'declared'", "preemptions = 1"])
def test_bounds_of_the_root_that_a_folder_does_not_have_are_compared(
    root: Path, setting: str
) -> None:
    """The twin: a setting that bounds nothing may be there only."""
    own = write(root / "svc" / "pyproject.toml", RULES)
    write(root / "pyproject.toml", f"{RULES}report = 'out'\n")
    assert unread(root, root / "svc") == {}
    write(root / "pyproject.toml", f"{RULES}{setting}\n")
    name = setting.partition(" ")[0]
    assert unread(root, root / "svc") == {"svc/pyproject.toml": f"{name} is another one there"}
    write(own, f"{RULES}{setting}\n")
    assert unread(root, root / "svc") == {}
