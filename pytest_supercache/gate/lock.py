"""``gate.lock``: which scenarios there were when somebody last looked, so that none goes missing.

One line a scenario, sorted, so that a pull request that loses one shows it. Above them stand the
paths that were collected: a lock is about these and nothing else. The count of scenarios and the
digest of all lines come first, so that a file which was cut says so.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.inputs import quoted

_HEAD = """\
# Scenarios that a gate run must have. Written by `supercache verdict --lock`; commit it.
"""
_COUNTS, _DOCUMENTED, _WHOLE, _PATH = "counts", "documented", "whole", "path"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateLock:
    """What a gate run must have."""

    scenarios: Mapping[str, bool] = field(default_factory=dict)  # whether it counts for the release
    paths: tuple[str, ...] = ()  # that were collected, from the root


def write_lock(lock: GateLock) -> str:
    """Return the lock's text."""
    return f"{_HEAD}{_WHOLE} {_sum(lock)}\n{_lines(lock)}"


def _lines(lock: GateLock) -> str:
    kinds = {True: _COUNTS, False: _DOCUMENTED}
    paths = [f"{_PATH} {path}\n" for path in sorted(lock.paths)]
    return "".join(
        [*paths, *(f"{kinds[lock.scenarios[name]]} {name}\n" for name in sorted(lock.scenarios))]
    )


def _sum(lock: GateLock) -> str:
    return f"{len(lock.scenarios)} {digest_of(_lines(lock))}"


def read_lock(text: str, path: str = "gate.lock") -> GateLock:
    """Return what `write_lock` was given.

    Raises:
        SupercacheError: a line is not one of ours, or is missing.
    """
    scenarios: dict[str, bool] = {}
    paths: list[str] = []
    whole = None
    for number, line in enumerate(text.splitlines(), 1):
        kind, _, name = line.partition(" ")
        name = name.strip()
        if not line.strip() or line.startswith("#"):
            continue
        if kind == _WHOLE and whole is None:
            whole = name
        elif kind == _PATH and name:
            paths.append(name)
        elif kind in {_COUNTS, _DOCUMENTED} and name:
            if name in scenarios:
                raise SupercacheError(f"{path}:{number}: {name:.200} is there twice; keep one line")
            scenarios[name] = kind == _COUNTS
        else:
            raise SupercacheError(
                f"{path}:{number}: {quoted(line)}: expected `{_COUNTS} NAME`, "
                f"`{_DOCUMENTED} NAME` or `{_PATH} PATH`; {_ANEW}"
            )
    lock = GateLock(scenarios=scenarios, paths=tuple(paths))
    _refuse_part(lock, whole, path)
    return lock


def _refuse_part(lock: GateLock, whole: str | None, path: str) -> None:
    if not lock.scenarios:
        raise SupercacheError(f"{path}: names no scenario; {_ANEW}")
    if whole != _sum(lock):
        raise SupercacheError(
            f"{path}: its lines are not those that were written ({len(lock.scenarios)} are there, "
            f"{(whole or 'no count').partition(' ')[0][:20]} was noted); {_ANEW}"
        )
    if not lock.paths:
        raise SupercacheError(f"{path}: does not say which paths it is about; {_ANEW}")


_ANEW = "write it anew with `supercache verdict --lock`"


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
