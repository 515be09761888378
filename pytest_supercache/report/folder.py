"""Writes the files beside ``verdict.json``, each made from it and nothing else."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pytest_supercache.core.inputs import DOCUMENT_BYTES_MAX, InputError, read_text
from pytest_supercache.report.code_quality import code_quality
from pytest_supercache.report.page import PAGE, page
from pytest_supercache.report.reproducer import is_written_as, reproducers
from pytest_supercache.report.sarif import sarif
from pytest_supercache.report.summary import summary
from pytest_supercache.report.verdict_json import write_whole

__all__ = ["MADE", "PAGE", "forget_reproducers", "the_same_anywhere", "write_reports"]

MADE = {
    "job-summary.md": summary,
    "supercache.sarif": sarif,
    "gl-code-quality-report.json": code_quality,
}
"""Files for CI systems that collect them; each is a function of the document."""


def write_reports(
    document: Mapping[str, Any],
    folder: Path,
    root: Path,
    anywhere: Mapping[str, str] | None = None,
) -> None:
    """Write the page, the files for CI systems, and the reproducers, each of them atomically.

    ``anywhere`` are the texts of `the_same_anywhere`, if they have been made for another folder.
    """
    texts = anywhere or the_same_anywhere(document)
    for name, text in {**texts, **reproducers(document["scenarios"], root, folder)}.items():
        write_whole(folder / name, text)


def the_same_anywhere(document: Mapping[str, Any]) -> dict[str, str]:
    """Return the page and the files for CI systems, which name no path from their own folder."""
    return {PAGE: page(document), **{name: make(document) for name, make in MADE.items()}}


def forget_reproducers(folder: Path) -> None:
    """Remove the reproducers that a run has written; one that somebody renamed stays."""
    for path in folder.glob("repro_*.py"):
        with suppress(OSError, InputError):
            if is_written_as(path.name, read_text(path, DOCUMENT_BYTES_MAX)):
                path.unlink()
