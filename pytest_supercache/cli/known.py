"""``supercache known``: drafts a waiver for a conflict, and checks the existing waivers."""

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from pytest_supercache.cli.gating import mistakes_exit_2
from pytest_supercache.cli.reading import read_document
from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.inputs import read_json, read_text
from pytest_supercache.core.schedule import read_token
from pytest_supercache.gate.draft import draft_entry, lint
from pytest_supercache.gate.fixed import flows_of
from pytest_supercache.gate.known import KnownIssue, moved
from pytest_supercache.gate.place import place_from
from pytest_supercache.gate.project import issues_path, read_issues
from pytest_supercache.gate.project_table import read_table
from pytest_supercache.gate.workaround_checks import unchecked
from pytest_supercache.report.run_folders import verdict_of_only_run

_known = click.option("--known-issues", metavar="FILE", help="Default: known-issues.toml.")


@click.group()
def known() -> None:
    """Conflicts that may pass for a while: known-issues.toml."""


@known.command()
@click.argument("token")
@click.argument("scenario", type=click.Path(exists=True, path_type=Path))
@_known
@mistakes_exit_2
def add(token: str, scenario: Path, known_issues: str | None) -> None:
    """Replay TOKEN on the file SCENARIO and draft an entry for the conflict that it shows.

    What only people know is left as TODO, and the gate refuses the file until it is filled in.
    """
    read_token(token)
    row = _replay(token, scenario)
    place = place_from(Path.cwd())
    root, table = place.root, read_table(place.root)
    path = issues_path(root, table, known_issues)
    before = read_text(path) if path.exists() else ""
    flows = flows_of(_rows(place.verdict_file(table)), str(row["counterexample"]["fingerprint"]))
    entry = draft_entry(row, datetime.now(UTC).date(), before, flows)
    gap = "" if not before or before.endswith("\n\n") else "\n"
    path.write_text(f"{before}{gap}{entry}", encoding="utf-8")
    click.echo(f"{entry}\nadded to {path.name}; fill in what says TODO")


@known.command()
@_known
@mistakes_exit_2
def check(known_issues: str | None) -> None:
    """Check the entries: fields, dates, overlaps, stale entries, renewals.

    An entry that knows a conflict of the last run by its former fingerprint is shown the new one.
    An entry whose workaround_checked_by was not run then, or did not hold, has no force.
    Exit status: 0 in order; 1 something has to be done; 2 the file cannot be used.
    """
    place = place_from(Path.cwd())
    root, table = place.root, read_table(place.root)
    last = place.verdict_file(table)
    to_move = list(_moved(last, issues_path(root, table, known_issues)))
    try:
        issues = read_issues(root, table, known_issues)
    except SupercacheError:
        for line in to_move:
            click.echo(line)
        raise
    problems, notes = lint(issues, datetime.now(UTC).date())
    without_proof, more_notes = unchecked(issues, _document(last), datetime.now(UTC).date())
    problems = [*to_move, *problems, *without_proof]
    notes += [*more_notes, *_not_noted(issues, _rows(last))]
    for line in (*problems, *notes):
        click.echo(line)
    click.echo(f"{len(issues)} known issues, {len(problems)} problems")
    sys.exit(1 if problems else 0)


def _not_noted(issues: Iterable[KnownIssue], rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the flows of the last run that showed a conflict and are missing in its entry."""
    rows = list(rows)
    for issue in issues:
        flows = flows_of(rows, issue.match)
        if set(flows) - set(issue.flows):
            yield (
                f"line {issue.line}: {issue.id}: write flows = {json.dumps(flows)}, so that the "
                "gate can tell when it is fixed"
            )


def _moved(last: Path, path: Path) -> Iterator[str]:
    """Yield the entries of a file that use a former fingerprint, according to the last run."""
    try:
        text = read_text(path)
    except (SupercacheError, FileNotFoundError):
        return  # the file's own mistakes are told by its reader
    yield from moved(text, _rows(last))


def _rows(last: Path) -> list[Mapping[str, Any]]:
    """Return the rows of the last run; none if there was no run."""
    rows: list[Mapping[str, Any]] = _document(last).get("scenarios", [])
    return rows


def _document(last: Path) -> Mapping[str, Any]:
    """Return what the last run has written; nothing if there was no run."""
    try:
        return read_document(last)
    except (SupercacheError, FileNotFoundError):
        return {}


def _replay(token: str, scenario: Path) -> dict[str, Any]:
    """Return the row of the replayed item.

    Raises:
        SupercacheError: nothing fails any more, or the replay could not be run.
    """
    with TemporaryDirectory(prefix="supercache-") as folder:
        command = [sys.executable, "-m", "pytest", "-p", "supercache", str(scenario)]
        options = [f"--supercache-replay={token}", f"--supercache-report={folder}"]
        quiet = ["-q", "-o", "supercache_gate=false"]
        done = subprocess.run(
            [*command, *options, *quiet], check=False, capture_output=True, text=True
        )
        try:
            document = read_json(verdict_of_only_run(Path(folder)))
        except FileNotFoundError:
            raise SupercacheError(
                f"known add: the replay could not be run:\n{done.stdout}{done.stderr}"
            ) from None
    row: dict[str, Any] = document["scenarios"][0]
    if row["verdict"] != "violated":
        raise SupercacheError(
            f"known add: {row['id']} no longer fails with this token ({row['verdict'].upper()}); "
            "there is nothing to waive"
        )
    return row
