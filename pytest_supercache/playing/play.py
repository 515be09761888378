"""One scenario item as a body: before, the race, settling, finally, a question to every node."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from pytest_supercache.playing.acting import ActingUser, Scene
from pytest_supercache.playing.building import built
from pytest_supercache.playing.disturbing import announce, disturb, pause, wait_for
from pytest_supercache.playing.state_check import find_undeclared_state
from pytest_supercache.registry import System, Verb
from pytest_supercache.scenario.scenario import ScenarioItem, StepSpec, UserSpec, split_event
from pytest_supercache.scenario.variables import resolve
from pytest_supercache.world import World

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

    def body(self, world: World) -> None:
        """Play the scenario once."""
        with built(world, self._system, self._nodes) as systems:
            scene = Scene(world=world, systems=systems, verbs=self._verbs, system=self._system.name)
            variables = dict(self._item.variables)
            for step in self._item.scenario.before:
                self._alone(scene, step, variables)
            for user in self._users:
                world.owns(user.name, *user.owns)
                world.actor(user.name, self._flow, scene, user, dict(variables), node=user.node)
            world.run()
            if not world.ran_to_the_end:
                return
            world.settle()
            for step in self._item.scenario.finally_:
                self._alone(scene, step, variables)
            self._ask_nodes(scene)

    def look_ahead(self, world: World) -> None:
        """Look for state that the system did not declare, before the first execution.

        Raises:
            UndeclaredStateError: there is some.
        """
        write = self._a_write()
        if write is not None:
            find_undeclared_state(world, self._system, *write)

    def _a_write(self) -> tuple[str, Any] | None:
        """Return a key and a value that the scenario itself uses."""
        steps = [step for user in self._users for step in user.steps]
        for step in steps:
            if step.verb == "write" and not _has_variable(step.arguments):
                return step.arguments["key"], step.arguments["value"]
        for step in steps:
            if step.verb in {"read", "delete"} and not _has_variable(step.arguments):
                return step.arguments["key"], "probe"
        return None

    # -- acting --------------------------------------------------------------------------------

    def _flow(self, scene: Scene, user: UserSpec, variables: dict[str, Any]) -> None:
        actor = ActingUser(user.name, user.node, variables)
        for step in user.steps:
            goes_on = self._act(scene, step, actor)
            if f"{user.name}.{step.id}" in self._awaited:
                announce(scene.world, f"{user.name}.{step.id}")
            if not goes_on:
                break
        if user.name in self._awaited:
            announce(scene.world, user.name)

    def _alone(self, scene: Scene, step: StepSpec, variables: dict[str, Any]) -> None:
        default = "a" if "a" in self._nodes else self._nodes[0]
        for node in self._nodes if step.node == "all" else (step.node or default,):
            with scene.world.at(node):
                self._act(scene, step, ActingUser("alone", node, variables))
            scene.world.deliver()

    def _act(self, scene: Scene, step: StepSpec, user: ActingUser) -> bool:
        """Take one step of a flow; False when an error ended the flow."""
        arguments = resolve(step.arguments, user.vars)
        if step.verb == "wait_for":
            for event in self._events(arguments["event"]):
                wait_for(scene.world, event)
        elif step.verb == "sleep":
            pause(scene.world, arguments["seconds"])
        elif step.verb in _DISTURBANCES:
            given = {name: value for name, value in arguments.items() if value is not None}
            disturb(scene.world, step.verb, **{"node": user.node, **given})
        else:
            return scene.operate(step, arguments, user)
        return True

    def _events(self, event: str) -> Iterator[str]:
        """Yield what must have happened: the event of every copy of the user."""
        name, step = split_event(event, self._item.scenario.users)
        user = next(user for user in self._item.scenario.users if user.name == name)
        for copy in user.expanded():
            yield copy.name if step is None else f"{copy.name}.{step}"

    # -- asking --------------------------------------------------------------------------------

    def _ask_nodes(self, scene: Scene) -> None:
        """Ask the system for every key on every node, as a user would."""
        keys = scene.world.used_keys()
        for node in self._nodes:
            get = getattr(scene.systems[node], "get", None)
            if callable(get):
                for key in keys:
                    scene.world.probe(node, key, partial(get, key))


def _has_variable(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_variable, value.values()))
    if isinstance(value, list):
        return any(map(_has_variable, value))
    return isinstance(value, str) and value.startswith("$")
