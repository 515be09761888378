"""Reduces a "no" to a few calls that cannot be ordered, whatever all the others did.

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

from pytest_supercache.core.identity import identity
from pytest_supercache.core.verdict import Verdict
from pytest_supercache.oracle.linear.call import NEVER, READS, Call
from pytest_supercache.oracle.linear.check import check_calls
from pytest_supercache.oracle.linear.problem import KeyProblem
from pytest_supercache.oracle.linear.search import LinearSearch
from pytest_supercache.oracle.linear.zones import Clash, Reason

_TRIAL_BUDGET = 20_000
_BUDGET = 200_000
"""Configurations for one trial, and for all of them; after that the core is not reduced further."""

_LETTERS_A_STEP = 32
_LETTERS_MAX = 4_000
_FIRST_GUESS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """Calls of one key that cannot be ordered.

    ``minimal``: without any one of them they can. ``others``: those that were given every freedom,
    to take effect at any time once called, or never. ``since``: the position from which on calls
    are considered, with any content of the key before; None: from the start.
    """

    calls: tuple[Call, ...]
    minimal: bool
    others: tuple[Call, ...] = ()
    since: int | None = None


def smallest_core(calls: Sequence[Call], clash: Clash, initials: Sequence[Any]) -> Core:
    """Return a small core of a clash among ``calls``, which are those of one key."""
    effort = _Effort()
    runner = _Trial(calls, initials, effort)
    core = list(clash.calls)
    if clash.reason is Reason.NO_ORDER:
        runner = _narrowed(runner, clash.near)
        core = _first(runner)
    effort.too_hard = False
    size = max(1, len(core) // 2)
    while not effort.is_over:
        shorter = _without_a_part(core, size, runner)
        if shorter is not None:
            core = shorter
            size = max(1, min(size, len(core) // 2))
        elif size == 1:
            break
        else:
            size //= 2
    return Core(
        calls=tuple(sorted(core, key=lambda call: call.called_at)),
        minimal=not effort.is_over and not effort.too_hard,
        others=tuple(sorted(runner.others(core), key=lambda call: call.called_at)),
        since=runner.since,
    )


@dataclass(slots=True)
class _Effort:
    """The budget that is left for reducing one violation."""

    left: int = _BUDGET
    too_hard: bool = False  # some trial was not decided, so there may be something shorter

    @property
    def is_over(self) -> bool:
        return self.left <= 0


@dataclass(frozen=True, slots=True)
class _Trial:
    """Judges some calls as they are, and gives all others the most freedom."""

    calls: Sequence[Call]
    initials: Sequence[Any]
    effort: _Effort
    since: int | None = None

    def is_violated(self, core: list[Call]) -> bool:
        """Say whether ``core`` has no order, whatever the other calls did."""
        loose = [replace(call, returned_at=NEVER, answer=None) for call in self.others(core)]
        answer = check_calls([*core, *loose], self.initials, budget=_TRIAL_BUDGET)
        self.effort.left -= answer.steps + len(core) + len(loose)
        self.effort.left -= _letters(core) // _LETTERS_A_STEP
        if answer.verdict is Verdict.UNKNOWN:
            self.effort.too_hard = True
        return answer.verdict is Verdict.VIOLATED

    def others(self, core: list[Call]) -> list[Call]:
        """Return the calls outside ``core`` that could help to explain it."""
        inside = {identity(call) for call in core}
        changes = [
            call
            for call in self.calls
            if identity(call) not in inside and not call.is_pure and not _changes_nothing(call)
        ]
        return _that_matter(changes, core)

    def until(self, position: int) -> "_Trial":
        """Return a trial that ends at ``position``: later calls cannot affect what has ended."""
        calls = [call for call in self.calls if call.called_at < position]
        calls = [
            replace(call, returned_at=NEVER, answer=None) if call.returned_at > position else call
            for call in calls
            if call.returned_at <= position or not call.is_pure
        ]
        return replace(self, calls=calls)

    def from_(self, position: int) -> "_Trial":
        """Return a trial of the calls from ``position`` on, without those that had ended by then.

        Not with long texts: too many of their beginnings could have been there.
        """
        calls = [
            call if call.called_at >= position else replace(call, returned_at=NEVER, answer=None)
            for call in self.calls
            if call.called_at >= position or (call.returned_at > position and not call.is_pure)
        ]
        if _grow(calls) and _letters(calls) > _LETTERS_MAX:
            return self
        return replace(self, calls=calls, initials=_anything(calls), since=position)

    def certain(self) -> list[Call]:
        """Return the calls with a known outcome, which cores consist of."""
        return [call for call in self.calls if call.returned]


def _anything(calls: Sequence[Call]) -> Sequence[Any]:
    """Return the values that a key may have before ``calls``, as far as they can tell."""
    if _grow(calls):
        answers = {call.answer for call in calls if call.kind == "get"}
        begun = {answer[:length] for answer in answers for length in range(len(answer) + 1)}
        return [*sorted(begun), max(answers, key=len, default="") + "?"]
    asked = [call.answer for call in calls if call.kind in READS]
    asked += [call.value[0] for call in calls if call.kind == "cas"]
    return [*dict.fromkeys(asked), object()]  # and a value that nobody asks for


def _grow(calls: Sequence[Call]) -> bool:
    return any(call.kind == "append" for call in calls)


def _letters(calls: Sequence[Call]) -> int:
    return sum(len(call.answer) for call in calls if call.kind == "get" and call.returned)


def _narrowed(runner: _Trial, near: int) -> _Trial:
    """Return the shortest part of the trial, near a position, that still has no order.

    The more of a recording is considered, the less is possible. So what surrounds ``near`` is tried
    first, then more and more of it, and at last both ends are found by halving.
    """
    exact = LinearSearch(KeyProblem(runner.calls, runner.initials), looks_ahead=False)
    if exact.advance(_BUDGET) is Verdict.VIOLATED:
        near = exact.failed_at
    ends = sorted(call.returned_at for call in runner.certain())
    starts = sorted(call.called_at for call in runner.certain())
    part, width = runner, _FIRST_GUESS
    while width < len(ends) and not runner.effort.is_over:
        last = min(bisect_left(ends, near) + width, len(ends) - 1)
        first = bisect_left(starts, near) - width
        part = runner.until(ends[last])
        if first > 0:
            part = part.from_(starts[first])
        if part.is_violated(part.certain()):
            break
        part, width = runner, width * 4
    part = _least(part, part.until, sorted(call.returned_at for call in part.certain()))
    return _least(part, part.from_, sorted((c.called_at for c in part.certain()), reverse=True))


def _least(runner: _Trial, part: Callable[[int], _Trial], positions: list[int]) -> _Trial:
    """Return the first part without an order; the whole if the effort found none."""
    best, low, high = runner, 0, len(positions) - 1
    while low <= high and not runner.effort.is_over:
        middle = (low + high) // 2
        smaller = part(positions[middle])
        if smaller.is_violated(smaller.certain()):
            best, high = smaller, middle - 1
        else:
            low = middle + 1
    return best


def _first(runner: _Trial) -> list[Call]:
    """Return a first core: the latest calls, more and more of them, or all."""
    candidates = sorted(runner.certain(), key=lambda call: call.returned_at)
    count = _FIRST_GUESS
    while count < len(candidates) and not runner.effort.is_over:
        if runner.is_violated(candidates[-count:]):
            return candidates[-count:]
        count *= 4
    if runner.since is not None or runner.is_violated(candidates):
        return candidates
    return [call for call in runner.calls if call.returned or not call.is_pure]


def _without_a_part(core: list[Call], size: int, runner: _Trial) -> list[Call] | None:
    """Return the core without ``size`` neighbours, the earliest that can go (after ddmin)."""
    for start in range(0, len(core), size):
        shorter = core[:start] + core[start + size :]
        if runner.effort.is_over:
            return None
        if shorter and runner.is_violated(shorter):
            return shorter
    return None


def _changes_nothing(call: Call) -> bool:
    return call.kind == "cas" and bool(call.value[0] == call.value[1])


def _that_matter(others: list[Call], core: list[Call]) -> list[Call]:
    """Return the changing calls that could help to explain an answer of the core."""
    if _grow(core) or _grow(others):
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
