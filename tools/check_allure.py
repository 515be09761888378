"""Does Allure show what we give it? Runs a project, renders it, looks at the page in a browser.

    python tools/check_allure.py [--picture DIR]

Needs playwright (PyPI) with a chromium in PATH, and Allure 3 (installed by ``supercache report
--install`` when there is npm) or any ``allure`` in PATH. Every Allure that is found is checked.
"""

import argparse
import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SCENARIO = """
scenario: After a price change nobody is shown the old price
id: {id}
systems: {{{system}: holds}}
severity: critical
owner: karim
tags: [pricing]
links: {{issue: CACHE-412}}
given: {{origin: {{"product:42": 100}}}}
users:
  alice: [{{read: "product:42"}}]
  bob: {{node: b, steps: [{{write: {{key: "product:42", value: 120}}}}]}}
"""
WAIVER = """
[[known]]
id = "KI-1"
match = "{match}"
workaround = "set cache.l1=off"
workaround_checked_by = "FIXED-1"
owner = "karim"
approved_by = "betty"
opened = {opened}
expires = {expires}
permanent_fix = "CACHE-413"
"""
SEEN = (
    "the failing interleaving", "layers after each step", "explanation", "reproducer", "history",
    "class stale-set", "accepted until", "Failed",
)  # fmt: skip


def main() -> int:
    """Check every Allure that is there; the exit status counts what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picture", type=Path, help="keep pictures of the pages there")
    options = parser.parse_args()
    with TemporaryDirectory(prefix="supercache-") as name:
        folder = Path(name)
        make_results(folder)
        missing = []
        for title in allures(folder):
            page = folder / f"{title}.html"
            missing += [f"{title}: {one}" for one in look(page, title, options.picture)]
            print(f"{title}: looked at {page.stat().st_size:,} bytes")
    print("\n".join(missing) or "all there")
    return len(missing)


def make_results(folder: Path) -> None:
    """Run a project with a conflict, a known one, a proof and a broken file."""
    (folder / "pytest.ini").write_text("[pytest]\n")
    systems = {"CONFLICT-1": "reference.naive", "FIXED-1": "reference.fixed"}
    for name, system in systems.items():
        text = SCENARIO.format(id=name, system=system)
        (folder / f"{name}.supercache.yaml").write_text(text)
    (folder / "broken.supercache.yaml").write_text("scenario: x\n")
    pytest(folder)
    rows = json.loads((folder / "reports/verdict.json").read_text())["scenarios"]
    (match,) = {row["counterexample"]["fingerprint"] for row in rows if row["counterexample"]}
    today = datetime.now(UTC).date()
    waiver = WAIVER.format(match=match, opened=today, expires=today + timedelta(days=9))
    (folder / "known-issues.toml").write_text(waiver)
    pytest(folder, "--supercache-gate")


def allures(folder: Path) -> list[str]:
    """Render with every Allure that can be had, and return their names."""
    found = []
    if shutil.which("allure"):
        supercache(folder, "report", "-o", "allure-in-path.html")
        found.append("allure-in-path")
    if shutil.which("npm"):
        supercache(folder, "report", "--install")
        supercache(folder, "report", "-o", "allure-3.html")
        found.append("allure-3")
    return found or sys.exit("neither npm nor an allure in PATH")


def look(page: Path, title: str, pictures: Path | None) -> list[str]:
    """Open the page of the known conflict, and name what is not there."""
    from playwright.sync_api import sync_playwright

    asked: list[str] = []
    with sync_playwright() as started:
        program = shutil.which("chromium") or shutil.which("google-chrome")
        browser = started.chromium.launch(executable_path=program, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1400, "height": 2400})
        tab.on("request", lambda one: asked.append(one.url) if "//" in one.url else None)
        tab.goto(page.as_uri())
        open_conflict(tab)
        text = tab.inner_text("body")
        missing = [one for one in SEEN if one not in text]
        if "from here on the layers never agree again" not in text:
            missing.append("the steps")
        if not has_picture(tab):
            missing.append("the picture of the timeline")
        if pictures is not None:
            pictures.mkdir(parents=True, exist_ok=True)
            tab.screenshot(path=pictures / f"{title}.png", full_page=True)
        browser.close()
    foreign = [url for url in asked if not url.startswith(("file:", "data:", "blob:"))]
    return [*missing, *(f"a request to {url}" for url in foreign)]


def open_conflict(tab: Any) -> None:
    """Click through to the conflict and open its steps and its picture, in either Allure."""
    tab.wait_for_timeout(2_000)  # both draw themselves after they have loaded
    if tab.get_by_text("Suites", exact=True).count():  # Allure 2
        tab.goto(f"{tab.url.partition('#')[0]}#suites")
        click(tab, "CONFLICT-1.supercache.yaml")
    elif not tab.get_by_text("CONFLICT-1[reference.naive]").count():  # folded
        click(tab, "CONFLICT-1: After a price change")
        click(tab, "reference.naive", exact=True)
    click(tab, "CONFLICT-1[reference.naive]")
    click(tab, "the failing interleaving")
    click(tab, "timeline")


def click(tab: Any, text: str, *, exact: bool = False) -> None:
    """Click the last element that shows a text, if there is one, and let the page settle."""
    found = tab.get_by_text(text, exact=exact)
    if found.count():
        found.last.click()
    tab.wait_for_timeout(700)


def has_picture(tab: Any) -> bool:
    """Say whether the timeline is drawn, inline, as an image or in a frame."""
    if any(frame.locator("svg text", has_text="never agree again").count() for frame in tab.frames):
        return True
    images = tab.locator("img").evaluate_all("all => all.map(i => [i.naturalWidth, i.src])")
    return any(width > 300 for width, _ in images)


def pytest(folder: Path, *options: str) -> None:
    """Run the project."""
    call(folder, "pytest", "-p", "supercache", "-q", *options)


def supercache(folder: Path, *words: str) -> None:
    """Call the command, which must succeed."""
    code = "import sys; from pytest_supercache.cli import main; main(sys.argv[1:])"
    done = subprocess.run([sys.executable, "-c", code, *words], cwd=folder, check=False)
    if done.returncode:
        sys.exit(f"supercache {' '.join(words)}: {done.returncode}")


def call(folder: Path, module: str, *words: str) -> None:
    """Run a module, whatever it returns."""
    subprocess.run(
        [sys.executable, "-m", module, *words], cwd=folder, check=False, capture_output=True
    )


if __name__ == "__main__":
    sys.exit(main())
