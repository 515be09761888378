"""Reports modules that are imported while a check runs."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import ModuleType
from typing import Any

from pytest_supercache.runtime.memory.effects import is_rewritten


class _Noticing:
    """A finder of modules that delegates the search, and reports when a module is executed."""

    def __init__(
        self, tell: Callable[[ModuleType], None], is_wanted: Callable[[str], bool]
    ) -> None:
        self._tell = tell
        self._is_wanted = is_wanted

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not self._is_wanted(name):
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
def imports_noticed(
    tell: Callable[[ModuleType], None], is_wanted: Callable[[str], bool] = is_rewritten
) -> Iterator[None]:
    """Call ``tell`` with each module that is imported in this context, if its name is wanted.

    By default those of the code under test are.
    """
    finder: Any = _Noticing(tell, is_wanted)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
