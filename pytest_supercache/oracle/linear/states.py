"""What a key may hold, seen from what the calls still to come ask for.

A value that nobody asks for any more is as good as every other such value: all of them are OTHER.
That, and the question which answers a change would leave unexplained for ever, is what keeps the
search from trying orders that differ in nothing anybody saw.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Iterable, Mapping
from typing import Final

State = Hashable


class _Other:
    """The only one of its kind."""

    def __repr__(self) -> str:
        return "OTHER"


OTHER: Final = _Other()
"""Any value that no call asks for from here on."""


class Exact:
    """Values that are replaced as a whole: a state is the value."""

    def __init__(self, asked: Mapping[State, int]) -> None:
        self._asked = asked  # value -> the last return of a call that asks for it

    def state_of(self, value: State) -> State:
        """Return the state in which a key holds ``value``."""
        return value if value in self._asked else OTHER

    def asked_until(self, state: State) -> int:
        """Return the last position at which some call asks for ``state``."""
        return self._asked.get(state, 0)

    def left_behind(self, old: State, new: State) -> Iterable[State]:
        """Return the answers that ``old`` could still give and ``new`` cannot."""
        return () if old is OTHER or old == new else (old,)

    def leads_to(self, state: State, wanted: State) -> bool:
        """Say whether ``wanted`` can be reached from ``state`` without replacing it."""
        return bool(state == wanted)

    def extended(self, state: State, text: str) -> State:
        """Return the state after an append."""
        raise AssertionError("a register is never appended to")


class Prefixes:
    """Texts that grow: a state is a prefix of an answer that some call will get.

    It is written as (the first answer that begins with it, its length) in the sorted list of
    answers, so that a state costs two numbers, however long the text has become.
    """

    def __init__(self, asked: Mapping[str, int]) -> None:
        self._answers = sorted(asked)
        self._asked = [asked[answer] for answer in self._answers]
        self._ends: dict[State, int] = {OTHER: 0}  # where the answers with this prefix end
        self._until: dict[State, int] = {OTHER: 0}
        self._whole = self._found(0, len(self._answers), 0)

    def state_of(self, value: str) -> State:
        """Return the state in which a key holds ``value``."""
        return self.extended(self._whole, value)

    def asked_until(self, state: State) -> int:
        """Return the last position at which a call asks for what ``state`` can become."""
        return self._until[state]

    def left_behind(self, old: State, new: State) -> Iterable[State]:
        """Return the answers that ``old`` could still become and ``new`` cannot."""
        if old is OTHER:
            return ()
        first, last = self._range(old)
        start, end = self._range(new)  # the two ranges are nested or apart
        start, end = max(first, start), min(last, end)
        if start >= end:
            start = end = last
        return [(at, len(self._answers[at])) for at in (*range(first, start), *range(end, last))]

    def leads_to(self, state: State, wanted: State) -> bool:
        """Say whether ``wanted`` can be reached from ``state`` by appends alone."""
        first, last = self._range(state)
        assert isinstance(wanted, tuple), "only answers are wanted"
        return bool(first <= wanted[0] < last)

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
        return self._found(
            start, bisect_right(self._answers, text, start, last, key=part), length + len(text)
        )

    def _found(self, first: int, last: int, length: int) -> State:
        if first >= last:
            return OTHER
        state = (first, length)
        if state not in self._ends:
            self._ends[state] = last
            self._until[state] = max(self._asked[first:last])
        return state

    def _range(self, state: State) -> tuple[int, int]:
        if state is OTHER:
            return 0, 0
        assert isinstance(state, tuple), "a prefix is two numbers"
        return state[0], self._ends[state]
