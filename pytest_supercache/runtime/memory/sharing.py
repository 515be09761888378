"""Holds what a check has learnt about the memory that its actors share; it only grows."""

from collections.abc import Iterable, Iterator
from hashlib import blake2b

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.memory_use import WHOLE, MemoryUse
from pytest_supercache.core.plain import write_plain
from pytest_supercache.core.schedule import Place
from pytest_supercache.runtime.memory.listing import Listing
from pytest_supercache.runtime.memory.used_by_two import UsedByTwo

LIFE = "~life"
"""Stands for whether an object is alive: weak references ask, and dropping it changes that."""

STARTED = ".started"
"""Stands for whether a thread was started: it can be only once, and before it is joined."""

DICT = ".__dict__"
"""Stands for the dict that holds an object's attributes: it may be replaced."""

_GROWTH = {"_has_grown": False}

_NOT_LEARNT = frozenset({"listing", *_GROWTH})

Location = tuple[str, str]
"""The name of an object, and its part: ``.name``, ``['key']``, or ``*`` for the whole."""


class Sharing:
    """The shared locations of one check, and what its coroutines touch between two steps.

    Args:
        atomic: names of memory whose accesses, and those to all inside it, are no switch points.
        listing: records which actor uses what, if that is wanted.
    """

    _is_quiet_by_default = True
    tasks_synchronize = False
    """Whether tasks wait for each other, or use the primitives of asyncio that tasks wait on."""
    resumes = False
    """Whether tasks and callbacks go on in steps of their own after the step that let them."""
    ticks_meet_all = False
    """Whether early ticks depend on every step, as there are timers, or questions asked again."""
    has_real_primitives = False
    """Whether code under test uses a real lock or queue, which then needs a name."""
    is_warmed_up = False
    """Whether two runs in a row, and the first one, were alike."""
    is_everything = False
    """Whether every step is taken to touch the memory of its node, besides what is found."""
    is_common = False
    """Whether an actor has written memory that another one uses, under a common lock or not."""

    def __init__(self, atomic: Iterable[str] = (), listing: Listing | None = None) -> None:
        self.listing = listing
        self.locations: set[Location] = set()
        self._atomic = self._names_to_meet = tuple(atomic)
        self.atomic: set[Location] = set()
        """Shared locations whose accesses are no switch points, but belong to the step before."""
        self.taken_as_atomic: set[str] = set()
        """The declared names that match shared memory."""
        self.wants_names = listing is not None
        """Whether something is shared, so that executions name their objects from now on."""
        self.starts, self.cancelled = set[str](), set[str]()
        """Coroutines whose start is a step, as they touch shared memory before their first one;
        and those whose answers are steps, because their tasks are cancelled."""
        self.answers: set[tuple[str, str]] = set()
        """Actor and label of steps whose answer is followed by an access to shared memory."""
        self.is_touched = self.is_written = False
        """Whether an actor's code has touched memory, shared or not; whether it has written any."""
        self.replaced: set[str] = set()
        """Names of functions and classes that are replaced in the race: reads of them count."""
        self.looked_into, self.clocks = set[str](), set[str]()
        """Modules of the standard library whose own accesses are seen; modules whose readings of
        the clock are steps, because two users were shown one time."""
        self.in_dict = set[str]()  # classes whose attributes are touched as entries of a `__dict__`
        self.open_locks: set[str] = set()
        """Locks that an actor released without holding them: they exclude no actor."""
        self.attributes = UsedByTwo()
        """Attributes that code sets on objects that are otherwise left alone."""
        self.folders = UsedByTwo()
        """Folders that one actor lists, makes or removes."""
        self.stores: set[str] = set()
        """Names of memos and the like whose stores of a result are steps of their own."""
        self.wholes: set[str] = set()
        """Containers whose parts have other names in every run: they are touched as a whole."""
        self._of_threads: dict[str, set[tuple[str, str]]] = {}
        """Object -> what threads touch of it without a lock: thread and part."""
        self._loud, self._unseen = set[str](), set[str]()
        self._sections: set[tuple[str, str]] = set()
        self.mixed: dict[str, None] = {}
        """Memory that a coroutine touches more than once between two steps, and a thread too."""
        self.foreign: dict[str, None] = {}
        """Containers of libraries that threads share: a context switch may come inside a method."""
        self._touched: dict[tuple[str, str], Footprint] = {}
        self._has_grown = self._is_complete = False

    def as_recorded(self, places: Iterable[Place]) -> "Sharing":
        """Return the knowledge of a process that reads a recorded schedule; it does not grow."""
        recorded = Sharing(listing=self.listing)
        recorded._is_quiet_by_default = False
        for place in places:
            recorded._take_in(*place)
        recorded.wants_names = bool(recorded.locations) or recorded.has_real_primitives
        recorded.stop_learning()
        return recorded

    def _take_in(self, name: str, part: str, *rest: str) -> None:
        self.folders.add(name)
        if name == _SECTION:
            self._take_in_section(part, *rest)
        elif name.startswith("@"):
            self._take_in_other(name, part, "/".join(rest))
        elif part == _ALL_PARTS:
            self.wholes.add(name)
            self.locations.add((name, WHOLE))
        else:
            self.locations.add((name, "/".join((part, *rest))))
            if part.startswith("."):
                self.replaced |= {part.removeprefix(".")} - {ANY_METHOD}
                self.attributes.add(part.removeprefix("."))

    def _take_in_section(self, actor: str, lock: str, function: str, mode: str) -> None:
        label = label_of_section(lock, function)
        self._sections.add((actor, label))
        self._touched[actor, label] = _guarded(lock, writes=mode == _WRITES)

    def _take_in_other(self, kind: str, name: str, label: str) -> None:
        named = {
            _LIBRARY: self.looked_into, _LOUD: self._loud, _STORES: self.stores,
            _IN_DICT: self.in_dict, _CLOCK: self.clocks, _REPLACED: self.replaced,
        }.get(kind)  # fmt: skip
        if named is not None:
            named.add(name)
        elif kind == _LOCKS:
            self._is_quiet_by_default = True
        elif kind == _EVERYTHING:
            self.is_everything = True
        elif kind == _RESUMING:
            self.resumes = True
        elif kind == _REAL_PRIMITIVES:
            self.has_real_primitives = True
        elif label:
            self.answers.add((name, label))
        else:
            self.starts.add(name)

    def has_learnt_since(self, before: "Sharing") -> bool:
        """Say whether anything is known that was not known to an earlier copy of this."""
        return vars(self) | _GROWTH != vars(before) | _GROWTH

    def digest(self) -> str:
        """Return a digest of what is known, which is the same in every process."""
        known = {name: value for name, value in vars(self).items() if name not in _NOT_LEARNT}
        return blake2b(write_plain(known).encode(), digest_size=12).hexdigest()

    def stop_learning(self) -> None:
        """Learn nothing more: the search is over."""
        self._is_complete = True

    @property
    def changes_steps(self) -> bool:
        """Whether some steps, or footprints of steps, exist only because memory is shared."""
        learnt = self.locations or self._touched or self.answers or self.cancelled or self.clocks
        return bool(learnt) or self.resumes

    def add(self, location: Location) -> None:
        """Note that a location is shared."""
        name = location[0]
        if sum(one == name for one, _ in self.locations) >= PARTS_MAX:
            self.wholes.add(name)
            location = (name, WHOLE)
        if location not in self.locations and not self._is_complete:
            declared = [one for one in self._atomic if _is_inside(written(location), one)]
            if declared:
                self.atomic.add(location)
                self.taken_as_atomic.update(declared)
            self.locations.add(location)
            self._has_grown = True

    def want_names(self) -> None:
        """Note that an object without a name is shared."""
        if not self.wants_names and not self._is_complete:
            self.wants_names = self._has_grown = True

    def note_real_primitive(self) -> None:
        """Note that code under test uses a real lock or queue."""
        if not self._is_complete:
            self.has_real_primitives = True
            self.want_names()

    def note_replaced(self, name: str) -> None:
        """Note that a function or a class of this name is replaced while others may read it."""
        if name not in self.replaced and not self._is_complete:
            self.replaced.add(name)
            self._has_grown = True

    def is_attribute_shared(self, name: str, who: str, *, writes: bool) -> bool:
        """Note a use of an attribute of an object that is otherwise left alone.

        Returns:
            Whether one sets an attribute of this name, of any such object, and another one uses it.
        """
        return self._is_used_by_two(self.attributes, name, name, who, changes=writes)

    def is_folder_shared(self, name: str, path: str, who: str, *, changes: bool) -> bool:
        """Note that an actor passes a folder, or even lists, makes or removes it.

        Args:
            name: the folder's name in every run; other folders may have it, too.
            path: its path in this run.
            who: the actor.
            changes: it lists, makes or removes the folder.

        Returns:
            Whether one actor does so and another one passes it.
        """
        return self._is_used_by_two(self.folders, name, path, who, changes=changes)

    def _is_used_by_two(
        self, found: UsedByTwo, name: str, what: str, who: str, *, changes: bool
    ) -> bool:
        if name in found:
            return True
        if self._is_complete or not found.note(what, who, changes=changes):
            return False
        found.add(name)
        self._has_grown = True
        return True

    def is_stored_apart(self, name: str) -> bool:
        """Say whether the store of a function's result in this place is a step of its own."""
        if name not in self.stores and not self._is_complete:
            self.stores.add(name)
            self._has_grown = True
        return name in self.stores

    def is_replaced(self, name: str) -> bool:
        """Say whether a function or a class of this name is replaced while others may read it."""
        return name in self.replaced

    def note_looked_into(self, module: str) -> None:
        """Note that accesses of a module of the standard library are seen from now on."""
        if module not in self.looked_into and not self._is_complete:
            self.looked_into.add(module)
            self._has_grown = True

    def note_clock(self, module: str) -> bool:
        """Note that two users of a module were shown one time; say whether that is new.

        Other times may lead to other answers. So first it must be known that the first run has left
        nothing behind.
        """
        is_new = module not in self.clocks and not self._is_complete
        if is_new and self.is_warmed_up:
            self.clocks.add(module)
            self._has_grown = True
        return is_new

    def note_in_dict(self, name: str) -> None:
        """Note that attributes of a class's objects are entries of a dict that others have, too."""
        if name not in self.in_dict and not self._is_complete:
            self.in_dict.add(name)
            self._has_grown = True

    def note_open(self, lock: str) -> None:
        """Note that an actor released a lock without holding it."""
        if lock not in self.open_locks and not self._is_complete:
            self.open_locks.add(lock)
            self._has_grown = True

    def is_quiet(self, lock: str) -> bool:
        """Say whether a lock was never held at a switch point, as far as is known."""
        return self._is_quiet_by_default and lock not in self._loud

    def note_loud(self, lock: str) -> None:
        """Note that a lock was held at a switch point, or that its state was read."""
        if lock not in self._loud and not self._is_complete:
            self._loud.add(lock)
            self._has_grown = True

    def is_section(self, actor: str, lock: str, label: str) -> bool:
        """Say whether a critical section of an actor is a step."""
        if lock in self._unseen:
            self.note_section(actor, lock, label, writes=True)
        return (actor, label) in self._sections

    def note_section(self, actor: str, lock: str, label: str, *, writes: bool) -> None:
        """Note that a section touches the same memory as sections of others under its lock."""
        if not self._is_complete:
            self._sections.add((actor, label))
            self.join(actor, label, _guarded(lock, writes=writes))

    def note_unseen(self, lock: str) -> None:
        """Note that a section calls untracked code: all under its lock are taken to conflict."""
        if lock not in self._unseen and not self._is_complete:
            self._unseen.add(lock)
            self._has_grown = True

    def note_thread(self, location: Location, thread: str) -> None:
        """Note that a thread touches a location without a lock."""
        self._of_threads.setdefault(location[0], set()).add((thread, location[1]))

    def threads_at(self, location: Location) -> Iterator[str]:
        """Yield the threads that touch a location without a lock."""
        name, part = location
        for thread, touched in self._of_threads.get(name, ()):
            if WHOLE in (part, touched) or part == touched:
                yield thread

    def take_as_wholes(self) -> bool:
        """Treat containers as wholes: their keys may differ in every run; False: all were."""
        names = {name for name, part in self.locations if part.startswith("[")} - self.wholes
        self.wholes |= names
        self.locations |= {(name, WHOLE) for name in names}
        return bool(names)

    def note_start(self, actor: str) -> bool:
        """Note that an actor touches shared memory before its first step; say whether it is new."""
        is_new = actor not in self.starts and not self._is_complete
        if is_new:
            self.starts.add(actor)
            self._has_grown = True
        return is_new

    def note_answer(self, actor: str, label: str) -> bool:
        """Note that an actor touches shared memory after an answer; say whether that is new."""
        is_new = (actor, label) not in self.answers and not self._is_complete
        if is_new:
            self.answers.add((actor, label))
            self._has_grown = True
        return is_new

    def is_answer_step(self, actor: str, label: str) -> bool:
        """Say whether the answer of a task's step is a step of its own."""
        return (actor, label) in self.answers or actor in self.cancelled

    def note_cancelled(self, actor: str) -> None:
        """Note that an actor's task is cancelled, so that answers of its steps are steps."""
        if actor not in self.cancelled and not self._is_complete:
            self.cancelled.add(actor)
            self._has_grown = True

    def note_synchronization(self) -> None:
        """Note that tasks wait for each other, or that two use primitives of asyncio."""
        if not self.tasks_synchronize and not self._is_complete:
            self.tasks_synchronize = self._has_grown = True

    def note_resuming(self) -> None:
        """Note that code after another step's turn touches what is shared."""
        if not self.resumes and not self._is_complete:
            self.resumes = self._has_grown = True

    def note_ticks(self) -> None:
        """Note that a timer may do anything, or that somebody may ask again after a tick."""
        if not self.ticks_meet_all and not self._is_complete:
            self.ticks_meet_all = self._has_grown = True

    def join(self, actor: str, label: str, footprint: Footprint) -> None:
        """Add to a step's footprint what was touched between it and the next step."""
        known = self._touched.get((actor, label), Footprint())
        joined = known | footprint
        if joined != known and not self._is_complete:  # replays of one schedule are compared
            self._touched[actor, label] = joined
            self._has_grown = True

    def widened(self, actor: str, label: str, footprint: Footprint) -> Footprint:
        """Return a step's footprint, widened by what may follow it before the next step."""
        touched = self._touched.get((actor, label))
        return footprint if touched is None else footprint | touched

    def place_of(self, location: Location) -> Place:
        """Return the place that records that an access to a location is a step."""
        return (location[0], _ALL_PARTS) if location[0] in self.wholes else location

    def take_growth(self) -> bool:
        """Say whether anything was learnt since the last call."""
        has_grown, self._has_grown = self._has_grown, False
        return has_grown

    def names(self) -> tuple[str, ...]:
        """Return the names of the shared locations whose accesses are switch points, sorted."""
        return tuple(sorted({written(one) for one in self.locations - self.atomic}))

    def listed(self) -> tuple[MemoryUse, ...]:
        """Return the uses of memory by actor, if they were to be listed."""
        return () if self.listing is None else self.listing.rows(self.names())

    def notes(self) -> tuple[str, ...]:
        """Return a note on names declared atomic that match no shared memory, if any."""
        missed = [name for name in self._names_to_meet if name not in self.taken_as_atomic]
        said = f"atomic: no memory that users share is named {', '.join(missed)}"
        return (said,) if missed else ()


