"""Writes a folder of Allure results, and completes it at the end of a run.

With allure-pytest the results are its own; then only the facts of the end are added: which
conflicts a waiver accepts, the environment, the categories.
"""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pytest_supercache.core.inputs import InputError, read_bytes, read_json, read_text
from pytest_supercache.core.masking import masked_data
from pytest_supercache.report.allure_result import (
    NAME_MAX,
    categories,
    completed,
    config,
    environment,
)
from pytest_supercache.report.evidence import Attachment
from pytest_supercache.report.links import Patterns
from pytest_supercache.report.values import short
from pytest_supercache.report.verdict_json import write_whole

Json = Mapping[str, Any]

MADE = ("allurerc.json", "allure-report.html")
"""Files beside ``verdict.json`` that show its verdict in Allure."""

HISTORY = "allure-history"
"""The folder beside ``verdict.json`` with what Allure shows of earlier runs."""

_ENVIRONMENT = "environment.properties"
_OURS = b"supercache."


def empty(folder: Path) -> None:
    """Remove the results of an earlier run."""
    for pattern in ("*-result.json", "*-attachment.*"):
        for path in folder.glob(pattern):
            path.unlink(missing_ok=True)


def forget_verdict(folder: Path) -> None:
    """Remove our lines about the last run from the environment; other tools' lines stay."""
    path = folder / _ENVIRONMENT
    if not path.exists():
        return
    lines = read_bytes(path).splitlines(keepends=True)
    path.write_bytes(b"".join(line for line in lines if not line.startswith(_OURS)))


def write_attachments(
    folder: Path, uuid: str, attachments: Iterable[Attachment]
) -> list[dict[str, str]]:
    """Write attachments, and return their entries for a result."""
    written = []
    for number, one in enumerate(attachments, start=1):
        source = f"{uuid}-{number}-attachment.{one.suffix}"
        write_whole(folder / source, one.text)
        written.append({"name": one.name, "type": one.type, "source": source})
    return written


def write_result(folder: Path, data: Json) -> None:
    """Write one result; its texts, such as tracebacks of the project, are masked."""
    text = json.dumps(masked_data(dict(data)), ensure_ascii=False)
    write_whole(folder / f"{data['uuid']}-result.json", text)


def complete(folder: Path, document: Json, patterns: Patterns) -> None:
    """Add the facts that are known at the end of a run to a folder of results."""
    waivers = {one["match"]: one for one in (document.get("gate") or {}).get("waivers") or ()}
    rows = {short(row["node_id"], NAME_MAX): row for row in document["scenarios"]}
    for path in sorted(folder.glob("*-result.json")):
        try:
            data = read_json(path)
        except (FileNotFoundError, InputError):
            continue  # somebody else's, and broken
        if isinstance(data, dict) and completed(data, rows, waivers, patterns):
            write_whole(path, json.dumps(data, ensure_ascii=False))
    properties = folder / _ENVIRONMENT
    before = read_text(properties) if properties.exists() else ""
    write_whole(properties, environment(document, before))
    text = json.dumps(categories(document), indent=2, ensure_ascii=False)
    write_whole(folder / "categories.json", f"{text}\n")


def write_config(path: Path, folder: Path, document: Json) -> None:
    """Write the configuration of Allure 3 for a folder of results."""
    text = json.dumps(
        config(document, os.path.relpath(folder, path.parent)), indent=2, ensure_ascii=False
    )
    write_whole(path, f"{text}\n")
