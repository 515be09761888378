"""Builds systems once per node and execution, and closes them in reverse order."""

import inspect
import traceback
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.misspelt import nearest_word
from pytest_supercache.declare.registry import System
from pytest_supercache.layers.stack import NodeLayers
from pytest_supercache.runtime.kernel.execution_context import SHARED_LAYERS
from pytest_supercache.world.users import is_async
from pytest_supercache.world.world import World


@asynccontextmanager
async def built(
    world: World, system: System, nodes: tuple[str, ...]
) -> AsyncIterator[dict[str, Any]]:
    """Build the system on every node; yield a dict from nodes to systems.

    Raises:
        SupercacheError: the factory failed, or returned nothing.
    """
    async with AsyncExitStack() as teardown:
        systems: dict[str, Any] = {}
        for node in nodes:
            with world.at(node) as layers:
                systems[node] = await _build(world, system, layers, teardown, built=[*systems])
        yield systems


_MADE_TWICE = (
    ". It was built on node {} before: nodes of one execution share databases, files and layers, "
    "so a factory makes there only what is missing (get_or_create, session.merge, IF NOT EXISTS)"
)


def is_async_factory(factory: Any) -> bool:
    """Say whether a factory must be awaited."""
    return is_async(factory) or inspect.isasyncgenfunction(factory)


async def _build(
    world: World,
    system: System,
    layers: NodeLayers,
    teardown: AsyncExitStack,
    *,
    built: Sequence[str],
) -> Any:
    try:
        made = await _made(world, system, layers, teardown)
    except SupercacheError:
        raise
    except Exception as error:
        at = traceback.extract_tb(error.__traceback__)[-1]
        raise SupercacheError(
            f"system {system.name!r} could not be built on node {layers.node}: "
            f"{type(error).__name__}: {error} ({at.filename}:{at.lineno} in {at.name})"
            f"{_MADE_TWICE.format(', '.join(built)) if built else ''}"
        ) from error
    if made is None:
        raise SupercacheError(f"system {system.name!r}: its factory returned None")
    looks = getattr(made, "layers", None)
    names = tuple(looks()) if callable(looks) else ()
    _refuse_roles_of_nothing(system, names)
    for name in names:
        world.show(_place(system, name, layers.node), partial(_layer, looks, name))
    return made


def _refuse_roles_of_nothing(system: System, names: Sequence[str]) -> None:
    """Refuse a role of a layer that the system does not show: nobody would look into that layer.

    Raises:
        SupercacheError: its text says which layers there are.
    """
    for name in system.roles:
        if name not in names:
            near = nearest_word(name, names)
            meant = f"; did you mean {near!r}?" if near else ""
            raise SupercacheError(
                f"system {system.name!r}: `roles` names the layer {name!r}, and `layers()` of the "
                f"system shows {', '.join(map(repr, names)) or 'none'}{meant}"
            )


async def _made(world: World, system: System, layers: NodeLayers, teardown: AsyncExitStack) -> Any:
    made = system.factory(layers, **system.params)
    if inspect.isasyncgen(made):
        teardown.push_async_callback(_finish_async, world, layers.node, made)
        return await anext(made)
    if inspect.isgenerator(made):
        teardown.callback(_finish, world, layers.node, made)
        return next(made)
    if inspect.isawaitable(made) and is_async_factory(system.factory):
        return await made
    if inspect.iscoroutine(made):
        made.close()
        raise SupercacheError(
            f"system {system.name!r}: its factory is not a coroutine function but returned a "
            "coroutine; write `async def`"
        )
    return made


def _layer(looks: Any, name: str) -> Mapping[str, Any]:
    layer: Mapping[str, Any] = looks()[name]
    return layer


def _place(system: System, name: str, node: str) -> str:
    role = system.roles.get(name, name)
    return role if role in SHARED_LAYERS else f"{role}@{node}"


def _finish(world: World, node: str, generator: Any) -> None:
    with world.at(node):
        next(generator, None)


async def _finish_async(world: World, node: str, generator: Any) -> None:
    with world.at(node):
        await anext(generator, None)
