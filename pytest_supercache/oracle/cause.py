"""Finds what forces a violation: the fewest orders of two steps that always lead to it.

An order "a before b" blocks b until a has been: it is kept by every interleaving that does not
take b before a, also by one in which b never comes. A set of orders forces a violation when every
interleaving that keeps all of them fails. So the size of a smallest set is the depth of the bug in
the sense of PCT (Burckhardt et al., ASPLOS 2010). Interleavings are bits of an integer, so that
sets of them are compared at once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import and_, or_

from pytest_supercache.core.orders import Cause, Pair, Tried
from pytest_supercache.core.schedule import Schedule

PAIRS_MAX = 70
INTERLEAVINGS_MAX = 5_000
SIZE_MAX = 4
CAUSES_MAX = 4
TRIED_MAX = 1_000
"""The most interleavings that a counterexample is shown with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Causes:
    """Every cause that was found; ``is_complete``: they explain every failing interleaving."""

    sets: tuple[Cause, ...]
    is_complete: bool
    passing: tuple[Pair, ...] = ()
    """The orders that are reversed in the nearest interleaving that passes."""


@dataclass(slots=True)
class Evidence:
    """The interleavings that were executed, by the orders of steps in them."""

    size: int = 0
    failing: int = 0
    orders: dict[Pair, int] = field(default_factory=dict)
    schedules: dict[int, Schedule] = field(default_factory=dict)
    """A schedule of each interleaving that can be executed again."""

    def add(self, pairs: Iterable[Pair], *, fails: bool, schedule: Schedule | None = None) -> None:
        """Add one interleaving; more than :data:`INTERLEAVINGS_MAX` are not kept."""
        if self.size >= INTERLEAVINGS_MAX:
            return
        bit = 1 << self.size
        for pair in pairs:
            self.orders[pair] = self.orders.get(pair, 0) | bit
        self.failing |= bit * fails
        if schedule is not None:
            self.schedules[self.size] = schedule
        self.size += 1

    @property
    def all(self) -> int:
        """Every interleaving."""
        return (1 << self.size) - 1


def find_causes(evidence: Evidence, witness: Sequence[Pair]) -> Causes:
    """Explain a violation whose failing schedule has the orders ``witness``, in this order."""
    found: list[Cause] = []
    left = evidence.failing
    pairs = list(witness)
    while left and len(found) < CAUSES_MAX:
        cause, covered = _forcing(evidence, pairs)
        if not covered & left:
            break
        found.append(cause)
        left &= ~covered
        pairs = _orders_of(evidence, left)
    return Causes(sets=tuple(found), is_complete=not left, passing=nearest(evidence, witness)[0])


def tried(evidence: Evidence, witness: Sequence[Pair], *, exhausted: bool) -> Tried | None:
    """Return what became of other orders of the failing steps; None: there are too many orders."""
    if len(witness) > PAIRS_MAX:
        return None
    count = min(evidence.size, TRIED_MAX)
    shown = (1 << count) - 1
    orders = tuple(
        (pair, evidence.orders.get(pair, 0) & shown, evidence.orders.get(pair[::-1], 0) & shown)
        for pair in witness
    )
    return Tried(
        interleavings=count,
        failing=evidence.failing & shown,
        orders=orders,
        are_all=exhausted and evidence.size <= TRIED_MAX,
    )


def forces(evidence: Evidence, pairs: Iterable[Pair]) -> bool:
    """Say whether all interleavings that keep these orders fail."""
    kept = reduce(and_, (_kept(evidence, pair) for pair in pairs), evidence.all)
    return not kept & ~evidence.failing


def _forcing(evidence: Evidence, witness: Sequence[Pair]) -> tuple[Cause, int]:
    """Return a smallest forcing set among the orders that a failing interleaving keeps."""
    everything = evidence.all
    if evidence.failing == everything:
        return Cause(pairs=(), is_fewest=True), everything
    candidates = _candidates(evidence, witness)
    more = _candidates(evidence, [*witness, *_never_both(evidence, witness)])
    passing = everything & ~evidence.failing
    for chosen in (candidates, more):
        if len(chosen) <= PAIRS_MAX:
            for size in range(1, SIZE_MAX + 1):
                first = _first(chosen, size, everything, passing)
                if first is not None:
                    return _cause(first[0], witness, is_fewest=True), first[1]
    pairs, covered = _irreducible(evidence, more)
    return _cause(pairs, witness, is_fewest=False), covered


