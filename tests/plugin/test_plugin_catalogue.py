"""The catalogue: each file's verdicts are as stated, each naive system shows the file's class.

What is told of it is compared with ``tests/snapshots/explanations``.
"""

import re
import shutil
from pathlib import Path

import pytest

from pytest_supercache.oracle.catalogue import CATALOGUE
from tests.plugin.conftest import Project
from tests.told import snapshot, told

FOLDER = Path(__file__).parents[2] / "scenarios" / "conflicts"
FILES = sorted(FOLDER.glob("*.supercache.yaml"))


def _class_of(path: Path) -> tuple[str, str]:
    number, _, slug = path.name.removesuffix(".supercache.yaml").partition("-")
    return number, slug


@pytest.mark.parametrize("path", FILES, ids=lambda path: _class_of(path)[0])
def test_a_class_is_found_in_the_naive_system_and_gone_in_the_mended_one(
    path: Path, project: Project
) -> None:
    for name in ("conftest.py", path.name):
        shutil.copy(FOLDER / name, project.path)
    result = project.run()
    assert result.ret == 0, result.stdout.str()
    rows = project.rows()
    naive, *_, mended = _in_order(path, rows)
    assert naive["counterexample"]["conflict_class"] == _class_of(path)[1]
    assert told(naive) == snapshot(naive).read_text(encoding="utf-8")
    assert mended["verdict"] == "holds"
    assert mended["exhausted"]
    assert all(row["as_stated"] and not row["reasons"] for row in rows.values())


def _in_order(path: Path, rows: dict) -> list[dict]:
    named = re.findall(r"^  ([\w.]+): ", path.read_text(), flags=re.MULTILINE)
    found = {row["system"]: row for row in rows.values()}
    return [found[name] for name in named if name in found]


@pytest.mark.parametrize("path", FILES, ids=lambda path: _class_of(path)[0])
def test_a_file_of_the_catalogue_begins_with_its_story(path: Path) -> None:
    number, slug = _class_of(path)
    lines = path.read_text().splitlines()
    assert CATALOGUE[slug].number == number
    assert f"id: CONF-{number}" in lines
    assert [line.startswith("# ") for line in lines[:5]] == [True] * 4 + [False]
    assert f"{{violated: {slug}}}" in path.read_text()
