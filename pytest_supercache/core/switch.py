"""How layers ask for a switch point and how background work offers itself, without a runtime."""

from typing import Protocol

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.trace import StepId
from pytest_supercache.core.waits import Wait

CONDITION = "check a condition"
"""How the label of a step begins that asks whether to wait: another run may ask more often."""


RUN = "run"
"""The label of the one step of an actor whose code never came to a switch point."""


class Switch(Protocol):
    """What stands before every step: the runtime decides here who goes next."""

    def step(
        self, label: str, footprint: Footprint, *, kind: str, wait: Wait | None = None
    ) -> None:
        """Announce a step of the calling thread; returns when the step may run."""
        ...

    def last_step(self) -> StepId | None:
        """Name the last step that the calling thread has taken; None outside of the race."""
        ...

    def answered(self, label: str) -> None:
        """Say that the answer of the last step has arrived: a switch point in shared memory."""
        ...

    async def astep(
        self, label: str, footprint: Footprint, *, kind: str, wait: Wait | None = None
    ) -> None:
        """Announce a step of the calling task; returns when the step may run."""
        ...

    async def aanswered(self, label: str) -> None:
        """Say in a task that the answer of the last step has arrived."""
        ...


class Background(Protocol):
    """Work that happens without a thread of its own, such as the delivery of a message."""

    name: str
    node: str | None

    @property
    def cause(self) -> StepId | None:
        """Name the step that made the pending one possible; None: it was possible all along."""
        ...

    def pending(self) -> tuple[str, Footprint] | None:
        """Announce the next step as label and footprint, or None when there is nothing to do."""
        ...

    def perform(self) -> None:
        """Take that step now."""
        ...
