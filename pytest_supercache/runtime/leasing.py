"""What a command of the calling actor says about locks that run out."""

from pytest_supercache.layers.leases import Leases
from pytest_supercache.layers.redis_commands import PLACE, Described
from pytest_supercache.runtime.calling import current_actor


def note_lease(leases: Leases, command: Described) -> None:
    """Note that the calling actor asks for a key, deletes it, or gives it to a script."""
    actor = current_actor()
    name, operation = ("", None) if actor is None else (actor.name, actor.operation)
    if command.asks is not None:
        leases.ask(command.asks, (name, operation))
    elif command.frees and leases.are_asked:
        for resource in command.footprint.writes:
            leases.free(resource.removeprefix(f"{PLACE}:"), name)
