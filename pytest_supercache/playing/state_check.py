"""Does the system keep state that its nodes share in this process? Asked once per item.

A value is written and read on one node, all shared content is forgotten, and another node is asked.
The same value again, or an answer without a step, can only come from memory that both nodes have,
which in production they do not.
"""

from functools import partial
from typing import Any

from pytest_supercache.core.errors import SupercacheError, UndeclaredStateError
from pytest_supercache.oracle.versions import same
from pytest_supercache.playing.awaiting import called, on_a_loop_if_needed
from pytest_supercache.playing.building import built
from pytest_supercache.registry import System
from pytest_supercache.runtime.state import changed_globals, fingerprint, memo_sizes
from pytest_supercache.world import World


async def find_undeclared_state(world: World, system: System, key: str, value: Any) -> None:
    """Write ``key`` on node a and read it on node b, with nothing shared in between.

    Raises:
        UndeclaredStateError: b knew it; the message names the module globals that changed.
    """
    async with built(world, system, ("a", "b")) as systems:
        if not (hasattr(systems["a"], "get") and hasattr(systems["a"], "set")):
            return
        before = fingerprint()
        found: list[bool] = []
        ask = partial(_remembers, world, system.name, systems, key, value, found)
        await on_a_loop_if_needed(world, systems, ask)
        if found != [True] and not _changed(system, before, memo_sizes()):
            return
        changed = _changed(system, before, fingerprint())
    shown = ", ".join(changed) or "in no module global; look at class attributes and closures"
    raise UndeclaredStateError(
        f"system {system.name!r} keeps state that its nodes share in this process: {shown}. A "
        "value written on node a was answered on node b from memory. Declare it: "
        f"@system({system.name!r}, state=[{', '.join(map(repr, changed))}])"
    )


def _changed(system: System, before: dict[str, int], after: dict[str, int]) -> list[str]:
    """Name the module globals that have changed, except those of isolated modules."""
    own = tuple(f"{name}{end}" for name in system.isolate for end in ":.")
    return [name for name in changed_globals(before, after) if not name.startswith(own)]


async def _remembers(
    world: World, name: str, systems: dict[str, Any], key: str, value: Any, found: list[bool]
) -> None:
    try:
        with world.at("a"):
            await called(world, systems["a"].set, name, key, value)
            await called(
                world, systems["a"].get, name, key
            )  # code that deletes on write keeps it only now
        world.forget_everything()
        before = len(world.stepping.record.steps)
        with world.at("b"):
            answer = await called(world, systems["b"].get, name, key)
    except SupercacheError:
        raise
    except Exception:  # noqa: BLE001 - the scenario itself will show it, in a schedule
        return
    took_no_step = len(world.stepping.record.steps) == before
    is_known = same(answer, value) and not world.is_kept_elsewhere
    found.append(answer is not None and (took_no_step or is_known))
