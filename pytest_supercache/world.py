"""What a body is given: the layers, actors, and a record of what users did."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_supercache import losses
from pytest_supercache.calls import Call, ran
from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.footprint import NOTHING, Resources, footprint_of
from pytest_supercache.core.schedule import Schedule
from pytest_supercache.core.switch import CONDITION
from pytest_supercache.core.trace import Execution, Layers, Settled
from pytest_supercache.core.verdict import Violation
from pytest_supercache.layers.clock import VirtualClock
from pytest_supercache.layers.existing_cache import ExistingCache
from pytest_supercache.layers.origin import Origin
from pytest_supercache.layers.stack import NodeLayers, Stack
from pytest_supercache.layers.super_cache import SuperCache
from pytest_supercache.recording import history_of
from pytest_supercache.runtime.actor import Actor, State
from pytest_supercache.runtime.calling import current_actor, looking
from pytest_supercache.runtime.stepping import Stepping


class World:
    """One execution as a test body sees it.

    Register actors, ``run()`` them under the schedule, ``settle()``, and check.
    """

    def __init__(self, stack: Stack, stepping: Stepping, given: Mapping[str, Any]) -> None:
        self.stack = stack
        self.stepping = stepping
        self._controller = stepping.controller
        self._record = stepping.record
        self._given = given
        self._actors: list[Actor] = []
        self._calls: list[Call] = []
        self._broken: list[Violation] = []
        self._settled = Settled()
        self._start: Layers = {}
        self._stock: Layers = {}
        self._sights: dict[str, Callable[[], Mapping[str, Any]]] = {}
        self._owners: dict[str, tuple[str, ...]] = {}
        self._unseen: list[str] = []
        self._shared: Any = None  # content of the shared layers before the first probe

    # -- the layers ----------------------------------------------------------------------------

    @property
    def layers(self) -> NodeLayers:
        """The layers as node ``a`` sees them."""
        return self.stack.node("a")

    @property
    def origin(self) -> Origin:
        """The source of truth."""
        return self.stack.origin

    @property
    def existing_cache(self) -> ExistingCache:
        """The shared cache."""
        return self.stack.existing_cache

    @property
    def super_cache(self) -> SuperCache:
        """The reference super cache of node ``a``."""
        return self.layers.super_cache

    @property
    def clock(self) -> VirtualClock:
        """The virtual clock."""
        return self.stack.clock

    @property
    def tmp_path(self) -> Path:
        """A folder that is fresh in every execution."""
        return self.stack.tmp_path

    def node(self, name: str) -> NodeLayers:
        """Return the layers as another node sees them."""
        return self.stack.node(name)

    @contextmanager
    def at(self, node: str) -> Iterator[NodeLayers]:
        """Run the body's own code on a node: before the race, after it, never during it."""
        layers = self.stack.node(node)
        actor = current_actor()
        assert actor is not None and actor.direct, "only the body moves between nodes"
        previous, actor.node = actor.node, node
        self._controller.enter_node(node)
        try:
            yield layers
        finally:
            actor.node = previous

    # -- actors --------------------------------------------------------------------------------

    def actor(
        self,
        name: str,
        target: Callable[..., Any],
        *args: Any,
        node: str = "a",
        daemon: bool = False,
        **kwargs: Any,
    ) -> None:
        """Register a concurrent flow; it begins when :meth:`run` is called.

        A ``daemon`` may still be waiting when all others have ended.

        Raises:
            SupercacheError: the name is taken or cannot stand in a token.
        """
        if any(actor.name == name for actor in self._actors):
            raise SupercacheError(f"world.actor({name!r}): there is an actor of this name already")
        if not name or "@" in name:
            raise SupercacheError(f"world.actor({name!r}): expected a name without '@'")
        self.stack.node(node)

        def live() -> Any:
            return ran(target(*args, **kwargs), f"world.actor({name!r})")

        self._actors.append(Actor(name, node, live, daemon=daemon))

    def run(self) -> dict[str, Any]:
        """Run every registered actor under the schedule; return their results by name.

        An actor that raised has no result; the guarantee ``answers`` reports it.
        """
        mailboxes = list(self.stack.bus.mailboxes.values())
        if self._record.snapshot is not None:
            with looking():
                self._start = self.content()
        moves = losses.moves(self.stepping, self.stack, self._sights)
        self._controller.race(self._actors, [*mailboxes, *moves])
        return {actor.name: actor.result for actor in self._actors if actor.error is None}

    def restart(self, node: str = "a", layer: str = "super_cache") -> None:
        """Restart the super cache of a node as a step of the caller: it comes up cold.

        Its content is lost, and the messages that are on their way to it.

        Raises:
            SupercacheError: the layer is not one that restarts.
        """
        losses.restart(self.stepping, self.stack, self._sights, f"{layer}@{node}")

    def settle(self) -> None:
        """Deliver what is still on its way and take stock of every layer."""
        self.deliver()
        with looking():
            self._settled.layers = self.content()

    def take_stock(self) -> None:
        """Note what all layers hold in the end, whether the body has settled or not."""
        with looking():
            self._stock = self.content()

    def misuse(self) -> SupercacheError | None:
        """Return what the body forgot: actors that never ran would prove nothing."""
        waiting = [actor.name for actor in self._actors if actor.state is State.NEW]
        if waiting and not self._controller.hazards and self._controller.complete:
            return SupercacheError(
                f"world.actor({waiting[0]!r}, ...) was registered, but world.run() was not called"
            )
        return None

    @property
    def ran_to_the_end(self) -> bool:
        """Whether every actor ended, so that it makes sense to look at what is left."""
        return self._controller.complete and not self._controller.blocked

    # -- steps by hand -------------------------------------------------------------------------

    def step(self, label: str, reads: Resources = None, writes: Resources = None) -> None:
        """Put a switch point here.

        ``reads`` and ``writes`` are resources like ``"super_cache:x"``; None for both means that
        the code up to the next step may touch anything, ``()`` that it touches nothing.
        """
        self.stepping.step(label, footprint_of(reads, writes), kind="hand")

    def wait_until(self, condition: Callable[[], bool], reads: Resources = None) -> None:
        """Wait until ``condition()`` is true; checked again when its ``reads`` are written."""
        footprint = footprint_of(reads, None if reads is None else ())
        self.stepping.step(CONDITION, footprint, kind="hand")
        while not condition():
            since = len(self._record.steps)
            self.stepping.step(f"{CONDITION} again", footprint, kind="hand", recheck_from=since)

    def deliver(self) -> None:
        """Deliver every message that is on its way, outside the race."""
        self.stack.bus.hurry()
        self._controller.drain(list(self.stack.bus.mailboxes.values()))

    def forget_everything(self) -> None:
        """Empty every layer that the plugin can reach, messages included."""
        self.stack.forget_content()

    def used_keys(self) -> list[str]:
        """Return every key that an operation named, in the order of appearance."""
        found: dict[str, None] = {}
        for call in self._calls:
            if call.key is not None:
                found[call.key] = None
            found.update(dict.fromkeys(key for key, _ in (*call.sightings, *call.writes)))
        return list(found)

    # -- the record ----------------------------------------------------------------------------

    @contextmanager
    def operation(self, kind: str, key: str | None = None, *, value: Any = None) -> Iterator[Call]:
        """Record an operation of the calling actor; set ``answer`` on what it yields.

        An exception is recorded as the answer and passed on.
        """
        actor = current_actor()
        assert actor is not None, "a body runs as an actor"
        call = Call(user=actor.name, node=actor.node or "a", kind=kind, key=key, value=value)
        with self.recorded(call):
            yield call

    @contextmanager
    def recorded(self, call: Call) -> Iterator[None]:
        """Record ``call`` while the block runs, with the steps that are taken in it."""
        actor = current_actor()
        assert actor is not None, "a body runs as an actor"
        call.key = _text(call.key)
        call.phase = self._controller.phase
        call.called_at = len(self._record.steps)
        actor.begin_operation(len(self._calls))
        self._calls.append(call)
        if self._controller.shared_memory:
            self.stepping.step(
                f"call {call.kind} {call.key or ''}".rstrip(), NOTHING, kind="memory"
            )
        try:
            yield
        except Exception as error:
            call.error = error
            raise
        finally:
            if not self._controller.leaving():
                self._returned(call, actor)

    def _returned(self, call: Call, actor: Actor) -> None:
        steps = self._record.steps
        position = actor.operation
        own = [at for at in range(call.called_at, len(steps)) if steps[at].operation == position]
        call.steps = sum(steps[at].kind != "memory" for at in own)
        if own:
            call.called_at = own[0]
        call.returned_at = len(steps)
        actor.begin_operation(None)

    def fail(self, violation: Violation) -> None:
        """Record that an expectation of a single step was not met."""
        self._broken.append(violation)

    def owns(self, user: str, *keys: str) -> None:
        """Say that what the origin has under ``keys`` may be shown to ``user`` only.

        Judged by the guarantee ``isolated_users``; a key may have several owners.
        """
        for key in map(_text, keys):
            self._owners[key] = (*self._owners.get(key, ()), user)

    def user(self, name: str, system: Any, node: str = "a") -> "User":
        """Return recorded ``read``, ``write`` and ``delete`` on ``system`` for a user."""
        return User(self, name, system, node)

    def probe(self, node: str, key: str, ask: Callable[[], Any]) -> None:
        """Ask the system on ``node`` after everything has settled, and record the answer.

        What an earlier probe changed in the shared layers is taken back first: one node's question
        must not heal what another one would have shown.
        """
        controller = self._controller
        if self._shared is None:
            with looking():
                self._shared = self.stack.shared_content()
            self._settled.truth = self.origin.content()
        before = len(self._record.steps)
        phase, controller.phase = controller.phase, "probe"
        with self.at(node):
            try:
                answer = ask()
            except Exception as error:  # noqa: BLE001 - judged by `answers`
                answer = error
        controller.phase = phase
        self._settled.probes[node, key] = answer
        steps = self._record.steps[before:]
        if not steps and not isinstance(answer, BaseException):
            self._unseen.append(f"a read of {key} on node {node} after settling")
        if any(losses.is_shared(step.footprint.writes) for step in steps):
            self.stack.restore_shared(self._shared)

    def show(self, place: str, content: Callable[[], Mapping[str, Any]]) -> None:
        """Make a layer of the system's own visible: ``content`` is called to look into it."""
        self._sights[place] = content

    @property
    def sights(self) -> Mapping[str, Callable[[], Mapping[str, Any]]]:
        """The layers that systems show: themselves, and not copies."""
        return self._sights

    def content(self) -> Layers:
        """Return what every layer holds, without taking a step."""
        with self.stack.clock.true():
            shown = {place: dict(look()) for place, look in self._sights.items()}
            return {**self.stack.content(), **shown}

    def execution(self, failure: BaseException | None) -> Execution:
        """Return everything that was recorded."""
        controller = self._controller
        return Execution(
            schedule=Schedule(tuple(controller.choices), tuple(self.stepping.faults.strikes)),
            steps=self._record.steps,
            history=history_of(self._calls, self._record, self.stack, self._given, self._owners),
            settled=self._settled,
            blocked=controller.blocked,
            waiting=controller.waiting,
            hazards=tuple(controller.hazards),
            unseen=(
                *self._unseen,
                *(
                    f"{call.user}: {call.kind} {call.key or ''}".rstrip()
                    for call in self._calls
                    if call.returned_at is not None and call.error is None and not call.steps
                ),
            ),
            preemptions=controller.preemptions,
            timers_started=controller.time.timers_started,
            saw_deadline=controller.time.saw_deadline,
            simplified=tuple(controller.simplified),
            seconds=self.stack.clock.now(),
            complete=controller.complete,
            broken=tuple(self._broken),
            errors=self._unrecorded_errors(),
            actors=tuple(actor.name for actor in self._actors),
            failure=failure,
            missed=self.stepping.faults.missed,
            **losses.open_to(self.stack, self._sights),
            start=self._start,
            stock=self._stock,
            results={actor.name: actor.result for actor in self._actors},
        )

    def _unrecorded_errors(self) -> dict[str, BaseException]:
        """Return what ended an actor outside of any recorded operation."""
        recorded = {id(call.error) for call in self._calls if call.error is not None}
        return {
            actor.name: actor.error
            for actor in self._actors
            if actor.error is not None and id(actor.error) not in recorded
        }


@dataclass(frozen=True, slots=True)
class User:
    """A user of a system whose operations are recorded."""

    world: World
    name: str
    system: Any
    node: str = "a"
    vars: dict[str, Any] = field(default_factory=dict)

    def read(self, key: str) -> Any:
        """Call the system's ``get``."""
        call = Call(user=self.name, node=self.node, kind="read", key=key)
        with self.world.recorded(call):
            call.answer = self.system.get(key)
        return call.answer

    def write(self, key: str, value: Any) -> None:
        """Call the system's ``set``."""
        call = Call(user=self.name, node=self.node, kind="write", key=key, value=value)
        with self.world.recorded(call):
            self.system.set(key, value)

    def delete(self, key: str) -> None:
        """Call the system's ``delete``."""
        with self.world.recorded(Call(user=self.name, node=self.node, kind="delete", key=key)):
            self.system.delete(key)


def _text(key: Any) -> Any:
    """Bytes and text are one key."""
    return key.decode(errors="backslashreplace") if isinstance(key, bytes) else key
