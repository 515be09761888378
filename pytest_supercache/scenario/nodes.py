"""Parses YAML 1.2 to nodes with their positions, within fixed limits of size and depth.

Nodes are built from the parser's events and not by ruamel's composer, which recurses, follows
aliases without end and takes twice the time. Types are those of YAML's core schema, so `on`, `NO`
and `12:30` are text. ruamel is imported only when a file is read.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from pytest_supercache.core.inputs import DEPTH_MAX, TEXT_BYTES_MAX
from pytest_supercache.scenario.problems import Findings, Span
from pytest_supercache.scenario.scalars import Plain, parse_scalar

VALUES_MAX = 20_000  # about 0.3 s of parsing; counts what aliases stand for

# What YAML 1.2 allows (section 5.1) and, beyond it, the three separators U+0085, U+2028 and U+2029
# are not line ends here, as in editors.
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_STR_TAG = "tag:yaml.org,2002:str"

# ruamel lets these through on broken text: chr() of an escape out of range, an index past the end.
_PARSER_CRASHES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
    RecursionError,
    TypeError,
    ValueError,
)
_SYNTAX_HINTS = {
    "mapping values are not allowed": "put text that holds ': ' or ends with ':' in quotes",
    "'\\t'": "indent with spaces, not tabs",
    "cannot start any token": "put text that begins with this sign in quotes",
    "undefined alias": "put text that begins with '*' in quotes",
    "unexpected end of stream": "the quote is not closed",
    "expected <block end>": "indent it like the lines above",
    "expected ',' or": "a bracket is not closed, or a comma is missing",
    "could not find expected ':'": "write `name: value`, or quote the text",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """One value: its text as written, and the text, number, boolean or None that it means."""

    text: str
    value: Plain
    is_quoted: bool
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence:
    """A list."""

    items: tuple["Node", ...]
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """Pairs in the order of the file; a name may occur twice, which the composer reports."""

    pairs: tuple[tuple["Node", "Node"], ...]
    span: Span


Node = Scalar | Sequence | Mapping


def decode(
    path: str, data: bytes | str, begin: Callable[[str, str], Findings] = Findings
) -> tuple[str, Findings]:
    """Decode a file's bytes, or raise `ScenarioProblems` with the places that are not text.

    ``begin`` makes the findings of the file, from its path and text.
    """
    is_large = len(data) > TEXT_BYTES_MAX
    data = data[:200] if is_large else data
    shown = data if isinstance(data, str) else data.decode("utf-8", "replace")
    if is_large:
        findings = begin(path, shown)
        findings.stop(
            Span(line=1, column=1),
            f"the file is larger than {TEXT_BYTES_MAX // 1024} KiB",
            "a scenario is a page of text; split it",
        )
    text = shown.removeprefix("\ufeff")
    findings = begin(path, text)
    if isinstance(data, bytes):
        _refuse_other_encodings(data, findings)
    if bad := _UNPRINTABLE.search(text):
        findings.stop(
            findings.span(bad.start(), bad.end()),
            f"the character U+{ord(bad.group()):04X} is not allowed in YAML",
            "save the file as UTF-8 text",
        )
    return text, findings


def _refuse_other_encodings(data: bytes, findings: Findings) -> None:
    body = data.removeprefix(b"\xef\xbb\xbf")
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        at = len(body[: error.start].decode("utf-8", "replace"))
        findings.stop(
            findings.span(at, at + 1),
            f"the byte 0x{body[error.start]:02x} is not UTF-8",
            "save the file as UTF-8",
        )


def compose(text: str, findings: Findings) -> Node | None:
    """Parse ``text``; None if it is empty. Broken YAML raises `ScenarioProblems`."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    composer = _Composer(findings)
    last = 0
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            last = event.end_mark.index
            composer.take(event)
    except MarkedYAMLError as error:
        # For an open quote the parser's mark is the end of the file: show where the quote began.
        is_open = error.context_mark and "end of stream" in str(error.problem)
        mark = error.context_mark if is_open else error.problem_mark or error.context_mark
        at = mark.index if mark else last
        said = str(error.problem or error.context)
        hint = next((hint for sign, hint in _SYNTAX_HINTS.items() if sign in said), "")
        findings.stop(findings.span(at, at + 1), f"not valid YAML: {said}", hint)
    except (YAMLError, *_PARSER_CRASHES):
        findings.stop(findings.span(last, last + 1), "not valid YAML: what follows cannot be read")
    return composer.root


def refuse_doubles(names: Iterable[Node], findings: Findings, what: str = "") -> None:
    """Report each name that comes again, with the line on which it stands first."""
    lines: dict[str, int] = {}
    for name in (one for one in names if isinstance(one, Scalar)):
        if name.text in lines:
            said = f"{what}{name.text!r:.80} is given twice"
            findings.report(name.span, said, f"first on line {lines[name.text]}")
        lines.setdefault(name.text, name.span.line)


def plain(node: Node) -> Any:  # noqa: ANN401 - data of any shape is the point
    """Return the data that a node means; names of mappings are kept as text."""
    if isinstance(node, Mapping):
        return {name.text: plain(value) for name, value in node.pairs if isinstance(name, Scalar)}
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return node.value


