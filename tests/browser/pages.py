"""A browser of the system, its tabs, and what a page must never do while it is open."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from shutil import which
from typing import Any

from pytest_supercache.report.page import page
from pytest_supercache.report.verdict_json import finding_row, verdict_document

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
SIZES = {"desktop": (1280, 900), "tablet": (820, 1180), "phone": (390, 844)}


@dataclass
class Watched:
    """An open page; what it complained of and what it asked for."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def is_quiet(self) -> bool:
        """Whether nothing was complained of, and nothing but the page itself was asked for."""
        return not self.complaints and set(self.requests) == {self.page.url.partition("#")[0]}

    def looks(self) -> Iterator[tuple[str, str]]:
        """Load the page anew in both schemes and at every size; yield which ones."""
        for scheme, size in product(("light", "dark"), SIZES):
            width, height = SIZES[size]
            self.page.set_viewport_size({"width": width, "height": height})
            self.page.emulate_media(color_scheme=scheme)
            self.page.reload()
            yield scheme, size
            assert self.page.evaluate("document.documentElement.scrollWidth") <= width

    def cells(self, player: str) -> dict[str, tuple[str, bool]]:
        """Return what each layer holds after the present step, and whether it is stale."""
        return {
            name: (value, stale)
            for name, value, stale in self.page.locator(
                f".{player} [aria-current=step] .cell:visible"
            ).evaluate_all(
                """cells => cells.map(cell => [cell.dataset.place,
                    cell.querySelector(".value").textContent,
                    cell.classList.contains("stale")])"""
            )
        }

    def step(self, player: str) -> str:
        """Return the text of the row that is marked as the present step."""
        rows = self.page.locator(f".{player} [aria-current=step]")
        assert rows.count() == 1
        return " ".join(rows.inner_text().split())

    def is_in_sight(self, player: str) -> bool:
        """Whether the present step is inside of what the list of steps shows, below its head."""
        seen: bool = self.page.locator(f".{player} .steps").evaluate(
            """box => {
                const row = box.querySelector("[aria-current=step]").getBoundingClientRect();
                const top = box.querySelector(".heads").getBoundingClientRect().bottom;
                return row.top >= top - 1 && row.top < box.getBoundingClientRect().bottom;
            }"""
        )
        return seen

    def press(self, player: str, act: str) -> None:
        """Press a button of a player."""
        self.page.locator(f".{player} [data-act={act}]").click()


@contextmanager
def browser(folder: Path) -> Iterator[Any]:
    """Start the browser of the system with a profile of its own."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(folder), executable_path=which("chromium"), args=[*FLAGS], headless=True,
            timeout=120_000,
        )  # fmt: skip
        context.set_default_timeout(60_000)
        try:
            yield context
        finally:
            context.close()


@contextmanager
def opened(
    context: Any, folder: Path, *findings: Any, scheme: str = "light", size: str = "desktop",
    **document: Any,
) -> Iterator[Watched]:  # fmt: skip
    """Open the page of some findings from a file, with a clock that only the test moves."""
    file = folder / "index.html"
    rows = [finding_row(finding) for finding in findings]
    file.write_text(page(verdict_document(rows, {}) | document), encoding="ascii")
    with watched(context, file, scheme=scheme, size=size) as found:
        found.page.clock.install()
        found.page.goto(file.as_uri())
        yield found


@contextmanager
def watched(
    context: Any, file: Path, *, scheme: str = "light", size: str = "desktop"
) -> Iterator[Watched]:
    """Make a tab that can load one file and nothing else, and that remembers what was tried."""
    tab = context.new_page()
    found = Watched(tab)
    tab.on("console", lambda said: found.complaints.append(said.text))
    tab.on("pageerror", lambda error: found.complaints.append(str(error)))
    tab.on("dialog", lambda dialog: (found.complaints.append("dialog"), dialog.dismiss()))

    def only_itself(route: Any) -> None:
        found.requests.append(route.request.url)
        route.continue_() if route.request.url == file.as_uri() else route.abort()

    tab.route("**/*", only_itself)
    width, height = SIZES[size]
    tab.set_viewport_size({"width": width, "height": height})
    tab.emulate_media(color_scheme=scheme)
    try:
        yield found
    finally:
        tab.close()
