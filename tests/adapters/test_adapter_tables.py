"""The tables themselves: every target exists here, and none is loaded for who does not use it."""

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from pytest_supercache.declare.adapters import LIBRARIES
from pytest_supercache.runtime.observe.targets import find_target

DECLARATIONS_MAX = 40
ROOT = Path(__file__).parents[2]


def table(library):
    return import_module(f"pytest_supercache.declare.adapters.{library}")


@pytest.mark.parametrize("library", LIBRARIES)
def test_everything_that_is_declared_exists_in_the_locked_version(library):
    assert [watch.target for watch in table(library).WATCHES if not find_target(watch.target)] == []


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_table_is_short(library):
    text = Path(table(library).__file__).read_text(encoding="utf-8")
    assert len(text.partition("WATCHES = [")[2].splitlines()) <= DECLARATIONS_MAX


LAZY = """
import sys
from pytest_supercache import check

def flow(cache):
    cache["k"] = cache.get("k", 0) + 1

def body(world):
    loaded.append([n for n in sys.modules if n.startswith("pytest_supercache.declare.adapters.")])
    import cachetools
    cache = cachetools.LRUCache(9)
    world.actor("a", flow, cache)
    world.actor("b", flow, cache)
    world.run()
    assert cache["k"] == 2

loaded = []
print(check(body, memory="declared").verdict.value)
print(loaded[0], *sorted(loaded[-1]))
"""


def test_a_library_that_is_imported_in_the_first_run_is_watched_from_then_on():
    done = subprocess.run(
        [sys.executable, "-c", LAZY], capture_output=True, text=True, check=True, timeout=120
    )
    verdict, loaded = done.stdout.splitlines()
    assert verdict == "violated"
    tables = [f"pytest_supercache.declare.adapters.{name}" for name in ("cachetools", "table")]
    assert loaded == " ".join(["[]", *tables])


def test_the_page_names_the_tests_of_each_library_and_counts_them():
    page = (ROOT / "docs/adapters.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ") and "](../tests/" in line]
    named = set(re.findall(r"\(\.\./tests/adapters/(\w+\.py)\)", "".join(rows)))
    tests = {path.name for path in Path(__file__).parent.glob("test_adapter_*.py")}
    assert named == tests - {Path(__file__).name}
    assert f"These are {len(rows)}." in page
