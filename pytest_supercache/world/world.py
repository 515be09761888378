"""`World`: gives a test body the layers, actors and users, and records operations."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.execution import Execution, Settled
from pytest_supercache.core.footprint import Footprint, Resources, footprint_of
from pytest_supercache.core.operation import DEFAULT_NODE
from pytest_supercache.core.switch import CONDITION, Background
from pytest_supercache.core.trace import Layers
from pytest_supercache.declare.late_binding import Outer
from pytest_supercache.layers.clock import VirtualClock
from pytest_supercache.layers.existing_cache import ExistingCache
from pytest_supercache.layers.origin import Origin
from pytest_supercache.layers.stack import NodeLayers, Stack
from pytest_supercache.layers.super_cache import SuperCache
from pytest_supercache.runtime.aio.run_body import loop_of_body, race
from pytest_supercache.runtime.aio.run_body import run as run_coroutine
from pytest_supercache.runtime.kernel import async_context
from pytest_supercache.runtime.kernel.actor import Actor, State
from pytest_supercache.runtime.kernel.calling import current_actor, looking
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext
from pytest_supercache.runtime.kernel.task_actor import TaskActor
from pytest_supercache.runtime.memory.calls import touching
from pytest_supercache.runtime.process.native_connections import note_native_connections
from pytest_supercache.world import layer_faults
from pytest_supercache.world.history import history_of
from pytest_supercache.world.recorder import Recorder, Settling, text
from pytest_supercache.world.unrun import ran
from pytest_supercache.world.users import AsyncUser, User, is_async, is_async_system


class World(Recorder):
    """One execution as a test body sees it.

    Register actors, ``run()`` them under the schedule, ``settle()``, and check.
    """

    def __init__(self, stack: Stack, context: ExecutionContext, given: Mapping[str, Any]) -> None:
        super().__init__(context)
        self.stack = stack
        self._given = given
        self._outer: dict[str, Outer] = {}
        self._actors: list[Actor] = []
        self._names: set[str] = set()
        self._settled = Settled()
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
        """Run the body's own code on a node, before or after the race, never during it."""
        layers = self.stack.node(node)
        actor = current_actor()
        assert actor is not None and actor.direct, "only the body moves between nodes"
        previous, actor.node = actor.node, node
        self._controller.enter_node(node)
        try:
            yield layers
        finally:
            actor.node = previous
            self._controller.enter_node(previous or DEFAULT_NODE)

    # -- actors --------------------------------------------------------------------------------

    def actor(
        self,
        name: str,
        target: Callable[..., Any],
        *args: Any,
        node: str = DEFAULT_NODE,
        daemon: bool = False,
        **kwargs: Any,
    ) -> None:
        """Register a concurrent flow; it begins when :meth:`run` is called.

        A ``daemon`` may still be waiting when all other actors have ended.

        Raises:
            SupercacheError: the name is taken or cannot stand in a token, or the target reads the
                variable of a loop when it is called.
        """
        if name in self._names:
            raise SupercacheError(f"world.actor({name!r}): there is an actor of this name already")
        if not name or "@" in name or "/" in name:
            raise SupercacheError(f"world.actor({name!r}): expected a name without '@' and '/'")
        self._refuse_late_binding(name, target)
        self.stack.provide(node)
        self._names.add(name)
        if is_async(target):
            flow: Actor = TaskActor(name, node, lambda: target(*args, **kwargs), daemon=daemon)
        else:
            flow = Actor(name, node, partial(touching, target, *args, **kwargs), daemon=daemon)
        flow.function = target
        self._actors.append(flow)

    def _refuse_late_binding(self, name: str, target: Callable[..., Any]) -> None:
        """Refuse a function of a loop that reads its variable when the race runs."""
        outer = Outer.of(target)
        if outer is None:
            return
        for other, known in self._outer.items():
            if variable := outer.bound_late(known):
                raise SupercacheError(
                    f"world.actor({name!r}): what it calls reads {variable!r} when the race runs, "
                    f"and so does what {other!r} calls, for which it was another value: both get "
                    f"its last one. Pass the value: world.actor({name!r}, function, value)"
                )
        self._outer[name] = outer

    def run(self) -> Any:
        """Run every registered actor under the schedule; return their results by name.

        An actor that raised has no result; the guarantee ``answers`` reports it. In a coroutine:
        ``await world.run()``.

        Raises:
            SupercacheError: an actor returned code that has not run: a coroutine or a generator.
        """
        loop = loop_of_body(self._controller)
        if loop is not None:
            return self._run_on(loop)
        if any(actor.is_task for actor in self._actors):
            return run_coroutine(self._controller, self._run_on(None))
        backgrounds = self._before_race()
        self._controller.race(self._actors, backgrounds)
        return self._results()

    async def _run_on(self, loop: Any) -> dict[str, Any]:
        backgrounds = self._before_race()
        loop = loop or loop_of_body(self._controller)
        await race(loop, self._actors, backgrounds)
        return self._results()

    def _before_race(self) -> list[Background]:
        moves = layer_faults.moves(self.context, self.stack, self._sights)
        return [*self.stack.bus.mailboxes.values(), *moves]

    def _results(self) -> dict[str, Any]:
        note_native_connections(self._controller)
        self._controller.enter_node(DEFAULT_NODE)  # where the body goes on
        return {
            actor.name: ran(actor.result, f"world.actor({actor.name!r})", actor.function)
            for actor in self._actors
            if actor.error is None
        }

    def restart(self, node: str = DEFAULT_NODE, layer: str = "super_cache") -> Any:
        """Restart the super cache of a node as a step of the caller: it comes up cold.

        Its content is lost, and the messages that are on their way to it. In a coroutine:
        ``await world.restart(...)``.

        Raises:
            SupercacheError: the layer is not one that can restart.
        """
        restarting = layer_faults.restarting(self.stack, self._sights, f"{layer}@{node}")
        if self.is_on_a_loop:
            return layer_faults.arestart(self.context, *restarting)
        return layer_faults.restart(self.context, *restarting)

    def settle(self) -> "Settling":
        """Deliver all pending messages, and record the content of every layer.

        In a coroutine, ``await world.settle()`` also lets tasks that the system started go on.
        """
        self.deliver()
        with looking():
            self._settled.layers = self.content()
        if self._controller.phase == "settle":
            self._controller.phase = "finally"
        return Settling(self.settle_again)

    async def settle_again(self) -> None:
        """Settle after all tasks have gone as far as they can."""
        if self._controller.phase == "finally":
            self._controller.phase = "settle"
        await self.settle_down()
        self.settle()

    async def settle_down(self) -> None:
        """Deliver pending messages, and let tasks go on until all of them wait."""
        self.deliver()
        loop = loop_of_body(self._controller)
        if loop is not None:
            await loop.rest()
            self.deliver()

    @property
    def is_on_a_loop(self) -> bool:
        """Whether the calling code runs on an event loop of ours."""
        return loop_of_body(self._controller) is not None

    def drive(self, coroutine: Any) -> Any:
        """Run a coroutine of the body on an event loop that is made for it."""
        return run_coroutine(self._controller, coroutine)

    def take_stock(self) -> None:
        """Record the content of all layers in the end, unless the body has settled."""
        if self._settled.layers:
            return
        with looking():
            self._stock = self.content()

    def misuse(self) -> SupercacheError | None:
        """Return an error if actors never ran, which would prove nothing; else None."""
        waiting = [actor.name for actor in self._actors if actor.state is State.NEW]
        if waiting and not self._controller.hazards and self._controller.complete:
            return SupercacheError(
                f"world.actor({waiting[0]!r}, ...) was registered, but world.run() was not called "
                "(in a coroutine: await world.run())"
            )
        return None

    @property
    def ran_to_the_end(self) -> bool:
        """Whether every actor ended, so that the final state is worth examining."""
        return self._controller.complete and not self._controller.blocked

    # -- steps by hand -------------------------------------------------------------------------

    def step(self, label: str, reads: Resources = None, writes: Resources = None) -> Any:
        """Put a switch point here; in a coroutine: ``await world.step(...)``.

        ``reads`` and ``writes`` are resources like ``"super_cache:x"``; None for both means that
        the code up to the next step may touch anything, ``()`` that it touches nothing.
        """
        if self.is_on_a_loop:
            return async_context.step(self.context, label, footprint_of(reads, writes), kind="hand")
        self.context.step(label, footprint_of(reads, writes), kind="hand")
        return None

    def wait_until(self, condition: Callable[[], bool], reads: Resources = None) -> Any:
        """Wait until ``condition()`` is true; checked again when its ``reads`` are written.

        In a coroutine: ``await world.wait_until(...)``.
        """
        footprint = footprint_of(reads, None if reads is None else ())
        if self.is_on_a_loop:
            return self._await_until(condition, footprint)
        self.context.step(CONDITION, footprint, kind="hand")
        while not condition():
            since = len(self._record.steps)
            self.context.step(f"{CONDITION} again", footprint, kind="hand", recheck_from=since)
        return None

    async def _await_until(self, condition: Callable[[], bool], footprint: Footprint) -> None:
        step = partial(async_context.step, self.context)
        await step(CONDITION, footprint, kind="hand")
        while not condition():
            since = len(self._record.steps)
            await step(f"{CONDITION} again", footprint, kind="hand", recheck_from=since)

    def deliver(self) -> None:
        """Deliver all pending messages, outside the race."""
        self.stack.bus.hurry()
        self._controller.drain(list(self.stack.bus.mailboxes.values()))

    @property
    def is_kept_elsewhere(self) -> bool:
        """Whether the code keeps data that cannot be reset here: in files, on a server."""
        return self.stack.has_files or bool(
            self._controller.real_servers or self._controller.databases
        )

    def forget_everything(self) -> None:
        """Empty every layer that the plugin can reach, messages included."""
        self.stack.forget_content()

    # -- the record ----------------------------------------------------------------------------

    def owns(self, user: str, *keys: str) -> None:
        """Declare that the values of the origin under ``keys`` may be shown to ``user`` only.

        Judged by the guarantee ``isolated_users``; a key may have several owners.
        """
        for key in map(text, keys):
            self._owners[key] = (*self._owners.get(key, ()), user)

    def user(self, name: str, system: Any, node: str = DEFAULT_NODE) -> Any:
        """Return recorded ``read``, ``write`` and ``delete`` on ``system`` for a user.

        They are coroutine functions if the system's methods are.
        """
        make = AsyncUser if is_async_system(system) else User
        return make(self, name, system, node)

    async def probe(self, node: str, key: str, ask: Callable[[], Awaitable[Any]]) -> None:
        """Ask the system on ``node`` after everything has settled, and record the answer.

        What an earlier probe changed in the shared layers is taken back first: one node's question
        must not repair what another one would have shown.
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
                answer = await ask()
            except SupercacheError:
                raise
            except Exception as error:  # noqa: BLE001 - judged by `answers`
                answer = error
        controller.phase = phase
        self._settled.probes[node, key] = answer
        steps = self._record.steps[before:]
        if not steps and controller.memory is None and not isinstance(answer, BaseException):
            self._unseen.append(
                f"a read of {key} on node {node} after settling was answered without a step"
            )
        if any(layer_faults.is_shared(step.footprint.writes) for step in steps):
            self.stack.restore_shared(self._shared)

    def show(self, place: str, content: Callable[[], Mapping[str, Any]]) -> None:
        """Make a layer of the system visible: ``content`` is called to read it."""
        self._sights[place] = content

    @property
    def sights(self) -> Mapping[str, Callable[[], Mapping[str, Any]]]:
        """The layers that systems show, as the objects themselves, not as copies."""
        return self._sights

    def content(self) -> Layers:
        """Return the content of every layer, without taking a step."""
        with self.stack.clock.true():
            return self.stack.content() | {at: dict(look()) for at, look in self._sights.items()}

    def execution(self, failure: BaseException | None) -> Execution:
        """Return everything that was recorded."""
        self._outer.clear()  # the actors' functions may read this world: a circle
        controller, time = self._controller, self._controller.time
        return Execution(
            schedule=self.context.schedule(),
            steps=self._record.steps,
            history=history_of(self._calls, self._record, self.stack, self._given, self._owners),
            settled=self._settled,
            blocked=controller.blocked,
            waiting=controller.waiting,
            hazards=tuple(controller.hazards),
            ways_out=tuple(controller.ways_out),
            unseen=(*self._unseen, *controller.unseen, *self._answered_without_steps()),
            unproven=tuple(controller.unproven),
            preemptions=controller.preemptions,
            early_ticks=time.early_ticks, waited=tuple(time.waited), saw_deadline=time.saw_deadline,
            simplified=tuple(controller.simplified), isolation=tuple(sorted(controller.isolation)),
            left_by_body=tuple(controller.left_by_body),
            undeclared=tuple(controller.undeclared),
            left_over=tuple(controller.left_over),
            seconds=self.stack.clock.now(),
            complete=controller.complete,
            broken=tuple(self._broken),
            errors=self._unrecorded_errors(),
            actors=tuple(actor.name for actor in self._actors),
            failure=failure,
            missed=self.context.faults.missed,
            places=layer_faults.places(self.stack, self._sights),
            expired=time.expired,
            expiring=tuple(sorted(self.existing_cache.expiring)),
            start=self._record.start,
            memory_at_start=self._record.memory_at_start,
            stock=self._stock,
            results={actor.name: actor.result for actor in self._actors},
            waits=self._record.waits.before_race(),
            begun=controller.begun, has_read_clock=self._record.readings > 0,
            ended={a.name: a.ended_at for a in self._actors if a.ended_at is not None},
        )  # fmt: skip

    def _answered_without_steps(self) -> list[str]:
        calls = self._calls if self._controller.memory is None else ()  # else it is looked at
        return [
            f"{call.user}: {call.kind} {call.key or ''}".rstrip() + " was answered without a step"
            for call in calls
            if call.returned_at is not None and call.error is None and not call.steps
        ]

    def _unrecorded_errors(self) -> dict[str, BaseException]:
        """Return the errors that ended an actor outside of any recorded operation."""
        everyone = (*self._actors, *self._controller.started())
        ended = [(actor.name, actor.error) for actor in everyone if actor.error is not None]
        recorded = {id(call.error) for call in self._calls if call.error is not None}
        return {
            name: error
            for name, error in (*ended, *self._controller.lost)
            if id(error) not in recorded
        }
