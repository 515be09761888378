"""The README shows what a run prints, and says what the files say."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def _blocks(language: str) -> list[str]:
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)
    return [block for marked, block in fenced if marked == language]


def test_the_output_in_the_readme_is_that_of_a_run(tmp_path: Path) -> None:
    shown = next(block for block in _blocks("") if "VIOLATED" in block)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "supercache", "-p", "no:cacheprovider", "-v",
         "-k", "naive", f"--supercache-report={tmp_path}",
         "scenarios/story/price-change.supercache.yaml"],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "COLUMNS": "100"},
    )  # fmt: skip
    versions = re.compile(r"fakeredis [0-9.]+")
    assert done.returncode == 0, done.stdout
    assert versions.sub("fakeredis", shown.strip()) in versions.sub("fakeredis", done.stdout)


def test_the_scenario_in_the_readme_is_the_shipped_one() -> None:
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe")
    shown = yaml.load(_blocks("yaml")[0])
    shipped = yaml.load(
        (ROOT / "scenarios/story/price-change.supercache.yaml").read_text(encoding="utf-8")
    )
    assert {name: shipped[name] for name in shown} == shown


def test_every_page_that_the_readme_links_to_exists() -> None:
    linked = re.findall(r"\]\(([^)#]+)\)", README)
    assert linked
    assert [page for page in linked if not (ROOT / page).exists()] == []


def test_every_picture_is_small_and_shown_and_every_one_that_is_shown_is_there():
    root = Path(__file__).parents[1]
    kept = {picture.name: picture for picture in (root / "docs" / "pictures").iterdir()}
    pages = [root / "README.md", *(root / "docs").glob("*.md")]
    shown = {
        name
        for page in pages
        for name in re.findall(r"pictures/([\w.-]+)", page.read_text(encoding="utf-8"))
    }
    assert shown == set(kept)
    for picture in kept.values():
        assert picture.read_bytes().startswith(b"\x89PNG"), picture.name
        assert picture.stat().st_size < 300_000, picture.name
