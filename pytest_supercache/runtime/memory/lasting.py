"""Memory that outlives an execution: restored to its state at the start of the check.

That is what the modules of the code under test lead to: globals, attributes of classes, containers,
instances, cells of closures, memo functions. In production it outlives requests, and what one
execution leaves there the next one would find: a near cache would be cold only once. What an actor
touches in a race belongs to the code under test, and every execution finds it as the first one did.
What no actor touches, such as a list in which a test collects what it saw, is left alone.
"""

import sys
import types
import weakref
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from pytest_supercache.core.folders import is_installed, real_path
from pytest_supercache.core.identity import identity
from pytest_supercache.core.memory_use import WHOLE
from pytest_supercache.runtime.kernel.kinds import bases_of, module_of, of_kind
from pytest_supercache.runtime.kernel.under_test import dict_of, members_of
from pytest_supercache.runtime.memory.behind import Behind, Owner, builds_itself, has_hidden
from pytest_supercache.runtime.memory.built import Built
from pytest_supercache.runtime.memory.effects import (
    CONTAINERS,
    PLAIN,
    SCALARS,
    find_in_class,
    is_left_alone,
    is_rewritten,
    top,
)
from pytest_supercache.runtime.memory.foreign import derives_from_foreign
from pytest_supercache.runtime.memory.names import is_real
from pytest_supercache.runtime.memory.reach import ASYNCIO, IN_MEMORY, inside, leads_on
from pytest_supercache.runtime.memory.snapshots import (
    IN_PARTS,
    NOT_TAKEN,
    Namespace,
    Numbers,
    Snapshot,
    UnrestorableIterator,
    named,
    snapshot_of,
)

OBJECTS_MAX = 100_000
"""The largest number of objects visited; what lies farther from the modules is not restored."""

_CUT = (
    "{} and what lies behind it, or comes after it, is not restored for each execution, because "
    "too much outlives an execution: let the factory, or the body of the test, make most of it"
)


_OUTLIVES = (
    "{} leads to an iterator or a generator that outlives the flow: what one execution takes of it "
    "the next one cannot take again. Let the factory, or the body of the test, make it"
)


ELEMENTS_MAX = 2_000
"""The largest number of elements of a container that are visited."""


_ABSENT = object()

_Found = tuple[Any, str, bool]
"""An object, the name of the global that leads to it, and whether its accesses are not seen."""


