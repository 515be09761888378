"""Formats one value for a picture: one printable line, equal for equal values, never ambiguous."""

import json
from collections.abc import Iterator
from typing import Any

from pytest_supercache.core.masking import masked
from pytest_supercache.core.printable import columns_of, printable
from pytest_supercache.core.serialized import deserialized
from pytest_supercache.core.value_text import data_text, held_text, respelled
from pytest_supercache.report.plain import Plain, plain


class Value(str):
    """A part of a text that is a value of the code under test."""

    __slots__ = ()


MISSING = object()
"""Stands for the value of a key that a layer does not hold."""

NOTHING = "-"
CELL_MAX = 22
LEGEND_MAX = 2_000
TEXT_MAX = 1_000
PASTED_MAX = 4_000
_SIGNS = frozenset({"->", "="})
_PASTED = frozenset({"token", "replay"})


def clean(text: str) -> str:
    """Escape characters that break a line, a terminal or an XML file; mask credentials in URLs.

    Letters of any script are kept.
    """
    return printable(masked(text))


def shown(value: object) -> str:
    """Return a value in one line: text as it is, data as JSON, None as ``-``.

    What is serialized is shown as what it holds, and says so: ``{"price": 100} (pickled)``. A user
    who got such a value got bytes.
    """
    form = form_of(value)
    return f"{held(value)} ({form})" if form else held(value)


def held(value: object) -> str:
    """Return what a layer holds in one line, like ``shown``.

    What is serialized reads like the value that it holds, so that layers can be compared by eye.
    """
    if value is MISSING:
        return NOTHING
    return _line(_deserialized(plain(value)), nothing="null" if form_of(value) else NOTHING)


def as_stored(value: object) -> str:
    """Return a value in one line, serialized if it is stored so."""
    return _line(plain(value), nothing=NOTHING)


def form_of(value: object) -> str:
    """Return how a value, or what is in it, is serialized: ``pickled, zlib``; else nothing."""
    return ", ".join(dict.fromkeys(_forms_in(plain(value))))


def _forms_in(value: Plain) -> Iterator[str]:
    if isinstance(value, str):
        found = deserialized(value)
        if found is not None:
            yield found.form
    elif isinstance(value, list | dict):
        for member in value.values() if isinstance(value, dict) else value:
            yield from _forms_in(member)


def _deserialized(value: Plain) -> Plain:
    """Return a value with what it holds in place of what is serialized."""
    if isinstance(value, list):
        return [_deserialized(member) for member in value]
    if isinstance(value, dict):
        return {key: _deserialized(member) for key, member in value.items()}
    found = deserialized(value)
    if found is None:
        return value
    return held_text(found) if found.before else plain(found.data)


def _line(as_plain: Plain, *, nothing: str) -> str:
    if as_plain is None:
        return nothing
    if not isinstance(as_plain, str):
        return clean(data_text(as_plain))
    if as_plain == NOTHING or as_plain.strip() != as_plain or not as_plain:
        return clean(json.dumps(as_plain, ensure_ascii=False))
    return clean(respelled(as_plain))


def short(value: object, limit: int = TEXT_MAX) -> str:
    """Return text for one line; if it is shortened, with the length of the rest."""
    text = value if isinstance(value, str) else str(value)
    if len(text) <= limit:
        return clean(text)
    return f"{clean(text[:limit])} ... ({len(text) - limit:,} more characters in verdict.json)"


def pasted(text: str | None, limit: int = PASTED_MAX) -> str | None:
    """Return a token or command unchanged, or None if it is too long: half of one is useless."""
    shown = clean(text or "")
    return shown if 0 < len(shown) <= limit else None


def harmless(value: Any) -> Any:
    """Return JSON whose texts are short lines; tokens and commands stay whole, but printable."""
    if isinstance(value, str):
        return short(value)
    if isinstance(value, list):
        return [harmless(member) for member in value]
    if isinstance(value, dict):
        return {
            short(name): clean(member)
            if name in _PASTED and isinstance(member, str)
            else harmless(member)
            for name, member in value.items()
        }
    return value


def width_of(text: str) -> int:
    """Count terminal columns: East Asian characters and emoji take two, combining marks none."""
    return len(text) if text.isascii() else sum(columns_of(char) for char in text)


def fitting(text: str, width: int) -> str:
    """Return a text that takes at most ``width`` terminal columns."""
    if width_of(text) <= width:
        return text
    while width_of(text) > width - 3:
        text = text[:-1]
    return f"{text}..."


def pad(text: str, width: int) -> str:
    """Pad a text with spaces to ``width`` terminal columns."""
    return text + " " * max(0, width - width_of(text))


def wrap(text: str, width: int) -> list[str]:
    """Wrap at spaces, and inside of words longer than ``width``; no character is lost.

    An arrow or an equals sign stays on the line of the value that it leads to.
    """
    lines = [""]
    for word in _words(text, width):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if width_of(joined) <= width:
            lines[-1] = joined
            continue
        if lines[-1] and width_of(word) <= width:
            lines.append(word)
        else:  # it fits no line at all, so it begins on this one
            lines[-1:] = _pieces(joined, width)
    return lines


def _words(text: str, width: int) -> list[str]:
    """Return what stays on one line: a word, with the sign before it if both fit."""
    words: list[str] = []
    for word in text.split(" "):
        if words and words[-1] in _SIGNS and width_of(f"{words[-1]} {word}") <= width:
            words[-1] += f" {word}"
        else:
            words.append(word)
    return words


class Legend:
    """Numbers long values: the cell shows both ends, the legend below shows the whole text."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def cell(self, text: str) -> str:
        """Return ``text``, or both its ends and a number if it is too long for a cell."""
        if width_of(text) <= CELL_MAX:
            return text
        number = self._numbers.setdefault(text, len(self._numbers) + 1)
        return f"{text[:8]}...{text[-6:]} [{number}]"

    def entries(self) -> tuple[tuple[str, str], ...]:
        """Return ``("[1]", whole text)`` for every shortened value."""
        return tuple((f"[{number}]", _limited(text)) for text, number in self._numbers.items())


def _limited(text: str) -> str:
    if len(text) <= LEGEND_MAX:
        return text
    rest = len(text) - LEGEND_MAX
    return f"{text[:LEGEND_MAX]} ... ({rest:,} more characters, all of them in verdict.json)"


def _pieces(word: str, width: int) -> list[str]:
    pieces = [""]
    for char in word:
        if pieces[-1] and width_of(pieces[-1] + char) > width:
            pieces.append("")
        pieces[-1] += char
    return pieces
