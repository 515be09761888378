"""Write the table of docs/conflicts.md from the catalogue.

python tools/conflicts_page.py
"""

import sys
from pathlib import Path

from pytest_supercache.oracle.catalogue import CATALOGUE, ConflictClass

PAGE = Path(__file__).parents[1] / "docs" / "conflicts.md"
SCENARIOS = "../scenarios/conflicts"
HEAD = "| | class | what it is | users notice | usual workaround | permanent fix |"


def table() -> str:
    """Return the table."""
    rows = [HEAD, "|---|---|---|---|---|---|"]
    for each in CATALOGUE.values():
        name = f"`{each.slug}`" + (f" ({each.family})" if each.family else "")
        effect = "removes it" if each.removes else "lowers the odds"
        workaround = f"{each.workaround} ({effect})" if each.workaround else "none is known"
        rows.append(
            f"| {_scenario_of(each)} | {name} | {each.title} | {each.symptom} | "
            f"{workaround} | {each.fix} |"
        )
    return "\n".join(rows)


def _scenario_of(each: ConflictClass) -> str:
    """Return a class's number as a link to its scenario file."""
    if not each.number:
        return ""
    return f"[{each.number}]({SCENARIOS}/{each.number}-{each.slug}.supercache.yaml)"


def main() -> None:
    """Put the table in the place of the old one."""
    text = PAGE.read_text()
    start = text.find("| | class |")
    PAGE.write_text(f"{text if start < 0 else text[:start]}{table()}\n")
    sys.stdout.write(f"written: {PAGE.name}\n")


if __name__ == "__main__":
    main()
