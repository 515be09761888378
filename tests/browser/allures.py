"""Allure 3 and Allure 2 for real: installed from a lock, given one run, read by their own marks."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_supercache.cli import rendering
from tests.plugin.projects import SHOP, race

HOSTILE_KEY = "<img src=x onerror=pwned=1>"
HOSTILE_TITLE = f"</script><script>pwned=2</script> {HOSTILE_KEY} [a](javascript:pwned=3) *b*"
HOSTILE = f"""
scenario: "{HOSTILE_TITLE} \\u202e\\e[31m"
id: HOSTILE-1
system: shop
owner: "{HOSTILE_KEY}"
links: {{issue: "javascript:pwned=4", docs: "javascript:pwned=5"}}
given: {{origin: {{"{HOSTILE_KEY}": "</svg><script>pwned=6</script>"}}}}
users:
  alice: [{{read: "{HOSTILE_KEY}"}}]
  bob: [{{write: {{key: "{HOSTILE_KEY}", value: "<script>pwned=7</script>{"x" * 100_000}"}}}}]
"""
TITLE = "After a price change nobody is shown the old price"
"""That of the scenarios of this project."""
DAY = 24 * 60 * 60 * 1000
STATUSES = {
    "CONFLICT-1[shop]": "failed",
    "CONFLICT-1[uncached]": "passed",
    "DOCUMENTED-1[shop]": "passed",
    "HOSTILE-1": "failed",
    "unreadable": "broken",
}


def run(folder: Path) -> None:
    """Run a project with a conflict, a proof, a documented conflict and two hostile files."""
    conflict = race("CONFLICT-1", more="owner: karim\nseverity: critical\ntags: [pricing]\n")
    files = {
        "pytest.ini": "[pytest]\nsupercache_odds = 0\nsupercache_step_timeout = 60\n",
        "conftest.py": SHOP,
        "conflict.supercache.yaml": conflict.replace(
            "system: shop", "systems: {shop: holds, uncached: holds}"
        ),
        "documented.supercache.yaml": race("DOCUMENTED-1").replace(
            "system: shop", "systems: {shop: {violated: stale-set}}"
        ),
        "hostile.supercache.yaml": HOSTILE,
        "unreadable.supercache.yaml": "scenario: x\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr


def render(project: Path, home: Path, lock: Path) -> Path:
    """Install the Allure of a lock into ``home`` and render two runs of a project with it.

    They differ in their times only.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rendering, "FILES", lock)
        rendering.install(home)
    shutil.copytree(project / "reports", home / "reports")
    rendering.render(home, home / "reports", home / "report.html")
    for path in (home / "reports" / "allure-results").glob("*-result.json"):
        result = json.loads(path.read_text("utf-8"))
        result |= {name: result[name] + DAY for name in ("start", "stop")}
        path.write_text(json.dumps(result), "utf-8")
    rendering.render(home, home / "reports", home / "report.html")
    return home / "report.html"


@dataclass(frozen=True, kw_only=True)
class Allure:
    """An Allure, and where it shows what: selectors of parts that it names itself."""

    lock: Path
    route: str  # to the list of results
    folded: str  # what opens a group of results
    leaf: str  # a result in the list
    title: str  # what opens a step
    status: str
    steps: str
    attachments: str
    picture: str
    description: str
    history: str  # what opens the history of a result

    def open(self, tab: Any, file: Path, name: str) -> None:
        """Open a result and wait until it is there."""
        tab.goto(f"{file.as_uri()}{self.route}")
        tab.locator(f"{self.folded}, {self.leaf}").filter(visible=True).first.wait_for()
        while tab.locator(self.folded).count():
            tab.locator(self.folded).first.click()
        tab.locator(self.leaf).filter(has_text=name).click()
        tab.locator(self.status).first.wait_for()

    def in_category(self, tab: Any, file: Path, name: str) -> list[str]:
        """Unfold a category of stale sets, and fold it; return the titles of its results."""
        tab.goto(f"{file.as_uri()}#categories")
        category = tab.get_by_text(name, exact=True)
        category.click()
        message = tab.get_by_text("(class stale-set)").filter(visible=True).first
        message.wait_for()
        results = tab.get_by_text(TITLE).filter(visible=True)
        if not results.count():  # Allure 2 unfolds one level at a time
            message.click()
        results.first.wait_for()
        titles = list(results.all_inner_texts())
        category.click()
        results.first.wait_for(state="hidden")
        return titles

    def told_in_steps(self, tab: Any) -> list[str]:
        """Return the titles of all steps; Allure 3 has unfolded a failed step already."""
        whole = tab.locator(self.title).filter(has_text="the failing interleaving").first
        whole.wait_for()
        first = tab.locator(self.steps).filter(has_text="1. ").first
        if not first.is_visible():
            whole.click()
        first.wait_for()
        return list(tab.locator(self.steps).all_inner_texts())

    def told(self, tab: Any) -> str:
        """Return the description as it is read; Allure 3 has it in a frame of its own."""
        found = tab.locator(self.description)
        found.wait_for()
        if found.evaluate("one => one.tagName") == "IFRAME":
            found = tab.frame_locator(self.description).locator("body")
        return str(found.inner_text())

    def earlier_runs(self, tab: Any) -> list[str]:
        """Open the history of a result; return the lines that begin with the time of a run."""
        tab.locator(self.history).first.click()
        tab.locator("text=/^\\d+\\/\\d+\\/\\d+ at /").first.wait_for()
        return re.findall(r"^\d+/\d+/\d+ at .*", tab.inner_text("body"), re.MULTILINE)

    def drawn(self, tab: Any) -> tuple[int, str]:
        """Open the first attachment; return the width and the source of the picture it shows."""
        tab.locator(self.attachments).first.click()
        picture = tab.locator(self.picture)
        picture.wait_for()
        tab.wait_for_function("image => image.complete", arg=picture.element_handle())
        width, text = picture.evaluate(
            "async (image) => [image.naturalWidth, await (await fetch(image.src)).text()]"
        )
        return int(width), str(text)


ALLURES = {
    "allure-3": Allure(
        lock=rendering.FILES,
        route="",
        folded=":not(:has(> [data-testid=tree-content])) > [data-testid=tree-section]"
        " [data-testid=tree-arrow]",
        leaf="[data-testid=tree-leaf]",
        title="[data-testid=test-result-step-header]",
        status="[data-testid^=test-result-status-]",
        steps="[data-testid=test-result-step-title]",
        attachments="[data-testid=test-result-attachment-header]",
        picture="[data-testid=image-attachment-content] img",
        description="[data-testid=test-result-description-frame]",
        history="text=/^History/",
    ),
    "allure-2": Allure(
        lock=Path(__file__).parent / "allure_2",
        route="#suites",
        folded=".node:not(.node__expanded) > .node__title:has(.node__arrow)",
        leaf="a.node__leaf",
        title=".step__title",
        status=".test-result__status .label",
        steps=".step__name",
        attachments=".attachment-row",
        picture=".attachment-preview_svg img",
        description=".description__text",
        history="text=/^History$/",
    ),
}
