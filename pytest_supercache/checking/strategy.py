"""Which searches are tried, in which order, and what each of them leaves to say.

``auto`` is exhaustive while that fits the budget, and draws by PCT afterwards. When the reduction
of the exhaustive search cannot be trusted, every schedule is executed instead.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_supercache.checking.few_preemptions import FewPreemptions
from pytest_supercache.checking.reduction_check import Doubt, HiddenState
from pytest_supercache.checking.runner import SharedMemoryNeeded, Trial
from pytest_supercache.core.settings import SAMPLERS
from pytest_supercache.core.verdict import End
from pytest_supercache.search.all_schedules import AllSchedules, UpTo
from pytest_supercache.search.sampler import Sampler, sampler
from pytest_supercache.search.search import Search, SearchEnded
from pytest_supercache.search.walk import ReductionAlarm

if TYPE_CHECKING:
    from pytest_supercache.search.generated import Generated


OfHypothesis = tuple[int | None, tuple[str, bytes] | None]
"""The seed, and version and blob of ``@reproduce_failure``."""


@dataclass(slots=True)
class Searched:
    """How the searches of one check ended."""

    end: End = End.OUT_OF_BUDGET
    is_smallest: bool = False
    """Whether all schedules with fewer preemptions than the finding's were executed before it."""
    up_to: UpTo | None = None
    """Which schedules were all executed although the search did not finish."""
    doubt: Doubt | None = None
    """Of the reduction that was relied on; None: there was none."""
    sampler: Sampler | None = None
    """The last search, if it drew at random."""
    generated: "Generated | None" = None
    """The search by Hypothesis, if that was asked for."""
    note: str | None = None
    """Why the reduction was given up."""


def search(trial: Trial, item: str, hypothesis: OfHypothesis) -> Searched:
    """Let the chosen searches try schedules, one after the other, until one has the answer.

    Raises:
        SharedMemoryNeeded: steps share memory that nobody declared.
        SupercacheError: a guarantee cannot be judged, whatever is executed.
    """
    trial.refuse_what_cannot_be_judged()
    searched = Searched()
    if _may_reduce(trial):
        _reduced(trial, searched)
        if searched.end is not End.OUT_OF_BUDGET or trial.is_over_budget():
            return searched
    for each in _searches(trial, searched, item, hypothesis):
        try:
            searched.end = each.explore(trial.attempt)
        except SearchEnded as ended:
            searched.end = ended.end
        trial.outside = False
        searched.sampler = each if isinstance(each, Sampler) else None
        searched.is_smallest = isinstance(each, AllSchedules)
        if isinstance(each, AllSchedules):
            searched.up_to = each.done
        if searched.end is not End.OUT_OF_BUDGET or trial.is_over_budget():
            break
    return searched


def _no_reduction(trial: Trial) -> str | None:
    """Say why no schedule may be left out; None: some may."""
    for guarantee in trial.guarantees:
        if guarantee.real_time and guarantee.find_patterns is None:
            return (
                f"the search does without a reduction: {guarantee.name} is about real time and "
                "does not say which orders of independent steps may break it"
            )
    return None


def _may_reduce(trial: Trial) -> bool:
    return (
        trial.settings.search in {"auto", "exhaustive"}
        and trial.settings.preemptions is None
        and trial.is_reducible
    )


def _reduced(trial: Trial, searched: Searched) -> None:
    """Execute every interleaving once, and check that this was enough."""
    searched.note = _no_reduction(trial)
    if searched.note is not None:
        return
    doubt = Doubt(trial)
    few = FewPreemptions(trial, doubt)
    doubt.search.is_hopeless = (
        trial.is_hopeless if trial.settings.search == "auto" else doubt.search.is_hopeless
    )
    trial.goes_on = True
    try:
        try:
            searched.end = doubt.search.explore(few.attempt)
        except SearchEnded as ended:
            searched.end = ended.end
        few.conclude(searched.end)
        searched.doubt = None if few.is_everything else doubt
        searched.is_smallest, searched.up_to = few.has_found, few.done
        if searched.end is End.EXHAUSTED and trial.found is None and searched.doubt is not None:
            doubt.conclude()
    except SearchEnded:
        searched.end = End.OUT_OF_BUDGET
    except (HiddenState, ReductionAlarm) as alarm:
        if isinstance(alarm, HiddenState) and trial.settings.memory == "auto" and not trial.shared:
            raise SharedMemoryNeeded(str(alarm)) from alarm
        searched.doubt, searched.end = None, End.OUT_OF_BUDGET
        searched.note = f"the search does without a reduction: {alarm}"
        trial.forget_findings()
    finally:
        trial.goes_on = False


def _searches(
    trial: Trial, searched: Searched, item: str, hypothesis: OfHypothesis
) -> Iterator[Search]:
    settings = trial.settings
    is_auto = settings.search == "auto"
    if settings.search == "hypothesis":
        from pytest_supercache.search.generated import Generated

        trial.outside = True  # Hypothesis draws on the thread that called it only
        vector = "".join(f";{fault}" for fault in trial.vector)
        searched.generated = Generated(settings.executions, f"{item}{vector}", *hypothesis)
        yield searched.generated
    all_of_them = settings.search == "all-schedules" or settings.preemptions is not None
    all_of_them |= not trial.is_reducible and settings.search in {"auto", "exhaustive"}
    if (all_of_them and settings.search not in SAMPLERS) or searched.note is not None:
        yield AllSchedules(settings.preemptions, trial.is_hopeless if is_auto else _never)
    if settings.search in SAMPLERS - {"hypothesis"} or (is_auto and settings.preemptions is None):
        assert trial.first is not None, "users have taken turns"
        yield sampler(settings.search, settings.seed, trial.first.schedule.choices)


def _never(_owed: int) -> bool:
    return False
