"""Tracks which scenarios and explored tests a run collected, left out on record, or lost.

Under xdist each worker collects everything and runs a part, so it sends its items to the
controller.
"""

import os
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from glob import iglob
from pathlib import Path
from typing import Any

import pytest

from pytest_supercache.core.masking import masked_id
from pytest_supercache.plugin.arguments import from_root, given_path, own_options, replacing
from pytest_supercache.plugin.no_tests import NoTests
from pytest_supercache.plugin.set_aside import set_aside
from pytest_supercache.plugin.shadowed import Shadows
from pytest_supercache.scenario.names import is_scenario_file
from pytest_supercache.scenario.walk import find_files

_OUTPUT = "supercache_items"
OF_ANOTHER_SHARD: pytest.StashKey[bool] = pytest.StashKey()
"""Marks an item that this run leaves to another shard."""

_COLLECTING = {"testpaths", "norecursedirs", "python_files", "python_classes", "python_functions"}
"""Settings of pytest that decide what is collected."""


class CollectedItems:
    """The scenarios and explored tests of a run, by node id.

    Args:
        config: the configuration of the run.
        decides: the run has the gate on, or is a shard.
    """

    def __init__(self, config: pytest.Config, *, decides: bool) -> None:
        self._config = config
        self._decides = decides
        self._in_files: list[pytest.Item] = []  # also what node ids did not ask for
        self._collected: list[pytest.Item] = []  # here; a plugin may give them other ids later
        self._taken_out: list[pytest.Item] = []
        self._deselected: list[pytest.Item] = []
        self._of_other_shards: list[pytest.Item] = []
        self._told = dict[str, str]()  # what workers have collected: node id -> name
        self._told_left_out: set[str] = set()
        self._told_unasked = dict[str, str]()
        self._told_of_other_shards: set[str] = set()
        self.silent: list[str] = []  # workers that have not told it
        self.elsewhere: list[str] = []  # workers of another root, whose files nobody compares
        self.answered: set[str] = set()  # they have a finding, or were seen to be broken or skipped
        self.deselected = 0  # how many items, of anybody's, were left out and told
        self.without_asserts = bool(sys.flags.optimize)  # here, or in any worker
        self._skipped_files: set[str] = set()
        self._failed = dict[str, pytest.Collector]()  # whose failure has not been reported yet
        self.files: set[str] = set()  # of scenarios, that were collected
        self.modules: set[str] = set()  # of tests, likewise
        self.no_tests = NoTests(config)
        self._shadows = Shadows(config)
        self.set_aside: set[str] = set()  # what the project declares and was not loaded

    @property
    def collected(self) -> dict[str, str]:
        """Names of the collected items, by their current node ids."""
        here = [*self._collected, *self._taken_out]
        return self._told | {item.nodeid: item.name for item in here}

    @property
    def ran_from(self) -> set[str]:
        """The files of the collected items, from the root."""
        return {node_id.partition("::")[0] for node_id in self.collected}

    @property
    def seen(self) -> set[str]:
        """The files that pytest has collected, or skipped as a whole."""
        skipped = {str(self._config.rootpath / name) for name in self._skipped_files}
        return self.files | self.modules | skipped

    @property
    def _root(self) -> str:
        return os.path.realpath(self._config.rootpath)

    @property
    def _left_out(self) -> set[str]:
        return self._told_left_out | {item.nodeid for item in self._deselected}

    @property
    def _rest(self) -> list[pytest.Item]:
        """The items of files that pytest did not collect."""
        collected = {id(item) for item in self._collected}
        return [item for item in self._in_files if id(item) not in collected]

    def _of_whole_files(self) -> list[pytest.Item]:
        """Return the uncollected items of files of which no node id asks for a part.

        A plugin has taken them out of the report about their file.
        """
        if self._config.getoption("lf", default=False):
            return []
        here = self._config.invocation_params.dir
        parts = {
            os.path.realpath(given_path(self._config, argument, here))
            for argument in self._config.args
            if "::" in argument
        }
        return [item for item in self._rest if os.path.realpath(item.path) not in parts]

    @property
    def _unasked(self) -> dict[str, str]:
        """The items of files that the node ids on the command line leave out."""
        present = self._told_unasked | {item.nodeid: item.name for item in self._rest}
        collected = self.collected
        return {node_id: name for node_id, name in present.items() if node_id not in collected}

    def note_in_file(self, item: pytest.Item) -> None:
        """Note an item of a file, whether or not a node id selects it."""
        self._in_files.append(item)

    def all_are_collected(self) -> None:
        """Find the explored functions that became no test, and the files that failed in secret."""
        self.look_at_imports()
        self._taken_out = self._of_whole_files()
        self.set_aside |= set(set_aside(self._config, {item.path for item in self._collected}))
        self._skip_hidden_failures()
        self.no_tests.look(self._in_files, selecting(self._config))

    @property
    def _is_ours(self) -> bool:
        """Whether anybody may ask for the verdict of this run: most runs of pytest have none."""
        return bool(self._decides or self._in_files or self._collected)

    def begin_file(self) -> None:
        """Note that a file is about to be imported."""
        if not self._is_ours:
            self._shadows.pass_over()

    def look_at_imports(self) -> None:
        """Look at the modules that were imported since the last look."""
        if self._is_ours:
            self._shadows.look()

    def collect(self, item: pytest.Item) -> None:
        """Note an item that needs a result."""
        self._collected.append(item)

    def fail(self, collector: pytest.Collector) -> None:
        """Note a file or folder whose collection failed."""
        self._failed[collector.nodeid] = collector

    def report_failure(self, node_id: str) -> None:
        """Note that a failed collection was reported, and so was not hidden by a plugin."""
        self._failed.pop(node_id, None)

    def _skip_hidden_failures(self) -> None:
        """Note the files whose failed collection a plugin has reported as something else."""
        for collector in self._failed.values():
            self.skip_file(collector)

    def was_passed_over(self, collector: pytest.Collector, report: pytest.CollectReport) -> bool:
        """Say whether a module has no items because nobody imported it, or not to its end.

        A plugin may have a class of modules of its own, which ignores errors of imports. With
        ``--lf``, pytest imports only some modules, and says so.
        """
        if report.result or not report.passed or not isinstance(collector, pytest.Module):
            return False
        if is_scenario_file(collector.path.name) or self._config.getoption("lf", default=False):
            return False
        from pytest_supercache.plugin.unimported import was_imported

        return not was_imported(collector.path)

    def skip_file(self, collector: pytest.Collector) -> None:
        """Note a file that was skipped at import, if it may have had items of ours.

        The file is a module, or the conftest file of a folder. What a module would have had is
        unknown, so its text decides.
        """
        path = collector.path
        if not path.is_dir():
            self._skipped_files |= {collector.nodeid} if self._may_explore(path) else set()
            return
        found = find_files(
            [path], path, lambda name: is_test_module(self._config, name), lambda _: False
        )
        modules = [path for path in found.files if self._may_explore(path)]
        not_seen = [*found.unread, *found.outside, *([] if found.is_whole else [path])]
        self._skipped_files |= {self._shown(path) for path in [*modules, *not_seen]}

    def _may_explore(self, path: Path) -> bool:
        from pytest_supercache.plugin.unimported import may_explore

        return may_explore(path, self._config.rootpath)

    def _shown(self, path: str | Path) -> str:
        """Return a path from the root."""
        return Path(os.path.relpath(path, self._config.rootpath)).as_posix()

    def deselect(self, items: list[pytest.Item]) -> None:
        """Note items that a plugin or option has deselected, or that other shards run."""
        here = [item for item in items if OF_ANOTHER_SHARD not in item.stash]
        self.deselected += len(here)
        self._deselected += here
        self._of_other_shards += [item for item in items if OF_ANOTHER_SHARD in item.stash]

    def tell(self) -> None:
        """Send the items of a worker to the controller."""
        if hasattr(self._config, "workeroutput"):
            self._look_at_later_imports()
            self._config.workeroutput[_OUTPUT] = {
                "root": self._root,
                "collected": self.collected,
                "left_out": sorted(self._left_out),
                "of_other_shards": [item.nodeid for item in self._of_other_shards],
                "unasked": self._unasked,
                "deselected": self.deselected,
                "without_asserts": self.without_asserts,
                "skipped_files": sorted(self._skipped_files),
                "files": sorted(self.files),
                "modules": sorted(self.modules),
                "no_tests": self.no_tests.part(),
                "shadowed": self._shadows.part(),
                "set_aside": sorted(self.set_aside),
            }

    def learn(self, worker: str, output: dict[str, Any]) -> None:
        """Merge the items of a worker; one that sends none may hide that items were removed."""
        told = output.get(_OUTPUT)
        if told is None:
            self.silent.append(worker)
            return
        if told["root"] != self._root:
            self.elsewhere.append(f"{worker} ({told['root']})")
        self._told |= told["collected"]
        self._told_left_out |= set(told["left_out"])
        self._told_of_other_shards |= set(told["of_other_shards"])
        self._told_unasked |= told["unasked"]
        self.deselected = max(self.deselected, told["deselected"])
        self.without_asserts |= told["without_asserts"]
        self._skipped_files |= set(told["skipped_files"])
        self.files |= set(told["files"])
        self.modules |= set(told["modules"])
        self.no_tests.learn(told["no_tests"])
        self._shadows.learn(told["shadowed"])
        self.set_aside |= set(told["set_aside"])

    def part(self, *, is_stopped: bool) -> dict[str, Any]:
        """Return the part of ``verdict.json`` about collected and left-out items."""
        self._look_at_later_imports()
        return {
            "deselected": self.deselected,
            "left_out": self.left_out(),
            "removed": [] if is_stopped else self.removed(),
            "silent": sorted(self.silent),
            "elsewhere": sorted(self.elsewhere),
            "no_tests": self.no_tests.lost(),
            "shadowed": self._shadows.part(),
            "set_aside": sorted(self.set_aside),
            "selecting": selecting(self._config),
            "paths": paths(self._config),
            "empty_paths": empty_paths(self._config),
            "testpaths": testpaths(self._config),
            "testpaths_without_match": testpaths_without_match(self._config),
            "without_asserts": self.without_asserts,
        }

    def _look_at_later_imports(self) -> None:
        """Look at what functions imported when they were called."""
        if self._is_ours:
            self._shadows.look_again()

    def skipped_files(self) -> list[str]:
        """Return the modules that were skipped as a whole and may have had items of ours."""
        return sorted(self._skipped_files)

    def left_out(self) -> list[dict[str, str]]:
        """Return the items of ours that were left out, by name and node id."""
        names = self.collected | self._unasked
        ours = sorted({*self._left_out, *self._unasked} & set(names))
        return [
            {"id": masked_id(names[node_id]), "node_id": masked_id(node_id)} for node_id in ours
        ]

    def removed(self) -> list[str]:
        """Return the collected items that were not deselected and have no result."""
        elsewhere = {item.nodeid for item in self._of_other_shards} | self._told_of_other_shards
        explained = self._left_out | elsewhere | self.answered
        return sorted(map(masked_id, set(self.collected) - explained))


