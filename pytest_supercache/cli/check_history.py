"""``supercache check-history``: says whether the calls of a recording are linearizable."""

import sys
from pathlib import Path

import click

from pytest_supercache.core.verdict import Verdict
from pytest_supercache.oracle.linear.call import Model
from pytest_supercache.oracle.linear.check import check_calls
from pytest_supercache.oracle.linear.formats import FORMATS
from pytest_supercache.oracle.linear.recording import RecordingError, read_calls
from pytest_supercache.oracle.linear.smallest import Core, smallest_core
from pytest_supercache.report.lanes_svg import lanes_svg
from pytest_supercache.report.order_text import headline, order_text, unknown_text
from pytest_supercache.report.values import clean

_USAGE, _VIOLATED, _ONLY_UNKNOWN = 2, 1, 3


@click.command("check-history")
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option(
    "--model",
    type=click.Choice([model.value for model in Model]),
    required=True,
    help="What was called: registers (read, write, cas) or keys with texts (get, put, append).",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(sorted(FORMATS)),
    required=True,
    help="jepsen: its log or its operations as EDN; jsonl: JSON lines, see docs/history.md.",
)
@click.option(
    "--svg",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Draw the calls of each violation into this folder.",
)
@click.option(
    "--budget",
    type=click.IntRange(min=1),
    metavar="STEPS",
    help="How long to search in one file before UNKNOWN (default: 3,000,000 and 50 a call).",
)
def check_history(
    files: tuple[Path, ...], model: str, format_: str, svg: Path | None, budget: int | None
) -> None:
    """Say whether the calls recorded in each FILE can be put into one order.

    That is: whether one object, used by one caller at a time, could have given these answers
    (linearizability). One line a file, `FILE: HOLDS|VIOLATED|UNKNOWN`; what cannot be ordered is
    explained on standard error.

    Exit status: 0 all hold; 1 a violation; 3 only unknown; 2 a file or the call itself is wrong.
    """
    drawn: list[Path] = []
    found = {_judge(path, Model(model), format_, budget, svg, drawn) for path in files}
    sys.exit(_status(found))


def _judge(
    path: Path,
    model: Model,
    format_: str,
    budget: int | None,
    svg: Path | None,
    drawn: list[Path],
) -> Verdict | None:
    """Print the result for one recording; return None if it cannot be read."""
    try:
        calls = read_calls(path, model, FORMATS[format_])
    except RecordingError as error:
        click.echo(clean(str(error)), err=True)
        return None
    initials = (model.initial,)
    answer = check_calls(calls, initials, budget=budget)
    click.echo(f"{click.format_filename(path)}: {answer.verdict.name}")
    if answer.verdict is Verdict.UNKNOWN:
        click.echo(unknown_text(answer), err=True)
    if answer.clash is not None:
        own = [call for call in calls if call.key == answer.key]
        core = smallest_core(own, answer.clash, initials)
        click.echo(order_text(core, answer.clash.reason, len(own)), err=True)
        if svg is not None:
            drawn.append(_draw(core, len(own), path, svg, drawn))
    return answer.verdict


def _status(found: set[Verdict | None]) -> int:
    if None in found:
        return _USAGE
    if Verdict.VIOLATED in found:
        return _VIOLATED
    return _ONLY_UNKNOWN if Verdict.UNKNOWN in found else 0


def _draw(core: Core, total: int, recording: Path, folder: Path, drawn: list[Path]) -> Path:
    """Write the picture; for equal names of recordings in different folders, add a number."""
    target, number = folder / f"{recording.name}.svg", 1
    while target in drawn:
        number += 1
        target = folder / f"{recording.name}-{number}.svg"
    title = f"{recording.name}: {headline(core, total).strip().rstrip(':')}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        target.write_text(lanes_svg(core, title), encoding="utf-8")
    except OSError as error:
        raise click.BadParameter(f"cannot write {target}: {error.strerror}") from None
    click.echo(f"  drawn in {click.format_filename(target)}", err=True)
    return target