def written(location: Location) -> str:
    """Write a location as people read it."""
    name, part = location
    return name if part == WHOLE else f"{name}{part}"


def _is_inside(name: str, outer: str) -> bool:
    """Say whether a location is the named one, or a part of it."""
    return name == outer or name.startswith((f"{outer}.", f"{outer}["))


PARTS_MAX = 30
"""Above this number of shared parts of one container, all of it is shared."""

_ACTOR = "@"
"""Stands for no object: what follows it is an actor whose start, or whose answer, is a step."""

_LIBRARY = "@@"
"""Stands for no object: a module of the standard library whose accesses are seen follows it."""

_ALL_PARTS = "**"
"""Stands for the parts of a container that is touched as a whole, whichever of them is meant."""


_LOCKS, _LOUD, _SECTION = "@locks", "@loud", "@hold"
"""Stand for no object: locks are quiet but for those named; what follows is a section's step."""


def places_of_locks(loud: Iterable[str]) -> tuple[Place, ...]:
    """Return the places that record that all locks but these are quiet."""
    return (_LOCKS, "quiet"), *((_LOUD, lock) for lock in loud)


def label_of_section(lock: str, function: str) -> str:
    """Return the label of the step that a critical section is."""
    return f"hold {lock} in {function}"


def place_of_section(actor: str, lock: str, function: str, footprint: Footprint) -> Place:
    """Return the place that records that an actor's section is a step, and whether it writes."""
    return _SECTION, actor, lock, function, _WRITES if footprint.writes else _READS


