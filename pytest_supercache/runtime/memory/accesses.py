"""Records what the actors of one execution access, and makes steps of accesses to shared memory.

An access to what is shared is a step of a thread. A coroutine never suspends at one, nor does code
that is declared to be atomic: there the access belongs to the last step that was taken, whose
footprint is widened by it from then on.
"""

import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from os.path import realpath
from typing import Any

from pytest_supercache.core.folders import temporary_folder
from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.identity import identity
from pytest_supercache.core.memory_use import WHOLE
from pytest_supercache.core.mistakes import report_of
from pytest_supercache.core.schedule import Place
from pytest_supercache.core.trace import Step, last_chosen
from pytest_supercache.layers.stack import FOLDER_PREFIX
from pytest_supercache.runtime.kernel.actor import Actor, BackgroundActor
from pytest_supercache.runtime.kernel.calling import current_actor, here, looking
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext
from pytest_supercache.runtime.kernel.kinds import name_of
from pytest_supercache.runtime.kernel.spinning import take
from pytest_supercache.runtime.kernel.under_test import dict_of
from pytest_supercache.runtime.memory import steps
from pytest_supercache.runtime.memory.current import Current
from pytest_supercache.runtime.memory.effects import PLAIN, Memo
from pytest_supercache.runtime.memory.entering import Entering
from pytest_supercache.runtime.memory.hook_calls import unhooked
from pytest_supercache.runtime.memory.lasting import Lasting
from pytest_supercache.runtime.memory.live_objects import LiveObjects, ValuesByIdentity
from pytest_supercache.runtime.memory.made_before import MadeBefore
from pytest_supercache.runtime.memory.names import File, name_of_class
from pytest_supercache.runtime.memory.nodes import NodeUses
from pytest_supercache.runtime.memory.parting import WITHOUT_ANSWER
from pytest_supercache.runtime.memory.sections import Sections
from pytest_supercache.runtime.memory.sharing import (
    DICT,
    LIFE,
    Location,
    Sharing,
    footprint_of,
    place_of_answer,
    place_of_class,
    place_of_clock,
    place_of_everything,
    place_of_library,
    place_of_real_primitives,
    place_of_resuming,
    places_of_replaced,
)
from pytest_supercache.runtime.memory.storing import Stores
from pytest_supercache.runtime.memory.uses import Comparison, acts_atomically

_TEMPORARY = temporary_folder()
_OWN_FOLDERS = (
    tuple(f"{path}/{FOLDER_PREFIX}" for path in (_TEMPORARY, realpath(_TEMPORARY)))
    if _TEMPORARY
    else ()
)
"""How the paths of folders of executions begin."""


