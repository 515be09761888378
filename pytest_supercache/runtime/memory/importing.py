"""Reports modules that are imported while a check runs."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import ModuleType
from typing import Any

from pytest_supercache.runtime.memory.effects import is_rewritten

Around = Callable[[ModuleType], AbstractContextManager[None]]
"""Returns the context in which a module is executed."""


class _Noticing:
    """A finder of modules that delegates the search, and executes them in a context."""

    def __init__(self, around: Around, is_wanted: Callable[[str], bool]) -> None:
        self._around = around
        self._is_wanted = is_wanted

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not self._is_wanted(name):
            return None
        for finder in sys.meta_path:
            if finder is not self and (spec := finder.find_spec(name, path, target)) is not None:
                if type(spec.loader) is SourceFileLoader:  # others may serve several modules
                    vars(spec.loader)["exec_module"] = self._noticed(spec.loader)
                return spec
        return None

    def _noticed(self, loader: Any) -> Callable[[ModuleType], None]:
        execute = loader.exec_module

        def execute_noticed(module: ModuleType) -> None:
            del vars(loader)["exec_module"]  # as it was
            with self._around(module):
                execute(module)

        return execute_noticed


def afterwards(act: Callable[[], None]) -> Around:
    """Return a context that calls ``act`` when a module has been executed."""

    @contextmanager
    def around(_module: ModuleType) -> Iterator[None]:
        yield
        act()

    return around


@contextmanager
def imports_noticed(
    around: Around, is_wanted: Callable[[str], bool] = is_rewritten
) -> Iterator[None]:
    """Execute each module that is imported meanwhile in a context, if its name is wanted.

    By default those of the code under test are. What a module imports is executed within the
    module's own context.
    """
    finder: Any = _Noticing(around, is_wanted)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
