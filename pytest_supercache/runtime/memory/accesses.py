"""What the actors of one execution touch, and which of that they share.

An access to what is shared is a step of a thread. A coroutine never suspends at one, nor does code
that is declared to be atomic: there the access belongs to the last step that was taken, whose
footprint is widened by it from then on.
"""

import weakref
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.identity import identity
from pytest_supercache.core.memory_use import WHOLE
from pytest_supercache.core.schedule import Place
from pytest_supercache.runtime.kernel.actor import Actor, BackgroundActor
from pytest_supercache.runtime.kernel.calling import current_actor, here
from pytest_supercache.runtime.kernel.spinning import take
from pytest_supercache.runtime.kernel.stepping import Stepping
from pytest_supercache.runtime.kernel.under_test import dict_of
from pytest_supercache.runtime.memory import steps
from pytest_supercache.runtime.memory.current import Current
from pytest_supercache.runtime.memory.effects import PLAIN, Memo
from pytest_supercache.runtime.memory.entering import Entering
from pytest_supercache.runtime.memory.keeping import Keeper, KeptByIdentity
from pytest_supercache.runtime.memory.lasting import Lasting
from pytest_supercache.runtime.memory.names import File, name_of_class
from pytest_supercache.runtime.memory.nodes import NodeUses
from pytest_supercache.runtime.memory.sections import Sections
from pytest_supercache.runtime.memory.sharing import (
    DICT,
    LIFE,
    Location,
    Sharing,
    footprint_of,
    place_of_answer,
    place_of_class,
    place_of_everything,
    place_of_library,
)
from pytest_supercache.runtime.memory.storing import Stores
from pytest_supercache.runtime.memory.uses import Comparison, acts_atomically


