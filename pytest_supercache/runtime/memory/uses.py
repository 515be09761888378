"""Records how actors use a part of an object, and finds uses that conflict."""

from collections.abc import Iterable
from typing import Any

from pytest_supercache.core.identity import identity
from pytest_supercache.core.memory_use import WHOLE
from pytest_supercache.core.trace import Layers
from pytest_supercache.core.waits import LockState
from pytest_supercache.runtime.kernel.actor import Actor, BackgroundActor, State
from pytest_supercache.runtime.kernel.record import Record
from pytest_supercache.runtime.memory.content import MemoryContent
from pytest_supercache.runtime.memory.live_objects import LiveObjects, ValuesByIdentity
from pytest_supercache.runtime.memory.names import Names
from pytest_supercache.runtime.memory.sharing import Location, Sharing, written

NO_LOCKS: frozenset[str] = frozenset()


class Use:
    """How one actor, or background work, has used one location so far."""

    __slots__ = (
        "_is_new", "is_atomic", "is_bare", "is_thread", "locks", "sections", "seen_after", "writes",
    )  # fmt: skip

    def __init__(self, *, is_thread: bool) -> None:
        self._is_new = True
        # steps the actor had taken, and its section: until these change, equal uses add nothing
        self.seen_after: int | tuple[int, str] = -1
        self.is_thread = is_thread
        self.writes = False
        self.locks = NO_LOCKS
        self.sections: dict[str, bool] = {}  # label of a critical section -> whether it writes
        self.is_atomic = True  # always where code is declared so, and a footprint covers it
        self.is_bare = False  # once under no lock and not atomic: the like of it adds nothing more

    def adds(self, *, writes: bool, locks: frozenset[str], is_atomic: bool) -> bool:
        """Add another access; False if it is like those before."""
        if self._is_new:
            self._is_new, self.locks = False, locks
        elif self.writes >= writes and self.locks <= locks and self.is_atomic <= is_atomic:
            return False
        self.writes |= writes
        self.locks &= locks
        self.is_atomic &= is_atomic
        self.is_bare = not (self.locks or self.is_atomic)
        return True

    def is_in(self, section: str, *, writes: bool) -> bool:
        """Add an access in a critical section; False if it is like those before."""
        if self.sections.get(section, -1) >= writes:
            return False
        self.sections[section] = writes
        return True

    def conflicts_with(self, other: "Use") -> bool:
        """Say whether two uses conflict: one of them writes, and not both are atomic."""
        return (self.writes or other.writes) and not (self.is_atomic and other.is_atomic)


Uses = dict[str, dict[str, Use]]
"""Of one object: part -> actor -> use."""


