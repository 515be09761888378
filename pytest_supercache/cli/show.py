"""`supercache list`, `explain` and `schema`: show a project's content to people and editors."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from pytest_supercache.cli.project import PATHS, Project, describe
from pytest_supercache.core.masking import masked_data
from pytest_supercache.report.values import clean
from pytest_supercache.scenario.grammar import Vocabulary


@click.command(name="list")
@PATHS
@click.option("--tag", help="Only scenarios with this tag.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def list_(paths: tuple[Path, ...], tag: str | None, form: str) -> None:
    """List the scenarios and the items that they become.

    PATHS are files and folders; without any, the whole project.

    Exit status: 0, or 1 when a file has mistakes (`supercache lint` shows them).
    """
    project = describe(paths)
    files = [file for file in project.files if file["items"]]
    if tag is not None:
        files = [file for file in files if tag in file["tags"]]
    if form == "json":
        kept = ("id", "title", "path", "tags", "owner", "severity", "items")
        rows = [{name: file[name] for name in kept} for file in files]
        click.echo(json.dumps(masked_data(rows), indent=2, ensure_ascii=False))
    else:
        _print_table(files)
    broken = [file["path"] for file in project.files if not file["items"]]
    for path in broken:
        click.echo(f"{path}: has mistakes; see `supercache lint`", err=True)
    sys.exit(1 if broken else 0)


def _print_table(files: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("item", "states", "title", "tags", "file"):
        table.add_column(title, overflow="fold")
    for file in files:
        for item in file["items"]:
            cells = (
                item["name"],
                item["stated"] or "holds",
                file["title"],
                " ".join(file["tags"]),
                file["path"],
            )
            table.add_row(*(Text(clean(str(cell))) for cell in cells))
    console = Console()
    console = console if console.is_terminal else Console(width=240)
    console.print(table)


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--memory", is_flag=True, help="Run it; list the memory that its users share.")
def explain(path: Path, memory: bool) -> None:
    """Tell what the scenario in PATH says, in words: given, when, then.

    With --memory it is searched instead, and every place in memory that two users use, one of them
    writing, is listed: who uses it, and whether that is raced, locked or declared to be atomic.

    Exit status: 0, or 1 when the file has mistakes.
    """
    if memory:
        from pytest_supercache.cli.memory import shared_memory

        click.echo(shared_memory(path), nl=False)
        return
    from pytest_supercache.scenario.problems import ScenarioProblems
    from pytest_supercache.scenario.prose import explain as in_words
    from pytest_supercache.scenario.validate import load_file

    project = describe((path,))
    for number, file in enumerate(project.files):
        try:
            shown, where = file["path"], Path(file["file"])
            scenario = load_file(where, shown, project.vocabulary, project.root)
        except (ScenarioProblems, OSError) as error:
            click.echo(str(error), err=True)
            sys.exit(1)
        words = "\n".join(clean(line) for line in in_words(scenario).split("\n"))
        click.echo(("\n" if number else "") + words, nl=False)


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write to a file.")
@click.option("--markdown", is_flag=True, help="A page for people instead.")
@click.option("--builtin", is_flag=True, help="Leave the project's own words out.")
def schema(output: Path | None, markdown: bool, builtin: bool) -> None:
    """Print the JSON Schema of scenario files, this project's systems and verbs included.

    Editors take completion and descriptions from it; see docs/editors.md.

    \b
      supercache schema -o scenario.schema.json
    """
    from pytest_supercache.play.vocabulary import built_in_words

    text = schema_text(built_in_words() if builtin else describe().vocabulary, markdown=markdown)
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")
        click.echo(f"written: {output}")


def schema_text(vocabulary: Vocabulary, *, markdown: bool = False) -> str:
    """Return the schema, or the reference page, as text."""
    if markdown:
        from pytest_supercache.scenario.reference_page import reference_page

        return reference_page(vocabulary)
    from pytest_supercache.scenario.schema import json_schema

    return json.dumps(json_schema(vocabulary), indent=2, ensure_ascii=False) + "\n"


def own_systems(project: Project) -> list[str]:
    """Return the systems of the project, without the reference ones."""
    return [name for name in project.vocabulary.systems if not name.startswith("reference.")]
