"""Compares the paths that a run was given with those of the project and of its lock.

Paths are relative to the root, with slashes; ``.`` is the root. Node ids are paths, too: a test
lies below its file.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any


def paths_of(run: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return the paths that a run collected from; empty if its file has none."""
    return tuple(map(str, (run or {}).get("paths") or ()))


def uncovered(paths: Iterable[str], wanted: Iterable[str]) -> list[str]:
    """Return the wanted paths that are neither among the given paths nor below one."""
    paths = list(paths)
    return [one for one in wanted if not any(_is_at_or_below(one, path) for path in paths)]


def partial_testpaths(run: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield the testpaths of the project that a run was given only in part.

    A path outside of the testpaths, or the whole of one of them, counts as a deliberate choice.
    """
    paths = paths_of(run)
    for whole in uncovered(paths, (run or {}).get("testpaths") or ()):
        parts = [path for path in paths if _is_at_or_below(path, whole)]
        if parts:
            yield f"{', '.join(parts)} is only a part of {whole} (testpaths)"


def _is_at_or_below(path: str, above: str) -> bool:
    is_inside = path != ".." and not path.startswith("../")
    return (
        path == above
        or path.startswith((f"{above}/", f"{above}::"))
        or (above == "." and is_inside)
    )
