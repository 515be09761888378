"""Writes the files beside ``verdict.json``, each made from it and nothing else."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_supercache.report.code_quality import code_quality
from pytest_supercache.report.page import PAGE, write_page
from pytest_supercache.report.reproducer import reproducers
from pytest_supercache.report.sarif import sarif
from pytest_supercache.report.summary import summary
from pytest_supercache.report.verdict_json import write_whole

__all__ = ["MADE", "PAGE", "write_reports"]

MADE = {
    "job-summary.md": summary,
    "supercache.sarif": sarif,
    "gl-code-quality-report.json": code_quality,
}
"""Files for CI systems that collect them; each is a function of the document."""


def write_reports(document: Mapping[str, Any], folder: Path, root: Path) -> None:
    """Write the page, the files for CI systems, and the reproducers, each of them atomically.

    Reproducers of earlier runs are kept: they are regression tests now.
    """
    write_page(folder, document)
    for name, make in MADE.items():
        write_whole(folder / name, make(document))
    for name, text in reproducers(document["scenarios"], root, folder).items():
        write_whole(folder / name, text)
