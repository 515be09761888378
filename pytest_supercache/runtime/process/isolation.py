"""Imports modules anew for each node, for state that cannot be swapped in place.

In production nodes are processes, and each has its own copy of every module. Here they share one
process, so state that ``state=`` cannot separate (a C object, state in closures) would be shared,
too. An isolated module is imported anew for each node of each execution, which is slower. What it
does meanwhile is no step, and what leaves control is a hazard, as in a factory.
"""

import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from types import ModuleType

from pytest_supercache.core.errors import UndeclaredStateError
from pytest_supercache.runtime.kernel.calling import importing
from pytest_supercache.runtime.sync.cooperative import numbered_anew

Modules = dict[str, ModuleType]


class Isolation:
    """The isolated modules of one system.

    Args:
        names: the modules to isolate; a package includes its submodules.
        prepare: called with the new copies, to put steps and locks into them.
    """

    def __init__(self, names: Iterable[str], prepare: Callable[[Modules], None]) -> None:
        self._names = tuple(names)
        self._prepare = prepare
        self._copies: dict[str, Modules] = {}
        self._node: str | None = None
        for name in self._names:
            try:
                import_module(name)
            except (ImportError, ValueError) as error:
                raise UndeclaredStateError(
                    f"isolate={name!r}: {error}. Expected the name of a module, 'package.module'."
                ) from error
        self._original = self._present()

    @property
    def is_used(self) -> bool:
        """Whether there is any module to isolate."""
        return bool(self._names)

    def reset(self) -> None:
        """Forget every copy, and the present node."""
        self._copies = {}
        self._node = None

    def leave(self) -> None:
        """Restore the original modules."""
        if self._names:
            self._install(self._original)
            self.reset()

    def enter(self, node: str | None) -> None:
        """Install the copies of ``node`` in ``sys.modules``, importing them if it has none."""
        if not self._names or node is None or node == self._node:
            return
        if self._node is not None:
            self._copies[self._node] = self._present()
        self._node = node
        self._install(self._copies.get(node, {}))
        if node not in self._copies:
            with importing(), numbered_anew():  # no steps; the new objects are the node's
                for name in self._names:
                    import_module(name)
                self._prepare(self._present())

    def _present(self) -> Modules:
        if not self._names:
            return {}
        return {
            name: module
            for name, module in sys.modules.items()
            if any(name == own or name.startswith(f"{own}.") for own in self._names)
        }

    def _install(self, modules: Modules) -> None:
        for name in self._present():
            del sys.modules[name]
            _forget_in_parent(name)
        for name, module in modules.items():
            sys.modules[name] = module
            parent, _, last = name.rpartition(".")
            if parent in sys.modules:
                setattr(sys.modules[parent], last, module)


def _forget_in_parent(name: str) -> None:
    """Delete a module from its package, where ``from package import module`` would find it."""
    parent, _, last = name.rpartition(".")
    if parent in sys.modules and last in vars(sys.modules[parent]):
        delattr(sys.modules[parent], last)
