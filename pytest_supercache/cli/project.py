"""Describes a project to the commands, by running pytest, which alone knows its conftest files."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from pytest_supercache.core.inputs import read_json
from pytest_supercache.scenario.grammar import Vocabulary
from pytest_supercache.scenario.names import SUFFIXES, is_scenario_file
from pytest_supercache.scenario.problems import Problem
from pytest_supercache.scenario.vocabulary import from_data

PATHS = click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
"""What the commands that describe a project are given."""


class ProjectError(click.ClickException):
    """The project cannot be read; pytest's output is part of the message."""

    exit_code = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """The vocabulary, the scenario files and their problems."""

    root: Path
    vocabulary: Vocabulary
    files: tuple[dict[str, Any], ...]

    def problems(self) -> list[Problem]:
        """Return all problems without repeats: files with a common include share its mistakes."""
        found = (Problem(**problem) for file in self.files for problem in file["problems"])
        return list(dict.fromkeys(found))


def describe(paths: Sequence[Path] = ()) -> Project:
    """Run pytest to describe ``paths``, or the whole project.

    Raises:
        ProjectError: pytest could not even collect.
    """
    for path in paths:
        if not path.exists():
            raise click.UsageError(f"there is no {path}")
        if path.is_file() and not is_scenario_file(path.name):
            endings = " or ".join(SUFFIXES)
            raise click.UsageError(f"{path} is no scenario file: its name must end in {endings}")
    with TemporaryDirectory(prefix="supercache-") as folder:
        target = Path(folder) / "project.json"
        command = [sys.executable, "-m", "pytest", "-p", "supercache", "-p", "no:cacheprovider"]
        options = ["--collect-only", "-q", "-n0", f"--supercache-describe={target}"]
        done = subprocess.run(
            [*command, *options, *map(str, paths)], check=False, capture_output=True, text=True
        )
        if not target.exists():
            said = "\n".join(part.strip() for part in (done.stdout, done.stderr) if part.strip())
            raise ProjectError(f"pytest cannot collect this project:\n{said}")
        document = read_json(target)
    return Project(
        root=Path(document["root"]),
        vocabulary=from_data(document["vocabulary"]),
        files=tuple(document["files"]),
    )
