"""Writes a conftest and a first scenario for an application; existing files are left alone."""

import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from pytest_supercache.cli.starting.found import FirstFlow, Look, look_from
from pytest_supercache.cli.starting.writing import conftest, scenario
from pytest_supercache.core.inputs import read_json
from pytest_supercache.report.values import clean
from pytest_supercache.scenario.names import SUFFIX

FRAMEWORKS = ("django", "fastapi", "flask")
_SECONDS = 120
_BESIDE = "scenarios"
_HELP = "docs/recipes.md shows what to write by hand"


def start(framework: str, folder: Path) -> None:
    """Look at the project in a folder, and write what its first run needs.

    Raises:
        click.ClickException: nothing could be written.
    """
    target = _free(folder)
    look = _look(framework, folder)
    for line in look.found:
        click.echo(clean(f"found: {line}"))
    for line in look.missing:
        click.echo(clean(f"not found: {line}"))
    if look.flow is None:
        raise click.ClickException(f"nothing was written; {_HELP}")
    path = _written(look, look.flow, target)
    for line in look.notes:
        click.echo(clean(f"to do: {line}"))
    click.echo(f"run it:  pytest {path}")
    click.echo(
        "then:    put the writer on another process (`node: b`), and see `supercache new --help`"
    )


def _free(folder: Path) -> Path:
    """Return the folder for a conftest: this one, or the one for scenarios below it."""
    for target in (folder, folder / _BESIDE):
        if not (target / "conftest.py").exists():
            return target
    raise click.UsageError(
        f"{folder / 'conftest.py'} and {folder / _BESIDE / 'conftest.py'} are there already; "
        "name the folder of another application, or write a system by hand (docs/systems.md)"
    )


def _look(framework: str, folder: Path) -> Look:
    """Have the project looked at in a process of its own, because its modules are imported."""
    with TemporaryDirectory(prefix="supercache-") as place:
        target = Path(place) / "look.json"
        command = [sys.executable, "-m", "pytest_supercache.cli.starting.probe"]
        try:
            done = subprocess.run(
                [*command, framework, str(folder), str(target)],
                check=False, capture_output=True, text=True, timeout=_SECONDS,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise click.ClickException(
                f"importing the project took more than {_SECONDS} s; {_HELP}"
            ) from None
        if not target.exists():
            said = "\n".join(map(clean, done.stderr.strip().split("\n")))
            raise click.ClickException(f"the project cannot be looked at:\n{said}")
        return look_from(read_json(target))


def _written(look: Look, flow: FirstFlow, target: Path) -> Path:
    """Write the files that are not there, and return the scenario's path."""
    word = re.sub(r"[^A-Za-z0-9]+", "-", flow.field).strip("-") or "value"
    path = target / f"{word.lower()}-change{SUFFIX}"
    if path.exists():
        raise click.UsageError(f"{path} is there already; remove it, or name another folder")
    root = None if look.import_root is None else Path(look.import_root)
    target.mkdir(parents=True, exist_ok=True)
    for file, text in (
        (target / "conftest.py", conftest(flow, target.resolve(), root, to_do=look.notes)),
        (path, scenario(flow, f"{word.upper()}-1")),
    ):
        with file.open("x", encoding="utf-8") as new:
            new.write(text)
        click.echo(f"written: {file}")
    return path
