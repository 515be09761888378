"""Rules of the gate in a folder below pytest's root: a run that does not read them is refused."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_supercache.gate.lock import GateLock, write_lock
from tests.plugin.conftest import Project
from tests.plugin.projects import race
from tests.plugin.test_plugin_gate import gate
from tests.selection import few
from tests.unit.gate.runs import known_issues


@pytest.fixture
def mono(project: Project) -> Project:
    """A repository of several services, with pytest's settings above; one scenario HOLDS."""
    (project.path / "svc" / "scenarios").mkdir(parents=True)
    write(project, "svc/scenarios/a.supercache.yaml", race("H-1", "uncached"))
    return project


def write(project: Project, path: str, text: str) -> None:
    (project.path / path).write_text(text)


def lock(*names: str, path: str) -> str:
    return write_lock(GateLock(scenarios=dict.fromkeys(names, True), paths=(path,)))


RULES = {
    "gate.lock": lock("H-1", "V-1", path="scenarios"),
    "pyproject.toml": '[tool.supercache]\nrelease = ["shop"]\n',
    "known-issues.toml": "",
}


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize(
    ("started", "given"),
    [(".", ["svc/scenarios"]), (".", ["svc/scenarios/a.supercache.yaml"]), ("svc/scenarios", [])],
)
def test_rules_on_the_way_to_the_files_are_not_passed_over(
    mono: Project, monkeypatch: pytest.MonkeyPatch, name: str, started: str, given: list[str]
) -> None:
    write(mono, f"svc/{name}", RULES[name])
    monkeypatch.chdir(mono.path / started)
    result = mono.run("--supercache-gate", *given)
    assert result.ret == 4
    told = f"*svc/{name} would not be read: pytest's root is *; there is none in it;"
    result.stderr.fnmatch_lines([f"{told} give --rootdir=*svc,*"])


@pytest.mark.parametrize("name", few(RULES, 1))
def test_rules_deeper_than_the_arguments_are_found_when_they_are_run(
    mono: Project, name: str
) -> None:
    write(mono, f"svc/{name}", RULES[name])
    assert mono.run("--supercache-gate").ret == 6
    assert gate(mono)["reasons"][0].startswith(f"svc/{name} (there is none in it) asks for more")
    other = mono.path / "other"
    other.mkdir()
    (mono.path / "svc" / "scenarios" / "a.supercache.yaml").rename(other / "a.supercache.yaml")
    assert mono.run("--supercache-gate").ret == 0, "nothing is run beside these rules"


ALWAYS_ON = "[tool.supercache]\ngate = true\n"


@pytest.mark.parametrize(
    ("place", "started", "given"),
    [
        (".", ".", ["svc"]),
        (".", "svc", []),
        (".", ".", ["--rootdir=svc", "svc"]),
        ("svc/scenarios", ".", ["--rootdir=svc", "svc/scenarios"]),
    ],
)
def test_a_gate_that_is_always_on_is_so_under_another_root(
    mono: Project, monkeypatch: pytest.MonkeyPatch, place: str, started: str, given: list[str]
) -> None:
    """The twins: a root with rules of its own decides, and a run that lists decides nothing."""
    (mono.path / "tox.ini").unlink()
    (mono.path / "conftest.py").rename(mono.path / "svc" / "conftest.py")
    write(mono, "svc/pytest.ini", "[pytest]\n")
    write(mono, f"{place}/pyproject.toml", ALWAYS_ON)
    monkeypatch.chdir(mono.path / started)
    result = mono.run(*given)
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*pyproject.toml would not be read: pytest's root is *svc;*"])
    assert mono.run("--collect-only", *given).ret == 0
    write(mono, "svc/pytest.ini", "[pytest]\nsupercache_gate = false\n")
    assert mono.run(*given).ret == 0
    write(mono, "svc/pytest.ini", "[pytest]\n")
    write(mono, "svc/pyproject.toml", "[tool.supercache]\n")
    is_above = place == "."
    assert mono.run(*given).ret == 0
    assert (mono.verdict("svc/reports")["gate"] is None) == is_above


MORE = {
    "a scenario": (
        "gate.lock", lock("H-1", path="."), lock("H-1", "V-1", path="scenarios"),
        "V-1 is not in the lock there",
    ),
    "a path": (
        "gate.lock", lock("H-1", path="svc/scenarios"), lock("H-1", path="."),
        "the lock there is not about svc",
    ),
    "a system": (
        "pyproject.toml", "[tool.supercache]\nrelease = ['uncached']\n",
        "[tool.supercache]\nrelease = ['uncached', 'shop']\n", "shop does not ship there (release)",
    ),
    "a severity": (
        "pyproject.toml", "[tool.supercache]\nminimum_severity = 'blocker'\n",
        "[tool.supercache]\nminimum_severity = 'minor'\n", "minimum_severity is blocker there",
    ),
    "a bound": (
        "pyproject.toml", "[tool.supercache]\nticks = 0\n", "[tool.supercache]\nticks = 2\n",
        "ticks is another one there",
    ),
    "no waiver": ("known-issues.toml", known_issues(), "", "KI-1 is waived there only"),
}  # fmt: skip


