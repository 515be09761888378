"""Turns a scenario item into a body: before, race, settling, finally, a read on every node."""

from collections.abc import Iterator, Mapping
from functools import partial
from inspect import isawaitable
from typing import Any

from pytest_supercache.core.operation import DEFAULT_NODE, SCENARIO
from pytest_supercache.core.switch import at_once_of
from pytest_supercache.declare.registry import System, Verb
from pytest_supercache.play.acting import ActingUser, Scene
from pytest_supercache.play.awaiting import on_a_loop_if_needed, played
from pytest_supercache.play.building import built, is_async_factory
from pytest_supercache.play.disturbing import announce, disturb, pause, wait_for
from pytest_supercache.play.http_clients import sends_request
from pytest_supercache.play.state_check import (
    find_undeclared_state,
    look_at_memory,
    refuse_shared_memory,
)
from pytest_supercache.scenario.scenario import ScenarioItem, StepSpec, UserSpec, split_event
from pytest_supercache.scenario.variables import has_variable, resolve
from pytest_supercache.world.users import is_async
from pytest_supercache.world.world import World

_DISTURBANCES = frozenset({"evict", "expire", "flush", "restart"})


class Play:
    """One scenario item, ready to be run as a body."""

    def __init__(self, item: ScenarioItem, system: System, verbs: Mapping[str, Verb]) -> None:
        self._item = item
        self._system = system
        self._verbs = verbs
        scenario = item.scenario
        self._users = tuple(copy for user in scenario.users for copy in user.expanded())
        alone = [step.node for step in (*scenario.before, *scenario.finally_)]
        named = [user.node for user in self._users]
        named += [node for node in alone if node is not None and node != "all"]
        self._nodes = tuple(dict.fromkeys(named))
        self._awaited = frozenset(
            event
            for user in self._users
            for step in user.steps
            if step.verb == "wait_for"
            for event in self._events(step.arguments["event"])
        )

    def body(self, world: World) -> Any:
        """Play the scenario once; return a coroutine if the system or a verb is one."""
        return played(self._body(world), is_async=self._is_async())

    def look_ahead(self, world: World) -> Any:
        """Look, before the search, for state that nodes share and the system did not declare.

        State that only one node uses is its own, and is restored after each execution if memory is
        searched.

        Raises:
            UndeclaredStateError: there is such state.
        """
        write = self._a_write()
        finds_memory = world.context.controller.memory is not None
        if write is None or (finds_memory and len(self._nodes) == 1):
            return None
        return played(find_undeclared_state(world, self._system, *write), is_async=self._is_async())

    def _is_async(self) -> bool:
        """Say whether an event loop is needed before the system is built."""
        scenario = self._item.scenario
        flows = [step for user in self._users for step in user.steps]
        used = {step.verb for step in (*scenario.before, *flows, *scenario.finally_)}
        return is_async_factory(self._system.factory) or any(
            is_async(verb.function) for name, verb in self._verbs.items() if name in used
        )

    async def _body(self, world: World) -> None:
        async with built(world, self._system, self._nodes) as systems:
            scene = Scene(world=world, systems=systems, verbs=self._verbs, system=self._system.name)
            look_at_memory(world, self._system, self._nodes)
            try:
                await on_a_loop_if_needed(world, systems, partial(self._played, scene))
            finally:
                refuse_shared_memory(world, self._system)

    async def _played(self, scene: Scene) -> None:
        world, variables = scene.world, dict(self._item.variables)
        for step in self._item.scenario.before:
            await self._alone(scene, step, variables)
        flow = self._flow if world.is_on_a_loop else at_once_of(self._flow)
        for user in self._users:
            world.owns(user.name, *user.owns)
            world.actor(user.name, flow, scene, user, dict(variables), node=user.node)
        outcome = world.run()
        if isawaitable(outcome):
            await outcome
        if not world.ran_to_the_end:
            return
        await world.settle()
        for step in self._item.scenario.finally_:
            await self._alone(scene, step, variables)
        await self._ask_nodes(scene)

    def _a_write(self) -> tuple[str, Any] | None:
        """Return a key and a value that the scenario itself uses; None: there is no key."""
        steps = [step for user in self._users for step in user.steps]
        for step in steps:
            if step.verb == "write" and not has_variable(step.arguments):
                return step.arguments["key"], step.arguments["value"]
        for step in steps:
            if step.verb in {"read", "delete"} and not has_variable(step.arguments):
                return step.arguments["key"], "probe"
        return None

    # -- acting --------------------------------------------------------------------------------

    async def _flow(self, scene: Scene, user: UserSpec, variables: dict[str, Any]) -> None:
        actor = ActingUser(user.name, user.node, variables)
        for step in user.steps:
            goes_on = await self._act(scene, step, actor)
            if f"{user.name}.{step.id}" in self._awaited:
                await announce(scene.world, f"{user.name}.{step.id}")
            if not goes_on:
                break
        if user.name in self._awaited:
            await announce(scene.world, user.name)

    async def _alone(self, scene: Scene, step: StepSpec, variables: dict[str, Any]) -> None:
        default = DEFAULT_NODE if DEFAULT_NODE in self._nodes else self._nodes[0]
        for node in self._nodes if step.node == "all" else (step.node or default,):
            with scene.world.at(node):
                await self._act(scene, step, ActingUser(SCENARIO, node, variables))
            await scene.world.settle_down()

    async def _act(self, scene: Scene, step: StepSpec, user: ActingUser) -> bool:
        """Take one step of a flow; False if an error ended the flow."""
        arguments = resolve(step.arguments, user.vars)
        if step.verb == "wait_for":
            for event in self._events(arguments["event"]):
                await wait_for(scene.world, event)
        elif step.verb == "sleep":
            await pause(scene.world, arguments["seconds"])
        elif step.verb in _DISTURBANCES:
            given = {name: value for name, value in arguments.items() if value is not None}
            await disturb(scene.world, step.verb, **{"node": user.node, **given})
        else:
            return await scene.operate(step, arguments, user)
        return True

    def _events(self, event: str) -> Iterator[str]:
        """Yield the events that must have happened: the event of every copy of the user."""
        name, step = split_event(event, self._item.scenario.users)
        user = next(user for user in self._item.scenario.users if user.name == name)
        for copy in user.expanded():
            yield copy.name if step is None else f"{copy.name}.{step}"

    # -- asking --------------------------------------------------------------------------------

    async def _ask_nodes(self, scene: Scene) -> None:
        """Ask the system for every key on every node, as a user would."""
        keys = scene.world.used_keys()
        for node in self._nodes:
            system = scene.systems[node]
            get = getattr(system, "get", None)
            if callable(get) and not sends_request(system, "get"):
                for key in keys:
                    await scene.world.probe(node, key, partial(scene.call, get, key))
