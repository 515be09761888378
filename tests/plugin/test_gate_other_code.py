"""The code that was run is the code that is there: beside the test, and in the file."""

import os
import sys
from pathlib import Path

import pytest

from pytest_supercache.plugin.shadowed import Shadows
from tests.plugin.conftest import Project
from tests.plugin.projects import SHOP, race
from tests.plugin.test_gate_old_go import verdict
from tests.plugin.test_plugin_gate import gate

RACES = SHOP.partition("@sc.system")[0]
"""A module `shop` whose class has the race."""

HOLDS = f"{RACES}\nclass Shop(Shop):\n    def get(self, key):\n        return self.db.get(key)\n"

AT_IMPORT = """
import pytest_supercache as sc
from {module} import Shop

@sc.system("{name}")
def {name}(layers):
    return Shop(layers.existing_cache.client(), layers.origin)
"""
IN_A_FUNCTION = """
import pytest_supercache as sc

@sc.system("{name}")
def {name}(layers):
    from {module} import Shop
    return Shop(layers.existing_cache.client(), layers.origin)
"""


@pytest.fixture
def services(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Two folders, each with a module `shop`: that of `b` has the race."""
    monkeypatch.delenv("SUPERCACHE_RUN_ID", raising=False)
    monkeypatch.chdir(project.path)
    (project.path / "conftest.py").unlink()
    service(project, "a", HOLDS)
    service(project, "b", RACES)
    return project


def service(
    project: Project, name: str, shop: str, conftest: str = AT_IMPORT, module: str = "shop"
) -> Path:
    folder = project.path / name
    folder.mkdir(exist_ok=True)
    (folder / "conftest.py").write_text(conftest.format(name=name, module=module))
    (folder / "shop.py").write_text(shop)
    (folder / f"{name}.supercache.yaml").write_text(race(f"O-{name}", name))
    return folder


def complaint(importer: str = "b/conftest.py") -> str:
    return (
        f"{importer} imports shop and got a/shop.py instead of b/shop.py, so that code was not run"
    )


@pytest.mark.parametrize("workers", [(), ("-n", "1")])
def test_a_module_that_is_hidden_by_one_of_the_same_name_is_no_verdict(
    services: Project, workers: tuple[str, ...]
) -> None:
    """The twin: alone, it is run, and has the race."""
    run = services.run_apart if workers else services.run
    assert run("--supercache-gate", *workers).ret == 6
    (reason,) = gate(services)["reasons"]
    assert reason.startswith(complaint())
    assert verdict().exit_code == 6
    assert run("--supercache-gate", "b", *workers).ret == 1


def test_a_run_without_the_gate_tells_of_it_too(services: Project) -> None:
    """Also where tests of others come first. The twin: alone, it is run, and has the race."""
    services.test_file("def test_it(): pass\n", "test_theirs")
    services.run("test_theirs.py", "a", "b")
    assert services.verdict()["run"]["shadowed"] == [
        complaint().removesuffix(" so that code was not run")
    ]
    services.run("test_theirs.py", "b")
    assert services.verdict()["run"]["shadowed"] == []


def test_so_is_one_in_another_folder_that_the_project_imports_from(services: Project) -> None:
    """The twin: they are copies."""
    services.pytester.makeini("[pytest]\npythonpath = a/src b/src\nsupercache_odds = 0\n")
    for name in "ab":
        (services.path / name / "src").mkdir()
        (services.path / name / "shop.py").rename(services.path / name / "src" / "shop.py")
    assert services.run("--supercache-gate").ret == 6
    said = "b/src/shop.py is behind a/src/shop.py, so that code was not run"
    assert gate(services)["reasons"][0].startswith(said)
    (services.path / "b" / "src" / "shop.py").write_text(HOLDS)
    assert services.run("--supercache-gate").ret == 0


@pytest.mark.parametrize(("name", "status"), [("conftest.py", 0), ("shop.py", 6)])
def test_conftest_files_of_a_folder_that_the_settings_name_are_run(
    services: Project, name: str, status: int
) -> None:
    """pytest runs each of them, whichever has the name in the end. The twin: another module."""
    services.pytester.makeini("[pytest]\npythonpath = .\nsupercache_odds = 0\n")
    (services.path / "b" / "shop.py").write_text(HOLDS)
    (services.path / name).write_text("# of the whole project\n")
    assert services.run("--supercache-gate").ret == status, gate(services)["reasons"]


@pytest.mark.parametrize(("other", "status"), [(HOLDS, 6), (RACES, 1)])
def test_so_is_one_of_a_folder_of_tests_that_the_settings_name(
    project: Project, other: str, status: int
) -> None:
    """The twin: the module of the first folder says the same."""
    (project.path / "conftest.py").unlink()
    (project.path / "pyproject.toml").write_text(
        "[tool.pytest.ini_options]\npythonpath = ['lib', 'own']\n"
        "addopts = '--import-mode=importlib'\n"
    )
    service(project, "own", RACES)
    (project.path / "lib").mkdir()
    (project.path / "lib" / "shop.py").write_text(other)
    assert project.run_apart("--supercache-gate").ret == status
    if status != 1:
        assert gate(project)["reasons"][0].startswith("own/shop.py is behind lib/shop.py, so")


EXPLORES = """
from pytest_supercache import explore
from shop import Shop

@explore
def test_it(world):
    world.actor("alice", lambda: Shop)
    world.run()
"""


def test_so_is_one_where_folders_of_tests_come_last(services: Project) -> None:
    """The twins: alone; what is found before all of them is meant, as one that is installed."""
    for name in "ab":
        (services.path / name / "conftest.py").unlink()
        (services.path / name / f"test_{name}.py").write_text(EXPLORES)
    append = "[pytest]\naddopts = --import-mode=append\n"
    services.pytester.makeini(append)
    shadowed = complaint("b/test_b.py").removesuffix(" so that code was not run")
    for given, told in (("a b", [shadowed]), ("b", []), ("a b -o pythonpath=lib", [])):
        (services.path / "lib").mkdir(exist_ok=True)
        (services.path / "lib" / "shop.py").write_text(HOLDS)
        services.run_apart(*given.split())
        assert services.verdict()["run"]["shadowed"] == told, given


def test_so_is_one_that_is_imported_by_a_call(services: Project) -> None:
    service(services, "b", RACES)
    conftest = services.path / "b" / "conftest.py"
    by_call = "from importlib import import_module\nShop = import_module('shop').Shop\n"
    conftest.write_text(conftest.read_text().replace("from shop import Shop\n", by_call))
    assert services.run("--supercache-gate").ret == 6
    assert gate(services)["reasons"][0].startswith(complaint())


def test_so_is_one_that_a_helper_imports_and_one_that_a_function_imports(
    services: Project,
) -> None:
    service(services, "b", RACES, module="b_helper")
    (services.path / "b" / "b_helper.py").write_text("from shop import Shop\n")
    assert services.run("--supercache-gate").ret == 6
    assert gate(services)["reasons"][0].startswith(complaint("b/b_helper.py"))
    for name, shop in (("a", HOLDS), ("b", RACES)):
        service(services, name, shop, IN_A_FUNCTION)
    assert services.run("--supercache-gate").ret != 0
    assert "imports shop and got" in "\n".join(gate(services)["reasons"])


@pytest.mark.parametrize("way", ["src", "."])
@pytest.mark.parametrize("installed", [HOLDS, RACES])
def test_a_module_of_the_project_that_was_installed_before_it_was_changed_is_no_verdict(
    project: Project, monkeypatch: pytest.MonkeyPatch, way: str, installed: str
) -> None:
    """The twin: what is installed is what is there, and has the race."""
    (project.path / "conftest.py").unlink()
    environment = project.path / "env" / "site-packages"
    for folder, text in ((environment, installed), (project.path / way, RACES)):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "shop.py").write_text(text)
    (project.path / "pyproject.toml").write_text("[project]\nname = 'shop'\n")
    service(project, "tests", RACES)
    (project.path / "tests" / "shop.py").unlink()
    monkeypatch.syspath_prepend(environment)
    assert project.run("--supercache-gate").ret == (1 if installed == RACES else 6)
    if installed == HOLDS:
        own = Path(way, "shop.py")
        said = f"{own} is behind {environment / 'shop.py'}, which is installed, so"
        assert gate(project)["reasons"][0].startswith(said)


def test_a_module_of_others_that_has_the_name_of_one_in_a_folder_of_tests_is_meant(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project.path / "conftest.py").unlink()
    (project.path / "pyproject.toml").write_text("[project]\nname = 'other'\n")
    environment = project.path / "env" / "site-packages"
    environment.mkdir(parents=True)
    (environment / "shop.py").write_text(HOLDS)
    service(project, "tests", RACES)
    (project.path / "tests" / "shop.py").rename(project.path / "tests" / "other.py")
    (project.path / "tools").mkdir()
    (project.path / "tools" / "shop.py").write_text("tool = 1")
    monkeypatch.syspath_prepend(environment)
    assert project.run("--supercache-gate").ret == 0


def test_a_test_that_gets_the_conftest_file_of_another_folder_is_no_verdict(
    services: Project,
) -> None:
    """The twin: it is in the folder of that one."""
    (services.path / "conftest.py").write_text(RACES)
    (services.path / "a" / "conftest.py").write_text(f"{HOLDS}\n@sc.system('a')\n{MADE}")
    test = "import pytest_supercache as sc\nfrom conftest import Shop\ndef test_it(): pass\n"
    (services.path / "a" / "test_in_a.py").write_text(test)
    assert services.run("--supercache-gate", "a").ret == 0
    services.test_file(test, "test_late")
    assert services.run("--supercache-gate", "a", "test_late.py").ret == 6
    said = "test_late.py imports conftest and got a/conftest.py instead of conftest.py, so"
    assert gate(services)["reasons"][0].startswith(said)


MADE = "def made(layers): return Shop(layers.existing_cache.client(), layers.origin)\n"


def packed(folder: Path, name: str) -> None:
    """Make a package of a folder, with a module of the same name and another text."""
    (folder / "__init__.py").touch()
    (folder / "conftest.py").write_text(AT_IMPORT.format(name=name, module=f"{name}.shop"))
    (folder / "shop.py").write_text(f"{HOLDS}\n# {name}\n")


APART = {
    "a copy": lambda path: (path / "b" / "shop.py").write_text(HOLDS),
    "another name": lambda path: [
        (path / "b" / "shop.py").rename(path / "b" / "b_shop.py"),
        (path / "b" / "conftest.py").write_text(
            AT_IMPORT.format(name="b", module="b_shop")
        ),
        (path / "b" / "b_shop.py").write_text(f"{HOLDS}\n# b\n"),
    ],
    "packages": lambda path: [packed(path / name, name) for name in "ab"],
}  # fmt: skip


@pytest.mark.parametrize("how", APART)
def test_modules_that_are_what_their_importers_mean_are_fine(services: Project, how: str) -> None:
    APART[how](services.path)
    result = services.run("--supercache-gate")
    assert result.ret == 0, gate(services)["reasons"]


LAZY = """
import sys, types
class Lazy(types.ModuleType):
    def __getattr__(self, name):
        raise ImportError("the library behind it is not installed")
sys.modules["optional_library"] = Lazy("optional_library")
"""


def test_a_module_that_fails_when_it_is_asked_for_its_file_is_asked_nothing(
    services: Project,
) -> None:
    """Libraries have such ones for what may not be installed. The race is found as without it."""
    conftest = services.path / "b" / "conftest.py"
    conftest.write_text(LAZY + conftest.read_text())
    (services.path / "test_none.py").write_text("X = 1\n")
    assert services.run("--supercache-gate", "b", "test_none.py").ret == 1
    assert not gate(services)["reasons"][1:]


def test_files_of_a_folder_beside_the_project_are_none_of_it(
    services: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name begins like that of the project, and its helper gets the module of the project."""
    beside = services.path.with_name(f"{services.path.name}-old")
    beside.mkdir()
    (beside / "shop.py").write_text("# old\n")
    (beside / "old_helper.py").write_text("import shop\n")
    monkeypatch.syspath_prepend(str(beside))
    monkeypatch.syspath_prepend(str(services.path / "a"))
    conftest = services.path / "a" / "conftest.py"
    conftest.write_text(f"import old_helper\n{conftest.read_text()}")
    assert services.run("--supercache-gate", "a").ret == 0, gate(services)["reasons"]


def test_a_run_without_anything_of_ours_looks_at_no_import(
    services: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plugin costs other projects nothing. The twin has a scenario."""
    looked = list[object]()
    monkeypatch.setattr(Shadows, "look", lambda shadows: looked.append(shadows))
    monkeypatch.setattr(Shadows, "look_again", lambda shadows: looked.append(shadows))
    services.test_file("def test_it(): pass\n", "test_theirs")
    assert services.run("test_theirs.py").ret == 0
    assert not looked
    services.run("test_theirs.py", "a")
    assert looked


AGAIN = """
import pathlib
import click.testing, pytest
from pytest_supercache.cli import main
arguments = ["-p", "supercache", "-p", "no:cacheprovider", "--supercache-gate"]
said = []
for edited in ("", "notes.txt", "shop.py"):
    if edited:
        with pathlib.Path(edited).open("a") as file:
            file.write("# edited" + chr(10))
    said.append(int(pytest.main(arguments)))
    said.append(click.testing.CliRunner().invoke(main, ["verdict"]).exit_code)
print("runs and verdicts", *said)
"""


def test_a_later_run_in_one_process_is_none_of_code_that_was_edited_since(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It imports nothing anew. The twin: something else was edited."""
    monkeypatch.delenv("SUPERCACHE_RUN_ID", raising=False)
    monkeypatch.chdir(project.path)
    (project.path / "conftest.py").write_text(AT_IMPORT.format(name="shop", module="shop"))
    (project.path / "shop.py").write_text(HOLDS)
    project.scenario(race("T-1"))
    (project.path / "drive.py").write_text(AGAIN)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [*sys.path, "."])))
    result = project.pytester.run(sys.executable, "drive.py")
    result.stdout.fnmatch_lines(["runs and verdicts 0 0 0 0 6 6"])
    assert "shop.py was imported by this process before the run, and written since" in (
        verdict().output
    )


