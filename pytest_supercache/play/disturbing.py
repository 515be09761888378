"""Steps that are not operations: users wait for each other or pause, layers lose content."""

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.waits import FlagState, Wait
from pytest_supercache.layers.existing_cache import PLACE
from pytest_supercache.runtime.kernel import async_context
from pytest_supercache.runtime.redis.few_connections import note_way
from pytest_supercache.world.layer_faults import arestart, lose, restarting, touched
from pytest_supercache.world.world import World


async def announce(world: World, event: str) -> None:
    """Announce that ``event`` has happened: users that wait for it may go on."""
    await _flag_step(world, f"{event} is done", event, "set")


async def wait_for(world: World, event: str) -> None:
    """Wait until ``event`` was announced."""
    await _flag_step(world, f"wait for {event}", event, "await")


async def _flag_step(world: World, label: str, event: str, verb: str) -> None:
    name = f"ended:{event}"
    world.context.wait_state(name, FlagState())
    resource = frozenset({name})
    footprint = Footprint(reads=resource) if verb == "await" else Footprint(writes=resource)
    wait = Wait(name, verb, guarded=verb == "await")
    await async_context.step(world.context, label, footprint, kind="user", wait=wait)


async def pause(world: World, seconds: float) -> None:
    """Let the calling user pause: the clock moves when no other actor can go on."""
    await async_context.step(
        world.context,
        f"pause {seconds * 1000:g} ms",
        Footprint(reads=frozenset({"clock:now"})),
        kind="user",
        deadline=world.context.now() + seconds,
    )


async def disturb(
    world: World, verb: str, *, node: str, layer: str = "existing_cache", key: str | None = None
) -> None:
    """Evict, expire or flush in a layer, or restart a super cache, as a step of the caller.

    Raises:
        SupercacheError: the layer is the origin, or one that cannot be changed from here.
    """
    place = layer if layer == PLACE else f"{layer}@{node}"
    _refuse(world, verb, layer, node, is_shown=place in world.sights)
    if verb == "restart":
        await arestart(world.context, *restarting(world.stack, world.sights, place))
        return
    if place == PLACE:
        note_way(world.context, PLACE)
    label = f"{verb} {place}" if key is None else f"{verb} {key} in {place}"
    await async_context.step(world.context, label, touched(world.sights, place, key), kind="user")
    lose(world.stack, world.sights, place, key)


def _refuse(world: World, verb: str, layer: str, node: str, *, is_shown: bool) -> None:
    if layer == "origin":
        raise SupercacheError(f"{verb}: the origin is the truth; it forgets nothing by itself")
    if is_shown or layer == PLACE:
        if verb == "restart":
            raise SupercacheError(f"restart: only the reference super_cache restarts, not {layer}")
        return
    if layer != "super_cache" or not world.node(node).super_cache.used:
        raise SupercacheError(
            f"{verb}: there is nothing to reach into at {layer} on node {node}. Show a mapping "
            f"there: the system's layers() -> {{{layer!r}: mapping}}"
        )