class Comparison:
    """Compares the uses of memory in one execution: what conflicts is shared.

    Args:
        sharing: what is known of shared memory so far.
        record: holds the state of every lock.
        live: tracks which objects are alive.
    """

    def __init__(self, sharing: Sharing, record: Record, live: LiveObjects) -> None:
        self._sharing = sharing
        self._record = record
        self.names: Names | None = None
        """The names of objects, once something is shared."""
        self._uses = ValuesByIdentity(live, is_touched=True)
        self._locks: dict[str, tuple[tuple[int, str | None], frozenset[str]]] = {}
        self._mixed_at: tuple[str, int] | None = None
        self._live = live
        self._content = MemoryContent(live)

    def begin_race(self, actors: Iterable[Actor]) -> None:
        """Name the objects that can be reached now, if names are wanted."""
        if self._sharing.wants_names:
            is_old = any(name.startswith("cell<") for name, _ in self._sharing.locations)
            self.names = Names(
                actors,
                self._live,
                names_variables=not is_old,
                in_dict=self._sharing.in_dict,
            )
            if self._record.is_full:
                wanted = {name for name, _ in self._sharing.locations}
                for name, number in self.names.numbers(wanted):
                    self._content.note(name, number)

    def content(self) -> Layers:
        """Return the content of the shared memory that was met so far."""
        return self._content.of(self._sharing.locations)

    def see(
        self, actor: Actor, work: BackgroundActor | None, holder: Any, part: str, *, writes: bool
    ) -> Location | None:
        """Record an access by an actor, or by background work that it performs.

        Returns:
            Its location, if that is shared.
        """
        who = actor.name if work is None else work.name
        uses: Uses | None = self._uses.by_number.get(identity(holder))
        if uses is None:
            uses = {}
            self._uses.put(holder, uses)
        mine = uses.setdefault(part, {})
        use = mine.get(who)
        if use is None:
            use = mine[who] = Use(is_thread=work is None and not actor.is_task)
            self._sharing.is_touched = True
        section = None if work is not None else actor.section
        is_new = section is not None and use.is_in(section.label, writes=writes)
        moment = actor.taken if section is None else (actor.taken, section.label)
        is_like = use.is_bare or use.seen_after == moment
        if is_new or not is_like or writes > use.writes:
            self._sharing.is_written |= writes
            is_alone = len(uses) == len(mine) == 1  # nobody else has used any of it
            if (self._adds(use, actor, work, writes=writes) or is_new) and not is_alone:
                self._compare(uses, part, who, use, holder, actor)
            use.seen_after = -1 if work is not None else moment
        if self._sharing.listing is not None and self.names is not None:
            self._list((self.names.of(holder, actor), part), who, use, writes=writes)
        location = self.location(holder, part, actor)
        if location is None:
            return None
        if self._record.is_full:
            self._content.note(location[0], identity(holder))
        self._note_kind(actor, work, use, location)
        return location

    def _note_kind(
        self, actor: Actor, work: BackgroundActor | None, use: Use, location: Location
    ) -> None:
        """Note that a thread touches shared memory, or a coroutine what a thread touches, too."""
        if use.is_thread and not use.locks:
            self._sharing.note_thread(location, actor.name)
        elif actor.is_task and work is None:
            threads = self._sharing.threads_at(location)
            if any(_may_come_between(thread, actor) for thread in threads):
                self._note_mixed(actor, location)

    def _adds(self, use: Use, actor: Actor, work: BackgroundActor | None, *, writes: bool) -> bool:
        if work is not None:
            return use.adds(writes=writes, locks=NO_LOCKS, is_atomic=False)
        locks = self._locks_of(actor) if self._record.waits.states else NO_LOCKS
        return use.adds(writes=writes, locks=locks, is_atomic=acts_atomically(actor))

    def _list(self, location: Location, who: str, use: Use, *, writes: bool) -> None:
        assert self._sharing.listing is not None, "it is asked for"
        self._sharing.listing.note(
            written(location), who, writes=writes, locks=use.locks, is_atomic=use.is_atomic
        )

    def location(self, holder: Any, part: str, actor: Actor) -> Location | None:
        """Return the location of a part of an object, if it is shared."""
        if not self._sharing.locations or self.names is None:
            return None
        name = self.names.of(holder, actor)
        location = (name, WHOLE if name in self._sharing.wholes else part)
        return location if location in self._sharing.locations else None

    def _note_mixed(self, actor: Actor, location: Location) -> None:
        """Note that a coroutine touches, after something else, memory that a thread may change.

        There was no await in between, so no context switch to the thread is possible there.
        """
        moment = (actor.name, len(self._record.steps))
        if self._mixed_at == moment:
            self._sharing.mixed["".join(location)] = None
        self._mixed_at = moment

    def note_blocking_call(self, actor: Actor) -> None:
        """Note that a coroutine has let a thread continue, or start, without an await."""
        self._mixed_at = (actor.name, len(self._record.steps))

    def _compare(
        self, uses: Uses, part: str, who: str, use: Use, holder: Any, actor: Actor
    ) -> None:
        """Compare a use with those by others of the same part, or of the whole around it."""
        for other in list(uses) if part == WHOLE else {part, WHOLE} & uses.keys():
            for w, one in uses[other].items():
                if w == who or not use.conflicts_with(one):
                    continue
                self._sharing.is_common = True
                common = use.locks & one.locks
                if not common:
                    self._share(holder, {part, other}, actor)
                elif all(map(self._sharing.is_quiet, common)):
                    self._note_sections(min(common), {who: use, w: one})

    def _note_sections(self, lock: str, uses: dict[str, Use]) -> None:
        """Note that sections under a lock touch the same memory: no step shows their order."""
        for who, use in uses.items():
            for section, writes in use.sections.items():
                self._sharing.note_section(who, lock.partition(":")[2], section, writes=writes)

    def _share(self, holder: Any, parts: set[str], actor: Actor) -> None:
        if self.names is None:
            self._sharing.want_names()
            return
        name = self.names.of(holder, actor)
        for part in parts:
            self._sharing.add((name, part))

    def _locks_of(self, actor: Actor) -> frozenset[str]:
        """Return the locks that an actor holds: they change by its own steps and sections."""
        now = (actor.taken, None if actor.section is None else actor.section.lock)
        known = self._locks.get(actor.name)
        if known is not None and known[0] == now:
            return known[1]
        holders = {actor.name} if actor.is_task else {actor.name, actor.holds_as}
        held = frozenset(
            name
            for name, state in self._record.waits.states.items()
            if type(state) is LockState
            and state.holder in holders
            and name not in self._sharing.open_locks
        )
        self._locks[actor.name] = (now, held)
        return held


def _may_come_between(thread: str, coroutine: Any) -> bool:
    """Say whether a thread may run beside a coroutine; its own does from its start to its end."""
    if not thread.startswith(f"{coroutine.name}/"):
        return True
    actors: dict[str, Actor] = coroutine.home.controller.actors
    found = actors.get(thread)
    return found is not None and found.state is not State.DONE and not found.is_through


def acts_atomically(actor: Actor) -> bool:
    """Say whether an actor is in code that is declared to be atomic.

    That is, after a step by hand or inside of a watched call. What they declare covers what others
    declare too; of anything else the step's footprint is widened, as a coroutine's is.
    """
    return len(actor.inherited) > actor.callers or actor.is_by_hand
