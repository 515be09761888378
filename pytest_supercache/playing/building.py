"""Systems are built once per node and execution, and taken down in reverse order."""

import inspect
import traceback
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.layers.stack import NodeLayers
from pytest_supercache.registry import System
from pytest_supercache.runtime.stepping import SHARED_LAYERS
from pytest_supercache.world import World


@contextmanager
def built(world: World, system: System, nodes: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Build the system on every node; give node -> system.

    Raises:
        SupercacheError: the factory is asynchronous.
    """
    with ExitStack() as teardown:
        systems = {}
        for node in nodes:
            with world.at(node) as layers:
                systems[node] = _build(world, system, layers, teardown)
        yield systems


def _build(world: World, system: System, layers: NodeLayers, teardown: ExitStack) -> Any:
    made = _made(system, layers)
    if inspect.iscoroutine(made) or inspect.isasyncgen(made):
        if inspect.iscoroutine(made):
            made.close()
        raise SupercacheError(
            f"system {system.name!r} is asynchronous; asyncio is not available in this version"
        )
    if inspect.isgenerator(made):
        generator = made
        made = next(generator)
        teardown.callback(_finish, world, layers.node, generator)
    looks = getattr(made, "layers", None)
    if callable(looks):
        for name in looks():
            world.show(_place(system, name, layers.node), partial(_layer, looks, name))
    return made


def _made(system: System, layers: NodeLayers) -> Any:
    try:
        made = system.factory(layers)
        if inspect.isgenerator(made):
            return made
    except SupercacheError:
        raise
    except Exception as error:
        at = traceback.extract_tb(error.__traceback__)[-1]
        raise SupercacheError(
            f"system {system.name!r} could not be built on node {layers.node}: "
            f"{type(error).__name__}: {error} ({at.filename}:{at.lineno} in {at.name})"
        ) from error
    if made is None:
        raise SupercacheError(f"system {system.name!r}: its factory returned None")
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
