"""`--supercache-save`: what is found is kept small, right and reproducible; else nothing is."""

from pytest_supercache.scenario.grammar import Vocabulary
from pytest_supercache.scenario.validate import load
from tests.plugin.conftest import Project
from tests.plugin.projects import race

KNOWN = Vocabulary(systems=("shop", "uncached"))
MORE = """\
before: [{read: other}]
finally: [{read: other}]
systems: {shop: violated, uncached: holds}
cases: {cold: {}}
"""


def test_a_found_conflict_is_saved_without_what_it_does_not_need(project: Project) -> None:
    text = race(more=MORE).replace("system: shop\n", "")
    text = text.replace('alice: [{read: "product:42"}]', 'alice: [{read: z}, {read: "product:42"}]')
    text = text.replace("users:\n", "users:\n  carol: [{read: z}]\n")
    project.scenario(text)
    result = project.run("--supercache-save=found")
    result.stdout.fnmatch_lines(["*note: saved as found/S-1.saved-shop-cold.supercache.yaml"])
    (path,) = (project.path / "found").iterdir()
    scenario = load("x", path.read_bytes(), KNOWN)
    assert scenario.warnings == ()
    assert [(user.name, len(user.steps)) for user in scenario.users] == [("alice", 1), ("bob", 1)]
    assert scenario.before == scenario.finally_ == ()
    project.run("found")
    assert project.row()["verdict"] == "violated"
    assert f"--supercache-replay='{project.token()}'" in path.read_text()
    replayed = project.run("found", f"--supercache-replay={project.token()}")
    assert replayed.ret == 1
    assert project.row()["verdict"] == "violated"


def test_nothing_is_saved_when_nothing_is_found(project: Project) -> None:
    project.scenario(race(system="uncached"))
    assert project.run("--supercache-save=found").ret == 0
    assert not (project.path / "found").exists()
