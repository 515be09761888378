"""Finds the memory that the actors of one check share, over all of its executions."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import ModuleType
from typing import Any

from pytest_supercache.core.schedule import Place
from pytest_supercache.core.settings import Exploration
from pytest_supercache.runtime.kernel.calling import here
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext
from pytest_supercache.runtime.kernel.under_test import modules_under_test
from pytest_supercache.runtime.memory.accesses import Accesses
from pytest_supercache.runtime.memory.current import Current
from pytest_supercache.runtime.memory.effects import top
from pytest_supercache.runtime.memory.functions import Functions, functions_rewritten
from pytest_supercache.runtime.memory.importing import imports_noticed
from pytest_supercache.runtime.memory.lasting import Lasting
from pytest_supercache.runtime.memory.listing import Listing
from pytest_supercache.runtime.memory.looking import looks_noticed
from pytest_supercache.runtime.memory.made_before import MadeBefore
from pytest_supercache.runtime.memory.parting import Parting
from pytest_supercache.runtime.memory.sharing import Sharing


class MemoryFinder:
    """Looks for shared memory, unless that is disabled.

    Args:
        functions: the rewritten code that reports its accesses; None disables the search.
        atomic: names of memory whose accesses are no switch points.
        lists: also record which actor uses what.
    """

    def __init__(
        self, functions: Functions | None, atomic: Iterable[str] = (), *, lists: bool = False
    ) -> None:
        self._functions = functions
        self._body: Any = None
        self._imported = len(sys.modules)
        self._atomic = tuple(atomic)
        self.sharing = Sharing(self._atomic, Listing() if lists else None)
        """What is known of shared memory so far."""
        self._lasting = Lasting()
        self._made_before = MadeBefore()
        self._importing: list[ModuleType] = []
        """The module that the code under test imports now, and those that it has imported."""

    @contextmanager
    def during(self, execution: ExecutionContext, body: Any) -> Iterator[None]:
        """Look for shared memory while ``execution`` runs ``body``."""
        if self._functions is None:
            execution.controller.parting = Parting(self.sharing, execution.record)
            execution.is_undisturbed &= not self.sharing.changes_steps
            yield
            return
        if body is not self._body:
            self._functions.rewrite_body(body)
            self._lasting.add_frameworks(self._made_before.add(body, self._lasting.snapshots))
            self._body = body
        self._made_before.begin()
        Current.looked_into.update(self.sharing.looked_into)
        module = str(getattr(body, "__module__", ""))
        accesses = Accesses(self.sharing, self._lasting, self._made_before, execution, module)
        execution.controller.memory = execution.controller.parting = accesses
        Current.execution = accesses
        if self._lasting.cut:
            execution.controller.leave_unproven(self._lasting.cut)
        execution.is_undisturbed &= not self.sharing.changes_steps
        try:
            yield
        finally:
            Current.execution = Current.accesses = None

    @contextmanager
    def as_recorded(self, places: Iterable[Place]) -> Iterator[None]:
        """Know only what a recorded schedule tells, like the process that reads its token."""
        learnt, self.sharing = self.sharing, self.sharing.as_recorded(places)
        try:
            yield
        finally:
            self.sharing = learnt

    @contextmanager
    def as_at_first(self) -> Iterator[None]:
        """Know as little of what is shared as the first execution of the check did."""
        learnt, self.sharing = self.sharing, Sharing(self._atomic)
        self.sharing.is_everything = learnt.is_everything
        try:
            yield
        finally:
            self.sharing = learnt

    def changed_for_judges(self, packages: Iterable[str]) -> dict[str, str]:
        """Return changed memory that judges will find restored, with its packages."""
        return self._lasting.changed_for_judges(packages)

    def restore(self) -> None:
        """Restore the memory that outlives executions to its state when the check began."""
        self._lasting.restore()

    def restore_own(self) -> None:
        """Restore the test's own memory, as far as the body uses it, to what it held at first."""
        self._made_before.own.restore()

    def own_changed(self) -> list[str]:
        """Return the names of what does not hold what it held at first."""
        return self._made_before.own.changed()

    def own_kept(self) -> AbstractContextManager[None]:
        """Restore in the end what the test's own memory holds now."""
        return self._made_before.own.kept()

    @contextmanager
    def _imported_by_the_code(self, module: ModuleType) -> Iterator[None]:
        """Remember what a module leads to, and keep what its import has added elsewhere.

        Both are done when the outermost import has ended.
        """
        if here.is_looking:  # that is a copy for one node, which will be thrown away
            yield
            return
        is_inner = bool(self._importing)
        self._importing.append(module)
        if is_inner:
            yield
            return
        as_begun = self._lasting.unchanged()
        try:
            yield
        finally:
            imported, self._importing = self._importing, []
            self._lasting.take_in(imported, as_begun)

    def notice(self) -> bool:
        """Take in new imports and memory touched for the first time; True: start over."""
        has_grown = self._lasting.take_growth(top(str(getattr(self._body, "__module__", ""))))
        if self._functions is None or len(sys.modules) == self._imported:
            return has_grown
        self._imported = len(sys.modules)
        return self._functions.rewrite_modules() or has_grown

    @contextmanager
    def remembered(self) -> Iterator[None]:
        """Remember the state that the modules lead to, and restore it in the end."""
        if self._functions is None:
            yield
            return
        self._lasting.add(modules_under_test())
        with imports_noticed(self._imported_by_the_code):
            try:
                yield
            finally:
                self._lasting.end()

    def rewrite_copies(self, modules: Iterable[ModuleType]) -> None:
        """Rewrite fresh copies of modules, which will be thrown away."""
        if self._functions is not None:
            self._functions.rewrite_copies(modules)


@contextmanager
def memory_found(settings: Exploration) -> Iterator[MemoryFinder]:
    """Look for shared memory for the length of a check, if its settings enable that."""
    if not settings.finds_memory:
        yield MemoryFinder(None)
        return
    with functions_rewritten() as functions, looks_noticed():
        yield MemoryFinder(functions, settings.atomic, lists=settings.lists_memory)
