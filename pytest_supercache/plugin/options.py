"""The options of the plugin: the command line overrides the file, the ini file and the default."""

import argparse
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields, replace
from hashlib import sha256
from math import inf
from typing import Any

import pytest

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.fault import Faults
from pytest_supercache.core.masking import quoted
from pytest_supercache.core.settings import SAMPLERS, SEARCHES, Exploration
from pytest_supercache.plugin.connection_failures import ABSENT, absent_servers
from pytest_supercache.plugin.latencies import simulation
from pytest_supercache.plugin.misplaced import refuse_misplaced
from pytest_supercache.plugin.project_table import read_table
from pytest_supercache.plugin.uncollected import SETTING
from pytest_supercache.report.links import patterns_of

PREFIX = "supercache_"

_GATE_NAMES = ("release", "minimum_severity", "known_issues", "gate", SETTING, ABSENT)
"""The settings of the gate in ``[tool.supercache]``."""

_OPTIONS: tuple[tuple[str, str, type, str], ...] = (
    ("search", "NAME", str, f"how to search: {', '.join(SEARCHES)} (default: auto)"),
    ("time", "SECONDS", float, "real seconds an item may search (default: 120)"),
    ("executions", "N", int, "schedules an item may execute (default: 20000)"),
    ("preemptions", "N", int, "try only schedules with at most N preemptions"),
    ("polls", "N", int, "how often a question told 'nothing' may be asked again (default: 3)"),
    ("ticks", "N", str, "early moves of the clock: auto, 0, 1, 2 or 3 (default: auto)"),
    ("memory", "NAME", str, "memory of the process: auto (default), declared or shared"),
    ("faults", "N", int, "faults in one execution at most (default: none, or what a file says)"),
    ("workers", "N", int, "processes that search scenarios and sets of faults (default: 1)"),
    ("store", "DIR|URL", str, "where long searches keep what they have done (default: nowhere)"),
    ("cluster", "dask://HOST:PORT", str, "a Dask cluster whose workers search (default: none)"),
    ("odds", "N", int, "simulated runs for the odds of a conflict; 0: none (default: at most 100)"),
    ("seed", "N", int, "seed of the random search and of the code's own randomness (default: 0)"),
    ("step_timeout", "SECONDS", float, "real seconds a step may take to arrive (default: 5)"),
    ("backend", "NAME", str, "fakeredis (default), redis-server, valkey-server or redis://..."),
    ("report", "DIR", str, "where reports go (default: reports)"),
    (
        "save",
        "DIR",
        str,
        "save conflicts that a search finds as scenarios, made as small as may be",
    ),
    ("build", "ID", str, "the build that is tested, for the reports"),
)


def add_options(parser: pytest.Parser) -> None:
    """Register every option and its ini name."""
    group = parser.getgroup("supercache", "interleavings of cache operations")
    for name, metavar, _kind, text in _OPTIONS:
        group.addoption(_flag(name), metavar=metavar, dest=PREFIX + name, default=None, help=text)
        parser.addini(PREFIX + name, text, default=None)
    group.addoption(
        "--supercache-replay",
        metavar="TOKEN",
        dest="supercache_replay",
        default=None,
        help="replay one recorded schedule; runs only the item that the token names",
    )
    group.addoption(
        "--supercache-shard",
        metavar="I/N",
        dest="supercache_shard",
        default=None,
        help="run the I-th of N parts; `supercache merge` decides from the files of all",
    )
    group.addoption(
        "--supercache-fresh",
        dest="supercache_fresh",
        action="store_true",
        help="with --supercache-store: forget what earlier runs have done",
    )
    group.addoption(
        "--supercache-break",
        metavar="STEP",
        dest="supercache_break",
        default=None,
        help="with --supercache-replay and --pdb: stop in the code under test at this step",
    )
    group.addoption(
        "--supercache-describe",
        dest="supercache_describe",
        default=None,
        help=argparse.SUPPRESS,  # for the `supercache` command: see `describing`
    )
    group.addoption(
        "--supercache-list-memory",
        dest="supercache_list_memory",
        action="store_true",
        help=argparse.SUPPRESS,  # for `supercache explain --memory`
    )
    _add_gate_options(parser)


def _add_gate_options(parser: pytest.Parser) -> None:
    """Register the gate's options and ini names."""
    group = parser.getgroup("supercache")
    text = "decide whether the release may go; the exit status says it"
    group.addoption("--supercache-gate", action="store_true", default=None, help=text)
    parser.addini("supercache_gate", text, type="bool", default=None)
    text = "the waivers (default: known-issues.toml)"
    group.addoption("--supercache-known-issues", metavar="FILE", default=None, help=text)
    parser.addini("supercache_known_issues", text, default=None)
    text = "what the gate would say on another day (refused with --supercache-gate)"
    group.addoption("--supercache-today", metavar="DATE", default=None, help=text)


