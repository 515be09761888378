"""A project of a user, made afresh for every test: its files, a run, and what the run wrote."""

import contextlib
import importlib
import json
import re
import shlex
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

# Imported before any run inside this process, as is all of the plugin below: pytester forgets what
# a run imports, and two copies of one module in a process are a problem that users do not have.
import fakeredis  # noqa: F401
import freezegun  # noqa: F401
import hypothesis
import pytest
import redis  # noqa: F401
import ruamel.yaml  # noqa: F401
from hypothesis.configuration import set_hypothesis_home_dir

from pytest_supercache.cli import project as cli_project
from pytest_supercache.runtime.process.library_doors import BEFOREHAND, DOORS
from tests.plugin.forks import Parents, every_module, known_beforehand
from tests.plugin.projects import SHOP

if TYPE_CHECKING:
    from pathlib import Path

for _module in every_module():
    importlib.import_module(_module)

_KNOWN_BEFOREHAND = known_beforehand()

SIGNS_OF_CI = (
    "CI", "TF_BUILD", "bamboo.buildKey", "BUILDKITE", "CIRCLECI", "CIRRUS_CI", "CODEBUILD_BUILD_ID",
    "GITHUB_ACTIONS", "GITLAB_CI", "HEROKU_TEST_RUN_ID", "TEAMCITY_VERSION",
    "__TOX_ENVIRONMENT_VARIABLE_ORIGINAL_CI",
)  # fmt: skip
"""Each of them makes Hypothesis keep no database, which most projects of these tests want."""

PLUGINS_BY_WORD = {
    "allure_pytest": "--allure", "anyio": "anyio", "django": "django",
    "hypothesispytest": "hypothesis", "random_order": "--random-order",
    "unraisableexception": "unraisable",
}  # fmt: skip
"""Plugins that are here for the suite; a run in which such a word does not occur can do without."""


@contextlib.contextmanager
def hidden_suite() -> Iterator[None]:
    """Hide the modules of this suite: a run in this process would scan them as code under test."""
    hidden = {name: module for name, module in sys.modules.items() if name.startswith("tests.")}
    for name in hidden:
        del sys.modules[name]
    try:
        yield
    finally:
        sys.modules.update(hidden)


