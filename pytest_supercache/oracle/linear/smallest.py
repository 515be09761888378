"""A "no" made short: a few calls that cannot be ordered, whatever all the others did.

Leaving a read out can only make more orders possible, but leaving a write out may not: its value
would come from nowhere. So a write that is left out stays as one that may take effect at any time
once it is called, or never. And a recording may be taken up in the middle, when the key may hold
anything. What cannot be ordered even so is a proof on its own, and nothing else need be read.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pytest_supercache.core.verdict import Verdict
from pytest_supercache.oracle.linear.call import NEVER, READS, Call
from pytest_supercache.oracle.linear.check import check_calls
from pytest_supercache.oracle.linear.zones import Clash, Reason

_TRIAL_BUDGET = 20_000
_BUDGET = 200_000
"""Configurations for one trial, and for all of them; after that the core is as small as it is."""

_FIRST_GUESS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """Calls of one key that cannot be ordered.

    ``minimal``: without any one of them they can. ``others``: those that were given every freedom,
    to take effect at any time once called, or never. ``since``: the position from which on calls
    are looked at, whatever the key held then; None: from the start.
    """

    calls: tuple[Call, ...]
    minimal: bool
    others: tuple[Call, ...] = ()
    since: int | None = None


def smallest_core(calls: Sequence[Call], clash: Clash, initials: Sequence[Any]) -> Core:
    """Return a small core of a clash among ``calls``, which are those of one key."""
    trial = _Trial(calls, initials)
    if clash.reason is Reason.NO_ORDER:
        trial = _narrowed(trial, clash.near)
        core = _first(trial)
    else:
        core = list(clash.calls)
    size = max(1, len(core) // 2)
    while not trial.is_over:
        shorter = _without_a_part(core, size, trial.is_violated)
        if shorter is not None:
            core = shorter
            size = max(1, min(size, len(core) // 2))
        elif size == 1:
            break
        else:
            size //= 2
    core.sort(key=lambda call: call.called_at)
    minimal = not trial.is_over and not trial.gave_up
    others = sorted(trial.others(core), key=lambda call: call.called_at)
    return Core(calls=tuple(core), minimal=minimal, others=tuple(others), since=trial.since)


class _Trial:
    """Judges some calls as they are and all others as loosely as can be, within a budget."""

    def __init__(
        self, calls: Sequence[Call], initials: Sequence[Any], since: int | None = None
    ) -> None:
        self.calls = calls
        self.since = since
        self.gave_up = False  # some trial was too hard to judge
        self._initials = initials
        self._left = _BUDGET

    @property
    def is_over(self) -> bool:
        return self._left <= 0

    def is_violated(self, core: list[Call]) -> bool:
        """Say whether ``core`` has no order, whatever the other calls did."""
        loose = [replace(call, returned_at=NEVER, answer=None) for call in self.others(core)]
        answer = check_calls([*core, *loose], self._initials, budget=_TRIAL_BUDGET)
        self._left -= answer.steps + len(core) + len(loose)
        self.gave_up = self.gave_up or answer.verdict is Verdict.UNKNOWN
        return answer.verdict is Verdict.VIOLATED

    def others(self, core: list[Call]) -> list[Call]:
        """Return the calls outside ``core`` that could help to explain it."""
        inside = {id(call) for call in core}
        changes = [
            call
            for call in self.calls
            if id(call) not in inside and not call.is_pure and not _changes_nothing(call)
        ]
        return _that_matter(changes, core)

    def until(self, position: int) -> "_Trial":
        """Return the same, broken off: what begins later comes after everything that has ended."""
        calls = [call for call in self.calls if call.called_at < position]
        calls = [
            replace(call, returned_at=NEVER, answer=None) if call.returned_at > position else call
            for call in calls
            if call.returned_at <= position or not call.is_pure
        ]
        return _Trial(calls, self._initials, self.since)

    def from_(self, position: int) -> "_Trial":
        """Return the same, taken up in the middle: what had ended by then is left out."""
        calls = [
            call if call.called_at >= position else replace(call, returned_at=NEVER, answer=None)
            for call in self.calls
            if call.called_at >= position or (call.returned_at > position and not call.is_pure)
        ]
        anything: dict[Any, None] = {object(): None}  # a value that nobody asks for
        for call in calls:
            if call.kind in READS:
                anything[call.answer] = None
            elif call.kind == "cas":
                anything[call.value[0]] = None
        return _Trial(calls, tuple(anything), since=position)

    def certain(self) -> list[Call]:
        """Return the calls whose outcome is known: what a core is made of."""
        return [call for call in self.calls if call.returned]


def _narrowed(trial: _Trial, near: int) -> _Trial:
    """Return the trial broken off as early and taken up as late as there still is no order.

    The more of a recording is looked at, the less is possible. So what surrounds ``near`` is tried
    first, then more and more of it, and at last both ends are found by halving.
    """
    grows = any(call.kind == "append" for call in trial.calls)  # what was there then: too much
    ends = sorted(call.returned_at for call in trial.certain())
    starts = sorted(call.called_at for call in trial.certain())
    part, width = trial, _FIRST_GUESS
    while width < len(ends):
        last = min(bisect_left(ends, near) + width, len(ends) - 1)
        first = bisect_left(starts, near) - width
        part = trial.until(ends[last])
        if first > 0 and not grows:
            part = part.from_(starts[first])
        if part.is_violated(part.certain()):
            break
        part, width = trial, width * 4
    part = _least(part, part.until, sorted(call.returned_at for call in part.certain()))
    if grows:
        return part
    return _least(part, part.from_, sorted((c.called_at for c in part.certain()), reverse=True))


def _least(trial: _Trial, part: Callable[[int], _Trial], positions: list[int]) -> _Trial:
    """Return the first part without an order; the whole when none was found within the budget."""
    best, low, high = trial, 0, len(positions) - 1
    while low <= high:
        middle = (low + high) // 2
        smaller = part(positions[middle])
        if smaller.is_violated(smaller.certain()):
            best, high = smaller, middle - 1
        else:
            low = middle + 1
    best.gave_up = False
    return best


def _first(trial: _Trial) -> list[Call]:
    """Return a first core: the latest calls, more and more of them, or all."""
    candidates = sorted(trial.certain(), key=lambda call: call.returned_at)
    count = _FIRST_GUESS
    while count < len(candidates) and not trial.is_over:
        if trial.is_violated(candidates[-count:]):
            return candidates[-count:]
        count *= 4
    trial.gave_up = False
    if trial.since is not None or trial.is_violated(candidates):
        return candidates
    return [call for call in trial.calls if call.returned or not call.is_pure]


def _without_a_part(
    core: list[Call], size: int, is_violated: Callable[[list[Call]], bool]
) -> list[Call] | None:
    """Return the core without ``size`` neighbours, the earliest that can go (after ddmin)."""
    for start in range(0, len(core), size):
        shorter = core[:start] + core[start + size :]
        if shorter and is_violated(shorter):
            return shorter
    return None


def _changes_nothing(call: Call) -> bool:
    return call.kind == "cas" and bool(call.value[0] == call.value[1])


def _that_matter(others: list[Call], core: list[Call]) -> list[Call]:
    """Return the changing calls that could help to explain an answer of the core."""
    if any(call.kind == "append" for call in (*others, *core)):
        answers = {call.answer for call in core if call.kind == "get"}
        return [call for call in others if any(call.value in answer for answer in answers)]
    if any(call.kind == "cas" and call.is_pure for call in core):
        return others  # any change at all may be what made a compare-and-set fail
    compared = [call.value[0] for call in (*others, *core) if call.kind == "cas"]
    wanted = {call.answer for call in core if call.kind in READS}.union(compared)
    most = len(core) + len(compared)  # no value need be written more often
    copies: Counter[Any] = Counter()
    kept = []
    for call in others:
        left = call.value[1] if call.kind == "cas" else call.value
        copies[left] += 1
        if left in wanted and copies[left] <= most:
            kept.append(call)
    return kept