class Options:
    """The values of the options, by source."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self.project = read_table(config.rootpath)

    def refuse_mistakes(self) -> None:
        """Refuse invalid settings, also in runs that search nothing by them.

        Raises:
            UsageError: a setting is wrong.
        """
        _refuse_unknown(self._config, self.project)
        refuse_misplaced(self._config)
        absent_servers(self.project)
        try:
            for name in _KINDS:
                self.value(name)
            self.exploration({})
            patterns_of(self.project.get("link_patterns", {}))
        except SupercacheError as error:
            raise pytest.UsageError(str(error)) from error

    def value(self, name: str) -> Any:
        """Return an option from the command line, the ini file or pyproject, converted to its type.

        Raises:
            SupercacheError: the value does not have the right type.
        """
        given = self.command_line(name)
        if given is None:
            given = self._config.getini(PREFIX + name)
        if given is None:
            given = self.project.get(name)
        return None if given is None else _typed(name, given)

    def command_line(self, name: str) -> Any:
        """Return an option from the command line only, converted to its type."""
        given = self._config.getoption(PREFIX + name)
        return None if given is None else _typed(name, given)

    def exploration(self, own: dict[str, Any]) -> Exploration:
        """Merge defaults, the ini file, the scenario file or decorator, and the command line."""
        settings = Exploration()
        for source in (self._ini, own.get, self.command_line):
            known = {name: source(name) for name in _EXPLORATION}
            settings = replace(settings, **{n: v for n, v in known.items() if v is not None})
        faults = self._faults(own.get("faults"))
        rest = {name: value for name, value in own.items() if name not in _EXPLORATION}
        odds = simulation(self.value("odds"), self.project.get("traffic", {}))
        lists = self._config.getoption("supercache_list_memory")
        return replace(settings, **{**rest, "faults": faults, "odds": odds, "lists_memory": lists})

    def _faults(self, own: Faults | None) -> Faults | None:
        """Let the command line set the number of faults; the file sets their kinds."""
        most = self.command_line("faults")
        if most is None and own is None:
            most = self._ini("faults")
        if most is None:
            return own
        return replace(own or Faults(), max=most)

    @property
    def watched(self) -> list[Any]:
        """The calls that the settings watch."""
        found: list[Any] = self.project.get("watch", [])
        return found

    @property
    def link_patterns(self) -> dict[str, str]:
        """The patterns of links: the project's, and those that allure-pytest is given.

        Raises:
            SupercacheError: one of the project's makes no address.
        """
        found = patterns_of(self.project.get("link_patterns", {}))
        for kind, pattern in self._config.getoption("allure_link_pattern", None) or ():
            with suppress(SupercacheError):  # allure-pytest takes any text
                found |= patterns_of({kind: pattern})
        return found

    def deciding(self, hypothesis_seed: int | None) -> dict[str, str | None]:
        """Return what makes two searches of one item differ: options, and a digest of the table."""
        values = {name: self.value(name) for name in _KINDS if name not in _DECIDING_NOTHING}
        values |= {"hypothesis_seed": hypothesis_seed}
        table = {name: it for name, it in self.project.items() if name not in _DECIDING_NOTHING}
        text = json.dumps(table, sort_keys=True, default=str)
        values |= {"[tool.supercache]": sha256(text.encode()).hexdigest()}
        return {name: None if value is None else str(value) for name, value in values.items()}

    def narrowing(self) -> list[str]:
        """Return the project's settings that make a search cover less than the default.

        Scenario files may override them; a file without the setting is searched by these.
        """
        found = []
        for name, is_all in _SEARCHED_WHOLE.items():
            given = self._ini(name)
            if given is not None and not is_all(given):
                by_ini = self._config.getini(PREFIX + name) is not None
                found.append(f"{PREFIX if by_ini else '[tool.supercache] '}{name} = {given}")
        return found

    def _ini(self, name: str) -> Any:
        given = self._config.getini(PREFIX + name)
        if given is None:
            given = self.project.get(name)
        return None if given is None else _typed(name, given)


_SEARCHED_WHOLE: dict[str, Callable[[Any], bool]] = {
    "ticks": lambda given: given == "auto",
    "memory": lambda given: given != "declared",
    "polls": lambda given: given >= Exploration().polls,
    "preemptions": lambda given: False,
    "search": lambda given: given not in SAMPLERS,
}
"""Says whether a setting covers all that the default does; by default there are no faults."""

_KINDS = {name: kind for name, _, kind, _ in _OPTIONS}
_DECIDING_NOTHING = frozenset({"workers", "cluster", "store", "report", "save", "build"})
_EXPLORATION = tuple(
    option.name
    for option in fields(Exploration)
    if option.name in _KINDS and option.name not in {"faults", "odds"}  # which are counts here
)
"""Options that are fields of `Exploration` as they are given."""


def _flag(name: str) -> str:
    return f"--supercache-{name.replace('_', '-')}"


def _typed(name: str, given: Any) -> Any:
    if name == "ticks":
        text = str(given)
        return text if text == "auto" else _number("ticks", given, int)
    kind = _KINDS[name]
    return str(given) if kind is str else _number(name, given, kind)


def _number(name: str, given: Any, kind: type) -> Any:
    try:
        value = kind(given)
        if value >= 0 and value != inf:  # neither holds for nan
            return value
    except (ValueError, TypeError):
        pass
    what = "a whole number" if kind is int else "a number"
    raise SupercacheError(f"{_flag(name)}={quoted(given)}: expected {what}, 0 or more")


def _refuse_unknown(config: pytest.Config, table: dict[str, Any]) -> None:
    """Refuse unknown names in ``[tool.supercache]``."""
    known = {*_KINDS, "watch", "traffic", "link_patterns", *_GATE_NAMES}
    unknown = sorted(set(table) - known)
    if unknown:
        raise pytest.UsageError(
            f"{config.rootpath / 'pyproject.toml'}: [tool.supercache] has unknown names: "
            f"{', '.join(unknown)}. "
            f"Expected {', '.join(sorted(known))}."
        )
