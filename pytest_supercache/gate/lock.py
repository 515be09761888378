"""Reads and writes ``gate.lock``: the scenarios that must not go missing from a gate run.

The file has one sorted line for each scenario, so that the diff of a pull request shows a lost one.
Above them are the collected paths, to which alone the lock applies. The count of scenarios and the
digest of all lines come first, so that a truncated file is detected.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.inputs import quoted
from pytest_supercache.gate.paths import uncovered

_HEAD = """\
# Scenarios that a gate run must have. Written by `supercache verdict --lock`; commit it.
"""
_COUNTS, _DOCUMENTED, _WHOLE, _PATH = "counts", "documented", "whole", "path"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateLock:
    """The scenarios and paths of a gate run, as ``gate.lock`` records them."""

    scenarios: Mapping[str, bool] = field(default_factory=dict)  # whether it counts for the release
    paths: tuple[str, ...] = ()  # that were collected, from the root


def write_lock(lock: GateLock) -> str:
    """Return the text of a lock."""
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
    """Parse the text that `write_lock` makes.

    Raises:
        SupercacheError: a line is invalid or missing.
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
    """Return the digest that identifies a lock."""
    return sha256(text.encode()).hexdigest()


def missing_from(lock: Mapping[str, bool], scenarios: Mapping[str, bool]) -> Iterable[str]:
    """Yield one sentence for each scenario of the lock that a run lacks."""
    for name, counted in sorted(lock.items()):
        if name not in scenarios:
            yield f"{name} is in gate.lock and was not run"
        elif counted and not scenarios[name]:
            yield f"{name} counts in gate.lock and no longer counts for the release"


def lost_from(before: GateLock, now: GateLock) -> Iterator[str]:
    """Yield one sentence for each demand of a lock that another lock does not have."""
    for name, counted in sorted(before.scenarios.items()):
        if name not in now.scenarios:
            yield f"{name} is missing"
        elif counted and not now.scenarios[name]:
            yield f"{name} no longer counts"
    for path in uncovered(now.paths, sorted(before.paths)):
        yield f"it is no longer about {path}"
