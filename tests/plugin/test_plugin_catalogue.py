"""The catalogue: each file's verdicts are as stated, each naive system shows the file's class.

What is told of it is compared with ``tests/snapshots/explanations``.
"""

import re
import shutil
from pathlib import Path

import pytest

from pytest_supercache.cli.templates import written
from pytest_supercache.oracle.catalogue import CATALOGUE
from pytest_supercache.report.timeline import timeline
from tests.plugin.conftest import Project
from tests.selection import either
from tests.told import snapshot, told

FOLDER = Path(__file__).parents[2] / "scenarios" / "conflicts"
SYSTEMS_OF_TEMPLATES = {"read-your-writes": ("told.naive", "told.numbered")}  # no own verbs
QUICK = {
    "stale-set",
    "dual-write",
    "resurrection",
    "dirty-fill",
}  # tried on mended systems, and on workarounds
LONG = {"cross-user-reply", "late-unlock", "lease-expired", "write-behind-overwrite"}
"""Classes whose systems take longest to search, left to the long form."""
LARGE = {
    "aligned-expiry", "clock-skew", "eviction-hides-invalidation", "joined-old-flight",
    "late-duplicate", "layer-divergence", "negative-poisoning", "reordered-update",
    "stale-replica-refill", "stampede", "subscribe-gap",
}  # fmt: skip
"""Classes whose mended systems do."""
TEMPLATES_RUN = {
    *QUICK, "dropped-invalidation", "failover-missed-delete", "fractured-read", "lost-update",
    "read-your-writes", "serializer-mix", "stampede", "write-back-resurrection",
}  # fmt: skip
"""Templates that the short form runs; ``tests/unit/cli/test_cli_files.py`` reads each of them."""
FILES = sorted(FOLDER.glob("*.supercache.yaml"))
PARTS = either(1, 6)  # each imports the systems of all files once


def _class_of(path: Path) -> tuple[str, str]:
    number, _, slug = path.name.removesuffix(".supercache.yaml").partition("-")
    return number, slug


@pytest.mark.parametrize("part", range(PARTS))
def test_a_class_is_found_in_the_naive_system_and_gone_in_the_mended_one(
    part: int, project: Project
) -> None:
    shutil.copy(FOLDER / "conftest.py", project.path)
    paths = [path for path in FILES if either(_class_of(path)[1] not in LONG, True)][part::PARTS]
    for path in paths:
        (project.path / path.name).write_text(_shown(path))
    result = project.run()
    assert result.ret == 0, result.stdout.str()
    rows = list(project.rows().values())
    assert all(row["as_stated"] and not row["reasons"] for row in rows)
    for path in paths:
        naive, *others = _in_order(path, rows)
        assert naive["counterexample"]["conflict_class"] == _class_of(path)[1]
        assert told(naive) == snapshot(naive).read_text(encoding="utf-8")
        assert [row.breaks for row in timeline(naive["counterexample"]).rows].count(True) == 1
        assert [row["verdict"] for row in others[-1:]] == ["holds"] * _is_mended_here(path)
        assert all(row["exhausted"] for row in others[-1:])


def _in_order(path: Path, rows: list[dict]) -> list[dict]:
    found = {row["system"]: row for row in rows if row["path"] == path.name}
    names = _systems(_shown(path))
    assert set(found) == set(names)
    return [found[name] for name in names]


def _shown(path: Path) -> str:
    """Return a file; in the short form without its workaround, unless it is one of a few.

    Nor has it a mended system then that takes long.
    """
    text = path.read_text()
    if _class_of(path)[1] in QUICK or either(0, 1):
        return text
    mended = r"\2" if _is_mended_here(path) else "# its mended system\n"
    shown = rf"\1# its workaround\n{mended}"
    return re.sub("(\nsystems:\n.*\n).*\n(.*# mended\n)", shown, text)


def _is_mended_here(path: Path) -> bool:
    return bool(_class_of(path)[1] not in LARGE or either(0, 1))


def _systems(text: str) -> list[str]:
    block = text.partition("\nsystems:\n")[2].partition("\nowner:")[0]
    return re.findall(r"^  ([\w.]+): ", block, flags=re.MULTILINE)


@pytest.mark.parametrize("path", FILES, ids=lambda path: _class_of(path)[0])
def test_a_file_of_the_catalogue_begins_with_its_story(path: Path) -> None:
    number, slug = _class_of(path)
    lines = path.read_text().splitlines()
    assert CATALOGUE[slug].number == number
    assert f"id: CONF-{number}" in lines
    assert [line.startswith("# ") for line in lines[:5]] == [True] * 4 + [False]
    assert f"{{violated: {slug}}}" in path.read_text()


def test_the_catalogue_says_which_module_has_a_system() -> None:
    page = (FOLDER / "README.md").read_text()
    for module in FOLDER.glob("*.py"):
        for prefix in re.findall(r'sc\.system\("(\w+)\.', module.read_text()):
            assert re.search(rf"`{prefix}\.\*`.*\({module.name}\)", page)


@pytest.mark.parametrize("path", FILES, ids=lambda path: _class_of(path)[0])
def test_a_file_of_the_catalogue_says_which_system_is_which(path: Path) -> None:
    block = path.read_text().partition("\nsystems:\n")[2].partition("\nowner:")[0]
    naive, workaround, mended = block.splitlines()
    assert "violated" in naive
    assert "workaround" in workaround.partition("#")[2]
    assert ": holds" in mended or ": {holds: " in mended
    assert mended.endswith("# mended")


def test_each_template_of_new_shows_its_class_in_the_naive_system(project: Project) -> None:
    shutil.copy(FOLDER / "conftest.py", project.path)
    paths = [path for path in FILES if either(_class_of(path)[1] in TEMPLATES_RUN, True)]
    for path in paths:
        slug = _class_of(path)[1]
        naive, *_, mended = SYSTEMS_OF_TEMPLATES.get(slug) or _systems(path.read_text())
        text = written(slug, scenario_id=slug, system="NAMED", key="product:42", schema=Path("x"))
        stated = {naive: f"{{violated: {slug}}}"} | dict.fromkeys(
            [mended] * (slug in QUICK), "holds"
        )
        named = ", ".join(f"{system}: {verdict}" for system, verdict in stated.items())
        project.scenario(text.replace("system: NAMED", f"systems: {{{named}}}"), slug)
    result = project.run("--supercache-odds=0")
    assert result.ret == 0, result.stdout.str()
    rows = project.rows()
    assert len(rows) == len(paths) + len(QUICK)
    assert all(row["as_stated"] and not row["reasons"] for row in rows.values())
