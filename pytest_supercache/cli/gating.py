"""``supercache verdict``, ``message``, ``postmortem``: apply the gate to the files of a run."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import wraps
from math import isfinite
from pathlib import Path
from shutil import get_terminal_size
from typing import Any

import click

from pytest_supercache.cli.reading import make_from, read_document
from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.gate.checkout import checkout_of
from pytest_supercache.gate.evidence import MALFORMED, rows_of
from pytest_supercache.gate.freshness import HOURS_MAX, Asked, doubts_of
from pytest_supercache.gate.lock import GateLock, write_lock
from pytest_supercache.gate.message import message as draft_of_message
from pytest_supercache.gate.mixed_runs import worse_than_contents
from pytest_supercache.gate.overview import compare, extent, variants
from pytest_supercache.gate.paths import partial_testpaths, paths_of, uncovered
from pytest_supercache.gate.place import (
    ProjectRoot,
    other_root,
    place_at,
    place_from,
    verdicts_below,
)
from pytest_supercache.gate.policy import (
    NO_EVIDENCE,
    Decision,
    GateVerdict,
    counted_scenarios,
    decide,
    flaws_of,
)
from pytest_supercache.gate.postmortem import postmortem as draft_of_postmortem
from pytest_supercache.gate.project import read_rules
from pytest_supercache.gate.project_table import LOCK, read_table
from pytest_supercache.gate.rules import Rules
from pytest_supercache.gate.rules_apart import weaker
from pytest_supercache.gate.run_id import RUN_ID, known_as
from pytest_supercache.gate.same_id import later_beside
from pytest_supercache.gate.screen import screen
from pytest_supercache.gate.shards import incomplete
from pytest_supercache.gate.unmarked import unmarked
from pytest_supercache.report.run_folders import top_of
from pytest_supercache.report.values import short
from pytest_supercache.report.verdict_json import write_whole

_NAMED_MAX = 3  # files that a message names
_USAGE = 2
_WRONG_SETTINGS = 4
"""The exit status of pytest for a usage error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A run that was read and decided."""

    root: Path
    path: Path
    document: Mapping[str, Any]
    rules: Rules
    decision: Decision
    reduction_checks: tuple[str, ...] = ()  # why it is not the run that was asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceAndRules:
    """The place of a project, and the rules of its gate."""

    place: ProjectRoot
    table: Mapping[str, Any]
    verdict_file: Path
    rules: Rules


def mistakes_exit_2(command: Callable[..., None]) -> Callable[..., None]:
    """Show a mistake of the user as one message, with exit status 2."""

    @wraps(command)
    def guarded(*args: Any, **options: Any) -> None:
        try:
            command(*args, **options)
        except SupercacheError as error:
            click.echo(str(error), err=True)
            sys.exit(_USAGE)

    return guarded


def ends_with_1_only_for_no_go(command: Callable[..., None]) -> Callable[..., None]:
    """Reserve exit status 1 for NO-GO; Python and click use it for any error and a broken pipe."""

    @wraps(command)
    def guarded(*args: Any, **options: Any) -> None:
        try:
            command(*args, **options)
        except click.ClickException:
            raise
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - Python would exit with 1: NO-GO
            said = f"  because it could not be decided ({type(error).__name__}: {error})"
            with suppress(OSError):
                click.echo(f"{GateVerdict.NO_VERDICT.value}\n{short(said)}", err=True)
            sys.exit(NO_EVIDENCE)

    return guarded


_file = click.argument("file", required=False, type=click.Path(path_type=Path))
waivers_option = click.option(
    "--known-issues", metavar="FILE", help="The waivers (default: known-issues.toml)."
)


def _finite(_context: click.Context, _option: click.Parameter, hours: float) -> float:
    if not isfinite(hours):  # nothing is older than that
        raise click.BadParameter("expected a number of hours")
    return hours


def _given_id(_context: click.Context, _option: click.Parameter, given: str | None) -> str | None:
    """Refuse an empty id, which would match any run; click ignores an empty variable."""
    if not (os.environ.get(RUN_ID, "an id") if given is None else given).strip():
        raise click.BadParameter(
            f"it is empty, so any run would do; give an id, or none (and no {RUN_ID})"
        )
    return None if given is None else known_as(given)


max_age_option = click.option(
    "--max-age",
    metavar="HOURS",
    type=click.FloatRange(min=0),
    callback=_finite,
    default=HOURS_MAX,
    help=f"How old the run may be (default: {HOURS_MAX}).",
)
run_id_option = click.option(
    "--run-id",
    metavar="ID",
    envvar=RUN_ID,
    callback=_given_id,
    help="Which run is meant: what SUPERCACHE_RUN_ID was for pytest.",
)


@click.command()
@_file
@click.option(
    "--against", metavar="FILE", type=click.Path(path_type=Path), help="Say what has changed since."
)
@click.option("--lock", is_flag=True, help="Write gate.lock: the scenarios that must be run.")
@click.option("--details", is_flag=True, help="How far each conflict reaches; variants.")
@max_age_option
@run_id_option
@waivers_option
@ends_with_1_only_for_no_go
@mistakes_exit_2
def verdict(
    file: Path | None,
    against: Path | None,
    lock: bool,
    details: bool,
    max_age: float,
    run_id: str | None,
    known_issues: str | None,
) -> None:
    """Say whether the release may go, from FILE (default: reports/verdict.json).

    Exit status: 0 GO, also with a known workaround; 1 NO-GO; NO VERDICT is 6, or pytest's own 2 to
    5; 4 also for a file of settings that is wrong, and 2 for a wrong call. With --lock it is that
    of the verdict by the new lock.
    """

    def asked(path: Path, root: Path) -> Asked:
        here = checkout_of(root, top_of(path.resolve().parent))
        return Asked(
            now=datetime.now(UTC), stamped=_stamped(path), hours_max=max_age, run_id=run_id,
            commit=here.commit, changes=here.changes, why_unknown=here.why_unknown,
            is_refused=here.is_refused,
        )  # fmt: skip

    judged = _judge(file, known_issues, asked, for_lock=lock)
    if lock:
        _end_unless_go(_locked(judged))
        return
    earlier = None if against is None else _earlier(against)
    click.echo("\n".join(make_from(judged.path, lambda: _said(judged, earlier, details=details))))
    sys.exit(judged.decision.exit_status)


@click.command()
@_file
@waivers_option
@mistakes_exit_2
def message(file: Path | None, known_issues: str | None) -> None:
    """Draft a message to the team, of at most 120 words; nothing is sent."""
    _draft(draft_of_message, _judge(file, known_issues))


@click.command()
@_file
@waivers_option
@mistakes_exit_2
def postmortem(file: Path | None, known_issues: str | None) -> None:
    """Draft a post-mortem: filled where the run knows, questions where it does not."""
    _draft(draft_of_postmortem, _judge(file, known_issues))


def _draft(draft: Callable[[Mapping[str, Any], Decision, Rules], str], judged: Judged) -> None:
    told = (judged.document, judged.decision, judged.rules)
    click.echo(make_from(judged.path, lambda: draft(*told)), nl=False)


def _said(judged: Judged, earlier: Mapping[str, Any] | None, *, details: bool) -> list[str]:
    """Return the lines of the screen, followed by the requested details."""
    is_shown = sys.stdout is not None and sys.stdout.isatty()  # closed by the shell, it is None
    width = get_terminal_size().columns if is_shown else None
    lines = screen(judged.decision, judged.document, judged.rules, width)
    more = []
    if details:
        more += [*extent(judged.document), *variants(judged.document)]
    if earlier is not None:
        more += compare(earlier, judged.document)
    return [*lines, *(short(line) for line in more)]


def _judge(
    file: Path | None,
    known_issues: str | None,
    asks: Callable[[Path, Path], Asked] | None = None,
    *,
    for_lock: bool = False,
) -> Judged:
    """Decide from a file; a verdict must match what ``asks`` returns, a draft may be of an old run.

    A named file may belong to a root below the current one: then that root's rules decide. If the
    file cannot be read, this reports NO VERDICT and ends the process; so it does if the settings
    are wrong and a verdict is wanted.
    """
    here = _project(place_from, Path.cwd(), known_issues, ends=asks is not None)
    path = file or here.verdict_file
    try:
        document = _read(path, here.place.root, is_named=file is not None)
        reduction_checks: list[str] = []
        other = other_root(path, _run_of(document).get("root"), here.place, here.table)
        if other and file and other.is_relative_to(os.path.realpath(here.place.root)):
            here = _project(place_at, other, known_issues, ends=asks is not None)
        elif other:
            reduction_checks.append(
                f"verdict.json is another one: it is of the project in {other}, and this is "
                f"{here.place.root}; run the gate here, with another folder of reports"
            )
        if asks:
            asked = asks(path, here.place.root)
            reduction_checks += unmarked(path, asked.run_id)
            reduction_checks += doubts_of(document, asked)
            reduction_checks += later_beside(path, document)
            reduction_checks += weaker(document, here.rules, besides_lock=for_lock)
            if not (reduction_checks or for_lock):  # else by other rules, or in another state
                reduction_checks += worse_than_contents(document, here.rules)
            document = _as_known_here(document, asked)
        decision = decide(document, here.rules, reduction_checks if asks else ())
    except (SupercacheError, *MALFORMED) as error:  # what cannot be read is no evidence
        said = error if isinstance(error, SupercacheError) else f"{path} cannot be read: {error}"
        click.echo(f"{GateVerdict.NO_VERDICT.value}\n  because {short(said)}")
        sys.exit(NO_EVIDENCE)
    return Judged(
        root=here.place.root,
        path=path,
        document=document,
        rules=here.rules,
        decision=decision,
        reduction_checks=tuple(reduction_checks),
    )


def _project(
    find: Callable[[Path], ProjectRoot], folder: Path, known_issues: str | None, *, ends: bool
) -> PlaceAndRules:
    """Read a project and its rules; on a mistake in these, end the process if ``ends``."""
    try:
        place = find(folder)
        table = read_table(place.root)
        waivers = known_issues or place.settings.get("supercache_known_issues")
        rules = read_rules(place.root, table, datetime.now(UTC).date(), waivers)
        file = place.verdict_file(table)
    except SupercacheError as error:
        if not ends:
            raise
        click.echo(str(error), err=True)
        sys.exit(_WRONG_SETTINGS)
    return PlaceAndRules(place=place, table=table, verdict_file=file, rules=rules)


def project_here(known_issues: str | None) -> PlaceAndRules:
    """Return the project around the current folder; end the process if its settings are wrong."""
    return _project(place_from, Path.cwd(), known_issues, ends=True)


def _read(path: Path, root: Path, *, is_named: bool) -> Mapping[str, Any]:
    """Read a verdict; if there is none at its place, name other places that have one."""
    below = [] if is_named or os.path.lexists(path) else list(verdicts_below(root))
    if below:
        shown = " or ".join(os.path.relpath(file) for file in below[:_NAMED_MAX])
        raise SupercacheError(f"{path} is not there; name a file of the projects below: {shown}")
    return read_document(path)


def _run_of(document: Mapping[str, Any]) -> Mapping[str, Any]:
    run = document.get("run")
    return run if isinstance(run, Mapping) else {}


def _as_known_here(document: Mapping[str, Any], asked: Asked) -> Mapping[str, Any]:
    """Return the document without a commit that cannot be compared; a doubt names the commit."""
    return document if asked.commit else {**document, "commit": None}


def _stamped(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _earlier(path: Path) -> Mapping[str, Any]:
    try:
        return read_document(path)
    except SupercacheError as error:
        raise SupercacheError(f"--against: {error}") from error


def _locked(judged: Judged) -> Judged:
    """Write the lock of a run, and decide about the run by it."""
    run = judged.document.get("run") or None
    flaws = [*incomplete(run), *judged.reduction_checks, *flaws_of(run)]
    if (run or {}).get("deselected"):
        flaws.append("items were deselected")
    flaws += [f"{option} leaves out items" for option in (run or {}).get("selecting") or ()]
    flaws += [*partial_testpaths(run), *_less_than_before(judged.rules, paths_of(run))]
    if flaws:
        raise SupercacheError(
            f"{LOCK}: the run was not a whole one: {short('; '.join(flaws))}; run every scenario "
            "first"
        )
    scenarios = counted_scenarios(rows_of(judged.document), judged.rules.release)
    if not scenarios:
        raise SupercacheError("gate.lock: the run had no scenario")
    paths = paths_of(run)
    write_whole(judged.root / LOCK, write_lock(GateLock(scenarios=scenarios, paths=paths)))
    about = "" if paths == (".",) else f" of {', '.join(paths)}"
    count = f"{len(scenarios)} scenario{'' if len(scenarios) == 1 else 's'}"
    click.echo(f"{LOCK}: {count}{about}; commit it")
    rules = replace(judged.rules, lock=scenarios, lock_paths=paths, lock_fault=None)
    return replace(judged, rules=rules, decision=decide(judged.document, rules))


def _end_unless_go(judged: Judged) -> None:
    """Show a verdict that is no GO, and end with its exit status: a lock makes it no better."""
    if judged.decision.exit_status:
        click.echo("\n".join(_said(judged, None, details=False)))
        sys.exit(judged.decision.exit_status)


def _less_than_before(rules: Rules, paths: tuple[str, ...]) -> Iterator[str]:
    if not paths:
        yield "verdict.json does not say which paths the run was given"
    elif left := uncovered(paths, rules.lock_paths):
        yield f"the present {LOCK} is about {', '.join(left)} (remove it first if less is meant)"