def selecting(config: pytest.Config) -> list[str]:
    """Return the command-line options that keep files or items from being collected."""
    found = [] if not config.getoption("lf", default=False) else ["--lf"]
    by_project = own_options(config)
    for name in ("ignore", "ignore_glob"):
        flag = f"--{name.replace('_', '-')}"
        given = [f"{flag}={value}" for value in config.getoption(name, default=None) or ()]
        found += [option for option in given if option not in by_project]
    replaced = (one for one in replacing(config) if one.partition("=")[0] in _COLLECTING)
    found += [f"-o {one}" for one in replaced]
    return [*found, *(argument for argument in config.args if "::" in argument)]


def paths(config: pytest.Config) -> list[str]:
    """Return the paths that are collected, from the root; ``.`` is the root."""
    return sorted({from_root(config, argument) for argument in config.args})


def empty_paths(config: pytest.Config) -> list[str]:
    """Return the paths of the run that are folders without a single file, from the root."""
    here = config.invocation_params.dir
    return sorted(
        from_root(config, argument)
        for argument in config.args
        if (folder := given_path(config, argument, here)).is_dir()
        and not any(files for _, _, files in os.walk(folder))
    )


def testpaths(config: pytest.Config) -> list[str]:
    """Return the project's ``testpaths``, from the root."""
    root, patterns = config.rootpath, config.getini("testpaths")
    found = (
        patterns
        if config.getoption("pyargs")
        else [path for pattern in patterns for path in _matches(config, pattern)]
    )
    return sorted({from_root(config, path, root) for path in found})


