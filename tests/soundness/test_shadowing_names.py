"""A package of the project whose name a library has, too: it is code under test all the same.

A Django application is called `profile` or `coverage`, and its memory was taken for a library's.
"""

import importlib.util
import sys

import pytest

from pytest_supercache import Verdict, check
from pytest_supercache.runtime.kernel.under_test import is_shadowing, is_under_test_name

COUNTER = """
N = 0

def count(db):
    global N
    db.get("k")
    n = N
    N = n + 1
"""


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Import a package with one module from a folder, under a name of one's choice."""

    def load(name, *, folder="."):
        path = tmp_path / folder / name.partition(".")[0]
        path.mkdir(parents=True)
        for module in (name.partition(".")[0], name):
            file = path / ("__init__.py" if module != name else "store.py")
            file.write_text(COUNTER)
            spec = importlib.util.spec_from_file_location(module, file)
            monkeypatch.setitem(sys.modules, module, importlib.util.module_from_spec(spec))
            spec.loader.exec_module(sys.modules[module])
        return sys.modules[name]

    return load


def _counted(module):
    def body(world):
        module.N = 0
        for name in ("alice", "bob"):
            world.actor(name, module.count, world.origin)
        world.run()
        assert module.N == 2

    return check(body).verdict


@pytest.mark.parametrize(
    "top", ["profile", "coverage", "pydevd", pytest.param("antigravity", marks=pytest.mark.long)]
)
def test_a_package_of_the_project_is_under_test_whatever_its_name(written, top):
    assert _counted(written(f"{top}.store")) is Verdict.VIOLATED


@pytest.mark.parametrize("top", ["profile", "coverage", "pydevd"])
def test_a_library_of_that_name_is_none_of_it(written, top):
    """The twin: it is installed."""
    module = written(f"{top}.store", folder="lib/site-packages")
    assert not is_under_test_name(module.__name__)


@pytest.mark.parametrize("top", ["json", "socket", "sys", "pytest", "pytest_supercache", "redis"])
def test_libraries_and_tools_shadow_nothing(top):
    importlib.import_module(top)
    assert not is_shadowing(top)


def test_every_module_of_the_standard_library_is_recognised():
    """Nothing that this process has imported of it is taken for the project's."""
    tops = sorted({name.partition(".")[0] for name in sys.modules} & sys.stdlib_module_names)
    assert len(tops) > 50
    assert [top for top in tops if is_under_test_name(top)] == []
