"""A module that was skipped may have explored tests if its text leads to this package."""

from pathlib import Path

import pytest

from pytest_supercache.plugin.unimported import has_explored_tests, may_explore

FILES = {
    "support.py": "from pytest_supercache import explore as race\n",
    "kit/__init__.py": "from kit.names import race\n",
    "kit/names.py": "import support\nrace = support.race\n",
    "tests/beside.py": "import pytest_supercache\n",
    "plain.py": "def slow(test): return test\n",
    "circle.py": "import other\n",
    "other.py": "import circle\n",
}
DECORATED = "\n@{}\ndef test_it(world): pass\n"

MAY = {
    "this package": "import pytest_supercache as sc\n",
    "a helper": "from support import race" + DECORATED.format("race"),
    "a helper with options": "from support import race" + DECORATED.format("race(ticks=0)"),
    "a helper's module": "import support as s" + DECORATED.format("s.race"),
    "a package": "from kit import race" + DECORATED.format("race"),
    "a module of a package": "from kit import names" + DECORATED.format("names.race"),
    "all names": "from support import *" + DECORATED.format("race"),
    "a module beside it": "from .beside import race" + DECORATED.format("race"),
    "one of a folder above": "from ..support import race" + DECORATED.format("race"),
    "a coroutine": "from support import race\n@race\nasync def test_it(world): pass\n",
}
MAY_NOT = {
    "nothing": "",
    "a helper for something else": "from support import race\ndef test_it(): race\n",
    "another decorator": "from plain import slow\nimport support" + DECORATED.format("slow"),
    "a library": "import pytest" + DECORATED.format("pytest.mark.slow"),
    "modules in a circle": "from circle import it" + DECORATED.format("it"),
    "no Python": "from support import race\n@race\ndef",
    "a module that is not there": "from nothing import race" + DECORATED.format("race"),
}


@pytest.mark.parametrize("name", [*MAY, *MAY_NOT])
def test_a_module_may_explore_if_its_decorators_lead_to_us(tmp_path: Path, name: str) -> None:
    texts = {**FILES, "tests/test_it.py": (MAY | MAY_NOT)[name]}
    for path, text in texts.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    assert may_explore(tmp_path / "tests" / "test_it.py", tmp_path) == (name in MAY)


def test_a_module_that_cannot_be_read_may_not(tmp_path: Path) -> None:
    assert not may_explore(tmp_path / "gone.py", tmp_path)


OURS = "import pytest_supercache as sc\n"
TESTS = {
    "a decorator": "@sc.explore\ndef test_it(world): pass\n",
    "another name of it": "race = sc.explore\n@race\ndef test_it(world): pass\n",
    "a call": "def it(world): pass\ntest_it = sc.explore(it)\n",
    "a mistake in the syntax": "@sc.explore\ndef test_it(world): pass\ndef (:\n",
}
NO_TESTS = {
    "a helper": "@sc.explore\ndef it(world): pass\n",
    "another call": "test_it = sc.Verdict('holds')\n",
    "a mistake elsewhere": "def (:\n",
}


@pytest.mark.parametrize("way", [*TESTS, *NO_TESTS])
def test_a_module_has_explored_tests_however_they_are_made(tmp_path: Path, way: str) -> None:
    path = tmp_path / "tests.py"
    path.write_text(OURS + (TESTS | NO_TESTS)[way])
    assert has_explored_tests(path) == (way in TESTS)