_WRITES, _READS = "writes", "reads"


def _guarded(lock: str, *, writes: bool) -> Footprint:
    """Return the footprint that sections under a lock have for what it guards."""
    guarded = frozenset({f"guarded:{lock}"})
    return Footprint(guarded, guarded if writes else frozenset())


def place_of_store(name: str) -> Place:
    """Return the place that records that a function's result is stored in a step of its own."""
    return _STORES, name


_STORES = "@stores"
"""Stands for no object: what follows it is a place that stores the results of a function."""

_EVERYTHING = "@everything"
"""Stands for no object: every step was taken to touch the memory of its node."""


def place_of_clock(module: str) -> Place:
    """Return the place that records that a module's readings of the clock are steps."""
    return _CLOCK, module


_CLOCK = "@clock"
"""Stands for no object: a module whose readings of the clock are steps follows it."""


def place_of_class(name: str) -> Place:
    """Return the place that records that a class's attributes are entries of shared dicts."""
    return _IN_DICT, name


_IN_DICT = "@dict"
"""Stands for no object: what follows it is a class whose objects' attributes are such entries."""


def places_of_replaced(names: Iterable[str], places: Iterable[Place]) -> Iterable[Place]:
    """Return the places that record which functions are replaced, but for what other places say."""
    said = {part.removeprefix(".") for _, part, *_ in places} - {ANY_METHOD}
    return ((_REPLACED, name) for name in names if name not in said)