class Lasting:
    """The memory that modules of the code under test lead to, as it was when they were added."""

    def __init__(self) -> None:
        self.snapshots: dict[int, tuple[Any, Snapshot]] = {}
        """The objects, with what they held, by their identity."""
        # Real locks and queues: weak references to them, and their names.
        self._primitives: dict[int, tuple[Callable[[], Any], str]] = {}
        self._primitives_in = Counter[str]()
        self._unseen: list[Snapshot] = []  # of objects whose accesses are not looked at
        self._touched: dict[tuple[int, str], None] = {}
        self._packages: dict[int, str] = {}  # of the module that led to each object
        self._names: dict[int, str] = {}  # the global, after its module and a colon
        self._of_flows: set[tuple[int, str]] = set()  # parts that flows touch
        self._of_the_body: dict[tuple[int, str], None] = {}  # that the body writes after a race
        self._set: dict[tuple[int, str], tuple[Callable[[], Any], Any]] = {}
        """Attributes that flows have set on objects without snapshots, with their values before."""
        self._grown: set[str] = set()  # packages of what was changed before a flow touched it
        self._behind, self._built = Behind(), Built()
        self._taken_late: set[int] = set()  # objects of which the first use was waited for
        self.cut = ""
        """Why not all of the memory is restored; empty if it is."""

    def add(self, modules: Iterable[types.ModuleType]) -> None:
        """Remember the memory that modules lead to, unless they were added before."""
        found: list[_Found] = []
        found_by_tests: list[_Found] = []
        for module in modules:
            members = vars(module)
            if identity(members) not in self.snapshots and is_rewritten(members.get("__name__")):
                is_of_tests = _is_of_tests(top(members["__name__"]))
                (found_by_tests if is_of_tests else found).extend(self._keep_namespace(module))
        for value, name in _of_django():
            if identity(value) not in self.snapshots:
                self._keep(value, name, is_unseen=True)
                found += ((inner, name, False) for inner in members_of(value).values())
        self._add_all(found)
        self._add_all(found_by_tests)

    def unchanged(self) -> set[int]:
        """Return the identities of the objects that are as they are remembered."""
        return {
            number
            for number, (_, snapshot) in self.snapshots.items()
            if snapshot.is_unchanged(WHOLE)
        }

    def take_in(self, modules: Sequence[types.ModuleType], as_begun: set[int]) -> None:
        """Remember the memory that imported modules lead to, and what their import has changed.

        A module is imported once: what it adds to the registry of another module must be there in
        every execution. What had been changed before its import is still restored.

        Args:
            modules: the modules; the first one has imported the others.
            as_begun: what was unchanged when their import began.
        """
        name = f"{modules[0].__name__}:its import"
        found: list[_Found] = []
        for number in as_begun:
            value, snapshot = self.snapshots[number]
            if snapshot.is_unchanged(WHOLE):
                continue
            if type(snapshot) is Namespace:
                found += self._keep_namespace(value)
                continue
            is_unseen = snapshot in self._unseen
            if self._keep(value, name, is_unseen=is_unseen) and is_unseen:
                self._unseen.remove(snapshot)
            self._built.replace(snapshot, self.snapshots[number][1])
            found += ((inner, name, is_unseen) for inner, _ in islice(inside(value), ELEMENTS_MAX))
        self._add_all(found)
        self.add(modules)

    def _keep_namespace(self, module: types.ModuleType) -> Iterator["_Found"]:
        members = vars(module)
        self.snapshots[identity(members)] = (module, Namespace(module))
        name = members["__name__"]
        self._packages[identity(members)] = top(name)
        self._names[identity(members)] = name
        return ((value, f"{name}:{part}", False) for part, value in named(members))

    def _add_all(self, found: Iterable["_Found"]) -> None:
        """Remember objects, and what they lead to, unless they are remembered."""
        waiting, seen = deque(found), set(self.snapshots)
        aside = deque[_Found]()  # what is left alone: other ways to what lies behind it come first
        while (waiting or aside) and len(seen) < OBJECTS_MAX:
            if not waiting:
                waiting.extend(self._behind_one(*aside.popleft(), seen))
                continue
            value, name, is_unseen = waiting.popleft()
            if identity(value) in seen:
                continue
            if not self._leads_on(value, name):
                aside.append((value, name, is_unseen))
                continue
            if has_hidden(value):
                aside.append((value, name, is_unseen))
            seen.add(identity(value))
            is_unseen = is_unseen or top(module_of(type(value))) in ASYNCIO
            self._keep(value, name, is_unseen=is_unseen)
            for inner, way in islice(inside(value), ELEMENTS_MAX):
                if type(inner) not in SCALARS and identity(inner) not in seen:  # most are met here
                    waiting.append((inner, way(name) if is_real(inner) else name, is_unseen))
        self._note_cut(name for _, name, _ in (waiting or aside))

    def _note_cut(self, left_out: Iterable[str]) -> None:
        """Say, once, where the memory begins that is not restored; nowhere, if nothing is named."""
        if not self.cut:
            self.cut = next(map(_CUT.format, left_out), "")

    def _behind_one(
        self, value: Any, name: str, is_unseen: bool, seen: set[int]
    ) -> Iterator[_Found]:
        """Yield what lies behind an object that is left alone, and is the project's own.

        Of the rest the code under test may use some: that is remembered when it does so first.
        """
        for inner, owner in self._behind.found(value):
            if owner is Owner.CODE:
                yield inner, name, is_unseen
            elif identity(inner) not in seen:
                seen.add(identity(inner))
                self._add_behind(inner, owner, name)
        self._note_cut([name] if self._behind.is_cut else [])

    def _add_behind(self, value: Any, owner: Owner, name: str) -> None:
        number = identity(value)
        self._packages[number], self._names[number] = "", name
        if owner is Owner.UNKNOWN:
            self.snapshots[number] = value, NOT_TAKEN
        elif self._keep(value, name, is_unseen=False):
            self._built.add(self.snapshots[number][1])

    def add_frameworks(self, found: Iterable[tuple[Any, str]]) -> None:
        """Remember objects of frameworks that a test has made before its check."""
        for value, name in found:
            snapshot = snapshot_of(value, name)
            if identity(value) not in self.snapshots and snapshot is not None:
                self._built.add(snapshot, is_of_test=True)

    def _leads_on(self, value: Any, name: str) -> bool:
        """Say whether to look into an object; note a real lock or queue, which leads nowhere."""
        if not is_real(value):
            return leads_on(value)
        if self.name_of_primitive(value) is None:
            self._primitives_in[name] += 1
            number = self._primitives_in[name]
            told = name if number == 1 else f"{name}#{number}"
            self._primitives[identity(value)] = weakref.ref(value), told
        return False

    def name_of_primitive(self, real: Any) -> str | None:
        """Return the name of a real lock or queue to which a module led; None: none did."""
        reference, name = self._primitives.get(identity(real), (None, None))
        return name if reference is not None and reference() is real else None

    def _keep(self, value: Any, name: str, *, is_unseen: bool) -> bool:
        """Remember the content of an object; False: it has none that can be restored."""
        snapshot = snapshot_of(value, name)
        if snapshot is not None:
            self.snapshots[identity(value)] = (value, snapshot)
            self._packages.setdefault(identity(value), top(name.partition(":")[0]))
            self._names.setdefault(identity(value), name)
            if is_unseen:
                self._unseen.append(snapshot)
            if builds_itself(type(value)):
                self._built.add(snapshot)
        return snapshot is not None

    def touch(self, holder: Any, part: str, *, by_flow: bool = True) -> str:
        """Note that the code under test is about to use a part of an object.

        Args:
            holder: the object.
            part: the part.
            by_flow: False: the body uses it, before the race or after it.

        Returns:
            Why it cannot be restored; nothing if it can.
        """
        number = identity(holder)
        snapshot = self._snapshot(holder)
        if snapshot is None:
            return ""
        if isinstance(snapshot, UnrestorableIterator | Numbers):
            return _OUTLIVES.format(snapshot.name)
        key = self._key(number, part)
        if by_flow:
            self._of_flows.add(key)
        if key not in self._touched:
            self._touched[key] = None
            if not snapshot.is_unchanged(key[1]):
                self._grown.add(self._packages[number])
            if derives_from_foreign(type(holder)) or _is_set_by_others(type(holder)):
                for inner, _ in inside(holder):
                    self.touch_deeply(inner)
        return ""

    def _snapshot(self, holder: Any) -> Snapshot | None:
        """Return the snapshot of an object that is about to be used; None: there is none."""
        _, snapshot = self.snapshots.get(identity(holder), (None, None))
        if snapshot is NOT_TAKEN:
            self._keep(holder, self._names[identity(holder)], is_unseen=False)
            _, snapshot = self.snapshots[identity(holder)]
            self._taken_late.add(identity(holder))
        return snapshot

    def begun(self, holder: Any) -> Snapshot | None:
        """Return the content of an object when the check began; None: it is not known."""
        _, snapshot = self.snapshots.get(identity(holder), (None, None))
        is_late = snapshot is NOT_TAKEN or identity(holder) in self._taken_late
        return None if is_late else snapshot

    def note_set(self, holder: Any, name: str) -> None:
        """Note that a flow is about to set or delete an attribute of an object without a snapshot.

        It is one of the standard library, or of C.
        """
        members = dict_of(holder)
        if members is not None and (identity(holder), name) not in self._set:
            value = members.get(name, _ABSENT)
            self._set[identity(holder), name] = _reference_to(holder), value

    def note_body(self, holder: Any, part: str) -> None:
        """Note that the body writes a part of an object that is remembered, after the race."""
        self._of_the_body[self._key(identity(holder), part)] = None

    def _key(self, number: int, part: str) -> tuple[int, str]:
        """Return an object's number, with the part that is restored if this one was used."""
        return number, part if type(self.snapshots[number][1]) in IN_PARTS else WHOLE

    def changed_for_judges(self, packages: Iterable[str]) -> dict[str, str]:
        """Return the changed memory that a later judge may look at, and finds restored.

        A judge that is installed, such as a plugin for soft assertions, may look at its own memory,
        whether a flow or the body has changed it. The project's judges may look at the project's
        memory. What a flow touches there belongs to the code under test, as its caches do; what
        only the body has changed, after the race, may be what it tells them.

        Args:
            packages: the top-level packages of the judges.

        Returns:
            The names of what is changed, with the package that leads to each.
        """
        of_plugins = [key for key in self._touched if self._packages[key[0]] in packages]
        of_body = [key for key in self._of_the_body if key not in self._of_flows]
        changed = {
            **{key: None for key in of_plugins if self._is_installed(key[0])},
            **{key: None for key in of_body if not self._is_installed(key[0])},
        }
        return {
            self._told(number, part): self._packages[number]
            for number, part in changed
            if not self.snapshots[number][1].is_unchanged(part)
        }

    def _is_installed(self, number: int) -> bool:
        module = sys.modules.get(self._names[number].partition(":")[0])
        file = members_of(module).get("__file__")
        return type(file) is not str or is_installed(real_path(file))

    def name_of(self, holder: Any, part: str) -> str:
        """Return the name of an object that is remembered, or of the global that the part is."""
        return self._told(identity(holder), part)

    def _told(self, number: int, part: str) -> str:
        module, _, name = self._names[number].partition(":")
        return f"{module}.{name}" if name else f"{module}{part}"

    def is_of_tests(self, holder: Any, module: str) -> bool:
        """Say whether an object that is remembered belongs to a test, or to a module like it."""
        name = self._names[identity(holder)].partition(":")[0]
        return name == module or any(map(_is_of_tests, name.split(".")))

    def numbers(self, count: Any) -> Numbers | None:
        """Return what counts in the place of an `itertools.count` in this execution.

        None: it ends with the execution, or its numbers have been taken elsewhere.
        """
        snapshot = self._snapshot(count)
        if type(snapshot) is not Numbers or snapshot.are_taken:
            return None
        self._touched[identity(count), WHOLE] = None
        return snapshot

    def touch_deeply(self, holder: Any) -> None:
        """Note that a watched call uses an object of a library, and all that it holds."""
        if identity(holder) not in self.snapshots or (identity(holder), WHOLE) in self._touched:
            return
        waiting = [holder]
        while waiting:
            value = waiting.pop()
            if identity(value) not in self.snapshots or (identity(value), WHOLE) in self._touched:
                continue
            self.touch(value, WHOLE)
            if _is_in_memory(type(value)) or issubclass(type(value), CONTAINERS):
                waiting.extend(inner for inner, _ in inside(value))

    def take_growth(self, of_the_body: str) -> bool:
        """Say whether a part that was touched for the first time differs from its initial state.

        Code has set it up, then, and may remember that it has: all that has been changed in its
        package is restored with it. What tests collect stays.

        Args:
            of_the_body: the package of the body, which is a test's.
        """
        grown, self._grown = self._grown, set()
        packages = {name for name in grown if name != of_the_body and not _is_of_tests(name)}
        if packages:
            for number, (_, snapshot) in self.snapshots.items():
                if self._packages[number] in packages and not snapshot.is_unchanged(WHOLE):
                    parts = snapshot.changed() if isinstance(snapshot, IN_PARTS) else (WHOLE,)
                    self._touched.update(dict.fromkeys((number, part) for part in parts))
        return bool(grown)

    def restore(self) -> None:
        """Restore the initial content of what was touched, and of frameworks."""
        self._built.restore()
        self._restore_touched()

    def end(self) -> None:
        """Restore all that the next check, or test, is to find as it was."""
        self._built.end()
        self._restore_touched()

    def _restore_touched(self) -> None:
        for number, part in self._touched:
            snapshot = self.snapshots[number][1]
            if not snapshot.is_unchanged(part):
                snapshot.restore(part)
        for snapshot in self._unseen:
            if not snapshot.is_unchanged(""):
                snapshot.restore("")
        while self._set:
            (_, name), (reference, value) = self._set.popitem()
            members = dict_of(reference())
            if members is not None and value is _ABSENT:
                members.pop(name, None)
            elif members is not None:
                members[name] = value


