"""The `supercache` command: thin, and the only place that knows click."""

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from pytest_supercache.cli.check_history import check_history
from pytest_supercache.core.errors import TokenError
from pytest_supercache.core.schedule import read_token

USAGE_ERROR = 129
"""What ``git bisect run`` takes as a reason to stop."""

_UNDECIDED = 125
"""What ``git bisect run`` takes as "this commit cannot be tested"."""


class _Bisectable(click.Command):
    """A command whose usage errors stop ``git bisect run`` instead of marking a commit as bad."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.show()
            ctx.exit(USAGE_ERROR)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="pytest-supercache")
def main() -> None:
    """Find, replay and explain conflicts between two cache layers.

    Scenarios are run by pytest: `pytest -p supercache scenarios`.
    """


main.add_command(check_history)


@main.command(cls=_Bisectable)
@click.argument("token")
@click.argument("path", type=click.Path(path_type=Path))
@click.argument("pytest_arguments", nargs=-1, type=click.UNPROCESSED)
def replay(token: str, path: Path, pytest_arguments: tuple[str, ...]) -> None:
    """Replay one recorded schedule of PATH.

    TOKEN is printed below a failure. Further arguments go to pytest, after `--`.

    Exit status: 1 the recorded schedule still fails; 125 it does not, or no longer fits the code,
    which proves nothing; 129 the call itself is wrong.
    """
    try:
        read_token(token)
    except TokenError as error:
        click.echo(f"supercache replay: {error}", err=True)
        sys.exit(USAGE_ERROR)
    if not path.exists():
        click.echo(f"supercache replay: there is no {path}", err=True)
        sys.exit(USAGE_ERROR)
    with TemporaryDirectory(prefix="supercache-") as folder:
        command = [sys.executable, "-m", "pytest", "-p", "supercache", str(path)]
        options = [f"--supercache-replay={token}", f"--supercache-report={folder}"]
        status = subprocess.run([*command, *options, *pytest_arguments], check=False).returncode
        verdict = _verdict_in(Path(folder))
    if status not in {0, 1} or verdict is None:
        sys.exit(USAGE_ERROR)
    sys.exit(1 if verdict == "violated" else _UNDECIDED)


def _verdict_in(folder: Path) -> str | None:
    """Return what the replayed item said; None when nothing was run."""
    try:
        document = json.loads((folder / "verdict.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    scenarios = document["scenarios"]
    return str(scenarios[0]["verdict"]) if scenarios else None
