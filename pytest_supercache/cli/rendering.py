"""Renders one HTML file with Allure, if it is installed, without its analytics.

Allure 3 comes from npm, pinned by the lock file beside this module; Allure 2 works, too. The
reports of both contact Google Analytics, so these tags are removed, and a report that would still
load anything from elsewhere is refused.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pytest_supercache.cli.allure_history import RUNS_MAX, AllureHistory
from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.inputs import DOCUMENT_BYTES_MAX, read_json, read_text
from pytest_supercache.report.verdict_json import write_whole

FILES = Path(__file__).parent / "allure_files"
HOME = Path(".supercache") / "allure"
"""The folder for ``--install``, below the root of the project."""

SECONDS_MAX = 300

MISSING = """\
Allure is not installed, so there is no HTML report by Allure. The results are in
{results}, and index.html beside verdict.json needs no program at all.

To install Allure 3 for this project (needs Node 20 or newer with npm; Debian: nodejs, npm):
  supercache report --install
Or put any `allure` into PATH: `npm install -g allure` (Allure 3),
`npm install -g allure-commandline` (Allure 2, which needs Java)."""

_ANALYTICS = (
    re.compile(r"<script[^>]*\bsrc=\"https://www\.googletagmanager\.com/[^>]*>\s*</script>"),
    re.compile(r"<script>(?:(?!</script>).)*\bgtag\((?:(?!</script>).)*</script>", re.DOTALL),
)
_DATA = "window.allureReportData = window.allureReportData || {};"
_NAME_OF_DATA = f"<script>{_DATA}</script>"
_FOREIGN = re.compile(
    r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=[\"']?(?:https?:)?//[^>]*>"
)


def install(root: Path) -> Path:
    """Install the pinned Allure below the project with ``npm ci``; return its command.

    Raises:
        SupercacheError: npm is missing or failed.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise SupercacheError(
            "there is no npm. Debian and Ubuntu: apt-get install nodejs npm; else see nodejs.org"
        )
    home = root / HOME
    home.mkdir(parents=True, exist_ok=True)
    (home.parent / ".gitignore").write_text("*\n", encoding="utf-8")
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(FILES / name, home / name)
    _run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], home)
    return home / "node_modules" / ".bin" / "allure"


def render(root: Path, reports: Path, output: Path) -> None:
    """Render the results of the last run as one file, with the history of those rendered before.

    Args:
        root: the root of the project.
        reports: the folder of ``verdict.json``.
        output: the file to write.

    Raises:
        SupercacheError: there are no results, Allure is missing, or it failed.
    """
    config = _config(reports / "allurerc.json")
    results = reports / config["resultsDir"]
    if not any(results.glob("*-result.json")):
        raise SupercacheError(f"there are no Allure results in {results}: run pytest first")
    command = find(root)
    if command is None:
        raise SupercacheError(MISSING.format(results=results))
    with TemporaryDirectory(prefix="supercache-") as name:
        folder = Path(name)
        history = AllureHistory(reports, results, folder / "history")
        made, given = folder / "made", str(results.resolve())
        if _version(command) < 3:
            read = [given, str(history.results)]
            call = [command, "generate", *read, "--single-file", "-o", str(made)]
        else:
            path = folder / "allurerc.json"
            kept = {"historyPath": str(history.lines), "historyLimit": RUNS_MAX}
            path.write_text(json.dumps({**config, "resultsDir": given, **kept}))
            call = [command, "generate", "--config", str(path), "-o", str(made)]
        _run(call, folder)
        page = read_text(made / "index.html", DOCUMENT_BYTES_MAX)
        write_whole(output, with_data_named_first(without_analytics(page)))
        history.keep(page)


def find(root: Path) -> str | None:
    """Return the project's own Allure, else the one in PATH, else None."""
    own = root / HOME / "node_modules" / ".bin" / "allure"
    return str(own) if own.exists() else shutil.which("allure")


def without_analytics(page: str) -> str:
    """Return the page without its analytics.

    Raises:
        SupercacheError: the page would still load something from elsewhere.
    """
    for pattern in _ANALYTICS:
        page = pattern.sub("", page)
    left = _FOREIGN.search(page)
    if left is not None:
        raise SupercacheError(
            f"the report of this Allure would load {left[0][:200]}; it is not written. Use the "
            "pinned version: supercache report --install"
        )
    return page


def with_data_named_first(page: str) -> str:
    """Return the page of Allure 3 with the name of its data defined before its program runs.

    The program loads files beside the page, and then shows nothing, if it runs before the script
    that defines that name, which stands below it: on a busy machine it does.
    """
    return page.replace("<head>", f"<head>{_NAME_OF_DATA}", 1) if _DATA in page else page


def _config(path: Path) -> Mapping[str, Any]:
    try:
        config = read_json(path)
    except FileNotFoundError as error:
        raise SupercacheError(f"there is no {path}: run `pytest -p supercache` first") from error
    if not isinstance(config, dict) or not isinstance(config.get("resultsDir"), str):
        raise SupercacheError(f"{path} names no resultsDir")
    return config


def _version(command: str) -> int:
    said = _run([command, "--version"], Path.cwd())
    number = re.search(r"(\d+)\.\d+\.\d+", said)
    if number is None:
        raise SupercacheError(f"{command} --version says {said.strip()[:200]!r}: is it Allure?")
    return int(number[1])


def _run(command: list[str], folder: Path) -> str:
    quiet = {"ALLURE_NO_ANALYTICS": "true", "NO_COLOR": "1"}  # any other value does nothing
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=SECONDS_MAX,
            stdin=subprocess.DEVNULL, env={**os.environ, **quiet},
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SupercacheError(f"{command[0]}: {error}") from error
    if done.returncode:
        raise SupercacheError(
            f"{' '.join(command[:2])} failed with {done.returncode}:\n{done.stdout}{done.stderr}"
        )
    return done.stdout
