"""``gate.lock``: which scenarios there were when somebody last looked, so that none goes missing.

One line a scenario, sorted, so that a pull request that loses one shows it. Their count and their
digest come first, so that a file which was cut says so.
"""

from collections.abc import Iterable, Mapping
from hashlib import sha256

from pytest_supercache.core.errors import SupercacheError

_HEAD = """\
# Scenarios that a gate run must have. Written by `supercache verdict --lock`; commit it.
"""
_COUNTS, _DOCUMENTED, _WHOLE = "counts", "documented", "whole"


def write_lock(scenarios: Mapping[str, bool]) -> str:
    """Return the lock's text; the value says whether a scenario counts for the release."""
    return f"{_HEAD}{_WHOLE} {_sum(scenarios)}\n{_lines(scenarios)}"


def _lines(scenarios: Mapping[str, bool]) -> str:
    kinds = {True: _COUNTS, False: _DOCUMENTED}
    return "".join(f"{kinds[scenarios[name]]} {name}\n" for name in sorted(scenarios))


def _sum(scenarios: Mapping[str, bool]) -> str:
    return f"{len(scenarios)} {digest_of(_lines(scenarios))}"


def read_lock(text: str, path: str = "gate.lock") -> dict[str, bool]:
    """Return what `write_lock` was given.

    Raises:
        SupercacheError: a line is not one of ours, or is missing.
    """
    scenarios: dict[str, bool] = {}
    whole = None
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        kind, _, name = line.partition(" ")
        if kind == _WHOLE and whole is None:
            whole = name.strip()
            continue
        if kind not in {_COUNTS, _DOCUMENTED} or not name.strip():
            raise SupercacheError(
                f"{path}:{number}: {line!r}: expected `{_COUNTS} NAME` or `{_DOCUMENTED} NAME`; "
                "write the file anew with `supercache verdict --lock`"
            )
        if name.strip() in scenarios:
            raise SupercacheError(f"{path}:{number}: {name.strip()} is there twice; keep one line")
        scenarios[name.strip()] = kind == _COUNTS
    if not scenarios:
        raise SupercacheError(
            f"{path}: names no scenario; write it anew with `supercache verdict --lock`"
        )
    if whole != _sum(scenarios):
        raise SupercacheError(
            f"{path}: its lines are not those that were written ({len(scenarios)} are there, "
            f"{(whole or 'no count').partition(' ')[0]} was noted); write it anew with "
            "`supercache verdict --lock`"
        )
    return scenarios


def digest_of(text: str) -> str:
    """Return what identifies the lock that was used."""
    return sha256(text.encode()).hexdigest()


def missing_from(lock: Mapping[str, bool], scenarios: Mapping[str, bool]) -> Iterable[str]:
    """Yield what the lock has and a run has not, one sentence each."""
    for name, counted in sorted(lock.items()):
        if name not in scenarios:
            yield f"{name} is in gate.lock and was not run"
        elif counted and not scenarios[name]:
            yield f"{name} counts in gate.lock and no longer counts for the release"
