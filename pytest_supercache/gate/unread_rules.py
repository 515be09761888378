"""Rules of the gate that a run does not read: they lie in other folders than pytest's root.

Which folder is pytest's root depends on its arguments and on where an ini file lies. Rules on the
way from there to the files that are run, or to where pytest was started, may be those that are
meant. They are not mixed: a run has the rules of its root, and is refused where others would ask
for more.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.gate.paths import uncovered
from pytest_supercache.gate.policy import Rules
from pytest_supercache.gate.project import KNOWN_ISSUES, LOCK, is_of_the_gate, read_rules
from pytest_supercache.gate.project_table import read_table
from pytest_supercache.gate.rules_apart import is_more_severe

_SETTINGS = "pyproject.toml"
_NEVER_LESS = {
    "release", "minimum_severity", "known_issues", "gate", "uncollected", "report", "build", "seed",
    "odds", "traffic", "step_timeout", "time", "executions",
}  # fmt: skip
"""Settings that are compared otherwise, or of which no value lets more through."""


def refuse_unread_rules(root: Path, starts: Iterable[Path]) -> None:
    """Refuse a root whose rules let more through than others on the way to ``starts``.

    Raises:
        SupercacheError: a file of the gate would not be read.
    """
    for file, why in unread_rules(root, starts):
        raise SupercacheError(
            f"{file} would not be read: pytest's root is {root}; {why}; give "
            f"--rootdir={file.parent}, or start pytest in the folder that is meant"
        )


def unread_rules(root: Path, starts: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """Yield each file of the gate that asks for more than those of the root, and for what."""
    folders = dict.fromkeys(folder for start in starts for folder in _between(root, start))
    for folder in folders:
        files = [name for name in (LOCK, KNOWN_ISSUES, _SETTINGS) if is_of_the_gate(folder / name)]
        for name in files:
            why = "there is none in it"
            if is_of_the_gate(root / name):  # and if nearer to what is run, the one that is meant
                why = "" if root.is_relative_to(folder) else _what_more(name, folder, root)
            if why:
                yield folder / name, why


def _between(root: Path, start: Path) -> Iterator[Path]:
    """Yield the folders on the way from the root to where something is run, without the root."""
    start = start if start.is_dir() else start.parent
    common = Path(os.path.commonpath([root, start]))
    for end in (start, root):
        for folder in (end, *end.parents):
            if folder == common:
                break
            if folder != root:
                yield folder
    if common == start != root:
        yield start


def _what_more(name: str, folder: Path, root: Path) -> str:
    try:
        return next(_more(name, folder, root), "")
    except SupercacheError as error:
        return f"it cannot be compared with the one there: {error}"


def _more(name: str, folder: Path, root: Path) -> Iterator[str]:
    """Yield what a file of a folder asks for, and that of the root does not."""
    today = datetime.now(UTC).date()
    own, there = read_table(folder), read_table(root)
    rules, used = read_rules(folder, own, today), read_rules(root, there, today)
    if name == LOCK:
        yield from _more_scenarios(rules, used, Path(os.path.relpath(folder, root)).as_posix())
    elif name == KNOWN_ISSUES:
        known = {_waiver(issue) for issue in rules.issues}
        yield from (
            f"{one.id} is waived there only" for one in used.issues if _waiver(one) not in known
        )
    else:
        yield from _more_settings(rules, used, own, there)


def _waiver(issue: Any) -> tuple[object, ...]:
    return issue.match, issue.systems, issue.workaround_checked_by, issue.expires


def _more_scenarios(rules: Rules, used: Rules, folder: str) -> Iterator[str]:
    if rules.lock_fault:
        yield rules.lock_fault
    there = used.lock or {}
    for name, counts in (rules.lock or {}).items():
        line = _from_root(name, folder)
        if line not in there:
            yield f"{line} is not in the lock there"
        elif counts and not there[line]:
            yield f"{line} does not count in the lock there"
    paths = [os.path.normpath(f"{folder}/{path}") for path in rules.lock_paths]
    for path in uncovered(used.lock_paths, paths):
        yield f"the lock there is not about {path}"


def _from_root(name: str, folder: str) -> str:
    """Write a line of a lock as one of the root: Python tests stand in it by node id."""
    return f"{folder}/{name}" if "::" in name else name


def _more_settings(
    rules: Rules, used: Rules, own: Mapping[str, Any], there: Mapping[str, Any]
) -> Iterator[str]:
    lost = [name for name in rules.release if name not in used.release]
    if lost:
        yield f"{', '.join(lost)} does not ship there (release)"
    if is_more_severe(used.minimum_severity, rules.minimum_severity):
        yield f"minimum_severity is {used.minimum_severity} there"
    for name in sorted(set(own) - _NEVER_LESS):
        if own[name] != there.get(name):
            yield f"{name} is another one there"
