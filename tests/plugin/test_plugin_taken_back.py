"""What one check changes in the process is taken back: the next one is of another system."""

import os

import pytest

from tests.plugin.conftest import Project
from tests.plugin.projects import race

SWITCHED = """
import os

_cached = Shop.get

def get(self, key):
    return self.db.get(key) if os.environ.get("NO_CACHE") else _cached(self, key)

Shop.get = get

@sc.system("variable")
def by_variable(layers):
    os.environ["NO_CACHE"] = "1"
    return shop(layers)

@sc.system("method")
def by_method(layers):
    Shop.get = Uncached.get
    return shop(layers)

class Late(Shop):
    pass

@sc.system("new")
def by_new_method(layers):
    Late.get = Uncached.get
    return Late(layers.existing_cache.client(), layers.origin)

@sc.system("late")
def late(layers):
    return Late(layers.existing_cache.client(), layers.origin)
"""


@pytest.mark.parametrize("options", [[], ["--supercache-workers=2"]])
def test_what_a_factory_switches_off_is_on_for_the_next_system(
    project: Project, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    monkeypatch.delenv("NO_CACHE", raising=False)
    project.add_to_conftest(SWITCHED)
    for at, system in enumerate(("variable", "shop", "method", "shop", "new", "late")):
        project.scenario(race(f"T-{at}", system), f"{at}")
    run = project.run_apart if options else project.run
    run(*options)
    assert [row["verdict"] for row in project.rows().values()] == ["holds", "violated"] * 3
    assert list(project.rows()) == [f"T-{at}" for at in range(6)]


IMPORTED = """
import os
os.environ["NO_CACHE"] = "1"
import conftest
conftest.Shop.get = lambda self, key: self.db.get(key)
"""
IMPORTS = """
@sc.system("imports")
def imports(layers):
    import settings
    return shop(layers)
"""


def test_what_an_import_changes_stays(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: nobody imports the module again."""
    monkeypatch.setenv("NO_CACHE", "")  # and it is set back
    project.add_to_conftest(SWITCHED + IMPORTS)
    (project.path / "settings.py").write_text(IMPORTED)
    project.scenario(race("A-1", "imports"), "a")
    project.scenario(race("B-1", "shop"), "b")
    project.run()
    assert [row["verdict"] for row in project.rows().values()] == ["holds", "holds"]
    assert os.environ["NO_CACHE"] == "1", "the variable stays as well as the method"
