"""The history of Allure goes on from the run that was rendered before, and no run counts twice."""

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from pytest_supercache.cli import main
from tests.unit.cli.test_rendering import project  # noqa: F401 - a fixture

ALLURE = f"""#!{sys.executable}
import base64, json, pathlib, sys
if sys.argv[1] == "--version":
    print(VERSION)
    sys.exit()
out = pathlib.Path(sys.argv[sys.argv.index("-o") + 1])
out.mkdir()
if VERSION.startswith("2"):
    results, more = map(pathlib.Path, sys.argv[2:4])
    file = more / "history" / "history.json"
    shown = json.loads(file.read_text()) if file.exists() else []
    made = json.dumps([*shown, (results / "x-result.json").read_text()]).encode()
    page = "d('history/history.json','" + base64.b64encode(made).decode() + "')"
else:
    config = json.loads(pathlib.Path(sys.argv[sys.argv.index("--config") + 1]).read_text())
    file = pathlib.Path(config["historyPath"])
    shown = file.read_text().splitlines() if file.exists() else []
    run = (pathlib.Path(config["resultsDir"]) / "x-result.json").read_text()
    file.write_text("".join(line + chr(10) for line in [*shown, run]))
    page = ""
(out / "index.html").write_text(page + "shown: " + json.dumps(shown))
"""


def rendered(folder: Path, version: str, run: str) -> list[str]:
    """Render a run and return the runs that Allure has shown before it."""
    path = folder / "bin" / "allure"
    path.write_text(ALLURE.replace("VERSION", repr(version)))
    path.chmod(0o755)
    (folder / "reports" / "allure-results" / "x-result.json").write_text(json.dumps(run))
    assert CliRunner().invoke(main, ["report"], catch_exceptions=False).exit_code == 0
    page = (folder / "reports" / "allure-report.html").read_text()
    return [json.loads(one) for one in json.loads(page.partition("shown: ")[2])]


@pytest.mark.parametrize("version", ["2.46.1", "3.18.0"])
def test_a_run_is_shown_after_those_that_were_rendered_before(
    project: Path,  # noqa: F811
    version: str,
) -> None:
    assert rendered(project, version, "first") == []
    assert rendered(project, version, "second") == ["first"]
    assert rendered(project, version, "third") == ["first", "second"]


@pytest.mark.parametrize("version", ["2.46.1", "3.18.0"])
def test_a_run_that_is_rendered_again_is_no_second_one(
    project: Path,  # noqa: F811
    version: str,
) -> None:
    rendered(project, version, "first")
    assert rendered(project, version, "first") == []
    assert rendered(project, version, "second") == ["first"]
    assert rendered(project, version, "second") == ["first"]


def test_each_allure_has_its_own_history_of_the_same_runs(project: Path) -> None:  # noqa: F811
    for run in ("first", "second"):
        shown = [rendered(project, version, run) for version in ("2.46.1", "3.18.0", "2.46.1")]
        assert shown == [["first"] if run == "second" else []] * 3


def test_a_rendering_that_fails_leaves_the_history_as_it_was(project: Path) -> None:  # noqa: F811
    rendered(project, "3.18.0", "first")
    (project / "bin" / "allure").write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo 3.1.2 || exit 9\n'
    )
    (project / "reports" / "allure-results" / "x-result.json").write_text('"broken"')
    assert CliRunner().invoke(main, ["report"]).exit_code == 2
    assert rendered(project, "3.18.0", "second") == ["first"]