@of_kind
def _is_in_memory(kind: type) -> bool:
    """Say whether a type is a cache of a library that holds everything, or derives from one."""
    return any(top(module_of(base)) in IN_MEMORY for base in bases_of(kind))


@of_kind
def _is_set_by_others(kind: type) -> bool:
    """Say whether code that is not looked at stores the attributes of a type's objects.

    That may be the methods of a base class, or what it has instead of `object.__setattr__`.
    """
    if any(is_left_alone(base) and base not in PLAIN for base in bases_of(kind)):
        return True
    setter, base = find_in_class(kind, "__setattr__")
    is_of_python = type(setter) is types.FunctionType
    return is_of_python and base is not None and not is_rewritten(module_of(base))


def _reference_to(holder: Any) -> Callable[[], Any]:
    """Return what leads to an object; one that can be referred to weakly need not live on."""
    try:
        return weakref.ref(holder)
    except TypeError:
        return lambda: holder


def _is_of_tests(package: str) -> bool:
    """Say whether a top-level package, by its name, is that of tests."""
    return package.startswith("test") or package in {"conftest", "__main__"}


def _of_django() -> Iterator[tuple[Any, str]]:
    """Yield objects to which only Django leads: the settings, and applications of the project."""
    registry, conf = sys.modules.get("django.apps.registry"), sys.modules.get("django.conf")
    if conf is not None and conf.settings.configured:
        yield conf.settings, "django.conf:settings"
        yield conf.settings._wrapped, "django.conf:settings"
    if registry is not None:
        for label, config in registry.apps.app_configs.items():
            if is_rewritten(module_of(type(config))):
                yield config, f"django.apps:{label}"
