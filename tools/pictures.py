"""Make the pictures of README.md and docs/ from a run of the shipped story.

python -m tools.pictures

Needs the packages of the tests, Debian's chromium, and npm and java for what Allure shows.
"""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.browser.allures import ALLURES, render, run
from tests.browser.pages import browser

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
MARGIN = 14  # pixels below the strip
STORY = "scenarios/story/price-change.supercache.yaml"


def main() -> None:
    """Run the story, open its page in both colour schemes and Allure's, and keep what is seen."""
    PICTURES.mkdir(exist_ok=True)
    with TemporaryDirectory() as name:
        folder = Path(name)
        command = [sys.executable, "-m", "pytest", "-q", STORY, f"--supercache-report={folder}"]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        with browser(folder / "profile") as context:
            for scheme in ("light", "dark"):
                _take(context.new_page(), folder / "index.html", scheme)
            _take_allures(context, folder)
    for picture in sorted(PICTURES.iterdir()):
        sys.stdout.write(f"written: {picture.name}, {picture.stat().st_size:,} bytes\n")


def _take(tab: Any, page: Path, scheme: str) -> None:
    tab.set_viewport_size({"width": 1280, "height": 900})
    tab.emulate_media(color_scheme=scheme)
    tab.goto(page.as_uri())
    conflict, player = (tab.locator(name).first.bounding_box() for name in (".conflict", ".fails"))
    height = player["y"] + player["height"] - conflict["y"]
    seen = {**conflict, "height": height}
    tab.screenshot(path=PICTURES / f"player-{scheme}.png", clip=seen, full_page=True)
    advice = tab.locator(".conflict .advice").first.bounding_box()
    told = {**conflict, "height": advice["y"] + advice["height"] + MARGIN - conflict["y"]}
    tab.screenshot(path=PICTURES / f"strip-{scheme}.png", clip=told, full_page=True)
    if scheme == "light":
        tab.locator(".variants").first.screenshot(path=PICTURES / "variants.png")
        return
    tab.set_viewport_size({"width": 390, "height": 844})
    tab.reload()
    tab.locator(".fails").screenshot(path=PICTURES / "phone.png")


def _take_allures(context: Any, folder: Path) -> None:
    project = folder / "project"
    project.mkdir()
    run(project)
    for name, allure in ALLURES.items():
        home = folder / name
        home.mkdir()
        file = render(project, home, allure.lock)
        tab = context.new_page()
        tab.set_viewport_size({"width": 1000, "height": 1450})
        allure.open(tab, file, "CONFLICT-1[shop]")
        allure.told_in_steps(tab)
        allure.drawn(tab)
        tab.screenshot(path=PICTURES / f"{name}.png")


if __name__ == "__main__":
    main()