def _cause(pairs: tuple[Pair, ...], witness: Sequence[Pair], *, is_fewest: bool) -> Cause:
    never = frozenset(pair[1] for pair in pairs if pair not in witness)
    return Cause(pairs=pairs, is_fewest=is_fewest, never=never)


def _kept(evidence: Evidence, pair: Pair) -> int:
    """Return the interleavings that keep an order: those without the reversed order."""
    return evidence.all & ~evidence.orders.get((pair[1], pair[0]), 0)


def _never_both(evidence: Evidence, witness: Sequence[Pair]) -> list[Pair]:
    """Return the orders that a failing interleaving keeps because the second step never comes."""
    having = evidence.failing
    for pair in witness:
        having &= evidence.orders.get(pair, 0)
    one = having & -having
    steps = {step for pair in witness for step in pair}
    return sorted(
        pair
        for pair, mask in evidence.orders.items()
        if one and pair[0] in steps and not (mask | evidence.orders.get(pair[::-1], 0)) & one
    )


def _candidates(evidence: Evidence, witness: Sequence[Pair]) -> list[tuple[Pair, int]]:
    """Return the orders that not every interleaving keeps, one of each kind."""
    seen: set[int] = set()
    found = []
    for pair in witness:
        kept = _kept(evidence, pair)
        if kept != evidence.all and kept not in seen:
            seen.add(kept)
            found.append((pair, kept))
    return found


def _first(
    candidates: Sequence[tuple[Pair, int]], size: int, within: int, passing: int
) -> tuple[tuple[Pair, ...], int] | None:
    """Return the first set of ``size`` orders that some interleaving keeps, but no passing one.

    Also return the interleavings that keep it.
    """
    if size == 1:
        for pair, kept in candidates:
            both = within & kept
            if both and not both & passing:
                return (pair,), both
        return None
    for at, (pair, kept) in enumerate(candidates):
        both = within & kept
        rest = _first(candidates[at + 1 :], size - 1, both, passing) if both else None
        if rest is not None:
            return (pair, *rest[0]), rest[1]
    return None


def _irreducible(
    evidence: Evidence, candidates: Sequence[tuple[Pair, int]]
) -> tuple[tuple[Pair, ...], int]:
    """Remove one order after the other while the rest still forces the violation."""
    kept = list(candidates)
    for each in list(candidates):
        fewer = [other for other in kept if other is not each]
        if not _covered(evidence, fewer) & ~evidence.failing:
            kept = fewer
    covered = _covered(evidence, kept)
    if covered & ~evidence.failing:
        covered = 0  # nothing that was recorded tells this interleaving from a passing one
    return tuple(pair for pair, _ in kept), covered


def _covered(evidence: Evidence, candidates: Iterable[tuple[Pair, int]]) -> int:
    covered = evidence.all
    for _, mask in candidates:
        covered &= mask
    return covered


def _orders_of(evidence: Evidence, interleavings: int) -> list[Pair]:
    """Return the orders of the first of these interleavings."""
    first = interleavings & -interleavings
    return sorted(pair for pair, mask in evidence.orders.items() if mask & first)


def nearest(
    evidence: Evidence, witness: Sequence[Pair]
) -> tuple[tuple[Pair, ...], Schedule | None]:
    """Return the orders that are reversed in the passing interleaving most like the failing one.

    Also return a schedule of that interleaving, if one is known.
    """
    others: list[int] = []  # for each order, the interleavings that do not have it
    turned: list[int] = []  # of these, the ones that have it the other way round
    for first, second in witness:
        others.append(evidence.all & ~evidence.orders.get((first, second), 0))
        turned.append(others[-1] & evidence.orders.get((second, first), 0))
    passing = evidence.all & ~evidence.failing & reduce(or_, turned, 0)
    like = _in_fewest(passing, others)
    like = _in_fewest(like, [other & ~turn for other, turn in zip(others, turned, strict=True)])
    bit = like & -like
    pairs = zip(witness, turned, strict=True)
    found = tuple((second, first) for (first, second), turn in pairs if turn & bit)
    return found, evidence.schedules.get(bit.bit_length() - 1)


def _in_fewest(interleavings: int, masks: Iterable[int]) -> int:
    """Return the interleavings that are in the fewest masks; they are counted all at once."""
    planes: list[int] = []  # for each interleaving a number, its lowest digits in the first plane
    for mask in masks:
        carry = mask
        for at, plane in enumerate(planes):
            planes[at], carry = plane ^ carry, plane & carry
        planes.append(carry)
    for plane in reversed(planes):
        interleavings = interleavings & ~plane or interleavings
    return interleavings
