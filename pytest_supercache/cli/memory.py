"""`supercache explain --memory`: lists shared memory and its users, found by a search."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pytest_supercache.cli.project import ProjectError
from pytest_supercache.core.inputs import read_json
from pytest_supercache.report.values import clean

_NOTHING = "its users share no memory of the process, one of them writing"


def shared_memory(path: Path) -> str:
    """Search the scenarios in ``path`` and return a text on the memory that their users share.

    Raises:
        ProjectError: pytest could not run them.
    """
    with TemporaryDirectory(prefix="supercache-") as folder:
        options = ["--supercache-list-memory", "--supercache-odds=0", "-q", "-n0"]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "supercache", "-p", "no:cacheprovider",
             *options, f"--supercache-report={folder}", str(path)],
            check=False, capture_output=True, text=True, env={**os.environ, "COLUMNS": "240"},
        )  # fmt: skip
        verdict = Path(folder) / "verdict.json"
        found = read_json(verdict) if verdict.exists() else {}
    rows = found.get("scenarios", [])
    if not rows:
        said = "\n".join(part.strip() for part in (done.stdout, done.stderr) if part.strip())
        raise ProjectError(f"pytest cannot run {path}:\n{said}")
    lines = [line for row in rows for line in _lines(row)]
    lines += _not_searched(done.stdout, {row["id"] for row in rows})
    return "\n".join(map(clean, lines)) + "\n"


def _not_searched(said: str, ids: set[str]) -> Iterator[str]:
    """Name the items that pytest could not search, with the beginning of its message."""
    for line in said.splitlines():
        item, _, why = line.partition(" - ")
        name = item.rpartition("::")[2]
        if item.startswith("FAILED ") and name not in ids:
            yield f"{name}: not searched: {why}"


def _lines(row: dict[str, Any]) -> Iterator[str]:
    uses = row.get("memory", [])
    if not uses:
        yield f"{row['id']}: {_NOTHING}"
        return
    yield f"{row['id']}: memory that its users share ({row['verdict']})"
    shown = [(use["name"], _users(use), _state(use)) for use in uses]
    widths = [max(map(len, column)) for column in list(zip(*shown, strict=True))[:2]]
    for name, users, state in shown:
        yield f"  {name:{widths[0]}}  {users:{widths[1]}}  {state}"
    raced = [use["name"] for use in uses if use["state"] == "raced"]
    if raced:
        yield "  what is atomic on purpose need not be raced; leave the other names out:"
        yield f"  explore: {{atomic: {json.dumps(raced, ensure_ascii=False)}}}"


def _users(use: dict[str, Any]) -> str:
    return ", ".join(f"{who} {verbs}" for who, verbs in use["users"])


def _state(use: dict[str, Any]) -> str:
    if use["state"] == "locked":
        return f"locked: {', '.join(name.partition(':')[2] for name in use['locks'])}"
    return str(use["state"])
