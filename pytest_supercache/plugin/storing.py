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

_SHOWN_MAX = 3
"""How many changed files are named."""

_BUDGET: dict[str, Any] = {"time": 1.0, "executions": 1}
"""Settings that do not change what a search executes, as far as it comes."""


@dataclass(frozen=True, kw_only=True)
class Store:
    """The journals of a run, one for each search of the same code.

    Args:
        lines_of: returns where the lines of a journal are kept, by its name.
        folder: of the files with the lines; None: they are kept elsewhere.
        root: of the project.
        left_out: folders there that runs write.
        is_fresh: what earlier runs have done is forgotten.
    """

    lines_of: "Callable[[str], KeptLines]"
    folder: Path | None
    root: Path
    left_out: tuple[Path, ...]
    is_fresh: bool

    def journal_of(self, work: "Work") -> "Journal":
        """Open the journal of the search of an item; while another run writes it, it is empty."""
        from pytest_supercache.checking.journal import Journal, OthersLines

        item, context = self._names_of(work)
        name = f"{item}-{context}"
        journal = Journal(self.lines_of(name), of_others=self._kept_of_others(item, name))
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

    def _names_of(self, work: "Work") -> tuple[str, str]:
        """Return digests of an item, and of all else that its search depends on.

        These are the code, its state and the environment.
        """
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
        return _digest(item), _digest(
            f"{machine} {self._own.identity.digest()} {variables} {state}"
        )

    def _kept_of_others(self, item: str, name: str) -> str:
        """Say what was written since a search of an item was kept; empty: none was."""
        from pytest_supercache.checking.journal_files import SUFFIX

        kept = () if self.folder is None else self.folder.glob(f"{item}-*{SUFFIX}")
        moments = [_written_at(path) for path in kept if path.stem != name]
        if not moments:
            return ""
        files = map(Path, self._own.identity.files)
        since = [path for path in files if path.is_absolute() and _written_at(path) > max(moments)]
        shown = [os.path.relpath(path, self.root) for path in since[:_SHOWN_MAX]]
        more = [f"{len(since) - _SHOWN_MAX} more"] if len(since) > _SHOWN_MAX else []
        written = ", ".join([*shown, *more])
        return f"written since: {written}" if written else "no file was written since"


def store_of(
    config: pytest.Config, options: "Options", reports: Path, *, is_gate: bool
) -> Store | None:
    """Return the store of a run; None: it has none, as a gate run, which executes everything."""
    place = options.value("store")
    if place is None or is_gate or config.getoption("supercache_replay"):
        return None
    is_url = "://" in str(place)
    folder = config.rootpath / str(place)
    if not is_url:
        _make(folder, str(place))
    return Store(
        lines_of=_lists_of(config, str(place)) if is_url else partial(_file_of, folder),
        folder=None if is_url else folder,
        root=config.rootpath,
        left_out=(reports,) if is_url else (reports, folder),
        is_fresh=config.getoption("supercache_fresh"),
    )


def _make(folder: Path, place: str) -> None:
    """Make the folder of a store.

    Raises:
        UsageError: it cannot be made, or not be written to.
    """
    reason = "" if place else "it is empty"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            reason = "it cannot be written to"
    except OSError as error:
        reason = f"it cannot be made: {error.strerror}"
    if reason:
        raise pytest.UsageError(
            f"--supercache-store={place}: {reason}. Give a folder that this process may write "
            "to, or redis://HOST:PORT"
        )


def _digest(text: str) -> str:
    return sha256(text.encode(errors="surrogatepass")).hexdigest()[:32]


def _written_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


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