class Project:
    """A folder with a conftest and scenario files."""

    def __init__(self, pytester: pytest.Pytester, parents: Parents) -> None:
        self.pytester = pytester
        self.parents = parents
        self.path: Path = pytester.path
        # The root is here, whatever is above; a busy machine is not a step that never arrives.
        pytester.makeini("[pytest]\nsupercache_step_timeout = 60\nsupercache_odds = 0\n")
        self.conftest(SHOP)

    def conftest(self, *parts: str) -> None:
        """Write the conftest anew."""
        self.pytester.makeconftest("\n".join(parts))

    def add_to_conftest(self, part: str) -> None:
        """Write more systems and verbs below those that are there."""
        path = self.path / "conftest.py"
        path.write_text(f"{path.read_text()}\n{part}")

    def scenario(self, text: str, name: str = "story") -> None:
        """Write a scenario file."""
        (self.path / f"{name}.supercache.yaml").write_text(text)

    def test_file(self, text: str, name: str = "test_it") -> None:
        """Write a test module."""
        self.pytester.makepyfile(**{name: text})

    def run(self, *args: str) -> pytest.RunResult:
        """Run pytest in this process."""
        with hidden_suite():
            return self.pytester.runpytest("-p", "no:cacheprovider", *self._without(args), *args)

    def run_apart(self, *args: str) -> pytest.RunResult:
        """Run pytest in a process of its own."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self.pytester, "popen", self.parents.start)
            return self.run_cold(*args)

    def run_with_input(self, typed: bytes, *args: str) -> pytest.RunResult:
        """Run pytest in a process of its own, at whose standard input somebody types this."""
        command = [sys.executable, "-mpytest", "-p", "no:cacheprovider", *self._without(args)]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self.pytester, "popen", self.parents.start)
            return self.pytester.run(*command, *args, stdin=typed)

    def rerun(self, command: str) -> pytest.RunResult:
        """Run a printed command as it was printed, in a process of its own."""
        program, *arguments = shlex.split(command)
        assert program == "pytest"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self.pytester, "popen", self.parents.start)
            return self.pytester.runpytest_subprocess(*arguments)

    def run_cold(self, *args: str, timeout: float | None = None) -> pytest.RunResult:
        """Run pytest in a process that has imported nothing."""
        options = ["-p", "no:cacheprovider", *self._without(args), *args]
        return self.pytester.runpytest_subprocess(*options, timeout=timeout)

    def _without(self, args: tuple[str, ...]) -> list[str]:
        """Return the options that leave plugins out: to start all of them takes a third of a run.

        A plugin stays if its word is among the arguments or in a Python file of the project.
        """
        files = [path for path in self.path.rglob("*.py") if path.is_file()]
        texts = [*args, *(path.read_text(encoding="utf-8", errors="replace") for path in files)]
        unneeded = [
            plugin
            for plugin, word in PLUGINS_BY_WORD.items()
            if not any(word in text for text in texts)
        ]
        return [part for plugin in unneeded for part in ("-p", f"no:{plugin}")]

    def verdict(self, folder: str = "reports") -> dict[str, Any]:
        """Return verdict.json of the last run, which may have a folder of its own."""
        reports = self.path / folder
        written = [reports / "verdict.json", *reports.glob("runs/*/verdict.json")]
        there = [path for path in written if path.exists()]
        last = max(there, key=lambda path: path.stat().st_mtime_ns)
        document: dict[str, Any] = json.loads(last.read_text())
        return document

    def rows(self) -> dict[str, dict[str, Any]]:
        """Return what the last run wrote about each item, by its name."""
        return {row["id"]: row for row in self.verdict()["scenarios"]}

    def row(self) -> dict[str, Any]:
        """Return what the last run wrote about its only item."""
        (row,) = self.verdict()["scenarios"]
        return dict(row)

    def reasons(self) -> str:
        """Return why the only item of the last run is UNKNOWN."""
        row = self.row()
        assert row["verdict"] == "unknown", row["verdict"]
        return "\n".join(row["reasons"])

    def token(self) -> str:
        """Return the token of the only item of the last run."""
        return str(self.row()["counterexample"]["token"])


@pytest.fixture(scope="session", autouse=True)
def _imported_beforehand() -> None:
    """Import what checks import for libraries that other tests have imported.

    Each run inside this process would import it anew, a third of its time: pytester forgets it.
    """
    for library, name in (*BEFOREHAND.items(), *DOORS.items()):
        if library in sys.modules:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)


@pytest.fixture(scope="session")
def parents() -> Iterator[Parents]:
    """Processes from which runs are forked."""
    started = Parents()
    yield started
    started.close()


@pytest.fixture
def project(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, parents: Parents
) -> Project:
    """A project with the systems of `projects.SHOP`."""
    for name in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", *SIGNS_OF_CI):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HYPOTHESIS_STORAGE_DIRECTORY", str(pytester.path / ".hypothesis"))
    # A run inside this process would read the metadata of all that is installed, a tenth of its
    # time, to learn whose `assert`s to rewrite; all of these modules are imported already.
    for owner, name, answer in _KNOWN_BEFOREHAND:
        monkeypatch.setattr(owner, name, answer)
    # Commands ask pytest in a process of its own what a project holds.
    monkeypatch.setattr(cli_project, "subprocess", parents)
    return Project(pytester, parents)


@pytest.fixture
def hypothesis_of_the_project(project: Project) -> Iterator[None]:
    """Give runs inside this process Hypothesis's own default profile, and a database of theirs."""
    hypothesis.settings.load_profile("default")
    set_hypothesis_home_dir(project.path / ".hypothesis")
    yield
    set_hypothesis_home_dir(None)
    hypothesis.settings.load_profile("repeatable")


def replay_command(result: pytest.RunResult) -> str:
    """Return the command that a failing run printed."""
    found = re.findall(r"^replay: (.+)$", result.stdout.str(), re.MULTILINE)
    assert len(found) == 1, f"expected one replay command, found {found}"
    return str(found[0])
