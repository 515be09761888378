"""``supercache report``: everything that is made from ``verdict.json``, again and elsewhere."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from pytest_supercache.cli.gating import mistakes_exit_2, project_root, project_table, report_file
from pytest_supercache.cli.reading import read_document
from pytest_supercache.cli.rendering import install, render
from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.gate.evidence import MALFORMED
from pytest_supercache.report.annotations import annotations
from pytest_supercache.report.code_quality import code_quality
from pytest_supercache.report.folder import write_reports
from pytest_supercache.report.junit import junit
from pytest_supercache.report.page import page
from pytest_supercache.report.sarif import sarif
from pytest_supercache.report.summary import summary
from pytest_supercache.report.verdict_json import write_whole

TEXTS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "summary": summary,
    "github": annotations,
    "junit": junit,
    "sarif": sarif,
    "gitlab": code_quality,
    "page": page,
}


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--to", "kind", type=click.Choice(["html", *TEXTS, "folder"]), default="html")
@click.option("-o", "--output", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--install", "installs", is_flag=True, help="Install the pinned Allure and stop.")
@mistakes_exit_2
def report(file: Path | None, kind: str, output: Path | None, installs: bool) -> None:
    """Make a report from FILE (default: reports/verdict.json), on standard output or in a file.

    \b
      html     the default: one HTML file by Allure (allure-report.html), without analytics
      summary  Markdown for a job summary: the verdict, a table, each conflict folded
      github   workflow commands: notes beside the lines of scenarios
      junit    JUnit XML with properties
      sarif    SARIF 2.1.0 for code scanning
      gitlab   GitLab code quality
      page     index.html: one page with a player
      folder   all files that a run leaves beside verdict.json
    """
    root = project_root()
    if installs:
        click.echo(f"installed: {install(root)}")
        return
    path = file or report_file(root, project_table(root))
    document = read_document(path)
    if kind == "html":
        target = output or path.parent / "allure-report.html"
        render(root, path.parent, target)
        click.echo(f"written: {target}")
        return
    try:
        if kind == "folder":
            write_reports(path.parent, root)
            return
        text = TEXTS[kind](document)
    except MALFORMED as error:
        raise SupercacheError(
            f"{path}: a part of it is not as a run writes it ({type(error).__name__}: {error}); "
            "run `pytest -p supercache` again"
        ) from error
    if output is None:
        sys.stdout.buffer.write(text.encode())
    else:
        write_whole(output, text)
