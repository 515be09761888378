"""``supercache report``: makes each report from ``verdict.json`` anew, also on another machine."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from pytest_supercache.cli.gating import mistakes_exit_2
from pytest_supercache.cli.reading import make_from, read_document
from pytest_supercache.cli.rendering import install, render
from pytest_supercache.gate.place import place_from
from pytest_supercache.gate.project_table import read_table
from pytest_supercache.report.annotations import annotations
from pytest_supercache.report.code_quality import code_quality
from pytest_supercache.report.folder import write_reports
from pytest_supercache.report.junit import junit
from pytest_supercache.report.page import page
from pytest_supercache.report.reproducer import refuse_foreign
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
    place = place_from(Path.cwd())
    root = place.root
    if installs:
        click.echo(f"installed: {install(root)}")
        return
    path = file or place.verdict_file(read_table(root))
    document = read_document(path)
    if kind == "html":
        target = output or path.parent / "allure-report.html"
        render(root, path.parent, target)
        click.echo(f"written: {target}")
        return
    if kind == "folder":
        make_from(path, lambda: refuse_foreign(document["scenarios"], root))
        make_from(path, lambda: write_reports(document, path.parent, root))
        return
    text = make_from(path, lambda: TEXTS[kind](document))
    if output is None:
        sys.stdout.buffer.write(text.encode(errors="backslashreplace"))
    else:
        write_whole(output, text)
