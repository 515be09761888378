"""Checks that a verdict is of the wanted run, commit and day: an outdated GO does not count."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pytest_supercache.gate.checkout import Changes, others
from pytest_supercache.gate.git import without_answer

HOURS_MAX = 24
"""The default of the largest age of a verdict."""

_NAMED_MAX = 3
_CLOCKS_APART = timedelta(minutes=1)  # of two machines that share the file


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The run, the commit and the age that a verdict must match; None: unknown here."""

    now: datetime
    stamped: datetime  # when the file was written, by the file system
    hours_max: float = HOURS_MAX
    run_id: str | None = None
    commit: str | None = None
    changes: Changes | None = None  # what is not committed
    why_unknown: str = "git was not asked"  # why nobody knows these here
    is_refused: bool = False  # there is a repository, and git does not answer for it


def doubts_of(document: Mapping[str, Any], asked: Asked) -> Iterator[str]:
    """Yield each reason why a verdict is not the wanted one."""
    run = document["run"] if isinstance(document.get("run"), Mapping) else {}
    if asked.run_id and run.get("id") != asked.run_id:
        told = f"it is of the run {run['id']}" if run.get("id") else "it does not say of which run"
        yield f"verdict.json is another one: {told}, and the run {asked.run_id} was asked for"
    if run and run.get("finished") is not True:  # a mark knows no more, and is no evidence
        return
    yield from doubts_of_time(document.get("when"), asked)
    tested = document.get("commit")
    if asked.commit and not tested:
        yield "verdict.json is no evidence: it does not say about which commit it is"
    elif tested and not asked.commit:
        yield (
            f"verdict.json is about commit {tested}, and git does not say which one is checked out "
            f"here: {asked.why_unknown}"
        )
    elif asked.is_refused:
        yield without_answer(asked.why_unknown)
    elif asked.commit and tested != asked.commit:
        yield (
            f"verdict.json is another one: it is about commit {tested}, and {asked.commit} is "
            "checked out here"
        )
    elif asked.commit:
        yield from _by_changes(document, asked.changes)


def _by_changes(document: Mapping[str, Any], here: Changes | None) -> Iterator[str]:
    """Yield a reason if the verdict is about this commit with other uncommitted changes."""
    about = f"verdict.json is another one: it is about commit {document['commit']}"
    tested = document.get("changes")
    if tested is None and document.get("dirty") is False:
        tested = {}
    if tested is None and here is None:
        return  # neither is known, as its scope says
    if document.get("dirty") is True and here == {}:
        yield (
            f"{about} with changes that were not committed, and there are none here; run the gate "
            "again"
        )
    elif tested is None or here is None:
        where = "when it was run" if tested is None else "here"
        yield f"{about}, and git does not say what was changed and not committed {where}"
    elif apart := list(others(tested, here)):
        more = [f"{len(apart) - _NAMED_MAX} more"] if len(apart) > _NAMED_MAX else []
        yield (
            f"{about}, and changes that are not committed are others here: "
            f"{', '.join([*apart[:_NAMED_MAX], *more])}; run the gate again, and let a "
            ".gitignore name what other tools write"
        )


def doubts_of_time(said: object, asked: Asked) -> Iterator[str]:
    """Yield each reason why a run of this moment is too old, or why nobody knows."""
    when = _moment(said)
    if when is None:
        yield "verdict.json is no evidence: it does not say when the run was"
        return
    if asked.now + _CLOCKS_APART < asked.stamped:
        yield f"the clock here is behind: verdict.json was written at {asked.stamped}"
    if asked.now + _CLOCKS_APART < when:
        yield f"verdict.json is no evidence: it is from the future ({said})"
    hours = (asked.now - when) / timedelta(hours=1)
    if hours > asked.hours_max:
        yield (
            f"verdict.json is old: it is {hours:.0f} hours old, and at most "
            f"{asked.hours_max:g} are allowed (--max-age)"
        )


def _moment(said: object) -> datetime | None:
    try:
        when = datetime.fromisoformat(str(said))
    except ValueError:
        return None
    return when.astimezone(UTC) if when.tzinfo else None
