"""`supercache lint` and `supercache fmt`: check scenario files, and format them."""

import sys
from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path

import click

from pytest_supercache.cli.formats import FORMATS
from pytest_supercache.cli.project import PATHS, describe
from pytest_supercache.scenario.names import is_scenario_file


@click.command()
@PATHS
@click.option(
    "--format",
    "form",
    type=click.Choice(list(FORMATS)),
    default="text",
    help="text for people; json; github for notes in pull requests; sarif for code scanning.",
)
def lint(paths: tuple[Path, ...], form: str) -> None:
    """Check scenario files, without running them.

    PATHS are files and folders; without any, the whole project is checked. Finds what pytest would
    find at collection, and what only all files together show.

    \b
      supercache lint                          everything
      supercache lint scenarios --format sarif > lint.sarif

    Exit status: 0 no mistake (warnings do not count), 1 mistakes, 2 the project cannot be read.
    """
    project = describe(paths)
    problems = project.problems()
    mistakes = sum(not problem.is_warning for problem in problems)
    left_off = sum(file.get("left_off", 0) for file in project.files)
    if problems or form != "text":
        click.echo(FORMATS[form](problems))
    if form == "text":
        counts = (
            _counted(len(project.files), "scenario file"),
            _counted(mistakes + left_off, "mistake"),
            _counted(len(problems) - mistakes, "warning"),
        )
        click.echo(("\n" if problems else "") + ", ".join(counts))
    sys.exit(1 if mistakes else 0)


@click.command()
@PATHS
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 when a file would change.")
@click.option("--diff", is_flag=True, help="Write nothing; show what would change.")
def fmt(paths: tuple[Path, ...], check: bool, diff: bool) -> None:
    """Bring scenario files into the one layout: two spaces a level, no stray blanks.

    Lines are moved, not written anew: comments, quotes and short forms stay. What a file means
    never changes. PATHS are files and folders; without any, the current folder.

    \b
      supercache fmt                 all files below the current folder
      supercache fmt --check         for CI

    Exit status: 0 all is well, 1 a file would change (--check) or is not YAML.
    """
    from pytest_supercache.scenario.files import read_content
    from pytest_supercache.scenario.layout import formatted
    from pytest_supercache.scenario.problems import ScenarioProblems

    changed, broken = 0, False
    for path in _scenario_files(paths or (Path(),)):
        try:
            content = read_content(path)
            text = formatted(str(path), content)
        except (ScenarioProblems, OSError) as error:
            click.echo(str(error), err=True)
            broken = True
            continue
        if text.encode() == content:
            continue
        changed += 1
        if diff:
            click.echo(_difference(str(path), content, text), nl=False)
        else:
            click.echo(f"{'would change' if check else 'changed'} {path}")
        if not check and not diff:
            path.write_bytes(text.encode())
    sys.exit(1 if broken or (check and changed) else 0)


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" + ("" if number == 1 else "s")


def _scenario_files(paths: tuple[Path, ...]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(
                found
                for found in path.rglob("*")
                if is_scenario_file(found.name)
                and not any(part.startswith(".") for part in found.relative_to(path).parts)
            )
        elif path.exists():
            yield path
        else:
            raise click.UsageError(f"there is no {path}")


def _difference(path: str, content: bytes, text: str) -> str:
    before = content.decode("utf-8").splitlines(keepends=True)
    return "".join(unified_diff(before, text.splitlines(keepends=True), path, path))
