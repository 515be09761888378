"""One HTML file by Allure: what is called, what is taken out, what is said when it is not there."""

import json
import re
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pytest_supercache.cli import main
from pytest_supercache.cli.rendering import FILES, with_data_named_first, without_analytics
from pytest_supercache.core.errors import SupercacheError

TAGS = """<script async src="https://www.googletagmanager.com/gtag/js?id=G-X"></script>
<script>
  function gtag(){dataLayer.push(arguments);}
  gtag('config', 'G-X', {"report": "awesome"});
</script>"""
PAGE = f'<html><script>window.allure = 1;</script>{TAGS}<script src="data:x"></script></html>'

ALLURE = f"""#!{sys.executable}
import json, os, pathlib, sys
if sys.argv[1] == "--version":
    print(VERSION)
else:
    out = pathlib.Path(sys.argv[sys.argv.index("-o") + 1])
    out.mkdir()
    (out / "index.html").write_text(PAGE)
    log = {{"call": sys.argv[1:], "quiet": os.environ["ALLURE_NO_ANALYTICS"]}}
    if "--config" in sys.argv:
        config = pathlib.Path(sys.argv[sys.argv.index("--config") + 1])
        log["config"] = json.loads(config.read_text())
    pathlib.Path(LOG).write_text(json.dumps(log))
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project after a run, and a PATH with nothing in it."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    reports = tmp_path / "reports"
    (reports / "allure-results").mkdir(parents=True)
    (reports / "allure-results" / "x-result.json").write_text("{}")
    (reports / "verdict.json").write_text(json.dumps({"version": 1, "scenarios": []}))
    config = {"resultsDir": "allure-results", "plugins": {"awesome": {}}}
    (reports / "allurerc.json").write_text(json.dumps(config))
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def program(project: Path, version: str, page: str = PAGE, where: str = "bin") -> None:
    text = ALLURE.replace("VERSION", repr(version)).replace("PAGE", repr(page))
    path = project / where / "allure"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.replace("LOG", repr(str(project / "log.json"))))
    path.chmod(0o755)


def report(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["report", *arguments])


def test_allure_3_gets_our_configuration_and_loses_its_analytics(project: Path) -> None:
    program(project, "3.18.0")
    assert report().exit_code == 0
    page = (project / "reports" / "allure-report.html").read_text()
    assert page == PAGE.replace(TAGS, "\n")
    log = json.loads((project / "log.json").read_text())
    assert log["config"]["resultsDir"] == str(project / "reports" / "allure-results")
    assert log["config"]["plugins"] == {"awesome": {}}


def test_the_data_of_allure_3_has_a_name_before_the_program_runs() -> None:
    """The twin: a page without such data stays as it is."""
    data = "<script>window.allureReportData = window.allureReportData || {};</script>"
    page = f"<html><head><title>x</title></head><script>run()</script>{data}</html>"
    assert with_data_named_first(page) == page.replace("<head>", f"<head>{data}")
    assert with_data_named_first(PAGE) == PAGE


def test_allure_2_is_told_to_make_one_file_without_analytics(project: Path) -> None:
    program(project, "2.46.1")
    assert report("-o", "out.html").exit_code == 0
    assert "gtag" not in (project / "out.html").read_text()
    log = json.loads((project / "log.json").read_text())
    assert "--single-file" in log["call"]
    assert log["quiet"] == "true"


def test_the_allure_of_the_project_comes_before_that_of_the_machine(project: Path) -> None:
    program(project, "3.0.0", "of the machine")
    program(project, "3.0.0", "of the project", ".supercache/allure/node_modules/.bin")
    report()
    assert (project / "reports" / "allure-report.html").read_text() == "of the project"


def test_without_allure_it_says_what_to_install(project: Path) -> None:
    result = report()
    assert result.exit_code == 2
    assert "supercache report --install" in result.output
    assert "nodejs" in result.output
    assert not (project / "reports" / "allure-report.html").exists()


def test_a_page_that_would_still_load_something_is_not_handed_out(project: Path) -> None:
    program(project, "4.0.0", '<img src="https://elsewhere.invalid/pixel">')
    result = report()
    assert result.exit_code == 2
    assert "https://elsewhere.invalid/pixel" in result.output
    assert not (project / "reports" / "allure-report.html").exists()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ("reports/allure-results/x-result.json", "there are no Allure results"),
        ("reports/allurerc.json", "run `pytest -p supercache` first"),
        ("reports/verdict.json", "run `pytest -p supercache` first"),
    ],
)
def test_what_is_missing_is_named(project: Path, spoil: str, said: str) -> None:
    program(project, "3.18.0")
    (project / spoil).unlink()
    result = report()
    assert result.exit_code == 2
    assert said in result.output
    assert "Traceback" not in result.output


def test_a_failing_allure_is_told_with_what_it_said(project: Path) -> None:
    path = project / "bin" / "allure"
    path.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo 3.1.2 || { echo no space >&2; exit 9; }\n'
    )
    path.chmod(0o755)
    result = report()
    assert result.exit_code == 2
    assert "failed with 9" in result.output
    assert "no space" in result.output


def test_install_uses_the_lock_and_runs_no_scripts(project: Path) -> None:
    path = project / "bin" / "npm"
    path.write_text('#!/bin/sh\necho "$@" > called\n')
    path.chmod(0o755)
    assert report("--install").exit_code == 0
    home = project / ".supercache" / "allure"
    assert (home / "called").read_text().split()[:2] == ["ci", "--ignore-scripts"]
    assert (home / "package-lock.json").read_text() == (FILES / "package-lock.json").read_text()
    assert (project / ".supercache" / ".gitignore").read_text() == "*\n"


def test_install_without_npm_says_where_it_comes_from(project: Path) -> None:
    result = report("--install")
    assert result.exit_code == 2
    assert "apt-get install nodejs npm" in result.output


def test_the_lock_pins_every_package_by_hash_and_names_no_host() -> None:
    text = (FILES / "package-lock.json").read_text("utf-8")
    assert re.findall("https?://|resolved", text) == []
    packages = json.loads(text)["packages"]
    assert all(one["integrity"].startswith("sha512-") for name, one in packages.items() if name)
    wanted = json.loads((FILES / "package.json").read_text("utf-8"))["dependencies"]
    assert packages[""]["dependencies"] == wanted


def test_pages_without_analytics_stay_as_they_are() -> None:
    page = "<script>let gtag = 1;</script><a href='https://a.invalid'>x</a>"
    assert without_analytics(page) == page
    with pytest.raises(SupercacheError, match="would load"):
        without_analytics("<link rel=stylesheet href=//cdn.invalid/x.css>")
