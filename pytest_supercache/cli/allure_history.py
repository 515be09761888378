"""Keeps what Allure shows of earlier runs, in a folder beside ``verdict.json``.

Allure 3 reads and writes a file of its own; Allure 2 reads a folder and writes it into the page.
Rendering a run again must not make two runs of it, so the state before the last run is kept, too.
"""

import base64
import re
import shutil
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from pytest_supercache.core.inputs import DOCUMENT_BYTES_MAX, InputError, read_bytes, read_text
from pytest_supercache.report.allure_folder import HISTORY
from pytest_supercache.report.verdict_json import write_whole

RUNS_MAX = 20
"""How many runs Allure 3 keeps; Allure 2 has a limit of its own."""

_LINES = "history.jsonl"
_OF_RUN = "rendered-run.txt"
_BEFORE = "before"
_IN_PAGE = re.compile(r"\bd\('history/([a-z-]{1,40}\.json)','([A-Za-z0-9+/=]*)'\)")


class AllureHistory:
    """The history of the runs whose reports have been rendered.

    Args:
        reports: the folder of ``verdict.json``.
        results: the folder of the run's Allure results.
        work: a folder for the files that Allure reads and writes.
    """

    def __init__(self, reports: Path, results: Path, work: Path) -> None:
        self._kept, self._work = reports / HISTORY, work
        self._run = _identity(results)
        self._is_known = _text_of(self._kept / _OF_RUN).strip() == self._run
        before = self._kept / _BEFORE if self._is_known else self._kept
        self._lines_before = _text_of(before / _LINES)
        (work / "history").mkdir(parents=True)
        for path in before.glob("*.json*"):
            place = work if path.name == _LINES else work / "history"
            shutil.copyfile(path, place / path.name)

    @property
    def lines(self) -> Path:
        """The file that Allure 3 reads, and to which it adds the run."""
        return self._work / _LINES

    @property
    def results(self) -> Path:
        """A folder of results for Allure 2, in which there is nothing but the history."""
        return self._work

    def keep(self, page: str) -> None:
        """Keep the history with the run that was rendered."""
        before = self._kept / _BEFORE
        if not self._is_known:
            shutil.rmtree(before, ignore_errors=True)
            for path in self._kept.glob("*.json*"):
                write_whole(before / path.name, _text_of(path))
        for name, text in _IN_PAGE.findall(page):
            write_whole(self._kept / name, base64.b64decode(text).decode())
        lines = _text_of(self.lines)
        if lines != self._lines_before:  # Allure 2 leaves them as they are
            write_whole(self._kept / _LINES, lines)
        write_whole(self._kept / _OF_RUN, f"{self._run}\n")


def _identity(results: Path) -> str:
    """Return a digest of a run's results, which have the times of their tests."""
    digest = sha256()
    for path in sorted(results.glob("*-result.json")):
        with suppress(FileNotFoundError, InputError):  # Allure passes over it, too
            digest.update(read_bytes(path, DOCUMENT_BYTES_MAX))
    return digest.hexdigest()


def _text_of(path: Path) -> str:
    try:
        return read_text(path, DOCUMENT_BYTES_MAX)
    except FileNotFoundError:
        return ""