CACHED = f"""{RACES}
import os

def make(redis, db):
    return Shop(redis, db) if os.environ.get("CACHED") else Uncached(redis, db)
"""
MADE_IN_TEST = """
import pytest_supercache as sc
from shop import make

@sc.explore
def test_it(world):
    world.origin.set("k", 100)
    shop = make(world.existing_cache.client(), world.origin)
    world.actor("alice", shop.get, "k")
    world.actor("bob", shop.set, "k", 120)
    world.run()
    world.settle()
    assert shop.get("k") in (None, 120)
"""
DECLARED = 'import os\nos.environ["CACHED"] = "1"\n'


@pytest.mark.parametrize(
    ("conftest", "options", "said"),
    [
        (DECLARED, ("--noconftest",), "conftest.py was not loaded (--noconftest, "),
        (DECLARED, ("--confcutdir=inner",), "conftest.py was not loaded (--noconftest, "),
        (DECLARED, ("--noconftest", "-n", "1"), "conftest.py was not loaded (--noconftest, "),
        (
            'pytest_plugins = ["setting"]\n', ("-p", "no:setting"),
            "the plugin setting, which conftest.py names, was not loaded",
        ),
    ],
)  # fmt: skip
def test_code_without_what_the_project_declares_for_it_is_no_verdict(
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    conftest: str,
    options: tuple[str, ...],
    said: str,
) -> None:
    """The twins: with it, the race is there; other options of that kind are fine."""

    def run(*words: str) -> int | pytest.ExitCode:
        monkeypatch.setenv("CACHED", "")  # as it was before the run that has set it
        run_it = project.run_apart if "-n" in words else project.run
        return run_it("--supercache-gate", "inner", *words).ret

    project.pytester.makeini("[pytest]\npythonpath = .\nsupercache_odds = 0\n")
    for name, text in (("conftest", conftest), ("setting", DECLARED), ("shop", CACHED)):
        (project.path / f"{name}.py").write_text(text)
    inner = project.path / "inner"
    inner.mkdir()
    (inner / "test_it.py").write_text(MADE_IN_TEST)
    assert run(*options) == 6
    assert gate(project)["reasons"][0].startswith(said)
    assert run("-p", "no:doctest") == 1
    (project.path / "conftest.py").write_text("")
    if "no:setting" in options:
        assert run(*options) == 0


