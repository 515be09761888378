"""What a run records of the files around it does not depend on whether the gate was asked for."""

from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from pytest_supercache.cli import main
from tests.plugin.conftest import Project
from tests.plugin.projects import race
from tests.repositories import append, committed

CHANGES = "def test_writes():\n    with open('shop.py', 'a') as file: file.write('FIXED = True')\n"


@pytest.fixture
def svc(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A repository whose only scenario, in a service, HOLDS."""
    monkeypatch.delenv("SUPERCACHE_RUN_ID", raising=False)
    monkeypatch.chdir(project.path)
    append(project.path / "shop.py")
    append(project.path / ".gitignore", "__pycache__/\nreports/\n.hypothesis/\n")
    put(project, "svc/scenarios/a.supercache.yaml", race("H-1", "uncached"))
    return project


def put(project: Project, name: str, text: str) -> None:
    path = project.path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def verdict(*words: str) -> Result:
    return CliRunner().invoke(main, ["verdict", *words], catch_exceptions=False)


AGAINST: dict[str, tuple[Callable[[Project], None], str]] = {
    "a file that is not collected": (
        lambda svc: put(svc, "svc/scenarios/build/b.supercache.yaml", race("V-9")),
        "svc/scenarios/build/b.supercache.yaml is not collected by pytest",
    ),
    "rules on the way": (
        lambda svc: put(svc, "svc/pyproject.toml", '[tool.supercache]\nrelease = ["shop"]\n'),
        "svc/pyproject.toml (there is none in it) asks for more",
    ),
    "a file that was changed": (
        lambda svc: put(svc, "svc/scenarios/test_it.py", CHANGES),
        "shop.py was changed while the run went on",
    ),
}


@pytest.mark.parametrize("name", AGAINST)
def test_a_run_without_the_gate_is_held_against_what_is_around_it(svc: Project, name: str) -> None:
    """The twin: without that, it is GO."""
    committed(svc.path)
    assert svc.run("svc/scenarios").ret == 0
    assert verdict().exit_code == 0, verdict().output
    arrange, said = AGAINST[name]
    arrange(svc)
    committed(svc.path)
    assert svc.run("svc/scenarios").ret == 0
    told = verdict()
    assert told.exit_code == 6
    assert said in told.output


def test_so_it_is_without_the_plugin_of_asserts(svc: Project) -> None:
    """And the gate refuses that."""
    refused = svc.run("svc/scenarios", "-p", "no:assertion", "--supercache-gate")
    assert refused.ret == 4
    refused.stderr.fnmatch_lines(["*--assert=plain (or -p no:assertion) takes from failed *"])
    assert svc.run("svc/scenarios", "-p", "no:assertion").ret == 0
    assert "(or -p no:assertion) took from failed asserts" in " ".join(verdict().output.split())


def test_so_it_is_against_plain_asserts_and_weaker_rules(svc: Project) -> None:
    put(svc, "pyproject.toml", '[tool.supercache]\nrelease = ["uncached"]\n')
    assert svc.run("svc/scenarios", "--assert=plain").ret == 0
    assert "--assert=plain (or -p no:assertion) took from failed asserts what" in verdict().output
    assert verdict().exit_code == 6
    assert svc.run("svc/scenarios").ret == 0
    assert verdict().exit_code == 0
    put(svc, "pyproject.toml", "[tool.supercache]\n")
    assert verdict().exit_code == 6
    assert "uncached ships there and not here" in verdict().output


def test_so_it_is_against_another_one_that_writes_elsewhere(svc: Project) -> None:
    """The twins: that one passes, or this one has a verdict of the gate."""
    svc.test_file("def test_no(): assert 0", "test_no")
    elsewhere = ("-o", "supercache_report=out")
    assert svc.run("svc/scenarios").ret == 0
    assert svc.run(*elsewhere, "svc/scenarios").ret == 0
    assert verdict().exit_code == 0
    assert svc.run(*elsewhere, "svc/scenarios", "test_no.py").ret == 1
    assert verdict().exit_code == 6
    assert "ended with NO-GO and wrote out/verdict.json" in verdict().output
    assert svc.run("--supercache-gate", "svc/scenarios").ret == 0
    assert svc.run(*elsewhere, "svc/scenarios", "test_no.py").ret == 1
    assert verdict().exit_code == 0


def test_so_is_one_whose_workers_collect(svc: Project) -> None:
    for arrange, _ in AGAINST.values():
        arrange(svc)
    committed(svc.path)
    assert svc.run_apart("svc/scenarios", "-n1").ret == 0
    assert verdict().exit_code == 6
    run = svc.verdict()["run"]
    assert run["changed"] == ["shop.py"]
    assert run["uncollected"] == ["svc/scenarios/build/b.supercache.yaml"]
    assert run["unread"] == ["svc/pyproject.toml (there is none in it)"]
    assert run["unobserved"] is False
