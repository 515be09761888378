"""Collects scenario files as pytest items, with marks, ``-k``, fixtures, xdist and JUnit."""

from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from pytest_supercache.core.errors import SupercacheError, TokenError
from pytest_supercache.core.masking import is_id_of, masked_id
from pytest_supercache.core.schedule import read_token
from pytest_supercache.plugin.findings import NotAsExpected
from pytest_supercache.plugin.item_runner import ItemRunner
from pytest_supercache.plugin.items import is_ours
from pytest_supercache.plugin.session import Session, project_root
from pytest_supercache.plugin.vocabulary import vocabulary

if TYPE_CHECKING:
    from pytest_supercache.scenario.scenario import ScenarioItem


class ScenarioFile(pytest.Module):
    """One ``*.supercache.yaml``: a module without code, so that fixtures of every scope work."""

    def _getobj(self) -> ModuleType:
        return ModuleType(self.path.name)

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        """Check the file and yield its items, or one failing item that reports every mistake."""
        from pytest_supercache.scenario.scenario import items
        from pytest_supercache.scenario.validate import load_file

        shown, session = _shown(self.path, self.config), Session.of(self.config)
        session.gate.note_file(self.path)
        try:
            scenario = load_file(self.path, shown, vocabulary(), project_root(self.config))
            session.claim(scenario)
        except (SupercacheError, OSError) as error:
            if session.description is not None:
                session.description.add_broken(self.path, shown, error)
                return
            yield BrokenFile.from_parent(self, name=_shortened(self.path.name), error=error)
            return
        if session.description is not None:
            session.description.add(self.path, shown, scenario)
            return
        for tag in scenario.tags:
            self.config.addinivalue_line("markers", f"{tag}: tag of scenario files")
        for item in items(scenario):
            made = ScenarioTest.from_parent(self, name=item.name, callobj=_test_of(item))
            made.scenario_item = item
            for tag in scenario.tags:
                made.add_marker(tag)
            yield made


def broken_files(folder: pytest.Directory, paths: Iterable[Path]) -> list[ScenarioFile]:
    """Return collectors for links and folders named like scenario files: each of them fails."""
    ignored = folder.ihook.pytest_ignore_collect
    return [
        ScenarioFile.from_parent(folder, path=path)
        for path in paths
        if not ignored(collection_path=path, config=folder.config)
    ]


class ScenarioTest(pytest.Function):
    """One scenario on one system with one case."""

    scenario_item: "ScenarioItem"

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return the place of the scenario in its file."""
        return self.path, self.scenario_item.scenario.where.line - 1, self.name

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *args: Any) -> Any:
        """Return no traceback if :class:`RunHooks` replaces it with our own text."""
        if isinstance(excinfo.value, NotAsExpected | SupercacheError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, *args)


class BrokenFile(pytest.Item):
    """The stand-in for an unreadable scenario file: it fails with every mistake in the file."""

    is_broken_file = True

    def __init__(self, *, error: Exception, **rest: Any) -> None:
        super().__init__(**rest)
        self._error = error

    def runtest(self) -> None:
        """Raise the mistakes."""
        raise self._error

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *args: Any) -> Any:
        """Return the mistakes, without a traceback."""
        if isinstance(excinfo.value, SupercacheError | OSError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, *args)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return the place of the file."""
        return self.path, 0, self.name


def select_for_replay(config: pytest.Config, items: list[pytest.Item], token: str) -> None:
    """Keep only the item that ``token`` names.

    Raises:
        TokenError: the token cannot be read, or no collected item has its name.
    """
    wanted, _ = read_token(token)
    chosen = [
        item
        for item in items
        if is_ours(item) and any(is_id_of(wanted, name) for name in (item.name, item.nodeid))
    ]
    if not chosen:
        ours = sorted(masked_id(item.name) for item in items if is_ours(item))
        raise TokenError(
            f"the token is for {wanted!r}, which was not collected. Collected: "
            f"{', '.join(ours) or 'no scenario at all'}"
        )
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen


def _test_of(item: "ScenarioItem") -> Callable[..., None]:
    def test(request: pytest.FixtureRequest, supercache_runner: ItemRunner) -> None:
        supercache_runner.play(item, request.node)

    return test


def _shortened(name: str) -> str:
    """Return the name of a file as an item name, which is never empty."""
    return name.split(".")[0] or name


def _shown(path: Path, config: pytest.Config) -> str:
    """Return the path as pytest shows it: relative to the start folder if below it."""
    try:
        return str(path.relative_to(config.invocation_params.dir))
    except ValueError:
        return str(path)