class Accesses:
    """The accesses of one execution.

    Args:
        sharing: what is known of shared memory so far.
        lasting: memory that outlives executions, unless it is restored.
        made_before: what outlives executions, and is not restored.
        execution: takes the steps.
        module: the module of the body.
    """

    def __init__(
        self,
        sharing: Sharing,
        lasting: Lasting,
        made_before: MadeBefore,
        execution: ExecutionContext,
        module: str = "",
    ) -> None:
        self.sharing = sharing
        """What is known of shared memory so far."""
        self.lasting = lasting
        self.made_before = made_before
        self._module = module
        self._execution = execution
        self._controller = execution.controller
        self._record = execution.record
        self._live = LiveObjects()
        self.shared = Comparison(sharing, self._record, self._live)
        # The ``__dict__`` of an object -> the object, weakly.
        self._owners = ValuesByIdentity(self._live)
        self._places: set[Place] = set()
        self._files: dict[str, File] = {}
        self._temporary: dict[str, str] = {}  # the random name of a file -> one for all runs
        self._answered: dict[str, str] = {}
        self._touching: set[str] = set()  # actors that have, since their last step
        self._parted: set[tuple[str, str]] = set()
        self._work: BackgroundActor | None = None
        self._is_busy = False
        self.entering = Entering()
        """The Python code that C code calls back, or that several threads advance."""
        self.collected: steps.Touched | None = None
        """Accesses collected to be made as one, by :class:`steps.Together`; None: none are."""
        self.is_naming = False
        """Whether objects get names, because something is shared."""
        self.sections = Sections(sharing, execution)
        self.stores = Stores(sharing, self.shared, execution)
        self._looks_throughout = False
        self._is_over = False  # the race: only what the body reads counts
        self.nodes: NodeUses | None = None
        """The memory that each node uses, if nodes must share none; else None."""

    # -- what the execution tells ----------------------------------------------------------------

    def begin_race(self, actors: Iterable[Actor], works: Iterable[BackgroundActor]) -> None:
        """Name the reachable objects, if names are wanted, and connect the background work."""
        Current.accesses, self._is_over = self, False
        for work in works:
            work.widened = self.widened
        self.shared.begin_race(actors)
        self.is_naming = self.shared.names is not None
        if self._record.is_full:
            self._record.show_memory(self.shared.content)

    def end_race(self) -> None:
        """Stop recording accesses, unless recording goes on to the end of the body.

        What the body itself does is noted: it may find what an earlier execution has left, and
        leave something to the next one.
        """
        if not self._looks_throughout:
            Current.accesses, self._is_over = self, True
            self._record.keep_memory()
            self._live.let_all_go()

    def look_throughout(self) -> None:
        """Record accesses from now on and to the end of the body, as well."""
        self._looks_throughout = True
        Current.accesses = self

    def look_no_longer(self) -> None:
        """Stop recording accesses: what follows tears the systems down."""
        self._looks_throughout = False
        Current.accesses = None

    def keep_nodes_apart(self, declared: Iterable[str]) -> None:
        """Record which memory each node uses."""
        self.nodes = NodeUses(declared, self._live)

    def steps_taken(self) -> int:
        """Return the number of steps taken so far."""
        return len(self._record.steps)

    def note_node(self, holder: Any, part: str, *, writes: bool) -> None:
        """Record on which node a part of an object is used, unless it is declared."""
        actor = current_actor()
        if self.nodes is not None and actor is not None and not self._is_busy:
            self._is_busy = True
            try:
                self.nodes.note(self._work or actor, holder, part, writes=writes)
            finally:
                self._is_busy = False

    def let_go(self) -> None:
        """Drop the references to the execution, which is over."""
        del self._execution, self._controller, self._record, self.sections, self.stores
        self._live.let_all_go()
        self.shared.names = None

    def places(self) -> tuple[Place, ...]:
        """Return where this execution had switch points in memory, as a token records it."""
        libraries = map(place_of_library, self.sharing.looked_into)
        classes = map(place_of_class, self.sharing.in_dict)
        clocks = map(place_of_clock, self.sharing.clocks)
        everything = [place_of_everything()] if self.sharing.is_everything else []
        everything += [place_of_resuming()] if self.sharing.resumes else []
        everything += [place_of_real_primitives()] if self.sharing.has_real_primitives else []
        replaced = places_of_replaced(self.sharing.replaced, self._places)
        others = (*self.sections.places(), *self.stores.places(), *everything, *replaced)
        return tuple(sorted({*self._places, *libraries, *classes, *clocks, *others}))

    def part(self, label: str) -> None:
        """Take a step without a footprint: a switch point of a thread."""
        self._execution.step(label, Footprint(), kind="memory")

    @contextmanager
    def performed_by(self, work: BackgroundActor) -> Iterator[None]:
        """Attribute the accesses in this context to background work, which has no thread.

        It may be done on a thread that waits in a hook.
        """
        was, here.in_hook = here.in_hook, False
        self._work = work
        try:
            yield
        finally:
            self._work, here.in_hook = None, was

    def widened(self, actor: str, label: str, footprint: Footprint) -> Footprint:
        """Return a step's footprint, widened by the accesses between it and the next step."""
        self._answered.pop(actor, None)
        self._touching.discard(actor)
        unhooked(self._live.let_go)
        return self.sharing.widened(actor, label, footprint)

    def note_entry(self, actor: str) -> None:
        """Note that the code before an actor's first step is a step of its own now."""
        self._places.add(place_of_answer(actor))
        unhooked(self._live.let_go)

    def answer_is_step(self, actor: Actor, label: str) -> bool:
        """Say whether the answer of a step is itself a step; if not, note that it arrives now."""
        if not actor.is_task:
            return actor.callers > 0
        if self.sharing.is_answer_step(actor.name, label):
            self._places.add(place_of_answer(actor.name, label))
            return True
        self._answered[actor.name] = label
        return False

    def part_answer(self, actor: Actor, label: str) -> None:
        """Make the answer of a step a step of its own, in this execution if that is known."""
        if self.sharing.is_answer_step(actor.name, label):
            self._places.add(place_of_answer(actor.name, label))
        else:
            self.sharing.note_answer(actor.name, label)

    # -- what the hooks tell ---------------------------------------------------------------------

    def actor(self) -> Actor | None:
        """Return the racing actor of the calling thread; None: the access does not count."""
        actor, controller = current_actor(), self._controller
        if (
            actor is None
            or (actor.direct and self._work is None)
            or self._is_busy
            or controller.phase != "race"
            or here.controller is not controller
            or controller.given_up
            or actor.dismissed
        ):
            return None
        return actor

    def own(self, members: Any, owner: Any) -> bool:
        """Note that ``members`` is the dict of ``owner``: an access to it is one to ``owner``.

        Returns:
            False: nothing can refer weakly to the object.
        """
        try:
            reference = weakref.ref(owner)
        except TypeError:
            return False
        self._owners.put(members, reference)
        return True

    def owner_of(self, members: Any) -> Any:
        """Return the object whose attributes a dict holds; None: none is known."""
        return None if (owner := self._owners.get(members)) is None else owner()

    def let_dead_go(self) -> None:
        """Release the objects that nothing else refers to: code is about to ask what is alive."""
        unhooked(self._live.let_go)

    def take_number(self, count: Any) -> Callable[..., int] | None:
        """Record that the calling code takes the next number of an `itertools.count`.

        Returns:
            A function that returns it; None: the code itself can take it.
        """
        numbers = self.lasting.numbers(count)
        if numbers is None:
            return None
        if self.nodes is not None:
            self.note_node(count, WHOLE, writes=True)
        if (actor := self.actor()) is not None:
            self._touch_seen(actor, count, WHOLE, writes=True)
        return numbers.take

    def touch_life(self, reference: Any, *, writes: bool) -> None:
        """Record that the calling actor asks whether an object is alive, or drops a reference.

        Args:
            reference: a weak one, so that this call keeps no object alive at a switch point.
            writes: a reference is dropped.
        """
        actor, holder = self.actor(), reference()
        if actor is None or holder is None:
            return
        self._is_busy = True
        try:
            location = self.shared.see(actor, self._work, holder, LIFE, writes=writes)
        finally:
            self._is_busy = False
            del holder
        if location is not None:
            self._touch(actor, location, writes=writes)

    def drops(self, value: Any) -> bool:
        """Say whether a weak reference to ``value`` exists, so that its end can be observed."""
        return type(value) not in PLAIN and self._live.has_references(value)

    def file(self, name: str) -> File:
        """Return the object that stands for a file, or a folder, of this name."""
        return self._files.setdefault(name, File(name))

    def temporary_file(self, name: str, *, makes: bool) -> str:
        """Return a name that is the same in every run for a file whose own name is random.

        Those that no user of this execution has made have one name, because any of them may come
        first to use one.
        """
        if makes and name not in self._temporary and (actor := self.actor()) is not None:
            number = sum(known.endswith(f" of {actor.name}") for known in self._temporary.values())
            self._temporary[name] = f"temporary file {number + 1} of {actor.name}"
        return self._temporary.get(name, "temporary files")

    def place(self, value: Any, holder: Any, part: str) -> None:
        """Name ``value``, if it is new, after the part of ``holder`` where it is stored."""
        if self.shared.names is not None and (actor := self.actor()) is not None:
            self._is_busy = True
            try:
                start = "" if holder is None else self.shared.names.of(holder, actor)
                place = f"{start}{'' if part == WHOLE else part}"
                self.shared.names.put(value, place, actor)
            finally:
                self._is_busy = False

    def reached(self, value: Any, holder: Any, part: str) -> None:
        """Name ``value``, if it has no name, after the part of ``holder`` it is read from."""
        if self.shared.names is not None and type(value) not in PLAIN and self.actor() is not None:
            self._is_busy = True
            try:
                self.shared.names.reach(value, f"{self.shared.names.of(holder, None)}{part}")
            finally:
                self._is_busy = False

    def access(self, touched: steps.Touched) -> None:
        """Access all that is in ``touched`` at once."""
        if (actor := self.actor()) is not None:
            self._access(actor, touched)

    def touch_now(self) -> None:
        """Make the collected accesses now, before the values that the code will get are read."""
        if self.collected:
            touched, self.collected = self.collected, []
            self.access(touched)

    def enters(self, generator: Any, footprint: Footprint) -> None:
        """Note that the calling thread is about to run a generator that others run, too."""
        if (actor := self.actor()) is not None and not actor.is_task:
            self.entering.expect(actor.name, generator, footprint)

    def entered(self, frame: Any) -> None:
        """Take the switch points where the code of a generator or of a callback begins."""
        if (actor := self.actor()) is not None:
            self.entering.count(frame)
            for label, footprint in self.entering.steps(actor.name, frame):
                self._execution.step(label, footprint, kind="memory")

    def storing(
        self, holder: Any, part: str, footprint: Footprint | None
    ) -> AbstractContextManager[None]:
        """Note that the result of the function that is called in this context will be stored."""
        actor = self.actor() if self._work is None else None
        return self.stores.awaited(actor, holder, part, footprint)

    def is_of_task(self) -> bool:
        """Say whether a coroutine makes the access: it shares its thread with other tasks."""
        return (actor := self.actor()) is not None and actor.is_task

    def note_replaced(self, name: str) -> None:
        """Note that the calling actor replaces a function or a class."""
        if self.actor() is not None:
            self.sharing.note_replaced(name)

    def look_into(self, function: Any) -> None:
        """Rewrite a library function that is given shared memory, so that its accesses are seen."""
        if self.actor() is not None and Current.rewrite is not None:
            module = function.__globals__["__name__"]
            Current.looked_into.add(module)
            Current.rewrite(function)
            self.sharing.note_looked_into(module)

    def join_blocking_call(self, actor: Actor, footprint: Footprint) -> None:
        """Add what a coroutine does without an await to the footprint of the step before it."""
        self.note_turn(actor)
        self._join(actor, None, footprint)

    def note_synchronization(self, actor: Actor, *what: str) -> None:
        """Note that a task waits for others, lets them go on, or looks whether it has to wait.

        Args:
            actor: the task that does.
            what: a primitive, a task or an actor that waits, for which their order matters.
        """
        if self.sharing.tasks_synchronize:
            touched = frozenset(f"memory:{one}" for one in what)
            self._join(actor, None, Footprint(touched, touched))
        else:
            self.sharing.note_synchronization()

    def has_touched(self, actor: Actor) -> bool:
        """Say whether an actor has touched what is shared since it announced its last step."""
        return actor.name in self._touching

    def note_blocking_call(self, actor: Actor) -> None:
        """Note that a coroutine has let a thread continue, or start, without an await."""
        self.shared.note_blocking_call(actor)

    def note_inside(self, kind: type, name: str) -> None:
        """Report as a hazard that code uses internals of a stand-in for a standard class."""
        self._controller.hazard(
            f"the code under test looks into `{name}` of a {name_of(kind)}, which is not what the "
            "real class has there while a check runs. Use the methods of the class, such as "
            "qsize(), empty(), locked(), is_set() or join(), or keep it in a variable of your own"
        )

    def is_of(self, controller: Any) -> bool:
        """Say whether it is the execution of this controller."""
        return self._controller is controller

    def note_error(self, error: Exception) -> None:
        """Report as a hazard that a hook has failed: an access was not recorded."""
        self._controller.hazard(report_of(error))

    def note_lasting_use(self, holder: Any, part: str = WHOLE, *, by_flow: bool = True) -> None:
        """Record the use of an object that may outlive the execution: a hazard for iterators."""
        if reason := self.lasting.touch(holder, part, by_flow=by_flow):
            self._controller.hazard(reason)

    def note_file(self, path: str, *, writes: bool) -> None:
        """Note that code uses a file, or a folder: a hazard if it finds what an execution left.

        The folder of the execution is fresh.
        """
        if path.startswith(_OWN_FOLDERS):
            return
        is_of_flow, files = self.actor() is not None, self.made_before
        if not is_of_flow and not self._is_over:
            return
        with looking():
            if is_of_flow:
                found = files.touch_file(path, writes=writes)
            else:
                found = "" if writes else files.show_file(path)
                self._note_own(files.touch_file_in_body(path, writes=writes))
        self._note_left(found)

    def note_asked(self, holder: Any, attribute: str) -> None:
        """Note that code asks a mock, or the like, what it has recorded."""
        if self._is_over and self.actor() is None:
            self._note_left(self.made_before.show_recorded(holder, attribute))

    def _note_left(self, found: str) -> None:
        if found:
            self._controller.hazard(found)

    def _note_own(self, found: str) -> None:
        if found:
            self._controller.left_by_body[found] = None

    def _touch_in_body(self, holder: Any, part: str, *, writes: bool) -> None:
        """Note what the body touches after the race.

        What it changes in the code under test is restored; what is the test's own stays.
        """
        number = identity(holder)
        if number in self.made_before.objects:
            if not writes:
                self._note_left(self.made_before.show(holder, part))
            self._touch_own(holder, part, self.made_before.name_of(holder, part), writes=writes)
        elif number not in self.lasting.snapshots:
            return
        elif self.lasting.is_of_tests(holder, self._module):
            self._touch_own(holder, part, self.lasting.name_of(holder, part), writes=writes)
        elif writes:
            self.note_lasting_use(holder, part, by_flow=False)
            self.lasting.note_body(holder, part)

    def _touch_own(self, holder: Any, part: str, name: str, *, writes: bool) -> None:
        """Note that the body touches, after the race, what is the test's own."""
        self.made_before.own.use(holder, part, name, self.lasting.begun(holder))
        self._note_own(self.made_before.touch_in_body(holder, part, name, writes=writes))

    def touch(
        self, holder: Any, part: str, *, writes: bool, drops: bool = False
    ) -> Footprint | None:
        """Record an access of the calling actor: if shared, it is a step or widens the last one.

        Args:
            holder: the object.
            part: an attribute, an entry, or the whole.
            writes: others may find it changed.
            drops: it removes a value.

        Returns:
            The footprint of the access if it is shared; None: no other actor sees it.
        """
        members = self._entries_of(holder) if part == WHOLE and self.sharing.in_dict else None
        if members is None:
            return self._touch_part(holder, part, writes=writes, drops=drops)
        self.reached(members, holder, DICT)
        with steps.Together(self):
            attributes = self._touch_part(members, WHOLE, writes=writes, drops=drops)
            rest = self._touch_part(holder, WHOLE, writes=writes, drops=drops)
        return steps.joined(attributes, rest)

    def _entries_of(self, holder: Any) -> Any:
        """Return the object's dict if its attributes are accessed as entries of it; else None."""
        if name_of_class(type(holder)) not in self.sharing.in_dict:
            return None
        members = dict_of(holder)
        return None if members is holder else members

    def _touch_part(self, holder: Any, part: str, *, writes: bool, drops: bool) -> Footprint | None:
        actor = self.actor()
        if actor is None and self._is_over:
            self._touch_in_body(holder, part, writes=writes)
            return None
        if identity(holder) in self.lasting.snapshots:  # few are
            self.note_lasting_use(holder, part, by_flow=actor is not None)
        if self.nodes is not None and type(holder) is not Memo:
            self.note_node(holder, part, writes=writes)
        if actor is None:
            return None
        if identity(holder) in self.made_before.objects:
            self._note_left(self.made_before.touch(holder, part, writes=writes))
        return self._touch_seen(actor, holder, part, writes=writes, drops=drops)

    def _touch_seen(
        self, actor: Actor, holder: Any, part: str, *, writes: bool, drops: bool = False
    ) -> Footprint | None:
        actor.writes += writes
        self._is_busy = True
        try:
            location = self.shared.see(actor, self._work, holder, part, writes=writes)
        finally:
            self._is_busy = False
        return location and self._touch(actor, location, writes=writes, drops=drops)

    def _touch(
        self, actor: Actor, location: Location, *, writes: bool, drops: bool = False
    ) -> Footprint:
        verb = steps.verb_of(writes=writes, drops=drops)
        if location not in self.sharing.atomic:
            self._places.add(self.sharing.place_of(location))
        if self.collected is None:
            self._access(actor, [(location, verb)])
        else:
            self.collected.append((location, verb))
        return footprint_of(location, writes=writes)

    def _access(self, actor: Actor, touched: steps.Touched) -> None:
        """Access shared memory: with a step, or as a part of the last step."""
        footprint = steps.footprint(touched)
        is_declared = steps.are_all(touched, self.sharing.atomic)
        if self._work is None:
            self.note_turn(actor)
        if self._work is not None or actor.is_task or acts_atomically(actor) or is_declared:
            self._join(actor, self._work, footprint)
        else:
            take(self._execution, steps.label(touched), footprint, "memory")

    @contextmanager
    def calling_back(self, footprint: Footprint | None) -> Iterator[None]:
        """Let steps inside a call inherit its footprint: the call touches more after them."""
        touched, self.collected = self.collected, None
        actor = self.actor()
        if touched and actor is not None:
            self._access(actor, touched)
        try:
            if footprint is None or actor is None:
                yield
                return
            actor.inherited.append(footprint)
            actor.callers += 1
            if not actor.is_task:
                self.entering.call(actor.name, footprint)
            try:
                yield
            finally:
                self.entering.called(actor.name)
                actor.callers -= 1
                actor.inherited.remove(footprint)
        finally:
            self.collected = None if touched is None else []

    # -- what follows from it --------------------------------------------------------------------

    def _join(self, actor: Actor, work: Any, footprint: Footprint) -> None:
        """Add an access to the footprint of the step that it follows.

        If a step is to come in between from now on, the access will belong to that one.
        """
        last = last_chosen(self._record.steps)
        if work is None:
            self._touching.add(actor.name)
        if work is None and self._is_parted_now(actor, last):
            return
        if last is not None:
            self.sharing.join(last.actor, last.label, footprint)

    def join_reading(self, actor: Actor, footprint: Footprint) -> bool:
        """Add a reading of the clock to the footprint of a coroutine's last step; False: none."""
        if self.actor() is None:
            return False
        self.note_turn(actor)
        self._join(actor, None, footprint)
        return True

    def note_turn(self, actor: Actor) -> None:
        """Note that code touches what is shared in a later turn than that of what was chosen."""
        if actor.is_late:
            self.sharing.note_resuming()

    def _is_parted_now(self, actor: Actor, last: Step | None) -> bool:
        """Part an actor's start, or an answer, from the access; False: the check knew of it."""
        ends = set() if actor.taken else {(actor.name, "")}
        if actor.is_task:
            if answered := self._answered.get(actor.name):
                ends.add((actor.name, answered))
            if last is not None and last.kind not in WITHOUT_ANSWER:  # it came to another task
                ends.add((last.actor, last.label))
        for name, label in ends:
            self._part(name, label)
        return not ends.isdisjoint(self._parted)

    def _part(self, actor: str, label: str) -> None:
        """Make an actor's start, or its answer to a step, a step from the next execution on."""
        sharing = self.sharing
        if sharing.note_answer(actor, label) if label else sharing.note_start(actor):
            self._parted.add((actor, label))
