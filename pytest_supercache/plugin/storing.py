"""Keeps what long searches have done in a folder (``--supercache-store``), for the next run."""

import os
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_supercache.gate.run_id import RUN_ID
from pytest_supercache.plugin.cluster import told_of
from pytest_supercache.plugin.marking import CONTROLLER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_supercache.checking.journal import Journal
    from pytest_supercache.checking.workers import Dispatch, Work, WorkerProcesses
    from pytest_supercache.plugin.options import Options
    from pytest_supercache.remote.identity import OwnIdentity

_OF_PYTEST = "PYTEST_"
"""How variables begin that name an item, a version or a worker, and decide nothing."""

_OF_A_RUN = frozenset({RUN_ID, CONTROLLER})

_BUDGET: dict[str, Any] = {"time": 1.0, "executions": 1}
"""Settings that do not change what a search executes, as far as it comes."""


@dataclass(frozen=True, kw_only=True)
class Store:
    """A folder of journals, one for each search of the same code.

    Args:
        folder: it need not exist.
        root: of the project.
        left_out: folders there that runs write.
        is_fresh: what earlier runs have done is forgotten.
    """

    folder: Path
    root: Path
    left_out: tuple[Path, ...]
    is_fresh: bool

    def journal_of(self, work: "Work") -> "Journal | None":
        """Open the journal of the search of an item; None: another run writes it."""
        from pytest_supercache.checking.journal import SUFFIX, Journal, forget_oldest

        forget_oldest(self.folder)
        journal = Journal(self.folder / f"{self._context(work)}{SUFFIX}")
        if not journal.open():
            return None
        if self.is_fresh:
            journal.clear()
        return journal

    @cached_property
    def _own(self) -> "OwnIdentity":
        from pytest_supercache.remote.identity import Files, OwnIdentity

        left_out = tuple(map(str, (*self.left_out, self.folder)))
        return OwnIdentity(Files(roots=(str(self.root),), left_out=left_out))

    def _context(self, work: "Work") -> str:
        """Return a digest of all that a search depends on: code, its state, item, environment."""
        from pytest_supercache.remote.worker import OF_THE_MACHINE
        from pytest_supercache.runtime.process.fingerprints import state_elsewhere

        self._own.update()
        settings = replace(work.settings, **_BUDGET)
        variables = sorted(
            (name, value)
            for name, value in os.environ.items()
            if name not in OF_THE_MACHINE | _OF_A_RUN and not name.startswith(_OF_PYTEST)
        )
        item = told_of(replace(work, settings=settings))
        state = sorted(state_elsewhere().items())  # what earlier tests have left in globals
        told = f"{self._own.identity.digest()} {item} {variables} {state}"
        return sha256(told.encode(errors="surrogatepass")).hexdigest()[:32]


def store_of(
    config: pytest.Config, options: "Options", reports: Path, *, is_gate: bool
) -> Store | None:
    """Return the store of a run; None: it has none, as a gate run, which executes everything."""
    folder = options.value("store")
    if folder is None or is_gate or config.getoption("supercache_replay"):
        return None
    return Store(
        folder=config.rootpath / str(folder),
        root=config.rootpath,
        left_out=(reports,),
        is_fresh=config.getoption("supercache_fresh"),
    )


def kept(dispatch: "Dispatch", store: Store) -> "Dispatch":
    """Let a search that is dispatched keep what it has done."""

    @contextmanager
    def with_journal(work: "Work") -> "Iterator[WorkerProcesses | None]":
        with dispatch(work) as processes:
            if processes is None:
                yield processes
                return
            journal = store.journal_of(work)
            try:
                yield processes._replace(journal=journal)
            finally:
                if journal is not None:
                    journal.close()

    return with_journal