def test_settings_that_the_command_line_replaces_are_told(project: Project) -> None:
    """The twins: what is about output, what makes more an error, and what `addopts` says."""
    own = "--strict-markers -o minversion=1.0 --override-ini=norecursedirs=x"
    project.pytester.makeini(f"[pytest]\naddopts = {own}\n")
    project.scenario(race("R-1", "uncached"))
    assert project.run("--supercache-gate", "-o", "usefixtures=", "-o", "log_cli=0").ret == 0
    told = [line for line in gate(project)["scope"] if "-o" in line]
    assert told == ["not covered: the project's own usefixtures, which -o replaces"]


@pytest.mark.parametrize("is_of_environment", [True, False])
def test_a_module_of_src_behind_another_one_that_pythonpath_names_is_no_verdict(
    project: Project, monkeypatch: pytest.MonkeyPatch, is_of_environment: bool
) -> None:
    """The twin: the settings of pytest name the other folder, so it is meant."""
    (project.path / "conftest.py").unlink()
    (project.path / "pyproject.toml").write_text("")
    service(project, "tests", RACES, module="wares")
    (project.path / "tests" / "shop.py").unlink()
    for folder, code in (("src", RACES), ("old", HOLDS)):
        (project.path / folder).mkdir()
        (project.path / folder / "wares.py").write_text(code)
    old = str(project.path / "old")
    if is_of_environment:
        monkeypatch.setenv("PYTHONPATH", old)
        monkeypatch.syspath_prepend(old)
    else:
        project.pytester.makeini("[pytest]\nsupercache_odds = 0\npythonpath = old\n")
        monkeypatch.delenv("PYTHONPATH", raising=False)
    assert project.run("--supercache-gate").ret == (6 if is_of_environment else 0)
    if is_of_environment:
        (reason,) = gate(project)["reasons"]
        assert reason.startswith("src/wares.py is behind old/wares.py, so that code was not run")
