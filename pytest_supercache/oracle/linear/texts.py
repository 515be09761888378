"""Finds the answers that contain an appended text, where that can be told.

When all texts begin with one character that occurs nowhere else in them (or end with one, as in
``1, 2, ``), there is only one way to split an answer into the texts that it was made of.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pytest_supercache.oracle.linear.call import Call
from pytest_supercache.oracle.linear.positions import NO_POSITIONS, Positions

_PARTS_MAX = 1_000_000


class Texts:
    """The gets whose answers contain a text; unknown if texts cannot be told apart."""

    def __init__(self, calls: Sequence[Call], initials: Iterable[str]) -> None:
        gets = [call for call in calls if call.kind == "get"]
        origin = Counter(call.value for call in calls if call.kind != "get")
        origin.update(initials)
        mark = _mark(origin)
        self.are_known = (
            mark is not None and sum(call.answer.count(mark[0]) for call in gets) <= _PARTS_MAX
        )
        self._gets: Mapping[str, Positions] = {}
        self._once = {text for text, count in origin.items() if count == 1}
        if mark is not None and self.are_known:
            by_text: dict[str, list[Call]] = defaultdict(list)
            for call in gets:
                for part in set(_parts(call.answer, *mark)):
                    by_text[part].append(call)
            self._gets = {part: Positions(own) for part, own in by_text.items()}

    def gets(self, text: str) -> Positions:
        """Return the gets whose answers contain ``text``."""
        return self._gets.get(text, NO_POSITIONS)

    def come_once(self, text: str) -> bool:
        """Say whether only one call is known to bring ``text`` into an answer."""
        return self.are_known and text in self._once


def _mark(texts: Iterable[str]) -> tuple[str, bool] | None:
    """Return the one character that all texts begin with (True) or end with (False)."""
    texts = [text for text in texts if text]
    for at in (0, -1):
        marks = {text[at] for text in texts}
        if len(marks) == 1:
            mark = marks.pop()
            if all(text.count(mark) == 1 for text in texts):
                return mark, at == 0
    return None


def _parts(answer: str, mark: str, at_start: bool) -> Iterator[str]:
    """Split an answer into its texts."""
    parts = answer.split(mark)
    if at_start:
        yield from (mark + part for part in parts[1:])
    else:
        yield from (part + mark for part in parts[:-1])
