"""Formats scenario files: two spaces per level, no trailing blanks, and the same meaning.

Lines are moved, never rewritten, so that comments, quotes and flow style stay as their author wrote
them. The result is read again: if its meaning differs, the original text is kept.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pytest_supercache.scenario import nodes
from pytest_supercache.scenario.nodes import Node, Scalar, Sequence
from pytest_supercache.scenario.problems import Findings, ScenarioProblems

_STEP = 2
_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(slots=True)
class _Block:
    """A block collection: the column of its entries in the original, and in the result."""

    old: int
    new: int
    is_mapping: bool
    is_indentless: bool = False  # a list whose dashes stand under the name before it


@dataclass(slots=True)
class _Line:
    """How one line is moved."""

    new: int | None = None  # where it begins; None: blank, a comment, or it goes on
    shift: int | None = None  # goes on from the line above, and moves with it
    dashes: int = 0  # that it begins with
    rest: int = 0  # the column behind them, from which its text is kept
    end: int = 0  # the column behind its last token, before a comment
    is_open: bool = False  # nothing but dashes so far
    is_text: bool = False  # inside of a scalar: blanks at its end may count


@dataclass(slots=True)
class _Layout:
    lines: list[_Line]
    blocks: list[_Block] = field(default_factory=list)
    flows: int = 0  # brackets that are open

    def shift(self) -> int:
        """Return the number of columns that lines inside of the innermost collection move."""
        return self.blocks[-1].new - self.blocks[-1].old if self.blocks else 0


def formatted(path: str, content: bytes | str) -> str:
    """Return the text of a scenario file in the standard layout.

    Raises:
        ScenarioProblems: the file is not YAML, or has a name twice.
    """
    text, findings = nodes.decode(path, content)
    root = nodes.compose(text, findings)
    findings.raise_if_any()
    text = "\n".join(_LINE_END.split(text))
    moved = _moved(text)
    return moved if moved == text or _means(moved, path) == _meaning(root) else _cleaned(text)


def _means(text: str, path: str) -> Any:
    try:
        return _meaning(nodes.compose(text, Findings(path, text)))
    except ScenarioProblems:
        return NotImplemented


def _meaning(node: Node | None) -> Any:
    """Return the meaning of a file, including the order of names and the quotes."""
    if node is None or isinstance(node, Scalar):
        return node and (node.text, type(node.value).__name__, node.value, node.is_quoted)
    if isinstance(node, Sequence):
        return [_meaning(item) for item in node.items]
    return {"pairs": [(_meaning(name), _meaning(value)) for name, value in node.pairs]}


def _cleaned(text: str) -> str:
    """Make the minimal change: end the file with one line end."""
    return f"{text.rstrip()}\n" if text.endswith("\n\n") else text


def _moved(text: str) -> str:
    written = text.split("\n")
    layout = _Layout(lines=[_Line() for _ in written])
    for token in _tokens(text):
        _take(token, layout, written)
    _place_comments(layout.lines, written)
    return _joined([_rendered(line, old) for line, old in zip(layout.lines, written, strict=True)])


def _tokens(text: str) -> Iterator[Any]:
    from ruamel.yaml import YAML

    yield from YAML(typ="safe", pure=True).scan(text)


def _take(token: Any, layout: _Layout, written: list[str]) -> None:
    """Record what a token tells about its lines."""
    kind = type(token).__name__.removesuffix("Token")
    start, end = token.start_mark, token.end_mark
    if not layout.flows:
        _take_structure(kind, start.column, layout)
    if start.index == end.index:
        return  # stands for no character
    _begin(layout, kind, start)
    _go_on(layout, kind, start.line, end, written)
    layout.flows += kind in {"FlowSequenceStart", "FlowMappingStart"}
    layout.flows -= kind in {"FlowSequenceEnd", "FlowMappingEnd"}


def _take_structure(kind: str, column: int, layout: _Layout) -> None:
    blocks = layout.blocks
    below = blocks[-1].new + _STEP if blocks else 0
    if kind in {"BlockMappingStart", "BlockSequenceStart"}:
        blocks.append(_Block(old=column, new=below, is_mapping=kind == "BlockMappingStart"))
    elif kind == "BlockEnd":
        _close_indentless(blocks)
        blocks.pop()
    elif kind == "BlockEntry" and blocks[-1].is_mapping and blocks[-1].old == column:
        blocks.append(_Block(old=column, new=below, is_mapping=False, is_indentless=True))
    elif kind == "Key" and blocks[-1].old == column:
        _close_indentless(blocks)


def _close_indentless(blocks: list[_Block]) -> None:
    if blocks and blocks[-1].is_indentless:
        blocks.pop()


def _begin(layout: _Layout, kind: str, start: Any) -> None:
    """Record the first tokens of a line: its dashes, and the column of its text."""
    line = layout.lines[start.line]
    if line.shift is not None:
        return
    if line.new is None and layout.flows:
        line.shift = layout.shift()
        return
    if line.new is None:
        line.new, line.rest, line.is_open = _column(layout.blocks, start.column), start.column, True
    if line.is_open and kind == "BlockEntry":
        line.dashes += 1
        line.rest = start.column + 1
    elif line.is_open:
        line.rest, line.is_open = start.column, False


def _column(blocks: list[_Block], column: int) -> int:
    for block in reversed(blocks):
        if block.old == column:
            return block.new
    return blocks[-1].new + _STEP if blocks else column


def _go_on(layout: _Layout, kind: str, first: int, end: Any, written: list[str]) -> None:
    """Record the further lines of a token, and its end."""
    last = end.line - 1 if end.column == 0 and end.line > first else end.line
    last = min(last, len(written) - 1)
    for row in range(first + 1, last + 1):
        line = layout.lines[row]
        line.shift, line.is_text = layout.shift(), kind == "Scalar"
    layout.lines[last].end = end.column if last == end.line else len(written[last])


def _place_comments(lines: list[_Line], written: list[str]) -> None:
    """Align each comment with the line that it was aligned with, with the next one if in doubt."""
    known: tuple[int, int] | None = None  # the line below: its column as written, and the new one
    for row in reversed(range(len(lines))):
        line, old = lines[row], _indent(written[row])
        if line.new is not None:
            known = (old, line.new)
        elif line.shift is not None:
            known = known if line.is_text else (old, max(0, old + line.shift))
        elif written[row].strip():
            line.new = _comment_column(row, old, known, lines, written)
            line.rest = old


def _comment_column(
    row: int, old: int, below: tuple[int, int] | None, lines: list[_Line], written: list[str]
) -> int:
    if below and below[0] == old:
        return below[1]
    for above in reversed(range(row)):
        new = lines[above].new
        if new is not None and not written[above].lstrip().startswith("#"):
            if _indent(written[above]) == old:
                return new
            if below:
                break
    return max(0, old + below[1] - below[0]) if below else old


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip(" "))


def _rendered(line: _Line, old: str) -> str | None:
    """Return one line; None for a blank one without meaning."""
    if line.is_text:
        return _shifted(old, line.shift or 0, line.end)
    if not old.strip():
        return None
    if line.new is None:
        return _shifted(_spaced(old, line.end).rstrip(), line.shift or 0, 0)
    text = _spaced(old, line.end)[line.rest :].strip()
    if line.dashes and text.startswith("#"):
        text = f" {text}"
    return f"{' ' * line.new}{'- ' * line.dashes}{text}".rstrip()


def _spaced(text: str, end: int) -> str:
    """Put at least two blanks before a comment at the end of a line."""
    comment = text[end:].lstrip()
    if not end or not comment.startswith("#"):
        return text
    gap = max(2, len(text) - len(comment) - end)
    return f"{text[:end]}{' ' * gap}{comment}"


def _shifted(text: str, by: int, end: int) -> str:
    if end:
        text = _spaced(text, end)
    if not text.strip():
        return text
    return " " * by + text if by >= 0 else text[min(-by, _indent(text)) :]


def _joined(lines: list[str | None]) -> str:
    kept: list[str] = []
    is_gap = False
    for line in lines:
        if line is None:
            is_gap = bool(kept)
            continue
        kept += [""] if is_gap else []
        is_gap = False
        kept.append(line)
    return "\n".join(kept) + "\n"
