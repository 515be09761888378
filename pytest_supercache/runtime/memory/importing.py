"""Reports modules of the code under test that are imported while a check runs."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import ModuleType
from typing import Any

from pytest_supercache.runtime.memory.effects import is_rewritten


class _Noticing:
    """A finder of modules that delegates the search, and reports when a module is executed."""

    def __init__(self, tell: Callable[[ModuleType], None]) -> None:
        self._tell = tell

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not is_rewritten(name):
            return None
        for finder in sys.meta_path:
            if finder is not self and (spec := finder.find_spec(name, path, target)) is not None:
                if type(spec.loader) is SourceFileLoader:  # others may serve several modules
                    vars(spec.loader)["exec_module"] = self._telling(spec.loader)
                return spec
        return None

    def _telling(self, loader: Any) -> Callable[[ModuleType], None]:
        execute = loader.exec_module

        def execute_and_tell(module: ModuleType) -> None:
            del vars(loader)["exec_module"]  # as it was
            execute(module)
            self._tell(module)

        return execute_and_tell


@contextmanager
def imports_noticed(tell: Callable[[ModuleType], None]) -> Iterator[None]:
    """Call ``tell`` with each module of the code under test that is imported in this context."""
    finder: Any = _Noticing(tell)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
