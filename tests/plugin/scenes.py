"""Projects after runs that many tests begin with: each is run once, and copied from then on."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.plugin.conftest import Project


class _File(NamedTuple):
    name: str
    content: bytes
    mode: int
    changed_ns: int


class _Scene(NamedTuple):
    root: str
    folders: list[str]
    links: list[tuple[str, str]]
    files: list[_File]


_scenes: dict[Callable[[Project], None], _Scene] = {}


def begin(project: Project, arrange: Callable[[Project], None]) -> None:
    """Bring a fresh project to where ``arrange`` leads it, which is called once in a session.

    A copy says of its reports that they are in its own folder, and has no bytecode of the first.
    """
    if arrange in _scenes:
        _restore(project.path, _scenes[arrange])
    else:
        arrange(project)
        _scenes[arrange] = _scene(project.path)


def _scene(root: Path) -> _Scene:
    there = [path for path in root.rglob("*") if "__pycache__" not in path.parts]
    files = []
    for path in there:
        if path.is_file() and not path.is_symlink():
            state = path.stat()
            name = path.relative_to(root).as_posix()
            files.append(_File(name, path.read_bytes(), state.st_mode, state.st_mtime_ns))
    return _Scene(
        root=str(root),
        folders=[str(path.relative_to(root)) for path in there if _is_folder(path)],
        links=[
            (str(one.relative_to(root)), str(one.readlink())) for one in there if one.is_symlink()
        ],
        files=files,
    )


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _restore(root: Path, scene: _Scene) -> None:
    for name in scene.folders:
        (root / name).mkdir(parents=True, exist_ok=True)
    for name, target in scene.links:
        (root / name).symlink_to(target)
    for file in scene.files:
        path = root / file.name
        is_report = file.name.startswith("reports/")
        before, now = scene.root.encode(), str(root).encode()
        path.write_bytes(file.content.replace(before, now) if is_report else file.content)
        path.chmod(file.mode)
        os.utime(path, ns=(file.changed_ns, file.changed_ns))
