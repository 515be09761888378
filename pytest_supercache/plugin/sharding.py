"""Runs one shard of the collected tests (``--supercache-shard``), and records what all shards have.

The division comes last, after ``-k``, marks and the hooks of other plugins, so that it divides what
a run without shards would execute. Ordinary tests are divided like those of ours, each kind by
itself. Workers of xdist divide alike and send what they have seen to the controller.
"""

from collections.abc import Generator
from importlib.metadata import distributions
from typing import Any

import pytest

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.masking import masked_id
from pytest_supercache.gate.git import folder_in_repository
from pytest_supercache.gate.shards import Shard, dealt, digest_of_names, read_shard
from pytest_supercache.plugin.items import OF_ANOTHER_SHARD, is_ours
from pytest_supercache.remote.identity import name_and_version

_OUTPUT = "supercache_shard"


def asked_shard(config: pytest.Config) -> Shard:
    """Return the shard that the command line asks for.

    Raises:
        UsageError: the option is wrong, or stands beside a replay.
    """
    try:
        shard = read_shard(str(config.getoption("supercache_shard")))
    except SupercacheError as error:
        raise pytest.UsageError(str(error)) from error
    if config.getoption("supercache_replay"):
        raise pytest.UsageError(
            "--supercache-shard with --supercache-replay: a replay is about one item; leave one of "
            "them out"
        )
    return shard


class Sharding:
    """The division of the collected tests.

    Args:
        config: the run's.
        shard: the part that is run.
        settings: by which two searches of an item may differ; they must be those of all shards.
    """

    def __init__(
        self, config: pytest.Config, shard: Shard, settings: dict[str, str | None]
    ) -> None:
        self._config = config
        self._shard = shard
        self._settings = settings
        self._ours = dict[str, str]()  # of all shards: node id -> name
        self._ordinary = dict[str, int]()  # digest of all node ids -> their number
        self._kept = {"ours": 0, "ordinary": 0}  # of this shard

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> Generator[None, object, object]:
        """Deselect the items of other shards."""
        result = yield
        kept = {id(item) for item in self._divided(items)}
        rest = [item for item in items if id(item) not in kept]
        for item in rest:
            item.stash[OF_ANOTHER_SHARD] = True
        if rest:
            config.hook.pytest_deselected(items=rest)
            items[:] = [item for item in items if id(item) in kept]
        return result

    def _divided(self, items: list[pytest.Item]) -> list[pytest.Item]:
        """Return the items of this shard, and record all of them."""
        ours = [item for item in items if is_ours(item)]
        ordinary = [item for item in items if not is_ours(item)]
        self._ours = {masked_id(item.nodeid): masked_id(item.name) for item in ours}
        names = {item.nodeid for item in ordinary}
        self._ordinary = {digest_of_names(names): len(names)}
        kept = {"ours": self._of_this_shard(ours), "ordinary": self._of_this_shard(ordinary)}
        self._kept = {kind: len(found) for kind, found in kept.items()}
        return [*kept["ours"], *kept["ordinary"]]

    def _of_this_shard(self, items: list[pytest.Item]) -> list[pytest.Item]:
        shards = dealt((masked_id(item.nodeid) for item in items), self._shard.count)
        return [item for item in items if shards[masked_id(item.nodeid)] == self._shard.index]

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Send a worker's items to the controller; a shard without a test is no failure."""
        if hasattr(self._config, "workeroutput"):
            told = {"ours": self._ours, "ordinary": self._ordinary, "kept": self._kept}
            self._config.workeroutput[_OUTPUT] = told
        is_empty = int(session.exitstatus) == int(pytest.ExitCode.NO_TESTS_COLLECTED)
        if is_empty and self._has_others and not any(self._kept.values()):
            session.exitstatus = pytest.ExitCode.OK

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Receive what a worker has collected; each worker has collected everything."""
        told = (getattr(node, "workeroutput", None) or {}).get(_OUTPUT)
        if told is not None:
            self._ours |= told["ours"]
            self._ordinary |= told["ordinary"]
            self._kept = {kind: max(n, told["kept"][kind]) for kind, n in self._kept.items()}

    def part(self, called: list[str]) -> dict[str, Any]:
        """Return the part of ``verdict.json`` about the shard.

        Args:
            called: the explored functions that are no tests and were called here.
        """
        return {
            "index": self._shard.index,
            "count": self._shard.count,
            "collected": [
                {"id": self._ours[node_id], "node_id": node_id} for node_id in sorted(self._ours)
            ],
            "ordinary": self._ordinary_count,
            "ordinary_digest": " ".join(sorted(self._ordinary)),
            "called": sorted(called),
            "settings": self._settings,
            "folder": folder_in_repository(self._config.rootpath),
            "installed": _installed(),
        }

    @property
    def _ordinary_count(self) -> int:
        return max(self._ordinary.values(), default=0)

    @property
    def _has_others(self) -> bool:
        return bool(self._ours or self._ordinary_count)

    def pytest_report_header(self) -> str:
        """Name the shard."""
        return f"supercache: {self._shard}"

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say how much of the project the shard was, and what decides."""
        told = f"{self._kept['ours']} of {len(self._ours)} scenarios and explored tests"
        if self._ordinary_count:
            told += f", {self._kept['ordinary']} of {self._ordinary_count} other tests"
        terminalreporter.line(
            f"{self._shard} ran {told}; `supercache merge` decides from the verdict.json of all"
        )


_INSTALLERS = {"pip", "setuptools", "wheel"}


def _installed() -> dict[str, str]:
    """Return the versions of the installed packages: code under test may use any of them."""
    found = dict(map(name_and_version, distributions()))
    return {name: found[name] for name in sorted(set(found) - _INSTALLERS)}
