"""Represents a mistake in a scenario file as data (place, message, hint), and formats it.

All readers of a file report here and continue, so that one run shows all mistakes at once.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from re import finditer
from typing import NoReturn

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.masking import masked
from pytest_supercache.core.misspelt import nearest_word
from pytest_supercache.core.printable import columns_of, printable

PROBLEMS_MAX = 50  # more are counted, not shown: nobody reads on, and a hint costs time
_CANDIDATES_MAX = 500
_SHOWN_MAX = 160  # characters of a source line that fit beside the caret


class Source:
    """The text of one file, and the positions in it."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self._text = text
        self._line_starts = [0, *(found.end() for found in finditer(r"\r\n|\n|\r", text))]

    def span(self, start: int, end: int) -> "Span":
        """Convert two offsets to a span, which is cut at the end of its first line."""
        row = bisect_right(self._line_starts, start) - 1
        begin = self._line_starts[row]
        line_end = begin + len(self.line(row + 1))
        return Span(
            line=row + 1,
            column=start - begin + 1,
            width=max(1, min(end, line_end) - start),
            source=self,
        )

    def line(self, number: int) -> str:
        """Return a line, counted from 1, without its end."""
        ends = self._line_starts[number] if number < len(self._line_starts) else None
        return self._text[self._line_starts[number - 1] : ends].rstrip("\r\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A part of one line; line and column count from 1."""

    line: int
    column: int
    width: int = 1
    source: Source | None = field(default=None, repr=False)  # None: the file that is being read


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One mistake, with its source line, so that its text needs no second look at the file."""

    path: str
    line: int
    column: int
    width: int
    message: str
    hint: str = ""
    source: str = ""
    is_warning: bool = False  # the scenario can run; its author should still know

    def __str__(self) -> str:
        """Format ``file:line:column: message``, the line, and a caret with the hint."""
        begin = max(0, self.column - 1 - _SHOWN_MAX // 2)
        shown = "".join(map(_printable, self.source[begin : begin + _SHOWN_MAX]))
        before = shown[: self.column - 1 - begin]
        marked = shown[len(before) : len(before) + self.width]
        carets = "^" * max(1, sum(map(columns_of, marked)))
        number = f"{self.line:>5}"
        kind = "warning: " if self.is_warning else ""
        pad = "".join("\t" if sign == "\t" else " " * columns_of(sign) for sign in before)
        return (
            f"{self.path}:{self.line}:{self.column}: {kind}{self.message}\n"
            f"{number} | {shown}\n"
            f"{' ' * len(number)} | {pad}{carets}{' ' if self.hint else ''}{self.hint}"
        )


def problem_at(
    span: Span, source: Source, message: str, hint: str = "", *, is_warning: bool = False
) -> Problem:
    """Make a problem at a place; ``source`` is the file of spans without one of their own."""
    source = span.source or source
    return Problem(
        path=source.path,
        line=span.line,
        column=span.column,
        width=span.width,
        message=masked(message),
        hint=masked(hint),
        source=masked(source.line(span.line)),
        is_warning=is_warning,
    )


class ScenarioProblems(SupercacheError):
    """All mistakes of one scenario file and of its included files, in the order of lines."""

    def __init__(self, problems: tuple[Problem, ...], *, left_off: int = 0) -> None:
        super().__init__(problems)
        self.problems = problems
        self.left_off = left_off

    def __str__(self) -> str:
        """Format all problems, with a blank line between them."""
        more = [f"... and {self.left_off} more problems"] if self.left_off else []
        return printable("\n\n".join([*map(str, self.problems), *more]), but="\n\t")


@dataclass(slots=True)
class _Kept:
    # A dict, because a node that two aliases share must be reported only once.
    problems: dict[Problem, None] = field(default_factory=dict)
    left_off: int = 0


class Findings:
    """Collects the mistakes in one file, and keeps its text for the positions."""

    def __init__(self, path: str, text: str, kept: _Kept | None = None) -> None:
        self.source = Source(path, text)
        self._kept = kept or _Kept()

    @property
    def path(self) -> str:
        """The path of the file."""
        return self.source.path

    def within(self, path: str, text: str) -> "Findings":
        """Return findings for an included file, which share the list of mistakes."""
        return Findings(path, text, self._kept)

    def span(self, start: int, end: int) -> Span:
        """Convert two offsets of this file to a span."""
        return self.source.span(start, end)

    def report(self, span: Span, message: str, hint: str = "") -> None:
        """Add one mistake."""
        self._keep(problem_at(span, self.source, message, hint))

    def warn(self, span: Span, message: str, hint: str = "") -> None:
        """Add a warning on something that is allowed and probably not meant."""
        self._keep(problem_at(span, self.source, message, hint, is_warning=True))

    def stop(self, span: Span, message: str, hint: str = "") -> NoReturn:
        """Report a mistake that makes the rest of the file unreadable, and raise."""
        self.report(span, message, hint)
        self.raise_if_any()
        raise AssertionError("a problem was reported, so the line above raises")

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """The warnings, in the order of lines."""
        return tuple(problem for problem in self._in_order() if problem.is_warning)

    def raise_if_any(self) -> None:
        """Raise all findings if there is a mistake among them."""
        if self._kept.left_off or any(not problem.is_warning for problem in self._kept.problems):
            raise ScenarioProblems(tuple(self._in_order()), left_off=self._kept.left_off)

    def suggest(self, word: str, known: Iterable[str]) -> str:
        """Return a hint with the known word that was meant, or with all if they are few."""
        names = list(dict.fromkeys(islice(known, _CANDIDATES_MAX)))
        if self._kept.left_off or not names:
            return ""
        if close := nearest_word(word, names):
            return f"did you mean {close!r}?"
        few = ", ".join(names[:12])
        return f"one of: {few}" + (", ..." if len(names) > 12 else "")

    def _keep(self, problem: Problem) -> None:
        kept = self._kept
        if problem in kept.problems:
            return
        if len(kept.problems) < PROBLEMS_MAX:
            kept.problems[problem] = None
        elif not problem.is_warning:
            kept.left_off += 1

    def _in_order(self) -> list[Problem]:
        return sorted(
            self._kept.problems,
            key=lambda problem: (
                (problem.path != self.path, problem.path, problem.line, problem.column)
            ),
        )


def _printable(sign: str) -> str:
    # A broken file may contain escape codes, which must not reach the terminal.
    return sign if sign.isprintable() or sign == "\t" else "\N{REPLACEMENT CHARACTER}"