_REPLACED = "@replaced"
"""Stands for no object: what follows it is the name of functions that are replaced in the race."""

ANY_METHOD = "__dict__"
"""The name that is replaced if an object is given another ``__dict__``, with any attributes."""


def place_of_library(module: str) -> Place:
    """Return the place that records that accesses of a standard library module are seen."""
    return _LIBRARY, module


def place_of_everything() -> Place:
    """Return the place that records that every step was taken to touch its node's memory."""
    return _EVERYTHING, "memory"


_REAL_PRIMITIVES = "@met"  # as tokens have it
"""Stands for no object: real locks and queues had names when the race began."""


def place_of_real_primitives() -> Place:
    """Return the place that records that real locks and queues had names."""
    return _REAL_PRIMITIVES, "named"


_RESUMING = "@resuming"
"""Stands for no object: tasks and callbacks go on in steps of their own."""


def place_of_resuming() -> Place:
    """Return the place that records that tasks and callbacks go on in steps of their own."""
    return _RESUMING, "tasks"


def place_of_answer(actor: str, label: str = "") -> Place:
    """Return the place that records that an actor's start, or a step's answer, is a step."""
    return (_ACTOR, actor, label) if label else (_ACTOR, actor)


def not_tried(sharing: Sharing) -> tuple[str, ...]:
    """Say which orders of accesses cannot be tried, which keeps a check from a proof."""
    said = []
    if sharing.mixed:
        said.append(
            f"coroutines touch {', '.join(sharing.mixed)} after something else that they did since "
            "their last await, and a thread does too: it may come in between, which this version "
            "cannot try. Let the thread hand over its part with call_soon_threadsafe, or the "
            "coroutine await something before (asyncio.sleep(0))"
        )
    if sharing.foreign:
        said.append(
            f"users share {', '.join(sharing.foreign)}, a container of a library whose code is not "
            "looked into: others may come in in the middle of a method, which this version cannot "
            "try. Hold one lock wherever it is used, or declare it to be atomic "
            f"(atomic: [{', '.join(sharing.foreign)}])"
        )
    return tuple(said)


def footprint_of(location: Location, *, writes: bool) -> Footprint:
    """Return the footprint of an access to a location."""
    resources = frozenset({f"memory:{location[0]}:{location[1]}"})
    return Footprint(resources, resources if writes else frozenset())
