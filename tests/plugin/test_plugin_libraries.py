"""Real conflicts in published libraries: those in the test environment are found, and replay."""

import json
import re
import subprocess
import sys
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.plugin.forks import Parents
from tests.selection import either
from tools.gallery import DRAWINGS, card, drawing_of, published, story_of
from tools.strip import outcome_of, steps_of, strip_svg

ROOT = Path(__file__).parents[2]
HERE = "scenarios/libraries"
FOUND = ROOT / "docs/found.md"


def run(parents: Parents, tmp_path: Path, *arguments: str) -> CompletedProcess[str]:
    return parents.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "ignore", "-p", "no:cacheprovider",
         "--supercache-odds=0", f"--supercache-report={tmp_path}", *arguments],
        cwd=ROOT,
    )  # fmt: skip


QUICK = {"LIB-01", "LIB-08", "LIB-15", "LIB-36", "MLC-01"}
SLOW = {"LIB-05", "LIB-09", "LIB-11", "LIB-28"}
"""Left to the long form: each takes one or two seconds."""


@pytest.fixture(scope="module")
def rows(tmp_path_factory, parents):
    """What a run says of each library that is here."""
    report = tmp_path_factory.mktemp("libraries")
    chosen = ["-k", f"not ({' or '.join(sorted(SLOW))})"] * either(1, 0)
    found = run(parents, report, HERE, *chosen)
    assert found.returncode == 0, found.stdout
    return json.loads((report / "verdict.json").read_text())["scenarios"]


def test_every_library_that_is_here_shows_its_conflict(rows):
    found = {row["id"].partition("[")[0] for row in rows}
    assert found >= QUICK
    assert found.isdisjoint(SLOW) if either(1, 0) else found >= SLOW
    violated = [row for row in rows if row["verdict"] == "violated"]
    assert {row["label"] for row in violated} == {"conflict"}
    assert {row["counterexample"]["replays"] for row in violated} == {"10/10"}


@pytest.mark.redis_server
def test_a_reply_that_never_comes_is_found_and_replays_in_another_process(tmp_path, rows, parents):
    (hangs,) = [row for row in rows if row["id"] == "LIB-21[redis.reader_8]"]
    assert (hangs["stated_label"], hangs["stated_class"]) == ("conflict", "lost-wakeup")
    replayed = run(
        parents, tmp_path, HERE, f"--supercache-replay={hangs['counterexample']['token']}"
    )
    assert replayed.returncode == 1, replayed.stdout
    assert "LIB-21[redis.reader_8]: VIOLATED answers" in replayed.stdout


def test_the_card_of_every_library_that_is_here_shows_what_a_run_finds(rows):
    known, page = published(), FOUND.read_text(encoding="utf-8")
    found = [row for row in rows if row["verdict"] == "violated"]
    for row in found:
        assert f"\n{card(row, known[row['system']])}\n" in page, row["id"]
        drawn = strip_svg(
            steps_of(row["counterexample"]), outcome_of(row["counterexample"]), row["title"]
        )
        assert (DRAWINGS / drawing_of(row)).read_text(encoding="utf-8") == drawn, row["id"]
    assert found


def test_a_card_with_another_order_is_not_on_the_page(rows):
    row = next(row for row in rows if row["verdict"] == "violated")
    other = {**row, "replay": row["replay"].replace("writer", "reader")}
    page = FOUND.read_text(encoding="utf-8")
    assert card(other, published()[row["system"]]) not in page


SCENARIOS = sorted((ROOT / HERE).glob("*/*.supercache.yaml"))


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.parent.name)
def test_every_published_conflict_has_a_card_with_its_story_label_and_class(path):
    text = path.read_text(encoding="utf-8")
    name = re.search("^id: (.*)$", text, re.M)[1]
    page = FOUND.read_text(encoding="utf-8")
    stated = re.findall(r"([\w.]+): \{violated: \{(?:class: ([a-z-]+), )?label: ([a-z ]+)\}", text)
    assert stated
    for system, conflict_class, label in stated:
        known = published()[system]
        (shown,) = [one for one in page.split('<a id="')[1:] if f"'sc1:{name}[{system}]:" in one]
        assert f": {known['title']}\n\n{story_of(path)}\n\n![" in shown
        named = f"`{conflict_class}`" if conflict_class else f"not classified: {known['why']}"
        assert f"- {name}, {label}, {named}; scenario [" in shown
        (pins,) = path.parent.glob(f"{system}.in")
        version = pins.read_text(encoding="utf-8").split()[0].partition("==")[2]
        assert f" {version}: {known['title']}" in shown


def test_nothing_is_published_without_a_scenario_and_no_strip_is_left_over():
    stated = {
        system
        for path in SCENARIOS
        for system in re.findall(r"([\w.]+): \{violated", path.read_text(encoding="utf-8"))
    }
    assert set(published()) == stated
    page = FOUND.read_text(encoding="utf-8")
    strips = {
        path.name for path in DRAWINGS.glob("*.svg") if re.match("lib-|mlc-|price-", path.name)
    }
    assert set(re.findall(r"\(drawings/([^)]+)\)", page)) == strips


TEXTS = sorted((ROOT / "docs" / "found").glob("*.md"))


def test_every_conflict_that_nobody_has_reported_has_a_text_for_its_maintainers():
    untold = {one["text"] for one in published().values() if not one.get("reports")}
    assert untold == {path.name for path in TEXTS}


@pytest.mark.parametrize(
    "path", [path for path in TEXTS if "a Redis at port" not in path.read_text()],
    ids=lambda path: path.stem,
)  # fmt: skip
def test_a_reproducer_for_maintainers_prints_what_its_text_says(tmp_path, path):
    text = path.read_text(encoding="utf-8")
    code = re.search(r"\*\*Reproducer\*\*.*?```python\n(.*?)```\n\nIt prints `(.*?)`", text, re.S)
    (tmp_path / "reproducer.py").write_text(code[1], encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "reproducer.py"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stdout.splitlines() == [code[2]], done.stderr


@pytest.mark.long  # its card is that of the conflict that was found and replayed ten times
def test_a_documented_conflict_replays_in_another_process(tmp_path, parents):
    known = FOUND.read_text(encoding="utf-8")
    path, token = re.search(
        r"^pytest (\S+) --supercache-replay='(sc1:LIB-15[^']*)", known, re.M
    ).groups()
    replayed = run(parents, tmp_path, path, f"--supercache-replay={token}")
    assert replayed.returncode == 1, replayed.stdout
    assert "LIB-15[larzcache]: VIOLATED expect" in replayed.stdout
