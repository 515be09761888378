"""Reads the rules of a project's gate from its files, for the plugin and the command line."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.inputs import read_text
from pytest_supercache.core.masking import quoted
from pytest_supercache.core.verdict import SEVERITIES
from pytest_supercache.gate.blame import committers
from pytest_supercache.gate.git import ask
from pytest_supercache.gate.known import KnownIssue, read_known_issues
from pytest_supercache.gate.lock import GateLock, digest_of, lost_from, read_lock
from pytest_supercache.gate.project_table import KNOWN_ISSUES, LOCK, names_in
from pytest_supercache.gate.rules import Rules
from pytest_supercache.report.values import short


def read_rules(
    root: Path, table: Mapping[str, Any], today: date, known_issues: str | None = None
) -> Rules:
    """Read everything that the decision depends on besides the run.

    An unreadable lock is a rule, too: it rules out a GO.

    Raises:
        SupercacheError: a file or a setting is wrong, or a named file is missing.
    """
    issues = read_issues(root, table, known_issues)
    known = _text(issues_path(root, table, known_issues))
    return Rules(
        today=today,
        release=names_in(table, "release", "names of systems, as in ['shop']"),
        minimum_severity=_severity(table.get("minimum_severity")),
        issues=issues,
        committed=committers(issues_path(root, table, known_issues), issues, root),
        **_lock(root / LOCK),
        known_issues_digest=None if known is None else digest_of(known),
    )


def _lock(path: Path) -> dict[str, Any]:
    text = None
    try:
        text = _text(path)
        if text is None:
            return _lock_of_another_name(path) or _removed(path)
        lock = read_lock(text, LOCK)
        found = {"lock": lock.scenarios, "lock_paths": lock.paths, "lock_digest": digest_of(text)}
        return {**_less_than_committed(path, lock), **found}
    except SupercacheError as error:
        return {"lock_fault": str(error), "lock_digest": digest_of(text or str(error))}


def _removed(path: Path) -> dict[str, Any]:
    """Return the fault of a lock that is missing and that the last commit has."""
    if not _committed(path).scenarios:
        return {}
    said = f"{LOCK} is missing, and the last commit has it: {_RESTORE}, or commit its removal"
    return {"lock_fault": said, "lock_digest": digest_of(said)}


def _less_than_committed(path: Path, lock: GateLock) -> dict[str, Any]:
    """Return the fault of a lock that asks for less than the one in the last commit.

    The diff of a pull request shows what a committed lock has lost; nothing shows it of a file
    that is not committed.
    """
    lost = list(lost_from(_committed(path), lock))
    if not lost:
        return {}
    return {
        "lock_fault": f"{LOCK} asks for less than the committed one ({short('; '.join(lost))}): "
        f"{_RESTORE}, or commit it"
    }


_RESTORE = f"restore it (`git checkout HEAD {LOCK}`)"


def _committed(path: Path) -> GateLock:
    """Return the lock of the last commit; an empty one if there is none, or no git to ask.

    Raises:
        SupercacheError: the commit has a lock, or may have one, and it cannot be read.
    """
    name = f"HEAD:./{path.name}"
    found = ask(path.parent, "cat-file", "blob", name)
    if found.output is None:
        listing = ask(path.parent, "ls-tree", "HEAD", "--", path.name)
        if not (listing.output or listing.is_late):
            return GateLock()
        raise SupercacheError(
            f"git cannot read the committed {LOCK}: {found.why}. Fetch it "
            f"(`git show {name}`, or clone without a filter)"
        )
    try:
        return read_lock(found.output.decode("utf-8-sig"), LOCK)
    except (SupercacheError, UnicodeDecodeError) as error:
        raise SupercacheError(
            f"the committed {LOCK} cannot be read ({error}): write it anew "
            "(`supercache verdict --lock`), and commit it"
        ) from error


def _lock_of_another_name(path: Path) -> dict[str, Any]:
    """Return the fault of a lock whose name is right only if upper and lower case are the same."""
    with suppress(OSError):
        for name in sorted(other.name for other in path.parent.iterdir()):
            if name.lower() == LOCK:
                said = f"{name} is not read, because its name is not {LOCK}: rename it"
                return {"lock_fault": said, "lock_digest": digest_of(said)}
    return {}


def read_issues(
    root: Path, table: Mapping[str, Any], known_issues: str | None = None
) -> tuple[KnownIssue, ...]:
    """Read the waivers; a missing file means none, unless it was named.

    Raises:
        SupercacheError: the file is wrong, or was named and is missing.
    """
    named = known_issues or table.get("known_issues")
    path = issues_path(root, table, known_issues)
    text = _text(path)
    if text is None:
        if named:
            raise SupercacheError(f"known issues: there is no {named}")
        return ()
    return read_known_issues(text, str(named or KNOWN_ISSUES))


def issues_path(root: Path, table: Mapping[str, Any], known_issues: str | None = None) -> Path:
    """Return the path of the waivers; a relative name is relative to the project's root."""
    return root / str(known_issues or table.get("known_issues") or KNOWN_ISSUES)


def read_day(text: str) -> date:
    """Parse a date as in 2026-12-15.

    Raises:
        SupercacheError: the text is no date.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise SupercacheError(f"{quoted(text)}: expected a date as in 2026-12-15") from None


def _severity(given: object) -> str | None:
    if given is None or given in SEVERITIES:
        return None if given is None else str(given)
    raise SupercacheError(
        f"[tool.supercache] minimum_severity = {quoted(given)}: expected one of "
        f"{', '.join(SEVERITIES)}"
    )


def _text(path: Path) -> str | None:
    try:
        return read_text(path, encoding="utf-8-sig")  # with or without a mark of byte order
    except FileNotFoundError:
        return None