class Accesses:
    """The accesses of one execution.

    Args:
        sharing: what is known of shared memory so far.
        lasting: what executions leave to each other, unless it is given back.
        execution: takes the steps.
    """

    def __init__(self, sharing: Sharing, lasting: Lasting, execution: Stepping) -> None:
        self.sharing = sharing
        """What is known of shared memory so far."""
        self.lasting = lasting
        self._execution = execution
        self._controller = execution.controller
        self._record = execution.record
        self._keeper = Keeper()
        self.shared = Comparison(sharing, self._record, self._keeper)
        self._owners = KeptByIdentity(
            self._keeper
        )  # the ``__dict__`` of an object -> the object, weakly
        self._places: set[Place] = set()
        self._files: dict[str, File] = {}
        self._answered: dict[str, str] = {}
        self._work: BackgroundActor | None = None
        self._is_busy = False
        self.entering = Entering()
        """What comes to code of Python in the middle of something else."""
        self.collected: steps.Touched | None = None
        """What is touched together: see :class:`steps.Together`."""
        self.is_naming = False
        """Whether objects get names: something is shared."""
        self.sections = Sections(sharing, execution)
        self.stores = Stores(sharing, self.shared, execution)
        self._looks_throughout = False
        self.nodes: NodeUses | None = None
        """What the nodes use, if they are to share nothing."""

    # -- what the execution tells ----------------------------------------------------------------

    def begin_race(self, actors: Iterable[Actor], works: Iterable[BackgroundActor]) -> None:
        """Name what can be reached now, if names are wanted; know the background work."""
        Current.accesses = self
        for work in works:
            work.widened = self.widened
        self.shared.begin_race(actors)
        self.is_naming = self.shared.names is not None
        if self._record.is_full:
            self._record.show_memory(self.shared.content)

    def end_race(self) -> None:
        """Take no more notice, unless to the end of the body: what follows is no access."""
        if not self._looks_throughout:
            Current.accesses = None
            self._record.keep_memory()
            self._keeper.let_all_go()

    def look_throughout(self) -> None:
        """Take notice of what is used from now on and to the end of the body, as well."""
        self._looks_throughout = True
        Current.accesses = self

    def look_no_longer(self) -> None:
        """Take no more notice: what follows takes the systems down."""
        self._looks_throughout = False
        Current.accesses = None

    def keep_nodes_apart(self, declared: Iterable[str]) -> None:
        """Take notice of what each node uses."""
        self.nodes = NodeUses(declared, self._keeper)

    def steps_taken(self) -> int:
        """Return how many steps were taken so far."""
        return len(self._record.steps)

    def note_node(self, holder: Any, part: str, *, writes: bool) -> None:
        """Note on which node a part of an object is used, unless that is declared."""
        actor = current_actor()
        if self.nodes is not None and actor is not None and not self._is_busy:
            self._is_busy = True
            try:
                self.nodes.note(self._work or actor, holder, part, writes=writes)
            finally:
                self._is_busy = False

    def let_go(self) -> None:
        """Let go of the execution, which is over."""
        del self._execution, self._controller, self._record, self.sections, self.stores
        self._keeper.let_all_go()
        self.shared.names = None

    def places(self) -> tuple[Place, ...]:
        """Return where this execution had points in memory, as a token records it."""
        libraries = map(place_of_library, self.sharing.looked_into)
        classes = map(place_of_class, self.sharing.in_dict)
        everything = [place_of_everything()] if self.sharing.is_everything else []
        others = (*self.sections.places(), *self.stores.places(), *everything)
        return tuple(sorted({*self._places, *libraries, *classes, *others}))

    def part(self, label: str) -> None:
        """Let others come in here, on a thread."""
        self._execution.step(label, Footprint(), kind="memory")

    @contextmanager
    def performed_by(self, work: BackgroundActor) -> Iterator[None]:
        """Let background work, which has no thread, be the one that touches."""
        self._work = work
        try:
            yield
        finally:
            self._work = None

    def widened(self, actor: str, label: str, footprint: Footprint) -> Footprint:
        """Return a step's footprint together with what follows it before the next step."""
        self._answered.pop(actor, None)
        self._keeper.let_go()
        return self.sharing.widened(actor, label, footprint)

    def starts_with_step(self, actor: str) -> bool:
        """Say whether the lines before a coroutine's first step are a step of their own."""
        if actor not in self.sharing.starts:
            return False
        self._places.add(place_of_answer(actor))
        return True

    def answer_is_step(self, actor: Actor, label: str) -> bool:
        """Say whether the answer of a step is parted from what follows; note that it comes now."""
        if not actor.is_task:
            return actor.callers > 0
        sharing = self.sharing
        if (actor.name, label) in sharing.answers or actor.name in sharing.cancelled:
            self._places.add(place_of_answer(actor.name, label))
            return True
        self._answered[actor.name] = label
        return False

    # -- what the hooks tell ---------------------------------------------------------------------

    def actor(self) -> Actor | None:
        """Return the actor that the calling thread runs in the race; None: this is no access."""
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
        """Note whose attributes a dict holds: an access to it is one to the object.

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
        """Return whose attributes a dict holds; None: nobody's."""
        return None if (owner := self._owners.get(members)) is None else owner()

    def let_dead_go(self) -> None:
        """Let go of what nobody else holds: code is about to look at what lives."""
        self._keeper.let_go()

    def touch_life(self, reference: Any, *, writes: bool) -> None:
        """Let the calling actor ask whether an object lives, or drop a reference to it.

        Args:
            reference: a weak one; nobody here may hold the object while others come in.
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
        """Say whether somebody refers weakly to a value, so that its end may be seen."""
        return type(value) not in PLAIN and self._keeper.has_references(value)

    def file(self, name: str) -> File:
        """Return what stands for a file, or a folder, of this name."""
        return self._files.setdefault(name, File(name))

    def place(self, value: Any, holder: Any, part: str) -> None:
        """Note that a value is put somewhere, or what it is: if it is new, that gives its name."""
        if self.shared.names is not None and (actor := self.actor()) is not None:
            self._is_busy = True
            try:
                start = "" if holder is None else self.shared.names.of(holder, actor)
                place = f"{start}{'' if part == WHOLE else part}"
                self.shared.names.put(value, place, actor)
            finally:
                self._is_busy = False

    def reached(self, value: Any, holder: Any, part: str) -> None:
        """Note that a value is read from a part of an object: else unnamed, it is named so."""
        if self.shared.names is not None and type(value) not in PLAIN and self.actor() is not None:
            self._is_busy = True
            try:
                self.shared.names.reach(value, f"{self.shared.names.of(holder, None)}{part}")
            finally:
                self._is_busy = False

    def access(self, touched: steps.Touched) -> None:
        """Access what was touched together, at once."""
        if (actor := self.actor()) is not None:
            self._access(actor, touched)

    def touch_now(self) -> None:
        """Access what was collected: what is looked at next is what the code will find."""
        if self.collected:
            touched, self.collected = self.collected, []
            self.access(touched)

    def enters(self, generator: Any, footprint: Footprint) -> None:
        """Note that the calling thread is about to run a generator that others run, too."""
        if (actor := self.actor()) is not None and not actor.is_task:
            self.entering.expect(actor.name, generator, footprint)

    def entered(self, frame: Any) -> None:
        """Let others come in while a generator runs, or what code of C calls back."""
        if (actor := self.actor()) is not None:
            self.entering.count(frame)
            for label, footprint in self.entering.steps(actor.name, frame):
                self._execution.step(label, footprint, kind="memory")

    def storing(
        self, holder: Any, part: str, footprint: Footprint | None
    ) -> AbstractContextManager[None]:
        """Know that the result of a function which is called meanwhile will be stored."""
        actor = self.actor() if self._work is None else None
        return self.stores.awaited(actor, holder, part, footprint)

    def is_of_task(self) -> bool:
        """Say whether a coroutine makes the access: it shares its thread with others."""
        return (actor := self.actor()) is not None and actor.is_task

    def note_replaced(self, name: str) -> None:
        """Note that a function or a class is replaced by the calling actor."""
        if self.actor() is not None:
            self.sharing.note_replaced(name)

    def look_into(self, function: Any) -> None:
        """Let a module of the standard library touch for itself: it is given what is shared."""
        if self.actor() is not None and Current.rewrite is not None:
            module = function.__globals__["__name__"]
            Current.looked_into.add(module)
            Current.rewrite(function)
            self.sharing.note_looked_into(module)

    def note_passing(self, actor: Actor) -> None:
        """Note that a coroutine did, without an await, what lets a thread go on, or begin."""
        self.shared.note_passing(actor)

    def note_inside(self, kind: type, name: str) -> None:
        """Note that code looks into an object that stands in for one of the standard library."""
        self._controller.hazard(
            f"the code under test looks into `{name}` of a {kind.__name__}, which is not what the "
            "real class has there while a check runs. Use the methods of the class, such as "
            "qsize(), empty(), locked(), is_set() or join(), or keep it in a variable of your own"
        )

    def note_passed(self, holder: Any, part: str = WHOLE) -> None:
        """Note that an object is used which may outlive the execution."""
        if passed := self.lasting.touch(holder, part):
            self._controller.hazard(passed)

    def touch(
        self, holder: Any, part: str, *, writes: bool, drops: bool = False
    ) -> Footprint | None:
        """Let the calling actor access a part of an object.

        Args:
            holder: the object.
            part: an attribute, an entry, or the whole.
            writes: others may find it changed.
            drops: it takes a value away.

        Returns:
            What it touches, if that is shared; None: nobody else sees it.
        """
        members = self._entries_of(holder) if part == WHOLE and self.sharing.in_dict else None
        if members is None:
            return self._touch_part(holder, part, writes=writes, drops=drops)
        self.reached(members, holder, DICT)
        with steps.Together(self):
            attributes = self._touch_part(members, WHOLE, writes=writes, drops=drops)
            rest = self._touch_part(holder, WHOLE, writes=writes, drops=drops)
        return attributes | rest if attributes and rest else attributes or rest

    def _entries_of(self, holder: Any) -> Any:
        """Return the dict whose entries the attributes of an object are touched as, beside it."""
        if name_of_class(type(holder)) not in self.sharing.in_dict:
            return None
        members = dict_of(holder)
        return None if members is holder else members

    def _touch_part(self, holder: Any, part: str, *, writes: bool, drops: bool) -> Footprint | None:
        if identity(holder) in self.lasting.kept:  # few are
            self.note_passed(holder, part)
        if self.nodes is not None and type(holder) is not Memo:
            self.note_node(holder, part, writes=writes)
        actor = self.actor()
        if actor is None:
            return None
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
        """Access shared memory: in a step, or in what follows the last one."""
        footprint = steps.footprint(touched)
        is_declared = steps.are_all(touched, self.sharing.atomic)
        if self._work is not None or actor.is_task or acts_atomically(actor) or is_declared:
            self._join(actor, self._work, footprint)
        else:
            take(self._execution, steps.label(touched), footprint, "memory")

    @contextmanager
    def calling_back(self, footprint: Footprint | None) -> Iterator[None]:
        """Let steps of what is called inherit a footprint: more is touched after their answers."""
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
        """Let an access belong to the step after which it comes."""
        if work is None and not actor.taken:
            self.sharing.note_start(actor.name)
        if work is None and actor.is_task:
            label = self._answered.get(actor.name)
            if label is not None:
                self.sharing.note_answer(actor.name, label)
        if self._record.steps:
            last = self._record.steps[-1]
            if work is None and actor.is_task and last.kind != "memory":
                self.sharing.note_answer(last.actor, last.label)  # it came to a task of another
            self.sharing.join(last.actor, last.label, footprint)
