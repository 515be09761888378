"""Keeps what long searches have done (``--supercache-store``), for the next run."""

import os
import platform
import sys
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.gate.run_id import RUN_ID
from pytest_supercache.plugin.cluster import told_of
from pytest_supercache.plugin.marking import CONTROLLER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_supercache.checking.divided import WorkerProcesses
    from pytest_supercache.checking.journal import Journal, KeptLines
    from pytest_supercache.checking.workers import Dispatch, Work
    from pytest_supercache.plugin.options import Options
    from pytest_supercache.remote.identity import OwnIdentity

_OF_PYTEST = "PYTEST_"
"""How variables begin that name an item, a version or a worker, and decide nothing."""

_OF_A_RUN = frozenset({RUN_ID, CONTROLLER})

_BUDGET: dict[str, Any] = {"time": 1.0, "executions": 1}
"""Settings that do not change what a search executes, as far as it comes."""


@dataclass(frozen=True, kw_only=True)
class Store:
    """The journals of a run, one for each search of the same code.

    Args:
        lines_of: returns where the lines of a journal are kept, by its name.
        root: of the project.
        left_out: folders there that runs write.
        is_fresh: what earlier runs have done is forgotten.
    """

    lines_of: "Callable[[str], KeptLines]"
    root: Path
    left_out: tuple[Path, ...]
    is_fresh: bool

    def journal_of(self, work: "Work") -> "Journal":
        """Open the journal of the search of an item; while another run writes it, it is empty."""
        from pytest_supercache.checking.journal import Journal, OthersLines

        journal = Journal(self.lines_of(self._context(work)))
        if not journal.open():
            journal = Journal(OthersLines())
        if self.is_fresh:
            journal.clear()
        return journal

    @cached_property
    def _own(self) -> "OwnIdentity":
        from pytest_supercache.remote.identity import Files, OwnIdentity

        left_out = tuple(map(str, self.left_out))
        return OwnIdentity(Files(roots=(str(self.root),), left_out=left_out, with_data=True))

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
        machine = (sys.platform, platform.machine(), os.cpu_count())
        told = f"{machine} {self._own.identity.digest()} {item} {variables} {state}"
        return sha256(told.encode(errors="surrogatepass")).hexdigest()[:32]


def store_of(
    config: pytest.Config, options: "Options", reports: Path, *, is_gate: bool
) -> Store | None:
    """Return the store of a run; None: it has none, as a gate run, which executes everything."""
    place = options.value("store")
    if place is None or is_gate or config.getoption("supercache_replay"):
        return None
    is_url = "://" in str(place)
    folder = config.rootpath / str(place)
    return Store(
        lines_of=_lists_of(config, str(place)) if is_url else partial(_file_of, folder),
        root=config.rootpath,
        left_out=(reports,) if is_url else (reports, folder),
        is_fresh=config.getoption("supercache_fresh"),
    )


def _file_of(folder: Path, name: str) -> "KeptLines":
    from pytest_supercache.checking.journal_files import SUFFIX, FileLines, forget_oldest

    forget_oldest(folder)
    return FileLines(folder / f"{name}{SUFFIX}")


def _lists_of(config: pytest.Config, url: str) -> "Callable[[str], KeptLines]":
    """Open a store in Redis for a run; it is closed in the end.

    Raises:
        UsageError: it cannot be used.
    """
    from pytest_supercache.remote.redis_store import RedisLines, RedisStore

    try:
        store = RedisStore(url)
    except SupercacheError as error:
        raise pytest.UsageError(f"--supercache-store={error}") from error
    config.add_cleanup(store.close)
    return partial(RedisLines, store)


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
                journal.close()

    return with_journal
