"""Reserves exit status 0 for the gate, in a wrapper outside of every hook of the project.

A run can end in any hook, by `sys.exit` or `pytest.exit`, with any status. The outermost wrapper
passes 0 on only if the gate said GO and its file says so too. A process that ends without its
interpreter (`os._exit`), or that changes its status after pytest (`atexit`), is out of reach;
`supercache verdict` decides once more, in a process of its own.
"""

import os
import sys
from argparse import Namespace
from collections.abc import Generator, Mapping
from contextlib import suppress
from typing import Any, Protocol

import pytest

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.gate.always_on import is_on_around
from pytest_supercache.plugin.project_table import read_table

_LISTINGS = (
    "help", "version", "markers", "showfixtures", "show_fixtures_per_test", "cacheshow",
    "collectonly", "setupplan", "supercache_replay", "supercache_describe",
)  # fmt: skip
"""Options of runs that are not meant to give a verdict."""

MARKED_BY: pytest.StashKey[int] = pytest.StashKey()
"""The process that began a run; only this one writes its verdict and stops its servers."""

IS_HELD: pytest.StashKey[bool] = pytest.StashKey()
"""Whether `ExitStatus` is registered, and so the outermost wrapper."""


class Decides(Protocol):
    """The gate of a run: it decides, and records the decision."""

    is_on: bool

    @property
    def decided(self) -> int | None:
        """The exit status of the verdict, once the file of the verdict has it."""

    def mark(self) -> None:
        """Withdraw the verdict in the file."""

    def close(self) -> None:
        """Record in the file that the run is over and its verdict stands."""


GATE: pytest.StashKey[Decides] = pytest.StashKey()

_BITS = 256  # the kernel keeps eight bits of an exit status


class ExitStatus:
    """The outermost wrapper of a run; it runs after pytest has loaded the first conftest files."""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> Generator[None, object, object]:
        """Guard the exit status of the whole run."""
        return (yield from held(config, is_outermost=True))


def held(config: pytest.Config, *, is_outermost: bool) -> Generator[None, object, object]:
    """Pass the end of a run on, but exit status 0 only if the gate allows it.

    Until the outermost wrapper sees the end, the file of a verdict says that the run is unfinished.
    """
    try:
        status = yield
    except SystemExit as left:
        if not _is_zero(left.code):
            _take_back(config)
            raise
        status = left.code
        if not _is_gate_run(config):
            raise
    except BaseException:
        _take_back(config)
        raise
    if _is_gate_run(config):
        return _ended_with(config, status, closes=is_outermost)
    if is_outermost:
        _note_the_end(config)
    return status


def _ended_with(config: pytest.Config, status: object, *, closes: bool) -> object:
    """Return the exit status of a gate run that has ended."""
    if is_of_another_process(config):
        return not_ended("a process that the run has forked ended as if it were the run")
    gate = gate_of(config)
    decided = gate.decided if gate else None
    if not _is_zero(status) and status != decided:
        _take_back(config)
        return status
    if gate is None or decided is None:
        return not_ended("the run ended undecided")
    return _closed(gate, decided) if closes else decided


def _note_the_end(config: pytest.Config) -> None:
    """Make the verdict of a run without the gate ignore files that were written after it."""
    gate = gate_of(config)
    if gate is not None and not is_of_another_process(config):
        with suppress(OSError, SupercacheError):  # then the file stays as strict as it is
            gate.close()


def _closed(gate: Decides, decided: int) -> int:
    """Record that the verdict stands, and return its exit status."""
    try:
        gate.close()
    except OSError as error:
        status = not_ended(f"verdict.json could not be written: {error}")
        return decided or status
    return decided


def held_while_loading(*, is_gate_run: bool) -> Generator[None, object, object]:
    """Replace exit status 0 if a conftest file ends a gate run while it is imported."""
    try:
        return (yield)
    except SystemExit as left:
        if is_gate_run and _is_zero(left.code):
            raise SystemExit(not_ended("the run ended undecided")) from left
        raise


def is_asked(config: pytest.Config, options: Namespace, table: Mapping[str, Any]) -> bool:
    """Say whether the gate is on, by the options of the run and the project's settings."""
    if getattr(options, "supercache_gate", None):
        return True
    if is_listing(options) or getattr(options, "supercache_shard", None) is not None:
        return False
    by_ini = config.getini("supercache_gate")
    always = table.get("gate") if by_ini is None else by_ini
    return bool(always or (always is None and _is_on_around(config, options)))


def _is_on_around(config: pytest.Config, options: Namespace) -> bool:
    """Say whether the gate is on in settings that are those of another root, and so unread."""
    here = config.invocation_params.dir
    given = [*(getattr(options, "file_or_dir", None) or ()), *getattr(config, "args", ())]
    paths = (here / str(argument).partition("::")[0] for argument in given)
    return is_on_around(config.rootpath, [here, *paths])


def is_listing(options: Namespace) -> bool:
    """Say whether a run is not meant to give a verdict."""
    return any(getattr(options, name, None) for name in _LISTINGS)


def is_of_another_process(config: pytest.Config) -> bool:
    """Say whether this is a fork of the process that began the run, which owns the verdict."""
    return config.stash.get(MARKED_BY, os.getpid()) != os.getpid()


def not_ended(why: str) -> int:
    """Report that a run has ended without a valid verdict, and return its exit status."""
    from pytest_supercache.gate.policy import NO_EVIDENCE, GateVerdict

    sys.stderr.write(f"{GateVerdict.NO_VERDICT.value}\n  because {why}\n")
    return NO_EVIDENCE


def gate_of(config: pytest.Config) -> Decides | None:
    """Return the gate of a run; None: the run ended before pytest had configured it."""
    return config.stash.get(GATE, None)


def _is_gate_run(config: pytest.Config) -> bool:
    """Say whether this process is responsible for a verdict: workers of xdist are not."""
    if hasattr(config, "workerinput"):
        return False
    gate = gate_of(config)
    if gate is not None:
        return gate.is_on
    return is_asked(config, config.option, read_table(config.rootpath))


def _is_zero(status: object) -> bool:
    """Say whether ending a process with ``status`` gives exit status 0."""
    return status is None or (isinstance(status, int) and status % _BITS == 0)


def _take_back(config: pytest.Config) -> None:
    """Withdraw a GO in the file if the run goes wrong after saying it."""
    gate = gate_of(config)
    if is_of_another_process(config):
        return
    if gate is not None and gate.is_on and gate.decided == 0:
        gate.mark()
