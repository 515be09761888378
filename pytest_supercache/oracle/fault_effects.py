"""Classifies by the faults that struck: a lost message, a clock that is ahead.

A fault is part of the cause: the runs without it come first, and they held. It names the class only
together with what the trace shows, so that a conflict that a fault merely made possible keeps its
own name.
"""

from dataclasses import dataclass

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.fault import MESSAGES, Fault
from pytest_supercache.core.trace import Step
from pytest_supercache.oracle.roles import Act, layer_of

NO_EFFECT = ("error_before", "cancel", "exception")
"""Faults that leave a step without effect."""


@dataclass(frozen=True, slots=True)
class StruckFaults:
    """The faults of one execution, by kind."""

    faults: tuple[Fault, ...]

    @classmethod
    def of(cls, execution: Execution) -> "StruckFaults":
        """Return the faults that struck in ``execution``."""
        return cls(execution.schedule.vector)

    def has(self, *kinds: str) -> bool:
        """Say whether a fault of one of these kinds struck."""
        return any(fault.kind in kinds for fault in self.faults)

    def at_step(self, step: Step, *kinds: str) -> bool:
        """Say whether a fault of one of these kinds struck this step of its actor."""
        point = step.point and (step.actor, *step.point)
        return any(fault.kind in kinds and fault.point == point for fault in self.faults)

    def of_version(self, version: str) -> bool:
        """Say whether a node was of another version: ``key`` or ``serializer``."""
        return any(f.kind == "mixed_version" and f.words[1] == version for f in self.faults)

    def message_to(self, place: str, *kinds: str) -> bool:
        """Say whether a message to the node of ``place`` met a fault of one of these kinds."""
        node = place.partition("@")[2]
        return any(
            fault.kind in (kinds or MESSAGES) and fault.rest[0] == node
            for fault in self.faults
            if fault.kind in MESSAGES
        )


def why_missing(struck: StruckFaults, place: str, *, published: bool) -> str | None:
    """Return the class if nothing removed the old entry from ``place`` after the commit.

    ``published``: an invalidation was sent nevertheless.
    """
    if struck.message_to(place, "drop_invalidation"):
        return "dropped-invalidation"
    if struck.of_version("key"):
        return "key-format-mix"
    if struck.has("evict") and not published and layer_of(place) != "existing_cache":
        return "eviction-hides-invalidation"
    if struck.has("clock_skew"):
        return "clock-skew"
    return None


def why_older(struck: StruckFaults, store: Act) -> str | None:
    """Return the class if ``store`` put an older value over a newer one, by the faults."""
    if struck.has("clock_skew"):
        return "clock-skew"
    if struck.has("reorder_invalidations") and store.step.kind == "message":
        return "reordered-update"
    if struck.has("error_after", "duplicate_invalidation"):
        return "late-duplicate"
    return None
