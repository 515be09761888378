"""Modules from an outdated copy of the project are found, whatever its folders are called."""

import json
import os
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import ModuleType
from zipfile import ZipFile

import pytest

from pytest_supercache.plugin.copies import outdated

OLD, NEW = "kind = 'old'\n", "kind = 'new'\n"
DATA = (".json", ".pyi")
SUFFIX = EXTENSION_SUFFIXES[0]


class Installed:
    """A project, and an environment with a copy of it."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.environment = tmp_path / "project", tmp_path / "env" / "site-packages"
        self.patch = monkeypatch
        for folder in (self.root, self.environment):
            folder.mkdir(parents=True)
        monkeypatch.syspath_prepend(self.environment)

    def write(self, name: str, text: str = NEW) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def install(self, name: str, *files: str, text: str = OLD, **direct: object) -> None:
        """Install a distribution of this name, with what an installer notes of its origin."""
        noted = self.environment / f"{name}-1.dist-info"
        noted.mkdir()
        (noted / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        (noted / "RECORD").write_text("".join(f"{file},,\n" for file in files))
        if direct:
            (noted / "direct_url.json").write_text(json.dumps(direct))
        for file in files:
            (self.environment / file).parent.mkdir(exist_ok=True)
            (self.environment / file).write_text(text)
            if not file.endswith(DATA):
                self.imports(self.environment / file)

    def imports(self, file: Path) -> None:
        module = ModuleType(f"copied.{file.stem}")
        module.__file__ = str(file)
        self.patch.setitem(sys.modules, module.__name__, module)

    def found(self, root: str = ".") -> list[str]:
        top = os.path.realpath(self.root)
        told = outdated(os.path.normpath(f"{top}/{root}"), top)
        return [Path(os.path.relpath(own, top)).as_posix() for own, _, _ in told]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installed:
    return Installed(tmp_path, monkeypatch)


@pytest.mark.parametrize("folder", ["", "src/", "python/", "libs/shop/"])
def test_a_copy_by_the_name_of_a_project_is_compared(installed: Installed, folder: str) -> None:
    installed.write("pyproject.toml", "[project]\nname = 'shop'\n")
    installed.write(f"{folder}shop/core.py")
    installed.install("shop", "shop/core.py")
    assert installed.found() == [f"{folder}shop/core.py"]


@pytest.mark.parametrize("folder", ["", "src/", "python/", "libs/shop/"])
def test_a_copy_of_what_is_there_is_fine(installed: Installed, folder: str) -> None:
    """Another folder of that name, as one of tests, has other things."""
    installed.write("pyproject.toml", "[project]\nname = 'shop'\n")
    installed.write(f"{folder}shop/core.py")
    installed.write("tests/shop/core.py", OLD)
    installed.install("shop", "shop/core.py", text=NEW)
    assert installed.found() == []


@pytest.mark.parametrize(
    ("data", "module", "found"),
    [
        ("shop/settings.json", "shop/core.py", ["shop/settings.json"]),
        ("shop/core.pyi", "shop/core.py", []),
        ("other/settings.json", "shop/core.py", []),
    ],
)
def test_so_is_the_data_of_what_was_imported(
    installed: Installed, data: str, module: str, found: list[str]
) -> None:
    """The twins: stubs, which no code reads, and the data of a package that nothing imported."""
    installed.write("pyproject.toml", "[project]\nname = 'shop'\n")
    installed.write(module, OLD)
    installed.write(data)
    installed.install("shop", module, data)
    assert installed.found() == found


@pytest.mark.parametrize("is_removed", [True, False])
def test_so_is_a_module_that_was_removed_from_the_project(
    installed: Installed, *, is_removed: bool
) -> None:
    """The twin: a module that the project never had, which a build has made."""
    installed.write("pyproject.toml", "[project]\nname = 'shop'\n")
    installed.write("src/shop/local.py")
    git(installed.root, "init", "-q")
    for words in ("one", "two"):
        git(installed.root, "add", "-A")
        git(installed.root, "commit", "-qm", words, "--allow-empty")
        (installed.root / "src/shop/local.py").unlink(missing_ok=True)
    name = "shop/local.py" if is_removed else "shop/version.py"
    installed.install("shop", name)
    assert installed.found() == ([name] if is_removed else [])


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    subprocess.run(["git", *who, *words], cwd=folder, check=True)


POINTS = "[project]\nname = 'shop'\n[project.entry-points.'shop.caches']\nmain = '{}'\n"


@pytest.mark.parametrize(("told", "found"), [("shop:New", ["pyproject.toml"]), ("shop : Old", [])])
def test_entry_points_are_those_that_the_project_declares(
    installed: Installed, told: str, found: list[str]
) -> None:
    """An editable copy has old ones, too. The twin: they are; and scripts may be others."""
    scripts = "[project.scripts]\nshop = 'shop:run'\n"
    installed.write("pyproject.toml", POINTS.format(told) + scripts)
    url = installed.root.as_uri()
    installed.install("shop", url=url, dir_info={"editable": True})
    noted = installed.environment / "shop-1.dist-info" / "entry_points.txt"
    noted.write_text("[shop.caches]\nmain = shop:Old\n[console_scripts]\nshop = shop:old\n")
    assert installed.found() == found


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("pyproject.toml", "[tool.poetry]\nname = 'shop'\n"),
        ("setup.cfg", "[metadata]\nname = shop\n"),
        ("setup.py", "setup(\n    name='shop',\n)\n"),
        ("setup.py", "setup(name='shop')\n"),
    ],
)
def test_projects_are_known_by_whatever_names_them(
    installed: Installed, file: str, text: str
) -> None:
    installed.write(f"packages/shop/{file}", text)
    installed.write("packages/shop/shop.py")
    installed.install("shop", "shop.py")
    assert installed.found() == ["packages/shop/shop.py"]


def test_a_copy_of_a_folder_of_the_repository_is_compared(installed: Installed) -> None:
    installed.write("service/pyproject.toml", "[project]\nname = 'service'\n")
    installed.write("shop/shop.py")
    url = (installed.root / "shop").as_uri()
    installed.install("other-name", "shop.py", url=url, dir_info={})
    assert installed.found("service") == ["shop/shop.py"]


@pytest.mark.parametrize("url", ["https://example.org/shop.git", "file:///nowhere/shop"])
def test_what_comes_from_elsewhere_is_not(installed: Installed, url: str) -> None:
    installed.write("pyproject.toml", "[project]\nname = 'service'\n")
    installed.write("shop.py")
    installed.install("shop", "shop.py", url=url, dir_info={})
    assert installed.found() == []


def test_an_editable_copy_is_none(installed: Installed) -> None:
    installed.write("pyproject.toml", "[project]\nname = 'shop'\n")
    installed.write("shop.py")
    info = {"editable": True}
    installed.install("shop", "shop.py", url=installed.root.as_uri(), dir_info=info)
    assert installed.found() == []


@pytest.mark.parametrize(("text", "found"), [(OLD, ["python/shop.py"]), (NEW, [])])
def test_another_checkout_that_is_installed_is_compared(
    installed: Installed, tmp_path: Path, text: str, found: list[str]
) -> None:
    """A work tree that shares an environment with the main one, for example."""
    installed.write("pyproject.toml", "[project]\nname = 'shop'\n")
    installed.write("python/shop.py")
    other = tmp_path / "other" / "python" / "shop.py"
    other.parent.mkdir(parents=True)
    other.write_text(text)
    installed.imports(other)
    installed.install("shop", url=(tmp_path / "other").as_uri(), dir_info={"editable": True})
    assert installed.found() == found


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("name = 'shop'", OLD, ["python/shop.py"]),
        ("", OLD, ["python/shop.py"]),
        ("name = 'shop'", NEW, []),
        ("name = 'other'", OLD, []),
    ],
)
def test_so_is_one_that_only_a_path_leads_to_if_it_is_of_the_same_project(
    installed: Installed, tmp_path: Path, name: str, text: str, found: list[str]
) -> None:
    own = f"[project]\n{name}\n"
    installed.write("pyproject.toml", own.replace("other", "shop"))
    installed.write("python/shop.py")
    other = tmp_path / "other" / "python" / "shop.py"
    other.parent.mkdir(parents=True)
    other.write_text(text)
    (tmp_path / "other" / "pyproject.toml").write_text(own)
    installed.imports(other)
    assert installed.found() == found


@pytest.mark.parametrize(("text", "found"), [(OLD, ["src/shop/core.py"]), (NEW, [])])
@pytest.mark.parametrize("folder", ["build/lib.linux-x86_64-cpython-313", ".tox/lib"])
def test_what_a_project_was_built_into_is_compared(
    installed: Installed, folder: str, text: str, found: list[str]
) -> None:
    installed.write("pyproject.toml", "[build-system]\n")
    installed.write("src/shop/core.py")
    installed.write(f"{folder}/shop/core.py", text)
    installed.patch.syspath_prepend(installed.root / folder)
    installed.imports(installed.root / folder / "shop" / "core.py")
    assert installed.found() == found


def test_what_is_part_of_another_package_is_no_source_of_it(installed: Installed) -> None:
    installed.write("pyproject.toml", "[build-system]\n")
    for own in ("src/shop/redis/__init__.py", "src/shop/__init__.py", "tests/redis/__init__.py"):
        installed.write(own)
    installed.write("build/deps/redis/__init__.py", OLD)
    installed.patch.syspath_prepend(installed.root / "build/deps")
    installed.imports(installed.root / "build/deps/redis/__init__.py")
    assert installed.found() == []


@pytest.mark.parametrize(("text", "found"), [(OLD, ["src/shop/core.py"]), (NEW, [])])
def test_so_is_an_archive(installed: Installed, text: str, found: list[str]) -> None:
    installed.write("pyproject.toml", "[build-system]\n")
    installed.write("src/shop/core.py")
    archive = installed.root / "shop.pyz"
    with ZipFile(archive, "w") as members:
        members.writestr("shop/core.py", text)
    installed.patch.syspath_prepend(archive)
    installed.imports(archive / "shop" / "core.py")
    assert installed.found() == found


@pytest.mark.parametrize(("age", "found"), [(-10, ["shop.py"]), (10, [])])
def test_a_compiled_module_is_no_older_than_its_source(
    installed: Installed, age: int, found: list[str]
) -> None:
    installed.write("shop.py")
    installed.write(f"shop{SUFFIX}")
    compiled = installed.root / f"shop{SUFFIX}"
    written = (installed.root / "shop.py").stat().st_mtime
    os.utime(compiled, (written + age, written + age))
    installed.imports(compiled)
    assert installed.found() == found


@pytest.mark.parametrize(
    ("module", "found"), [("def get(): pass\n", ["shop.py"]), ("# moved\n", [])]
)
def test_a_module_beside_a_package_of_its_name_is_behind_it(
    installed: Installed, module: str, found: list[str]
) -> None:
    installed.write("shop/__init__.py")
    installed.write("shop.py", module)
    installed.imports(installed.root / "shop" / "__init__.py")
    assert installed.found() == found


@pytest.mark.parametrize(("around", "within"), [("build", ""), ("", "build/lib/")])
def test_a_project_may_itself_stand_in_a_folder_of_products(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, around: str, within: str
) -> None:
    """The twin: what lies in such a folder of the project is no source."""
    installed = Installed(tmp_path / around, monkeypatch)
    installed.write(f"{within}shop/__init__.py")
    installed.write(f"{within}shop.py", "def get(): pass\n")
    installed.imports(installed.root / within / "shop" / "__init__.py")
    assert installed.found() == ([] if within else ["shop.py"])