def testpaths_without_match(config: pytest.Config) -> list[str]:
    """Return those of the ``testpaths`` that match nothing in this run.

    pytest warns only if none of them matches, and then collects where it was started. Names of
    missing modules (``--pyargs``) are errors.
    """
    is_by_them = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    if not is_by_them or config.getoption("pyargs"):
        return []
    patterns: list[str] = config.getini("testpaths")
    return [pattern for pattern in patterns if next(_matches(config, pattern), None) is None]


def _matches(config: pytest.Config, pattern: str) -> Iterator[str]:
    return iglob(pattern, root_dir=config.rootpath, recursive=True)  # noqa: PTH207 - pytest expands testpaths by it


def is_test_module(config: pytest.Config, name: str) -> bool:
    """Say whether pytest may collect a file of this name as a test module."""
    named = (pattern.rpartition("/")[2] for pattern in test_file_patterns(config))
    return name.endswith(".py") and any(fnmatch(name, pattern) for pattern in named)


def test_file_patterns(config: pytest.Config) -> list[str]:
    """Return the patterns of the names of test modules; with ``-p no:python``, pytest's own."""
    if not config.pluginmanager.has_plugin("python"):  # nor is its setting known then
        return ["test_*.py", "*_test.py"]
    patterns: list[str] = config.getini("python_files")
    return patterns


def is_ours(item: pytest.Item) -> bool:
    """Say whether an item is a scenario or an explored test."""
    explored = getattr(getattr(item, "obj", None), "is_explored", False)
    return bool(explored or hasattr(item, "scenario_item") or hasattr(item, "is_broken_file"))


def is_given(node: pytest.Item) -> bool:
    """Say whether ``@given`` wraps a test: each of its examples is explored."""
    return hasattr(getattr(node, "obj", None), "hypothesis")
