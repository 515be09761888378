"""A scenario becomes a body: systems are built, users act, everything settles, nodes are asked."""

import inspect
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from pytest_supercache.core.errors import SupercacheError, UndeclaredStateError
from pytest_supercache.core.verdict import Violation
from pytest_supercache.layers.stack import NodeLayers
from pytest_supercache.registry import System, Verb
from pytest_supercache.runtime.state import changed_globals, fingerprint
from pytest_supercache.scenario.matchers import error_mismatch, mismatch
from pytest_supercache.scenario.scenario import (
    UNSET,
    ScenarioItem,
    StepSpec,
    UserSpec,
    split_event,
)
from pytest_supercache.scenario.variables import resolve
from pytest_supercache.world import Call, World

PLAIN_LAYERS = frozenset({"origin", "existing_cache"})


@dataclass(frozen=True, slots=True)
class VerbUser:
    """What a verb is told about the user that acts."""

    name: str
    node: str
    vars: dict[str, Any] = field(default_factory=dict)


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
        named += [node for node in alone if node not in {None, "all"}]
        self._nodes = tuple(dict.fromkeys(named))
        self._awaited = frozenset(self._events_of(self._users))

    def body(self, world: World) -> None:
        """Play the scenario once."""
        with self._built(world, self._nodes) as systems:
            scene = _Scene(world, systems, self._verbs, self._system.name)
            everywhere = dict(self._item.variables)
            for step in self._item.scenario.before:
                self._alone(scene, step, everywhere)
            for user in self._users:
                world.actor(
                    user.name, self._flow, scene, user, dict(everywhere), node=user.node
                )
            world.run()
            if not world.ran_to_the_end:
                return
            world.settle()
            for step in self._item.scenario.finally_:
                self._alone(scene, step, everywhere)
            self._ask_nodes(scene)

    def find_undeclared_state(self, world: World) -> None:
        """Write on one node, forget all shared content, read on another.

        Raises:
            UndeclaredStateError: the answer came without a step, from memory both nodes share.
        """
        write = self._a_write()
        if write is None:
            return
        key, value = write
        with self._built(world, ("a", "b")) as systems:
            if not (hasattr(systems["a"], "get") and hasattr(systems["a"], "set")):
                return
            before = fingerprint()
            answer, was_seen = _write_here_read_there(world, systems, key, value)
            if answer is None or was_seen:
                return
            changed = changed_globals(before, fingerprint())
        shown = ", ".join(changed) or "not in a module global; look at class attributes and closures"
        raise UndeclaredStateError(
            f"system {self._system.name!r} keeps state that its nodes share in this process: "
            f"{shown}. A value written on node a was answered on node b from memory. Declare it: "
            f"@system({self._system.name!r}, state=[{', '.join(map(repr, changed))}])"
        )

    def _a_write(self) -> tuple[str, Any] | None:
        steps = [step for user in self._users for step in user.steps]
        written = next((s for s in steps if s.verb == "write"), None)
        if written is not None:
            value = written.arguments["value"]
            if not _has_variable(value):
                return written.arguments["key"], value
        read = next((s for s in steps if s.verb in {"read", "write", "delete"}), None)
        return None if read is None else (read.arguments["key"], "probe")

    # -- building ------------------------------------------------------------------------------

    @contextmanager
    def _built(self, world: World, nodes: tuple[str, ...]) -> Iterator[dict[str, Any]]:
        """Build the system on every node; its teardown runs in reverse order."""
        with ExitStack() as teardown:
            systems = {}
            for node in nodes:
                with world.at(node) as layers:
                    systems[node] = self._build(world, layers, teardown)
            yield systems

    def _build(self, world: World, layers: NodeLayers, teardown: ExitStack) -> Any:
        made = self._system.factory(layers)
        if inspect.iscoroutine(made) or inspect.isasyncgen(made):
            if inspect.iscoroutine(made):
                made.close()
            raise SupercacheError(
                f"system {self._system.name!r} is asynchronous; asyncio is not available in this "
                "version"
            )
        if inspect.isgenerator(made):
            generator = made
            made = next(generator)
            teardown.callback(_finish, world, layers.node, generator)
        looks = getattr(made, "layers", None)
        if callable(looks):
            for name in looks():
                world.show(self._place(name, layers.node), lambda name=name: looks()[name])
        return made

    def _place(self, name: str, node: str) -> str:
        role = self._system.roles.get(name, name)
        return role if role in PLAIN_LAYERS else f"{role}@{node}"

    # -- acting --------------------------------------------------------------------------------

    def _flow(self, scene: "_Scene", user: UserSpec, variables: dict[str, Any]) -> None:
        actor = VerbUser(user.name, user.node, variables)
        for step in user.steps:
            go_on = self._act(scene, step, actor)
            event = f"{user.name}.{step.id}"
            if step.id is not None and event in self._awaited:
                scene.world.announce(event)
            if not go_on:
                break
        if user.name in self._awaited:
            scene.world.announce(user.name)

    def _alone(self, scene: "_Scene", step: StepSpec, variables: dict[str, Any]) -> None:
        nodes = self._nodes if step.node == "all" else (step.node or "a",)
        for node in nodes:
            with scene.world.at(node if node in self._nodes else self._nodes[0]) as layers:
                self._act(scene, step, VerbUser("alone", layers.node, variables))
            scene.world.deliver()

    def _act(self, scene: "_Scene", step: StepSpec, user: VerbUser) -> bool:
        """Take one step of a flow; False when an error ended the flow."""
        arguments = resolve(step.arguments, user.vars)
        if step.verb == "wait_for":
            for event in self._events(arguments["event"]):
                scene.world.wait_for(event)
            return True
        if step.verb == "sleep":
            scene.world.sleep(arguments["seconds"])
            return True
        if step.verb in {"evict", "expire", "flush", "restart"}:
            scene.world.disturb(step.verb, **{"node": user.node, **_given(arguments)})
            return True
        return scene.operate(step, arguments, user)

    def _events(self, event: str) -> Iterator[str]:
        """Yield what must have happened: the event of every copy of the user."""
        user, step = split_event(event, self._item.scenario.users)
        for copy in self._users:
            if copy.name == user or copy.name.rpartition("-")[0] == user:
                yield copy.name if step is None else f"{copy.name}.{step}"

    def _events_of(self, users: tuple[UserSpec, ...]) -> Iterator[str]:
        for user in users:
            for step in user.steps:
                if step.verb == "wait_for":
                    yield from self._events(step.arguments["event"])

    # -- asking --------------------------------------------------------------------------------

    def _ask_nodes(self, scene: "_Scene") -> None:
        """Ask the system for every key on every node, as a user would."""
        for node in self._nodes:
            get = getattr(scene.systems[node], "get", None)
            if callable(get):
                for key in scene.world.keys():
                    scene.world.probe(node, key, lambda get=get, key=key: get(key))


