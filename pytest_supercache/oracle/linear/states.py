"""Abstracts the content of a key to what the answers still to be explained can distinguish.

A value that no answer depends on is as good as every other such value: all of them
are OTHER.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Iterable, Sequence
from typing import Final

State = Hashable


class _Other:
    """A marker that equals only itself."""

    def __repr__(self) -> str:
        return "OTHER"


OTHER: Final = _Other()
"""Any value that no answer depends on."""


class Exact:
    """Values that are replaced as a whole: a state is the value."""

    def __init__(self, answers: Iterable[State]) -> None:
        self._answers = set(answers)

    def state_of(self, value: State) -> State:
        """Return the state in which a key holds ``value``."""
        return value if value in self._answers else OTHER

    def answers(self, state: State) -> Sequence[State]:
        """Return the answers that can result from ``state`` by appends alone."""
        return () if state is OTHER else (state,)

    def left_behind(self, old: State, new: State) -> Sequence[State]:
        """Return the answers that are possible from ``old`` but not from ``new``."""
        return () if old is OTHER or old == new else (old,)

    def leads_to(self, state: State, answer: State) -> bool:
        """Say whether ``answer`` can result from ``state`` by appends alone."""
        return bool(state == answer)

    def extended(self, state: State, text: str) -> State:
        """Return the state after an append."""
        raise AssertionError("a register is never appended to")


class Prefixes:
    """Texts that grow: a state is a prefix of an answer.

    It is written as (the first answer that begins with it, its length) in the sorted list of
    answers, so that a state costs two numbers, however long the text has become.
    """

    def __init__(self, answers: Iterable[str]) -> None:
        self._answers = sorted(answers)
        self._ends: dict[State, int] = {OTHER: 0}  # where the answers with this prefix end
        self._whole = self._found(0, len(self._answers), 0)

    def state_of(self, value: str) -> State:
        """Return the state in which a key holds ``value``."""
        return self.extended(self._whole, value)

    def answers(self, state: State) -> Sequence[State]:
        """Return the answers that can result from ``state`` by appends alone."""
        return [(at, len(self._answers[at])) for at in range(*self._range(state))]

    def left_behind(self, old: State, new: State) -> Sequence[State]:
        """Return the answers that are possible from ``old`` but not from ``new``."""
        if old is OTHER:
            return ()
        first, last = self._range(old)
        start, end = self._range(new)  # the two ranges are nested or apart
        start, end = max(first, start), min(last, end)
        if start >= end:
            start = end = last
        return [(at, len(self._answers[at])) for at in (*range(first, start), *range(end, last))]

    def leads_to(self, state: State, answer: State) -> bool:
        """Say whether ``answer`` can result from ``state`` by appends alone."""
        first, last = self._range(state)
        return first <= self._range(answer)[0] < last

    def extended(self, state: State, text: str) -> State:
        """Return the state after an append."""
        if state is OTHER:
            return OTHER
        assert isinstance(state, tuple), "a prefix is two numbers"
        first, length = state
        last = self._ends[state]

        def part(answer: str) -> str:
            return answer[length : length + len(text)]

        start = bisect_left(self._answers, text, first, last, key=part)
        end = bisect_right(self._answers, text, start, last, key=part)
        return self._found(start, end, length + len(text))

    def _found(self, first: int, last: int, length: int) -> State:
        if first >= last:
            return OTHER
        state = (first, length)
        self._ends[state] = last
        return state

    def _range(self, state: State) -> tuple[int, int]:
        if state is OTHER:
            return 0, 0
        assert isinstance(state, tuple), "a prefix is two numbers"
        return state[0], self._ends[state]
