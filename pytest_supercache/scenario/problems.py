"""A mistake in a scenario file as data (where, what, what to do), and the text people read.

Everything that reads a file reports here and goes on, so that one run shows all mistakes at once.
"""

import unicodedata
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from re import finditer
from typing import NoReturn

from pytest_supercache.core.errors import SupercacheError

PROBLEMS_MAX = 50  # more are counted, not shown: nobody reads on, and a hint costs time
_CANDIDATES_MAX = 500
_WORD_LENGTH_MAX = 60
_SHOWN_MAX = 160  # characters of a source line that fit beside the caret


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A piece of one line; line and column count from 1."""

    line: int
    column: int
    width: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One mistake, with the line it stands in: its text needs no second look at the file."""

    path: str
    line: int
    column: int
    width: int
    message: str
    hint: str = ""
    source: str = ""

    def __str__(self) -> str:
        """Write ``file:line:column: message``, the line, and a caret with the hint."""
        begin = max(0, self.column - 1 - _SHOWN_MAX // 2)
        shown = "".join(map(_printable, self.source[begin : begin + _SHOWN_MAX]))
        before = shown[: self.column - 1 - begin]
        marked = shown[len(before) : len(before) + self.width]
        carets = "^" * max(1, sum(map(_cells, marked)))
        number = f"{self.line:>5}"
        pad = "".join("\t" if sign == "\t" else " " * _cells(sign) for sign in before)
        return (
            f"{self.path}:{self.line}:{self.column}: {self.message}\n"
            f"{number} | {shown}\n"
            f"{' ' * len(number)} | {pad}{carets}{' ' if self.hint else ''}{self.hint}"
        )


class ScenarioProblems(SupercacheError):
    """All mistakes of one scenario file, in the order of its lines."""

    def __init__(self, problems: tuple[Problem, ...], *, left_off: int = 0) -> None:
        super().__init__(problems)
        self.problems = problems
        self.left_off = left_off

    def __str__(self) -> str:
        """Write every problem, a blank line between them."""
        more = [f"... and {self.left_off} more problems"] if self.left_off else []
        return "\n\n".join([*map(str, self.problems), *more])


class Findings:
    """The mistakes found so far in one file, and the file's text to point into."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self._text = text
        self._line_starts = [0, *(found.end() for found in finditer(r"\r\n|\n|\r", text))]
        # A dict, because one node that two aliases share must not be reported twice.
        self._problems: dict[Problem, None] = {}
        self._left_off = 0

    def span(self, start: int, end: int) -> Span:
        """Turn two offsets into a span; what goes on over the line is cut at its end."""
        row = bisect_right(self._line_starts, start) - 1
        begin = self._line_starts[row]
        line_end = begin + len(self._line(row))
        return Span(
            line=row + 1,
            column=start - begin + 1,
            width=max(1, min(end, line_end) - start),
        )

    def report(self, span: Span, message: str, hint: str = "") -> None:
        """Keep one mistake."""
        problem = Problem(
            path=self.path,
            line=span.line,
            column=span.column,
            width=span.width,
            message=message,
            hint=hint,
            source=self._line(span.line - 1),
        )
        if problem not in self._problems:
            if len(self._problems) >= PROBLEMS_MAX:
                self._left_off += 1
            else:
                self._problems[problem] = None

    def stop(self, span: Span, message: str, hint: str = "") -> NoReturn:
        """Report a mistake after which nothing more can be read."""
        self.report(span, message, hint)
        self.raise_if_any()
        raise AssertionError("a problem was reported, so the line above raises")

    def raise_if_any(self) -> None:
        """Raise everything that was reported."""
        if self._problems:
            in_order = sorted(self._problems, key=lambda problem: (problem.line, problem.column))
            raise ScenarioProblems(tuple(in_order), left_off=self._left_off)

    def suggest(self, word: str, known: Iterable[str]) -> str:
        """Hint at the known word that was meant, or list them when they are few."""
        names = list(dict.fromkeys(islice(known, _CANDIDATES_MAX)))
        if self._left_off or not names:
            return ""
        if len(word) <= _WORD_LENGTH_MAX:
            lowered = {name.lower(): name for name in reversed(names)}
            close = get_close_matches(word.lower(), lowered, n=1, cutoff=0.6)
            if close:
                return f"did you mean {lowered[close[0]]!r}?"
        few = ", ".join(names[:12])
        return f"one of: {few}" + (", ..." if len(names) > 12 else "")

    def _line(self, row: int) -> str:
        ends = self._line_starts[row + 1] if row + 1 < len(self._line_starts) else None
        return self._text[self._line_starts[row] : ends].rstrip("\r\n")


def _printable(sign: str) -> str:
    # A broken file may hold escape codes; they must not reach the terminal.
    return sign if sign.isprintable() or sign == "\t" else "\N{REPLACEMENT CHARACTER}"


def _cells(sign: str) -> int:
    if unicodedata.combining(sign):
        return 0
    return 2 if unicodedata.east_asian_width(sign) in "WF" else 1
