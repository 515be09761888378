"""A verdict is of one root: that of another is none; a file that is named is judged by its own."""

from pathlib import Path

import pytest

from tests.plugin.conftest import Project
from tests.plugin.projects import SHOP, race
from tests.plugin.test_gate_old_go import verdict
from tests.selection import few

OWN = '[tool.pytest.ini_options]\nsupercache_odds = "0"\n[tool.supercache]\n'


@pytest.fixture
def services(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A repository with two services, each a project of its own, and pytest's settings above."""
    monkeypatch.delenv("SUPERCACHE_RUN_ID", raising=False)
    (project.path / "conftest.py").unlink()
    for name in "ab":
        service(project, name, OWN)
    return project


def service(project: Project, name: str, settings: str) -> Path:
    folder = project.path / name
    folder.mkdir(exist_ok=True)
    (folder / "pyproject.toml").write_text(settings)
    (folder / "conftest.py").write_text(SHOP)
    (folder / "a.supercache.yaml").write_text(race(f"H-{name}", "uncached"))
    return folder


def test_a_go_of_one_project_is_none_of_another(
    services: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin: it is one of its own."""
    for name in "ab":
        service(services, name, f'{OWN}report = "../reports"\n')
    monkeypatch.chdir(services.path / "a")
    assert services.run("--supercache-gate").ret == 0
    assert verdict().exit_code == 0, verdict().output
    monkeypatch.chdir(services.path / "b")
    for words in ((), ("../reports/verdict.json",)):
        told = verdict(*words)
        assert told.exit_code == 6
        assert f"is of the project in {services.path / 'a'}, and this is" in told.output
    assert verdict("--lock").exit_code == 2
    assert not (services.path / "b" / "gate.lock").exists()


@pytest.mark.parametrize(
    ("linked", "settings"),
    few(
        [
            ("reports/verdict.json", OWN),
            ("out", None),
            ("reports", OWN),
            ("reports/verdict.json", None),
            ("reports", None),
            ("out", OWN),
        ],
        2,
    ),
)
def test_a_link_to_the_verdict_of_another_project_makes_it_none_of_this(
    services: Project,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
    linked: str,
    settings: str | None,
) -> None:
    """The twin: a run here replaces a link to the file, and a folder may be a link."""
    reports = "out/reports" if linked == "out" else "reports"
    for name in "ab":
        service(services, name, f'{OWN}report = "{reports}"\n')
    a, b = services.path / "a", services.path / "b"
    monkeypatch.chdir(a)
    assert services.run("--supercache-gate").ret == 0
    if settings is None:
        (a / "pyproject.toml").unlink()
    monkeypatch.chdir(b)
    (b / linked).parent.mkdir(exist_ok=True)
    (b / linked).symlink_to(a / linked)
    for words in ((), (f"{reports}/verdict.json",)):
        told = verdict(*words)
        assert told.exit_code == 6, told.output
        assert f"is of the project in {a}, and this is {b}" in " ".join(told.output.split())
    if linked != "reports/verdict.json":
        (b / linked).unlink()
        (b / linked).symlink_to(tmp_path_factory.mktemp("elsewhere"))
    assert services.run("--supercache-gate").ret == 0
    assert verdict().exit_code == 0, verdict().output


def test_a_file_of_a_project_below_is_judged_by_the_rules_there(
    services: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing is named, the message names the file; the twin: there is none."""
    monkeypatch.chdir(services.path)
    assert "run `pytest -p supercache` first" in verdict().output
    assert services.run("a", "--supercache-gate").ret == 0
    assert verdict("--lock", "a/reports/verdict.json").exit_code == 0
    assert services.run("a", "--supercache-gate").ret == 0
    told = verdict()
    assert told.exit_code == 6
    assert "name a file of the projects below: a/reports/verdict.json" in " ".join(
        told.output.split()
    )
    assert verdict("a/reports/verdict.json").exit_code == 0
    (services.path / "a" / "gate.lock").unlink()
    assert "gate.lock is missing here" in verdict("a/reports/verdict.json").output


def test_a_root_that_is_given_is_that_of_its_file(
    services: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin: the advice to put pytest's settings there, and nothing is to be given."""
    folder = service(services, "a", "[tool.supercache]\nrelease = ['uncached']\n")
    monkeypatch.chdir(folder)
    refused = services.run("--supercache-gate")
    assert refused.ret == 4
    refused.stderr.fnmatch_lines(["*put an empty [[]tool.pytest.ini_options] into its pyproject*"])
    assert services.run("--supercache-gate", f"--rootdir={folder}").ret == 0
    assert verdict("reports/verdict.json").exit_code == 0
    settings = (folder / "pyproject.toml").read_text()
    (folder / "pyproject.toml").write_text(f"[tool.pytest.ini_options]\n{settings}")
    assert services.run("--supercache-gate").ret == 0
    assert verdict().exit_code == 0


def test_a_file_that_was_carried_elsewhere_is_of_the_project_here(
    services: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = services.path / "a"
    monkeypatch.chdir(folder)
    assert services.run("--supercache-gate").ret == 0
    carried = folder / "artifacts" / "job" / "verdict.json"
    carried.parent.mkdir(parents=True)
    (folder / "reports" / "verdict.json").rename(carried)
    assert verdict(str(carried)).exit_code == 0
