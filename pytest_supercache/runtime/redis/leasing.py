"""Detects locks with a TTL in the commands of an actor and their answers."""

from collections.abc import Sequence
from typing import Any

from pytest_supercache.core.operation import RACE
from pytest_supercache.layers.leases import Asker, Leases
from pytest_supercache.layers.redis_commands import PLACE, Described, described
from pytest_supercache.runtime.kernel.calling import current_actor
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext


def note_lease(execution: ExecutionContext, leases: Leases, command: Described) -> None:
    """Note that the calling actor tries to take a key, deletes it, or passes it to a script."""
    if execution.controller.phase != RACE:
        return
    if command.asks is not None:
        leases.ask(command.asks, _asker())
    elif command.frees and leases.are_asked:
        name, _ = _asker()
        for resource in command.footprint.writes:
            leases.free(resource.removeprefix(f"{PLACE}:"), name)


def note_answer(leases: Leases, args: Sequence[Any], answer: Any) -> None:
    """Note whether the calling actor got the key that its command tried to take."""
    if leases.are_asked:
        key = described(args, PLACE).asks
        if key is not None:
            leases.answer(key, _asker(), is_granted=bool(answer))


def _asker() -> Asker:
    actor = current_actor()
    return ("", None) if actor is None else (actor.name, actor.operation)
