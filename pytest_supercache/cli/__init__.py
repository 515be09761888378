"""The `supercache` command: thin, and the only place that knows click."""

import subprocess
import sys
from pathlib import Path

import click

from pytest_supercache import __version__
from pytest_supercache.core.errors import TokenError
from pytest_supercache.core.schedule import read_token

USAGE_ERROR = 129
"""What ``git bisect run`` takes as a reason to stop."""

_UNDECIDED = 125
"""What ``git bisect run`` takes as "this commit cannot be tested"."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Find, replay and explain conflicts between two cache layers.

    Scenarios are run by pytest: `pytest -p supercache scenarios`.
    """


@main.command()
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
    command = [sys.executable, "-m", "pytest", "-p", "supercache", str(path)]
    status = subprocess.run(
        [*command, f"--supercache-replay={token}", *pytest_arguments], check=False
    ).returncode
    sys.exit(USAGE_ERROR if status not in {0, 1} else 1 if status else _UNDECIDED)
