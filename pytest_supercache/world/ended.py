"""Makes the world of an ended execution refuse to be used.

Code that keeps a world, or one of its users, for the next execution would record its operations
where no oracle reads them, and an execution without operations breaks nothing.
"""

from typing import Any

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.runtime.kernel.actor import leave
from pytest_supercache.runtime.kernel.calling import current_actor
from pytest_supercache.world.world import World


class EndedWorld(World):
    """A world that refuses to be used, except by code that is still being unwound in it."""

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("_"):
            return super().__getattribute__(name)
        if self._controller.given_up:
            leave(current_actor())  # the caller is being unwound
        raise SupercacheError(
            f"world.{name} was asked for, but the execution of this world has ended. It was kept, "
            "or a user of it was: in a global, a cache, a default argument, a thread. Use the "
            "world that the body is given, in every execution anew"
        )


def end(world: World) -> None:
    """Make ``world`` refuse any further use."""
    world.__class__ = EndedWorld
