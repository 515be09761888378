"""Performs a step: calls the system or a verb, records the call, and compares its answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.fault import is_injected
from pytest_supercache.core.verdict import Violation
from pytest_supercache.declare.registry import Verb
from pytest_supercache.oracle.who import call_in_words
from pytest_supercache.play.awaiting import called
from pytest_supercache.play.http_clients import refusal, sends_request
from pytest_supercache.scenario.matchers import error_mismatch, mismatch
from pytest_supercache.scenario.scenario import UNSET, StepSpec
from pytest_supercache.world.recorder import RunningOperation
from pytest_supercache.world.world import World

_METHODS = {"read": "get", "write": "set", "delete": "delete"}


@dataclass(frozen=True, slots=True)
class ActingUser:
    """The user that acts, as a verb gets it."""

    name: str
    node: str
    vars: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One run of a scenario: the world, the systems by node, the verbs."""

    world: World
    systems: Mapping[str, Any]
    verbs: Mapping[str, Verb]
    system: str

    async def operate(self, step: StepSpec, arguments: dict[str, Any], user: ActingUser) -> bool:
        """Take a step that is an operation; False if an unexpected error ended it."""
        verb = self.verbs.get(step.verb)
        call = RunningOperation(
            user=user.name,
            node=user.node,
            kind=step.verb,
            key=arguments.get("key") if verb is None else None,
            step=step.name,
            line=step.where.line,
        )
        error = None
        try:
            async with self.world.recorded(call):
                if verb is None:
                    await self._call_system(step, arguments, call)
                else:
                    await self._call_verb(verb, arguments, user, call)
        except SupercacheError:
            raise
        except Exception as raised:  # noqa: BLE001 - compared with what the step expects
            error = raised
        if is_injected(error):
            return False  # an error that a fault brought is an answer; the flow ends with it
        self._compare(step, user, call, error)
        if step.keep_as is not None:
            user.vars[step.keep_as] = call.answer
        return error is None or call.error_expected

    def _compare(
        self, step: StepSpec, user: ActingUser, call: RunningOperation, error: Exception | None
    ) -> None:
        """Record a difference from what the step expects; other errors are left to `answers`."""
        expect = None if step.expect is UNSET else step.expect
        problem = error_mismatch(step.raises, expect, error)
        call.error_expected = error is not None and problem is None
        if error is None and problem is None and expect is not None:
            problem = mismatch(expect, call.answer, user.vars)
        if problem is None or (error is not None and step.raises is None):
            return
        asked = call_in_words(call.operation())
        self.world.fail(
            Violation(
                guarantee="expect",
                summary=f"{asked}: {problem} (line {step.where.line} of the scenario file)",
                key=call.key,
                user=user.name,
                node=user.node,
                evidence={"step": step.name, "answer": call.answer},
                at=call.returned_at,
            )
        )

    async def _call_system(
        self, step: StepSpec, arguments: dict[str, Any], call: RunningOperation
    ) -> None:
        method = _METHODS[step.verb]
        system = self.systems[call.node]
        if sends_request(system, method):
            raise SupercacheError(
                f"{step.where}: {step.verb!r} {refusal(system, self.system, method)}, or "
                f"{self._take_a_verb()} (docs/systems.md, Verbs)"
            )
        function = getattr(system, method, None)
        if not callable(function):
            call_shape = f"{method}(key, value)" if method == "set" else f"{method}(key)"
            raise SupercacheError(
                f"{step.where}: {step.verb!r} calls {call_shape}, which system {self.system!r} "
                f"does not have. Give it one, or {self._take_a_verb()} (docs/systems.md, Verbs)"
            )
        call.value = arguments.get("value")
        call.answer = await self.call(function, *arguments.values())

    def _take_a_verb(self) -> str:
        if not self.verbs:
            return "bind a verb to what it has: @sc.verb"
        return f"take a verb of the project: {', '.join(sorted(self.verbs))}"

    async def _call_verb(
        self, verb: Verb, arguments: dict[str, Any], user: ActingUser, call: RunningOperation
    ) -> None:
        if verb.writes is not None:
            call.writes = tuple(verb.writes(**arguments).items())
        system = self.systems[user.node]
        call.answer = await called(
            self.world, verb.function, repr(verb.name), system, user, **arguments
        )
        if verb.observes is not None:
            call.sightings = tuple(verb.observes(call.answer, **arguments).items())

    async def call(self, method: Any, *arguments: Any) -> Any:
        """Call a method of the system, and await its answer if it is awaitable."""
        name = f"{self.system}.{getattr(method, '__name__', 'a method')}"
        return await called(self.world, method, name, *arguments)
