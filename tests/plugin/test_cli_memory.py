"""`supercache explain --memory` says who uses which memory, and an option how that is treated."""

import pytest
from click.testing import CliRunner

from pytest_supercache.cli import main
from pytest_supercache.cli import project as cli_project
from tests.plugin.conftest import Project
from tests.plugin.forks import Parents

CONFTEST = """
import threading
import pytest_supercache as sc

class Stats:
    hits = 0

class Shop:
    def __init__(self, origin):
        self.origin, self.near, self.index, self.lock = origin, {}, {}, threading.Lock()
        self.own = {}

    def get(self, key):
        Stats.hits += 1
        with self.lock:
            self.index[key] = True
        if key not in self.near:
            self.near[key] = self.origin.get(key)
        return self.near[key]

    def set(self, key, value):
        self.origin.set(key, value)
        self.own[key] = value
        self.near.pop(key, None)

@sc.system("shop")
def shop(layers):
    return Shop(layers.origin)
"""

RACE = """
scenario: A change is seen
id: MEM-1
system: shop
given: {origin: {tea: 1}}
users:
  alice:
    - read: tea
  bob:
    - read: tea
  carol:
    - write: {key: tea, value: 2}
"""


OF_TWO = RACE.replace("  bob:\n    - read: tea\n", "")

BROKEN = '@sc.system("broken")\ndef broken(layers):\n    return 1 / 0\n'

SCENARIOS = {
    "MEM-1": f"{RACE}explore: {{preemptions: 1}}\n",
    "MEM-2": f"{RACE}explore: {{atomic: [Stats.hits, Shop.near]}}\n",
    "MEM-3": RACE.replace("system: shop", "system: reference.naive"),
    "MEM-4": OF_TWO.replace("system: shop", "systems: {shop: holds, broken: holds}"),
}


@pytest.fixture(scope="module")
def explained(tmp_path_factory: pytest.TempPathFactory, parents: Parents) -> dict[str, list[str]]:
    """What one call of the command says of all scenarios: its lines, by the scenario's id."""
    folder = tmp_path_factory.mktemp("memory")
    (folder / "tox.ini").write_text("[pytest]\nsupercache_step_timeout = 60\n")
    (folder / "conftest.py").write_text(CONFTEST + BROKEN)
    for name, text in SCENARIOS.items():
        path = folder / f"{name}.supercache.yaml"
        path.write_text(text.replace("MEM-1", name))
    with pytest.MonkeyPatch.context() as patch:
        for name in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER"):
            patch.delenv(name, raising=False)
        patch.setattr(cli_project, "subprocess", parents)
        patch.chdir(folder)
        done = CliRunner().invoke(main, ["explain", "--memory", "."])
    assert done.exit_code == 0, done.output
    assert not (folder / "reports").exists()
    lines: dict[str, list[str]] = {}
    for line in done.output.splitlines():
        if line.startswith("MEM-"):
            name = line[:5]
        lines.setdefault(name, []).append(" ".join(line.split()))
    return lines


def test_memory_that_users_share_is_listed_with_who_uses_it_and_under_which_lock(
    explained: dict[str, list[str]],
) -> None:
    lines = explained["MEM-1"]
    assert lines[0] == "MEM-1: memory that its users share (violated)"
    both = "alice reads and writes, bob reads and writes"
    assert f"Shop.near['tea'] {both}, carol writes raced" in lines
    assert f"Stats.hits {both} raced" in lines
    locked = [line for line in lines if line.startswith("Shop.index['tea']")]
    assert locked[0].startswith("Shop.index['tea'] alice writes, bob writes locked: conftest.py:")
    assert not [line for line in lines if "Shop.own" in line], "carol alone uses it"
    assert lines[-1] == """explore: {atomic: ["Shop.near['tea']", "Stats.hits"]}"""


def test_what_is_declared_atomic_is_listed_so_and_a_scenario_without_any_says_that(
    explained: dict[str, list[str]],
) -> None:
    lines = explained["MEM-2"]
    assert lines[0] == "MEM-2: memory that its users share (holds)"
    assert {line.rpartition(" ")[2] for line in lines[1:] if "locked" not in line} == {"atomic"}
    assert explained["MEM-3"] == [
        "MEM-3: its users share no memory of the process, one of them writing"
    ]


def test_systems_that_could_not_be_searched_are_named(explained: dict[str, list[str]]) -> None:
    lines = explained["MEM-4"]
    assert lines[0] == "MEM-4[shop]: memory that its users share (violated)"
    assert lines[-1].startswith("MEM-4[broken]: not searched: system 'broken' could not be built")


@pytest.mark.parametrize(("memory", "verdict"), [("auto", "violated"), ("declared", "holds")])
def test_the_command_line_says_how_memory_is_treated(
    project: Project, memory: str, verdict: str
) -> None:
    project.conftest(CONFTEST)
    project.scenario(OF_TWO)
    project.run(f"--supercache-memory={memory}")
    assert project.row()["verdict"] == verdict


def test_another_word_for_memory_is_refused(project: Project) -> None:
    project.conftest(CONFTEST)
    project.scenario(OF_TWO)
    result = project.run("--supercache-memory=shred")
    result.assert_outcomes(failed=1)
    assert "memory='shred': expected one of auto, declared, shared" in result.stdout.str()
