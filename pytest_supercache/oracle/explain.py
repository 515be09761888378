"""Writes the sentences about a finding: what happened, what forces it, what helps."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from pytest_supercache.core.orders import Pair, StepName
from pytest_supercache.core.schedule import CLOCK, CUT_CLOCK, LOOP_CALLS
from pytest_supercache.core.trace import Step
from pytest_supercache.oracle.catalogue import CATALOGUE, ConflictClass
from pytest_supercache.oracle.cause import Causes
from pytest_supercache.oracle.story import step_numbers, without_fault

Numbers = Mapping[StepName, int]
"""The numbers of steps in the picture of the failing execution."""


def class_sentence(slug: str) -> str:
    """Return the sentence that names a class, with its number and title."""
    known = CATALOGUE.get(slug)
    if known is None:
        return "class: unclassified: it fits none of the known conflicts"
    number = f" ({known.number})" if known.number else ""
    return f"class: {slug}{number}: {known.title}"


def advice(slug: str) -> list[str]:
    """Return the lines on a class's symptom, its usual workaround and its permanent fix."""
    known = CATALOGUE.get(slug)
    if known is None:
        return []
    return [
        f"users notice: {known.symptom}",
        f"usual workaround: {_workaround(known)}",
        f"permanent fix: {known.fix}",
    ]


def _workaround(known: ConflictClass) -> str:
    if not known.workaround:
        return "none is known"
    effect = "it removes the conflict" if known.removes else "the conflict stays possible"
    return f"{known.workaround} ({effect})"


def cause_sentences(
    causes: Causes, race: Sequence[Step], *, executed: int, exhausted: bool
) -> list[str]:
    """Return the orders that force the failure, and the change that would have avoided it.

    ``race``: the steps of the failing execution.
    """
    numbers = ambiguous(race)
    lines = []
    for number, cause in enumerate(causes.sets):
        if not cause.pairs:
            lines.append("fails in every order of the steps")
            continue
        orders = _orders(cause.pairs, numbers, cause.never)
        exactly = "exactly " if causes.is_complete and exhausted else ""
        begin = f"fails {exactly}when" if not number else "  or when"
        lines.append(f"{begin} {orders}{'' if cause.is_fewest else ' (sufficient, not fewest)'}")
    if lines and not exhausted:
        lines.append(f"  (so in all {executed:,} runs that were seen)")
    if causes.passing:
        orders = _orders(causes.passing[:2], numbers)
        lines.append(f"holds, with the fewest changes, when {orders}")
    return lines


def _orders(
    pairs: Iterable[Pair], numbers: Numbers, never: frozenset[StepName] = frozenset()
) -> str:
    told = [
        f"{named(first, numbers)} comes before {named(second, numbers)}"
        f"{', which then never comes' if second in never else ''}"
        for first, second in pairs
    ]
    return ", and ".join(told)


def ambiguous(race: Sequence[Step]) -> Numbers:
    """Return the numbers of the steps that share their name with others of their actor."""
    numbers = step_numbers(race)
    times = Counter((actor, without_fault(label)) for actor, _, label in numbers)
    return {name: at for name, at in numbers.items() if times[name[0], without_fault(name[2])] > 1}


def named(name: StepName, numbers: Numbers = MappingProxyType({})) -> str:
    """Return the name of a step, with its number in the picture if its actor has more like it."""
    actor, _, label = name
    number = f" (step {numbers[name]})" if name in numbers else ""
    if actor == CLOCK:
        return f"a tick of the clock{number}"
    if actor == LOOP_CALLS:
        return f"the moment when the event loop takes the next callback of a thread{number}"
    if actor.startswith(CUT_CLOCK):
        return f"the moment when {label}{number}"
    if actor.startswith("messages@"):
        what = label.removeprefix("deliver ").removeprefix("update ")
        return f"the delivery of {what} to node {actor.partition('@')[2]}{number}"
    return f"{actor}'s {without_fault(label)}{number}"
