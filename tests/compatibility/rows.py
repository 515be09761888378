"""The rows of docs/compatibility.md, and where the checks of its parts register for them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "compatibility.md"

HEADER = ("what is used", "where", "what for", "guard", "after an upgrade that breaks it")


@dataclass(frozen=True, kw_only=True)
class Row:
    package: str  # the heading above its table
    used: str
    names: frozenset[str]  # those in backticks, here and in what they are for
    modules: tuple[str, ...]
    purpose: str
    guard: str
    seen: str

    @property
    def told(self) -> str:
        """What a failing check says beside its own words."""
        return (
            f"{self.package}: what is installed is not as pytest_supercache relies on it.\n"
            f"It uses: {self.used}\nfor: {self.purpose}\nin: {', '.join(self.modules)}\n"
            f"guard: {self.guard}\nwhat a user sees: {self.seen}\n"
            f"Put these modules right, and the row of {PAGE.relative_to(ROOT)}"
        )


def rows() -> list[Row]:
    """Read the tables of the page."""
    found, package = [], ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            package = line.removeprefix("## ")
        cells = tuple(cell.strip() for cell in line.strip("|").split("|"))
        if package and line.startswith("| ") and cells != HEADER:
            assert len(cells) == len(HEADER), f"not a row of five cells: {line}"
            found.append(_row(package, *cells))
    return found


def _row(package: str, used: str, where: str, purpose: str, guard: str, seen: str) -> Row:
    modules = tuple(re.findall(r"`([\w/]+\.py)`", where))
    names = re.findall(r"[A-Za-z_]\w{2,}", " ".join(re.findall(r"`([^`]+)`", used + purpose)))
    return Row(
        package=package, used=used.replace("`", ""), names=frozenset(names), modules=modules,
        purpose=purpose, guard=guard, seen=seen,
    )  # fmt: skip


class Checks(dict[str, Callable[[], None]]):
    """The checks of one part of the page, by the first cell of the row that each is about."""

    def of(self, used: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
        """Register a check, which raises when a row is not true of what is installed."""

        def keep(check: Callable[[], None]) -> Callable[[], None]:
            assert used not in self, f"two checks are about {used}"
            self[used] = check
            return check

        return keep
