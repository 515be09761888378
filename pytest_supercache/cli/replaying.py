"""`supercache replay`: runs one recorded schedule on today's code, also for `git bisect run`.

A bisection needs two answers: does the recorded schedule still fail, and if not, is the flow
correct? The second needs a search, because another version of the code may take other steps.
"""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

import click

from pytest_supercache.core.errors import TokenError
from pytest_supercache.core.inputs import read_json
from pytest_supercache.core.schedule import read_token
from pytest_supercache.report.run_folders import verdict_of_only_run

USAGE_ERROR = 129
"""The exit status that stops ``git bisect run``."""

_FAILS, _HOLDS, _UNDECIDED = 1, 0, 125  # "bad", "good" and "cannot be tested" of git bisect


class _Bisectable(click.Command):
    """A command whose usage errors stop ``git bisect run`` instead of marking a commit as bad."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments; end with `USAGE_ERROR` on a mistake in them."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.show()
            ctx.exit(USAGE_ERROR)


@click.command(cls=_Bisectable)
@click.argument("token")
@click.argument("path", type=click.Path(path_type=Path))
@click.argument("pytest_arguments", nargs=-1, type=click.UNPROCESSED)
@click.option("--fingerprint", metavar="HASH", help="Only this failure is 1; another one is 125.")
@click.option("--no-search", is_flag=True, help="Replay only; what is not 1 is 125.")
def replay(
    token: str,
    path: Path,
    pytest_arguments: tuple[str, ...],
    fingerprint: str | None,
    no_search: bool,
) -> None:
    """Replay one recorded schedule of PATH, for `git bisect run` among others.

    TOKEN is printed below a failure. When the schedule no longer fails, or no longer fits the code,
    the flow is searched. Further arguments go to pytest, after `--`.

    \b
      git bisect start HEAD v1.4
      git bisect run supercache replay 'TOKEN' scenarios/price-change.supercache.yaml

    Exit status: 1 the schedule fails, or the search finds a failure, whichever it is; 0 neither:
    the search was exhausted and holds; 125 that could not be decided; 129 the call itself, or the
    project, is wrong. With --fingerprint only that failure is 1, and another one is 125.
    """
    try:
        item, _ = read_token(token)
    except TokenError as error:
        _stop(str(error))
    if not path.exists():
        _stop(f"there is no {path}")
    found = _run(path, [f"--supercache-replay={token}", *pytest_arguments])
    if _is_failure(found, fingerprint):
        sys.exit(_FAILS)
    if no_search:
        sys.exit(_UNDECIDED)
    click.echo("supercache replay: the schedule does not fail here; searching the flow")
    node = item if "::" in item else f"{path}::{item}"
    found = _run(node, list(pytest_arguments))
    if _is_failure(found, fingerprint):
        sys.exit(_FAILS)
    is_proof = found["verdict"] == "holds" and found["exhausted"]
    sys.exit(_HOLDS if is_proof else _UNDECIDED)


def _is_failure(found: dict[str, Any], fingerprint: str | None) -> bool:
    """Say whether a run shows the failure; without a fingerprint, any failure of the flow."""
    if found["verdict"] != "violated":
        return False
    return fingerprint in {None, found["counterexample"]["fingerprint"]}


def _run(target: Path | str, options: list[str]) -> dict[str, Any]:
    """Run one item and return its row; a run without a row stops the bisection.

    If the project's gate is always on, it is turned off: the run is about the item only.
    """
    with TemporaryDirectory(prefix="supercache-") as folder:
        own = ["-o", "supercache_gate=false", f"--supercache-report={folder}"]
        status = _pytest(["-p", "supercache", str(target), *own, *options])
        try:
            document = read_json(verdict_of_only_run(Path(folder)))
        except FileNotFoundError:
            document = {"scenarios": []}
    if status not in {0, 1} or not document["scenarios"]:
        _stop("pytest did not run the scenario")
    found: dict[str, Any] = document["scenarios"][0]
    return found


def _pytest(arguments: list[str]) -> int:
    return subprocess.run([sys.executable, "-m", "pytest", *arguments], check=False).returncode


def _stop(message: str) -> NoReturn:
    click.echo(f"supercache replay: {message}", err=True)
    sys.exit(USAGE_ERROR)
