"""Which paths a run was given, and whether they are all that the project or its lock is about.

Paths are written from the root, with slashes; ``.`` is the root. Node ids are paths, too: what
stands in a file lies below it.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any


def paths_of(run: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return the paths that a run collected from; nothing where its file does not say."""
    return tuple(map(str, (run or {}).get("paths") or ()))


def uncovered(paths: Iterable[str], wanted: Iterable[str]) -> list[str]:
    """Return the wanted paths that neither are among the given paths nor lie below one."""
    paths = list(paths)
    return [one for one in wanted if not any(_is_at_or_below(one, path) for path in paths)]


def partial_testpaths(run: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield the testpaths of the project of which a run was given only a part.

    A path outside of the testpaths, or the whole of one of them, is taken for a choice.
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
