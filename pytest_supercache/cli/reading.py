"""Reads ``verdict.json`` for the commands that work on a finished run."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.gate.evidence import MALFORMED, rows_of
from pytest_supercache.report.verdict_schema import read_verdict

Made = TypeVar("Made")


def read_document(path: Path) -> Mapping[str, Any]:
    """Read a verdict.

    Raises:
        SupercacheError: the file is missing, or is no verdict.
    """
    try:
        document = read_verdict(path)
        rows_of(document)
    except FileNotFoundError:
        raise SupercacheError(
            f"{path} is not there; run `pytest -p supercache` first, or name a verdict.json"
        ) from None
    except MALFORMED as error:
        raise _not_as_written(path, error) from error
    return document


def make_from(path: Path, make: Callable[[], Made]) -> Made:
    """Return the result of ``make`` for the document in a file.

    Raises:
        SupercacheError: a part of the document is missing or malformed.
    """
    try:
        return make()
    except MALFORMED as error:
        raise _not_as_written(path, error) from error


def _not_as_written(path: Path, error: Exception) -> SupercacheError:
    return SupercacheError(
        f"{path}: a part of it is not as a run writes it ({type(error).__name__}: "
        f"{str(error)[:200]}); run `pytest -p supercache` again"
    )
