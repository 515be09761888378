"""The README shows what a run prints, and says what the files say."""

import os
import re
import subprocess
import sys
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DRAWINGS = ROOT / "docs" / "drawings"
README = (ROOT / "README.md").read_text(encoding="utf-8")


def _blocks(language: str) -> list[str]:
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)
    return [block for marked, block in fenced if marked == language]


def test_the_output_in_the_readme_is_that_of_a_run(tmp_path: Path) -> None:
    shown = [block for block in _blocks("") if "VIOLATED" in block or "#  who" in block]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "supercache", "-p", "no:cacheprovider", "-v",
         "-k", "naive", f"--supercache-report={tmp_path}",
         "scenarios/story/price-change.supercache.yaml"],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "COLUMNS": "100"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert len(shown) == 2
    assert [block for block in shown if block.strip() not in done.stdout] == []
    failing = re.search(r"(\d+ of all \d+ interleavings fail)", done.stdout)
    assert f"{failing[1]}." in README
    replay = next(block for block in _blocks("") if "--supercache-replay" in block)
    assert "replay: " + replay.strip().replace(" \\\n ", "") in done.stdout


def test_no_line_of_the_readme_but_of_its_tables_is_too_wide():
    wide = [line for line in README.splitlines() if len(line) > 100 and not line.startswith("|")]
    assert wide == []


def test_the_readme_counts_the_conflicts_that_the_gallery_has():
    from tools.gallery import published

    assert f"[{len(published())} conflicts in published libraries](docs/found.md)" in README


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


def test_every_drawing_is_shown_and_every_one_that_is_shown_is_there():
    shown = {
        name
        for page in (ROOT / "docs").glob("*.md")
        for name in re.findall(r"\]\(drawings/([\w.-]+)\)", page.read_text(encoding="utf-8"))
    }
    assert shown == {drawing.name for drawing in DRAWINGS.iterdir()}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    """The drawings as they are made today; in a process of its own, since it declares a watch."""
    folder = tmp_path_factory.mktemp("drawings")
    done = subprocess.run(
        [sys.executable, "-m", "tools.drawings", str(folder)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("name", ["grains.svg", "guarantees.svg", "faults.svg"])
def test_a_drawing_is_what_the_product_and_the_page_say_today(drawn: Path, name: str) -> None:
    assert (drawn / name).read_text(encoding="utf-8") == (DRAWINGS / name).read_text("utf-8")


def test_every_drawing_changes_its_colours_on_a_dark_page():
    for drawing in DRAWINGS.iterdir():
        text = drawing.read_text(encoding="utf-8")
        dark = text.partition("prefers-color-scheme:dark")[2].partition("</style>")[0]
        used = set(re.findall(r'(?:fill|stroke)="(#\w+)"', text))
        assert used
        assert {colour for colour in used if f'"{colour}"]' not in dark} == set(), drawing.name


def _arrows(diagram: str) -> set[tuple[str, str]]:
    """Return the arrows of a Mermaid flowchart: ``a & b --> c --> d``."""
    found = set()
    for line in diagram.splitlines():
        groups = [re.findall(r"\w+", part) for part in line.split("-->")]
        found |= {
            (one, other) for left, right in pairwise(groups) for one in left for other in right
        }
    return found


def _upward(arrows: set[tuple[str, str]], layers: list[str]) -> set[tuple[str, str]]:
    """Return the arrows that do not go from a layer of a contract to one further down."""
    height = {name: at for at, layer in enumerate(layers) for name in layer.split(" | ")}
    return {(one, other) for one, other in arrows if height[one] >= height[other]}


def test_the_packages_are_drawn_in_the_order_of_the_import_contracts():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    contracts = {
        one["containers"][0]: one["layers"]
        for one in tomllib.loads(text)["tool"]["importlinter"]["contracts"]
        if one["type"] == "layers"
    }
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    arrows = _arrows(page.partition("```mermaid\n")[2].partition("```")[0])
    for container in ("pytest_supercache", "pytest_supercache.runtime"):
        layers = contracts[container]
        names = {name for layer in layers for name in layer.split(" | ")}
        inside = {arrow for arrow in arrows if names.issuperset(arrow)}
        assert {name for arrow in inside for name in arrow} == names
        assert _upward(inside, layers) == set()


def test_an_arrow_against_the_contract_is_noticed():
    layers = ["gate", "report", "reference | play"]
    assert _upward(_arrows("gate --> report --> reference & play"), layers) == set()
    assert _upward(_arrows("report --> gate"), layers) == {("report", "gate")}
    assert _upward(_arrows("reference --> play"), layers) == {("reference", "play")}
