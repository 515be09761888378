"""Reads the other files of a scenario: regular files inside of the project, of bounded size."""

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

from pytest_supercache.core.inputs import TEXT_BYTES_MAX, open_regular
from pytest_supercache.scenario import nodes
from pytest_supercache.scenario.fields import pairs, read_text
from pytest_supercache.scenario.flows import FlowBook
from pytest_supercache.scenario.grammar import INCLUDED_FIELDS
from pytest_supercache.scenario.nodes import Node, Sequence
from pytest_supercache.scenario.problems import Findings, ScenarioProblems

FILES_MAX = 20  # that one scenario includes, directly or not; each may take 0.3 s


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """The folder of a file: names in the file are relative to ``path`` and stay within ``root``."""

    path: Path
    root: Path
    contents: list[bytes] = field(default_factory=list)  # of all that was read, in order


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherFile:
    """Another file of the project, with its content."""

    shown: str  # its name in messages
    content: bytes
    folder: Folder
    identity: Path


def read_content(path: Path) -> bytes:
    """Read a file up to the size limit; never block on one that is no regular file.

    Raises:
        OSError: the file cannot be read.
    """
    with open_regular(path) as file:
        return file.read(TEXT_BYTES_MAX + 1)


def read_other(
    node: Node, what: str, folder: Folder | None, findings: Findings
) -> OtherFile | None:
    """Read the file that ``node`` names, or report why that fails."""
    name = read_text(node, what, findings)
    if not name:
        return None
    if folder is None:
        findings.report(node.span, f"{what}: this text lies in no folder", "load it from a file")
        return None
    try:
        path = (folder.path / name).resolve()
        if not path.is_relative_to(folder.root.resolve()):
            findings.report(
                node.span,
                f"{what} {name!r:.120} leaves the project",
                "name a file of the project, relative to this one",
            )
            return None
        content = read_content(path)
    except (OSError, ValueError, RuntimeError) as error:  # ValueError: a NUL; Runtime: links
        _report_unreadable(node, what, name, folder, findings, error)
        return None
    folder.contents.append(content)
    return OtherFile(
        shown=os.path.normpath(Path(findings.path).parent / name),
        content=content,
        folder=replace(folder, path=path.parent),
        identity=path,
    )


def read_includes(
    node: Node, book: FlowBook, folder: Folder | None, findings: Findings, begun: Path | None
) -> None:
    """Add the flows of every included file to ``book``, recursively."""
    seen: dict[Path, bool] = {begun: True} if begun else {}  # True: still being read
    _read_includes(node, book, folder, findings, seen)


def _read_includes(
    node: Node,
    book: FlowBook,
    folder: Folder | None,
    findings: Findings,
    seen: dict[Path, bool],
) -> None:
    names: tuple[Node, ...] = node.items if isinstance(node, Sequence) else (node,)
    for name in names:
        if len(seen) > FILES_MAX:
            findings.report(name.span, f"more than {FILES_MAX} files are included")
            return
        other = read_other(name, "include", folder, findings)
        if other is None:
            continue
        if seen.get(other.identity):
            findings.report(name.span, f"{other.shown} includes itself", "take one include out")
        elif other.identity not in seen:
            seen[other.identity] = True
            _read_included(other, book, findings, seen)
            seen[other.identity] = False


def _read_included(
    other: OtherFile, book: FlowBook, findings: Findings, seen: dict[Path, bool]
) -> None:
    try:
        text, found = nodes.decode(other.shown, other.content, findings.within)
        root = nodes.compose(text, found)
    except ScenarioProblems:
        return  # kept in `findings`, like every other mistake
    if root is None:
        found.report(found.span(0, 1), "the file is empty", "write `flows:`")
        return
    for name, value in _included_fields(root, found):
        if name == "flows":
            book.add(value, found)
        else:
            _read_includes(value, book, other.folder, found, seen)


def _included_fields(root: Node, findings: Findings) -> list[tuple[str, Node]]:
    known: list[tuple[str, Node]] = []
    for name, value in pairs(root, "an included file", findings):
        if name.text in INCLUDED_FIELDS:
            known.append((name.text, value))
        else:
            hint = findings.suggest(name.text, INCLUDED_FIELDS)
            findings.report(name.span, f"an included file has no {name.text!r:.80}", hint)
    return known


def _report_unreadable(
    node: Node, what: str, name: str, folder: Folder, findings: Findings, error: Exception
) -> None:
    if isinstance(error, FileNotFoundError):
        hint = ""
        parent = (folder.path / name).parent
        if parent.is_dir():
            near = sorted(path.name for path in parent.iterdir() if path.is_file())
            hint = findings.suggest(Path(name).name, near) if near else ""
        findings.report(node.span, f"{what}: there is no file {name!r:.120}", hint)
    else:
        said = getattr(error, "strerror", None) or str(error)
        findings.report(node.span, f"{what}: {name!r:.120} cannot be read: {said:.120}")
