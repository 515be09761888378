"""Choices of an actor that has no step to announce: its first lines, or code without any step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.trace import Step

if TYPE_CHECKING:
    from pytest_supercache.runtime.actor import Actor
    from pytest_supercache.runtime.controller import Controller


def begin(controller: Controller, actor: Actor) -> None:
    """Choose an actor for the first time: its first lines run before its first step.

    In shared memory these lines are a step of their own.
    """
    controller.fused = actor
    if controller.shared_memory:
        controller.fused = None
        memory = frozenset({f"memory:{actor.node}"})
        add_move(controller, actor, "start", "memory", Footprint(memory, memory))
        actor.operation_began = actor.taken


def add_move(
    controller: Controller, actor: Actor, label: str, kind: str, footprint: Footprint
) -> None:
    """Record a choice of an actor that had no step to announce."""
    controller.record.close()
    controller.record.add(
        Step(
            actor.name, actor.taken, label, kind, footprint, actor.node,
            phase=controller.phase, choice=len(controller.choices) - 1,
            pending=controller.all_pending(),
            time=controller.time.clock.now(),
        )
    )  # fmt: skip
    controller.record.last = actor.name
    actor.taken += 1
