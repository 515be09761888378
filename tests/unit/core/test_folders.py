"""Paths behind links are those that the operating system leads to, for folders and files."""

import os
import sysconfig

import pytest

from pytest_supercache.core.folders import forget_links, is_in_packages, is_installed, real_path


@pytest.fixture(autouse=True)
def _without_memory():
    forget_links()
    yield
    forget_links()


def test_a_path_behind_links_is_that_of_the_operating_system(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "shop.py").touch()
    (tmp_path / "folder").symlink_to("own")
    (tmp_path / "own" / "linked.py").symlink_to("shop.py")
    for path in ("own/shop.py", "folder/shop.py", "folder/linked.py", "own/../folder/shop.py"):
        assert real_path(path) == os.path.realpath(path)
        assert real_path(str(tmp_path / path)) == str(tmp_path / "own" / "shop.py")
    assert real_path("own/missing.py") == str(tmp_path / "own" / "missing.py")


def test_a_link_that_changes_is_followed_anew_once_it_is_forgotten(tmp_path):
    link = tmp_path / "link"
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        link.unlink(missing_ok=True)
        link.symlink_to(name)
        forget_links()
        assert real_path(str(link / "shop.py")) == str(tmp_path / name / "shop.py")


@pytest.mark.parametrize(
    ("path", "is_there"),
    [
        ("/env/lib/python3/site-packages/shop.py", True),
        ("/usr/lib/python3/dist-packages/shop/__init__.py", True),
        ("site-packages", True),
        (r"C:\env\site-packages\shop.py", True),
        ("/home/site-packages-of-mine/shop.py", False),
        ("/home/my-site-packages/shop.py", False),
        ("/home/shop.py", False),
    ],
)
def test_packages_are_known_by_the_name_of_a_whole_folder(path, is_there):
    assert is_in_packages(path) is is_there
    assert is_installed(path) is is_there


def test_what_belongs_to_the_interpreter_is_installed_too():
    assert is_installed(f"{os.path.realpath(sysconfig.get_path('stdlib'))}/json/__init__.py")
    assert not is_in_packages(os.__file__)
