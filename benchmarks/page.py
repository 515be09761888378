"""How big `index.html` gets, how long it takes to write, and to appear in a browser.

    python -m benchmarks.page [--scenarios 100] [--conflicts 20] [--rounds 3]

Then a search is typed that fits one scenario, and the last conflict is opened by its address; each
is measured from the event until the next picture is painted.

The conflicts are copies of the shipped story under a delayed second delete: 17 steps of two users,
the clock and the messages, and the interleaving beside it that passes. The rest are copies of its
mended twin. A browser is measured from the request until every scenario is laid out and painted;
it needs the packages of the tests and Debian's chromium.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pytest_supercache.report.page import PAGE, page
from pytest_supercache.report.verdict_json import write_whole

STORY = "scenarios/story/price-change.supercache.yaml"
PAINTED = """() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(
    () => done(document.querySelectorAll(".scenario").length))))"""


def document(scenarios: int, conflicts: int, folder: Path) -> dict[str, Any]:
    """Run the story once and copy what it says as often as wanted."""
    command = [sys.executable, "-m", "pytest", "-q", STORY, f"--supercache-report={folder}"]
    subprocess.run(command, cwd=Path(__file__).parents[1], check=True, stdout=subprocess.DEVNULL)
    found: dict[str, Any] = json.loads((folder / "verdict.json").read_text(encoding="utf-8"))
    rows = {row["system"]: row for row in found["scenarios"]}
    found["scenarios"] = [
        {
            **rows["reference.workaround" if number < conflicts else "reference.fixed"],
            "id": f"S-{number}[shop]",
            "node_id": f"s{number}",
        }
        for number in range(scenarios)
    ]
    return found


SEARCHED = """(words) => new Promise((done) => {
    const field = document.querySelector(".filter input"), began = performance.now();
    field.value = words;
    field.dispatchEvent(new Event("input"));
    requestAnimationFrame(() => setTimeout(() => done(
        [document.querySelectorAll(".scenario:not([hidden])").length, performance.now() - began])));
})"""
OPENED = """(address) => new Promise((done) => {
    const began = performance.now();
    const players = () => document.querySelectorAll(".player").length;
    const told = () => done([players(), performance.now() - began]);
    window.addEventListener("hashchange", () => requestAnimationFrame(() => setTimeout(told)));
    window.location.hash = address;
})"""


def seconds_to_use(page: Path, profile: Path, rounds: int, conflicts: int) -> list[list[float]]:
    """Return how long a search takes, and how long the last conflict takes to open."""
    from tests.browser.pages import browser

    took = []
    with browser(profile) as context:
        for _ in range(rounds):
            tab = context.new_page()
            tab.goto(page.as_uri())
            shown, searched = tab.evaluate(SEARCHED, f"s-{conflicts - 1}[shop]")
            assert shown == 1, "the search fits another number of scenarios"
            players, opened = tab.evaluate(OPENED, f"S-{conflicts - 1}/shop")
            assert players > 1, "the conflict is not open"
            took.append([searched / 1000, opened / 1000])
            tab.close()
    return took


def seconds_to_appear(page: Path, profile: Path, rounds: int, scenarios: int) -> list[float]:
    """Open the page in the system's browser so many times."""
    from tests.browser.pages import browser

    took = []
    with browser(profile) as context:
        for _ in range(rounds):
            tab = context.new_page()
            began = time.perf_counter()
            tab.goto(page.as_uri())
            assert tab.evaluate(PAINTED) == scenarios, "something is missing on the page"
            took.append(time.perf_counter() - began)
            tab.close()
    return took


def main() -> None:
    """Make the report, open it, and print bytes and seconds."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scenarios", type=int, default=100)
    parser.add_argument("--conflicts", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with TemporaryDirectory() as name:
        folder = Path(name)
        found = document(given.scenarios, given.conflicts, folder)
        (folder / "verdict.json").write_text(json.dumps(found), encoding="utf-8")
        began = time.perf_counter()
        write_whole(folder / PAGE, page(found))
        wrote = time.perf_counter() - began
        size = (folder / "index.html").stat().st_size
        appeared = seconds_to_appear(
            folder / "index.html", folder / "profile", given.rounds, given.scenarios
        )
        used = seconds_to_use(
            folder / "index.html", folder / "profile", given.rounds, given.conflicts
        )
    searched, opened = (statistics.median(each) for each in zip(*used, strict=True))
    print(
        f"{given.scenarios} scenarios, {given.conflicts} conflicts: {size:,} bytes, written in "
        f"{wrote:.2f} s, on the screen after {statistics.median(appeared):.2f} s, a search takes "
        f"{searched:.2f} s, a conflict opens in {opened:.2f} s"
    )


if __name__ == "__main__":
    main()