@dataclass(slots=True)
class _Scene:
    """One playing of a scenario: the world, the systems by node, the verbs."""

    world: World
    systems: dict[str, Any]
    verbs: Mapping[str, Verb]
    name: str

    def operate(self, step: StepSpec, arguments: dict[str, Any], user: VerbUser) -> bool:
        """Call the system or a verb, record it, and hold it against what the step expects."""
        verb = self.verbs.get(step.verb)
        known = {
            "user": user.name, "node": user.node, "step": step.name, "line": step.where.line,
        }  # fmt: skip
        error: Exception | None = None
        key = arguments.get("key") if verb is None else None
        try:
            with self.world.operation(step.verb, key, **known) as call:
                if verb is None:
                    self._call_system(step, arguments, user, call)
                else:
                    self._call_verb(verb, arguments, user, call)
        except SupercacheError:
            raise
        except Exception as raised:  # noqa: BLE001 - compared with what the step expects
            error = raised
        expect = None if step.expect is UNSET else step.expect
        problem = error_mismatch(step.raises, expect, error)
        call.error_expected = error is not None and problem is None
        if error is None and problem is None and expect is not None:
            problem = mismatch(expect, call.answer, user.vars)
        if step.keep_as is not None:
            user.vars[step.keep_as] = call.answer
        if problem is not None and error is None or problem is not None and step.raises:
            self._fail(step, user, problem, call)
        return error is None or call.error_expected

    def _call_system(
        self, step: StepSpec, arguments: dict[str, Any], user: VerbUser, call: Call
    ) -> None:
        method = {"read": "get", "write": "set", "delete": "delete"}[step.verb]
        function = getattr(self.systems[user.node], method, None)
        if not callable(function):
            raise SupercacheError(
                f"{step.where}: {step.verb!r} calls {method}(key{', value' if method == 'set' else ''}), "
                f"which system {self.name!r} does not have"
            )
        call.value = arguments.get("value")
        call.answer = _settled_answer(step.verb, function(*arguments.values()))

    def _call_verb(
        self, verb: Verb, arguments: dict[str, Any], user: VerbUser, call: Call
    ) -> None:
        if verb.writes is not None:
            call.writes = tuple(verb.writes(**arguments).items())
        system = self.systems[user.node]
        call.answer = _settled_answer(verb.name, verb.function(system, user, **arguments))
        if verb.observes is not None:
            call.sightings = tuple(verb.observes(call.answer, **arguments).items())

    def _fail(self, step: StepSpec, user: VerbUser, problem: str, call: Call) -> None:
        self.world.fail(
            Violation(
                guarantee="expect",
                summary=f"{step.name} ({step.verb}, line {step.where.line}): {problem}",
                key=call.key,
                user=user.name,
                node=user.node,
                evidence={"step": step.name, "answer": call.answer},
            )
        )


def _write_here_read_there(
    world: World, systems: dict[str, Any], key: str, value: Any
) -> tuple[Any, bool]:
    """Return what node b answers after all shared content is gone, and whether a step was taken."""
    try:
        with world.at("a"):
            systems["a"].set(key, value)
        world.forget_everything()
        before = world.steps_taken()
        with world.at("b"):
            answer = systems["b"].get(key)
    except SupercacheError:
        raise
    except Exception:  # noqa: BLE001 - the scenario itself will show it, in a schedule
        return None, True
    return answer, world.steps_taken() > before


def _finish(world: World, node: str, generator: Any) -> None:
    with world.at(node):
        next(generator, None)


def _given(arguments: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if value is not None}


def _has_variable(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_variable, value.values()))
    if isinstance(value, list):
        return any(map(_has_variable, value))
    return isinstance(value, str) and value.startswith("$")


def _settled_answer(verb: str, answer: Any) -> Any:
    if inspect.iscoroutine(answer):
        answer.close()
        raise SupercacheError(
            f"{verb!r} returned a coroutine; asyncio is not available in this version"
        )
    return answer