@dataclass(slots=True)
class _Open:
    """A list or mapping that is not complete yet."""

    start: int
    is_mapping: bool
    anchor: str | None
    children: list[Node] = field(default_factory=list)


class _Composer:
    """Builds nodes from events with an explicit stack: deep nesting is a mistake, not a crash."""

    def __init__(self, findings: Findings) -> None:
        self.root: Node | None = None
        self._findings = findings
        self._open: list[_Open] = []
        self._anchors: dict[str, Node] = {}
        self._values = 0

    def take(self, event: Any) -> None:  # noqa: ANN401 - ruamel's events share no useful type
        span = self._findings.span(event.start_mark.index, event.end_mark.index)
        act = {
            "DocumentStartEvent": self._document,
            "AliasEvent": self._alias,
            "ScalarEvent": self._scalar,
            "SequenceStartEvent": self._begin,
            "MappingStartEvent": self._begin,
            "SequenceEndEvent": self._end,
            "MappingEndEvent": self._end,
        }.get(type(event).__name__)
        if act:
            act(event, span)

    def _document(self, event: Any, span: Span) -> None:
        if self.root is not None:
            self._findings.stop(
                span, "a second document begins here", "one scenario per file; cases go to `cases:`"
            )
        if event.version and tuple(event.version) != (1, 2):
            self._findings.report(span, "scenario files are YAML 1.2", "leave the %YAML line out")

    def _begin(self, event: Any, span: Span) -> None:
        self._count(1, len(self._open) + 1, span)
        self._refuse_tag(event, span)
        is_mapping = type(event).__name__ == "MappingStartEvent"
        self._open.append(
            _Open(start=event.start_mark.index, is_mapping=is_mapping, anchor=event.anchor)
        )

    def _end(self, event: Any, _: Span) -> None:
        done = self._open.pop()
        span = self._findings.span(done.start, event.end_mark.index)
        node: Node
        if done.is_mapping:
            names, values = done.children[::2], done.children[1::2]
            for name in names:
                self._check_name(name)
            refuse_doubles(names, self._findings)
            node = Mapping(pairs=tuple(zip(names, values, strict=True)), span=span)
        else:
            node = Sequence(items=tuple(done.children), span=span)
        self._add(node, done.anchor)

    def _scalar(self, event: Any, span: Span) -> None:
        self._count(1, len(self._open), span)
        self._refuse_tag(event, span)
        is_quoted = event.style is not None or event.tag == _STR_TAG
        value, complaint = (event.value, "") if is_quoted else parse_scalar(event.value)
        if complaint:
            self._findings.report(span, complaint, "quote it to make it text")
        if any("\ud800" <= sign <= "\udfff" for sign in event.value):
            self._findings.report(span, "half of a surrogate pair is not a character")
        self._add(
            Scalar(text=event.value, value=value, is_quoted=is_quoted, span=span), event.anchor
        )

    def _alias(self, event: Any, span: Span) -> None:
        target = self._anchors.get(event.anchor)
        if target is None:
            known = any(entry.anchor == event.anchor for entry in self._open)
            message = "contains itself" if known else "is not defined above"
            self._findings.stop(
                span, f"the alias '*{event.anchor}' {message}", _SYNTAX_HINTS["undefined alias"]
            )
        values, depth = size_of(target)
        self._count(values, len(self._open) + depth, span)
        self._add(target, None)

    def _add(self, node: Node, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = node
        if self._open:
            self._open[-1].children.append(node)
        else:
            self.root = node

    def _count(self, values: int, depth: int, span: Span) -> None:
        self._values += values
        if self._values > VALUES_MAX:
            self._findings.stop(span, f"the file holds more than {VALUES_MAX} values", "split it")
        if depth > DEPTH_MAX:
            self._findings.stop(span, f"nested more than {DEPTH_MAX} levels deep")

    def _refuse_tag(self, event: Any, span: Span) -> None:
        if event.tag not in (None, "!", _STR_TAG):
            self._findings.report(
                span, f"the tag {event.tag!r} means nothing here", "write plain text or data"
            )

    def _check_name(self, name: Node) -> None:
        if not isinstance(name, Scalar):
            self._findings.report(name.span, "the name before ':' must be text", "quote it")
        elif name.value is None and not name.is_quoted:
            self._findings.report(name.span, "the name before ':' is empty", "quote it")
        elif name.text == "<<" and not name.is_quoted:
            self._findings.report(
                name.span, "'<<' merges mappings in YAML 1.1 only", "write the fields out"
            )


def size_of(root: Node) -> tuple[int, int]:
    """Return the number of values and the depth, which callers charge to the file's budget."""
    values, depth, todo = 0, 0, [(root, 1)]
    while todo:
        node, level = todo.pop()
        values, depth = values + 1, max(depth, level)
        if isinstance(node, Sequence):
            todo += [(item, level + 1) for item in node.items]
        elif isinstance(node, Mapping):
            todo += [(part, level + 1) for pair in node.pairs for part in pair]
    return values, depth
