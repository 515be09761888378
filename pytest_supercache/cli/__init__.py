"""The `supercache` command: a thin layer, and the only package that imports click.

Each command parses its arguments, calls another package, and prints the result. For what pytest
would collect, it calls ``plugin.describing``.
"""

from pytest_supercache.cli import libraries  # noqa: F401 - it loads the installed click first

# isort: split
import sys
from collections.abc import Sequence
from typing import Any

import click

from pytest_supercache.cli.check_history import check_history
from pytest_supercache.cli.creating import new
from pytest_supercache.cli.files import fmt, lint
from pytest_supercache.cli.gating import message, postmortem, verdict
from pytest_supercache.cli.known import known
from pytest_supercache.cli.merging import merge
from pytest_supercache.cli.replaying import replay
from pytest_supercache.cli.reporting import report
from pytest_supercache.cli.show import explain, list_, schema


class Commands(click.Group):
    """The commands; only a call without arguments completes a command line.

    A shell asks for completion with a variable and without arguments. Otherwise the variable would
    end every call with exit status 0, also ``supercache verdict``.
    """

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> Any:
        """Run a command, or complete the command line that a shell asks about."""
        if sys.argv[1:] if args is None else args:
            options["complete_var"] = ""
        return super().main(args, *rest, **options)


@click.group(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="pytest-supercache")
def main() -> None:
    """Find, replay and explain conflicts between two cache layers.

    Scenarios are run by pytest; this command writes, checks and shows them.

    \b
      supercache new scenarios/price-change       a scenario that runs
      pytest scenarios                            every interleaving of its users
      supercache lint                             what is wrong in scenario files
      supercache explain FILE                     a scenario in words
      supercache replay 'TOKEN' FILE              the same failure again

    Each command's own --help says more.
    """


for command in (new, lint, fmt, list_, explain, schema, replay, check_history):
    main.add_command(command)
for command in (verdict, merge, known, message, postmortem, report):
    main.add_command(command)
