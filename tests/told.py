"""What a person reads of a conflict, without its odds: compared with ``tests/snapshots``.

They are written anew by ``pytest scenarios/conflicts`` and then ``python -m tests.told
reports/verdict.json``.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "snapshots" / "explanations"


def told(row: Mapping[str, Any]) -> str:
    """Return the faults, the evidence and the explanation of a row of ``verdict.json``."""
    found = row["counterexample"]
    lines = [
        f"{row['label']} in {row['system']}",
        *(f"fault: {fault}" for fault in found["faults"]),
        found["violation"]["summary"],
        *(line for line in found["explanation"] if not line.startswith("odds: ")),
    ]
    return "\n".join(lines) + "\n"


def snapshot(row: Mapping[str, Any]) -> Path:
    """Return the file with the text of the naive system of a scenario file."""
    return FOLDER / f"{Path(row['path']).name.removesuffix('.supercache.yaml')}.txt"


def main(document: Path) -> None:
    """Write the text of the first conflict of every file of the catalogue."""
    written: set[Path] = set()
    for row in json.loads(document.read_text(encoding="utf-8"))["scenarios"]:
        path = snapshot(row)
        if row["counterexample"] is not None and path not in written and is_naive(row):
            written.add(path)
            path.write_text(told(row), encoding="utf-8")


def is_naive(row: Mapping[str, Any]) -> bool:
    """Say whether a row is of the first system that its file names."""
    text = Path(row["path"]).read_text(encoding="utf-8")
    first = text.partition("systems:\n")[2].partition(":")[0].strip()
    return bool(first == row["system"])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