@pytest.mark.parametrize("what", MORE)
def test_of_two_files_the_one_that_asks_for_more_is_not_passed_over(
    mono: Project, what: str
) -> None:
    name, root, own, why = MORE[what]
    write(mono, name, root)
    write(mono, f"svc/{name}", own)
    result = mono.run("--supercache-gate", "svc/scenarios")
    assert result.ret == 4
    result.stderr.fnmatch_lines([f"*svc/{name} would not be read: pytest's root is *; {why};*"])


def test_rules_of_the_root_that_ask_for_as_much_are_fine(mono: Project) -> None:
    node_id = "test_it.py::test_it"
    write(mono, "svc/gate.lock", lock("H-1", node_id, path="."))
    write(mono, "gate.lock", lock("H-1", f"svc/{node_id}", "X-1", path="."))
    for folder in (".", "svc"):
        write(mono, f"{folder}/known-issues.toml", known_issues())
    write(mono, "svc/pyproject.toml", "[tool.supercache]\nreport = 'out'\nticks = 0\n")
    write(mono, "pyproject.toml", "[tool.supercache]\nrelease = ['uncached']\nticks = 0\n")
    assert mono.run("--supercache-gate").ret == 6
    missing = [reason for reason in gate(mono)["reasons"] if "was not read" in reason]
    assert missing == []
    assert mono.verdict()["run"]["unread"] == []


def test_settings_of_other_tools_are_no_rules(mono: Project) -> None:
    write(mono, "svc/pyproject.toml", "[tool.ruff]\nline-length = 100\n")
    assert mono.run("--supercache-gate", "svc/scenarios").ret == 0


def test_rules_above_the_root_are_not_passed_over(
    mono: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`-c` and `--rootdir` choose a root below the rules of the project."""
    write(mono, "gate.lock", RULES["gate.lock"])
    (mono.path / "cfg").mkdir()
    write(mono, "cfg/pytest.ini", "[pytest]\n")
    monkeypatch.chdir(mono.path / "svc" / "scenarios")
    for words in (["-c", "../../cfg/pytest.ini"], ["--rootdir=."]):
        result = mono.run("--supercache-gate", *words, ".")
        assert result.ret == 4
        told = f"*{mono.path}/gate.lock would not be read: pytest's root is *; give --rootdir=*"
        result.stderr.fnmatch_lines([told])


def test_the_rules_of_a_service_are_found_behind_a_link(mono: Project) -> None:
    (mono.path / "scenarios").symlink_to("svc/scenarios")
    assert mono.run("--supercache-gate", "scenarios").ret == 0
    write(mono, "svc/pyproject.toml", "[tool]\nsupercache.release = ['shop']\n")
    assert mono.run("--supercache-gate", "scenarios").ret == 4
    assert mono.run("--supercache-gate").ret == 6


def test_the_waivers_of_the_command_line_are_compared(mono: Project) -> None:
    for folder in (".", "svc"):
        write(mono, f"{folder}/known-issues.toml", "")
    write(mono, "more.toml", known_issues())
    assert mono.run("--supercache-gate", "svc/scenarios").ret == 0
    more = ["--supercache-known-issues=more.toml", "svc/scenarios"]
    assert mono.run("--supercache-gate", *more).ret == 4


def test_settings_that_are_a_link_to_nothing_are_a_mistake(mono: Project) -> None:
    (mono.path / "pyproject.toml").symlink_to("nothing")
    assert mono.run("--supercache-gate", "svc/scenarios").ret == 4


UNREADABLE: dict[str, Callable[[Path], object]] = {
    "no UTF-8": lambda path: path.write_bytes(b"[tool.x]\nname = '\xff'\n"),
    "a pipe": os.mkfifo,
    "a link to nothing": lambda path: path.symlink_to("nothing"),
}


@pytest.mark.parametrize("name", few(UNREADABLE, 1))
def test_settings_below_the_arguments_that_cannot_be_read_are_named(
    mono: Project, name: str
) -> None:
    """Nobody can say whether they ask for more. The twin: others that say nothing of the gate."""
    deep = mono.path / "svc" / "scenarios" / "deep"
    deep.mkdir()
    write(mono, "svc/scenarios/deep/b.supercache.yaml", race("H-2", "uncached"))
    write(mono, "svc/scenarios/deep/pyproject.toml", "[tool.other]\n")
    assert mono.run("--supercache-gate", "svc/scenarios").ret == 0
    (deep / "pyproject.toml").unlink()
    UNREADABLE[name](deep / "pyproject.toml")
    assert mono.run("--supercache-gate", "svc/scenarios").ret == 6
    (reason,) = gate(mono)["reasons"]
    assert reason.startswith(
        "svc/scenarios/deep/pyproject.toml (it may have rules and cannot be read "
    )


@pytest.mark.parametrize("name", ["a pipe", "a link to nothing"])
def test_settings_on_the_way_to_the_arguments_that_cannot_be_read_are_refused(
    mono: Project, name: str
) -> None:
    UNREADABLE[name](mono.path / "svc" / "pyproject.toml")
    ended = mono.run("--supercache-gate", "svc/scenarios")
    assert ended.ret == 4
    ended.stderr.fnmatch_lines(
        ["*gate: *pyproject.toml would not be read: *it may have rules and cannot be read*"]
    )
    assert mono.verdict()["run"]["finished"] is False
