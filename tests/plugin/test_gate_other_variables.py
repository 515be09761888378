"""What a conftest file sets in the environment is not what another one's system finds."""

import os

import pytest

from tests.plugin.conftest import Project
from tests.plugin.projects import SHOP, race
from tests.plugin.test_plugin_gate import gate

CODE = f"""
import os
from urllib.request import getproxies
{SHOP.partition("@sc.system")[0]}
class App:
    def __init__(self, redis, db):
        READ
        kind = Shop if os.environ["OTHERS_KIND"] == "cached" else Uncached
        self.shop = kind(redis, db)
    def get(self, key): return self.shop.get(key)
    def set(self, key, value): self.shop.set(key, value)
"""

MADE = "App(layers.existing_cache.client(), layers.origin)"

CONFTEST = """
import os, pytest
os.environ["OTHERS_KIND"] = "{kind}"
import pytest_supercache as sc
from others_app import App
{more}
@sc.system("{name}")
def {name}(layers):
    {factory}
"""

FIXTURE = """
@pytest.fixture(autouse=True)
def kind(monkeypatch): monkeypatch.setenv("OTHERS_KIND", "cached")
"""

EXPLORED = f"""
import os
os.environ["OTHERS_KIND"] = "{{kind}}"
import pytest_supercache as sc
from others_app import App
@sc.explore
def test_{{kind}}(world):
    layers = world
    world.origin.set("k", 1)
    app = {MADE}
    world.actor("alice", app.get, "k")
    world.actor("bob", app.set, "k", 2)
    world.run()
    assert app.get("k") == 2
"""


@pytest.fixture
def apart(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Two folders, of which the first one's code has the race if it finds its own variable."""
    monkeypatch.setenv("OTHERS_KIND", "of nobody")  # and it is set back
    (project.path / "conftest.py").unlink()
    (project.path / "others_app.py").write_text(CODE.replace("READ", ""))
    project.pytester.makeini("[pytest]\npythonpath = .\nsupercache_odds = 0\n")
    conftest(project, "a", "cached")
    conftest(project, "b", "uncached")
    return project


def conftest(
    project: Project, name: str, kind: str, factory: str = f"return {MADE}", more: str = ""
) -> None:
    folder = project.path / name
    folder.mkdir(exist_ok=True)
    text = CONFTEST.format(name=name, kind=kind, factory=factory, more=more)
    (folder / "conftest.py").write_text(text)
    (folder / f"{name}.supercache.yaml").write_text(race(f"V-{name}", name))


SET_THERE = f"os.environ['OTHERS_KIND'] = 'cached'\n    return {MADE}"


@pytest.mark.parametrize("more", [{}, {"factory": SET_THERE}, {"more": FIXTURE}])
def test_a_system_that_reads_what_another_conftest_file_has_set_is_unknown(
    apart: Project, more: dict[str, str]
) -> None:
    """The twins: its factory, or a fixture, sets the variable, so that the race is found."""
    conftest(apart, "a", "cached", **more)
    assert apart.run("--supercache-gate").ret == (1 if more else 6)
    assert apart.rows()["V-a"]["verdict"] == ("violated" if more else "unknown")
    if not more:
        said = "V-a is UNKNOWN: the code under test reads os.environ['OTHERS_KIND'], which had an"
        assert gate(apart)["reasons"][0].startswith(said)


@pytest.mark.parametrize(("read", "status"), [("os.environ['OTHERS_ONE']", 6), ("getproxies()", 0)])
def test_so_is_one_whose_variable_nobody_had_set_and_one_that_reads_all_means_none(
    apart: Project, monkeypatch: pytest.MonkeyPatch, read: str, status: int
) -> None:
    monkeypatch.setitem(os.environ, "OTHERS_ONE", "")  # and it is removed
    (apart.path / "others_app.py").write_text(CODE.replace("READ", read))
    conftest(apart, "a", "uncached", more="os.environ.pop('OTHERS_ONE', None)\n")
    conftest(apart, "b", "uncached", more="os.environ['OTHERS_ONE'] = '1'\n")
    assert apart.run("--supercache-gate").ret == status, gate(apart)["reasons"]


def test_so_is_a_test_whose_variable_another_module_has_set(apart: Project) -> None:
    for name in "ab":
        (apart.path / name / f"{name}.supercache.yaml").unlink()
    for kind in ("cached", "uncached"):
        apart.test_file(EXPLORED.format(kind=kind), f"test_{kind}")
    assert apart.run("--supercache-gate", "test_cached.py", "test_uncached.py").ret == 6
    verdicts = {name: row["verdict"] for name, row in apart.rows().items()}
    assert verdicts == {"test_cached": "unknown", "test_uncached": "holds"}
