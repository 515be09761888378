"""`--supercache-cluster`: a Dask cluster searches, and every row is that of a run without it."""

import re
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.clusters import Dask, dask_cluster, standing_still, until
from tests.plugin.conftest import Project
from tests.plugin.projects import THREE_USERS, race

NOTED = """
import os
import pytest
from pathlib import Path
from pytest_supercache.checking import divided, workers
from pytest_supercache.core.real_clock import real_sleep
from pytest_supercache.plugin import cluster
from pytest_supercache.plugin.session import Session

HERE = Path(__file__).parent
(HERE / f"{os.getpid()}.loaded").touch()

def pytest_unconfigure():
    (HERE / f"{os.getpid()}.closed").touch()

if "PYTEST_XDIST_WORKER" not in os.environ:  # the run: long at once
    divided.DIVIDED_AFTER = cluster.BEGIN_SECONDS = 0.0
    divided.PART_SECONDS = 0.1
    is_over = workers.Beginning.is_over

    def waited_for(self):
        while not is_over(self) and not all(begun.done() for begun in self._begun):
            real_sleep(0.01)
        return is_over(self)

    if not os.environ.get("IS_NOT_WAITED_FOR"):
        workers.Beginning.is_over = waited_for
    take_in, ahead = divided._Division._take_in, Session.searched_ahead

    def noted(self, future):
        take_in(self, future)
        with (HERE / "parts").open("a") as parts:
            parts.write("part ")
        os.system(os.environ.get("AFTER_A_PART", "true"))

    def noted_ahead(self, node):
        found = ahead(self, node)
        if found is not None:
            (HERE / f"{node.name}.ahead").touch()
        return found

    divided._Division._take_in, Session.searched_ahead = noted, noted_ahead

@pytest.fixture
def content():
    return {"p": 0, "q": 0}
"""

TESTS = """
from pytest_supercache import explore
from users import three

@explore(search="exhaustive", guarantees=[])
def test_it_holds(world, content):
    three(world, ("0", 99), content)

@explore(search="exhaustive", guarantees=[])
def test_a_stale_end(world, content):
    three(world, ("2", 3), content)
"""

FAULTS = """
scenario: A change that was saved is seen
id: F-1
system: shop
given: {origin: {k: 1}, existing_cache: {k: 1}}
users:
  bob:
    - write: {key: k, value: 2}
    - read: k
faults: {max: 1, kinds: [error_before]}
"""


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory):
    """One worker: each child that a worker starts takes more than a second of the processor."""
    with dask_cluster(tmp_path_factory.mktemp("dask"), workers=1) as cluster:
        yield cluster


@pytest.fixture
def long_project(project: Project) -> Project:
    project.add_to_conftest(NOTED)
    project.pytester.makepyfile(users=THREE_USERS, test_three=TESTS, other="")
    return project


def rows(project: Project, *options: str) -> dict[str, dict[str, Any]]:
    for kind in ("loaded", "closed", "ahead"):
        for path in project.path.glob(f"*.{kind}"):
            path.unlink()
    (project.path / "parts").unlink(missing_ok=True)
    project.run_apart(*options)
    found = project.rows()
    for row in found.values():
        row.pop("seconds")
        row.pop("cost", None)
    return found


def parts(project: Project) -> int:
    noted = project.path / "parts"
    return noted.read_text().count("part") if noted.exists() else 0


def are_gone(project: Project) -> bool:
    """Say whether all processes that have loaded the conftest have closed everything, and ended."""
    pids = [int(path.stem) for path in project.path.glob("*.loaded")]
    have_closed = all((project.path / f"{pid}.closed").exists() for pid in pids)
    have_ended = not any(Path(f"/proc/{pid}/cmdline").exists() for pid in pids)
    return len(pids) > 1 and have_closed and have_ended


def test_tests_scenarios_and_sets_of_faults_are_searched_by_the_cluster(
    long_project: Project, dask: Dask
) -> None:
    long_project.scenario(race("S-1", "shop"), "one")
    long_project.scenario(race("S-2", "shop"), "two")
    long_project.scenario(FAULTS, "faults")
    without = ("-k", "not stale")
    alone = rows(long_project, *without)
    assert {row["id"]: row["verdict"] for row in alone.values()} == {
        "test_it_holds": "holds", "S-1": "violated", "S-2": "violated", "F-1": "violated",
    }  # fmt: skip
    assert alone["test_it_holds"]["interleavings"] > 20
    assert rows(long_project, *without, f"--supercache-cluster={dask.address}") == alone
    assert parts(long_project) > 2
    assert len(list(long_project.path.glob("*.ahead"))) == 2
    assert are_gone(long_project)


@pytest.mark.long
def test_a_worker_that_dies_takes_nothing_with_it(
    long_project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = rows(long_project, "-k", "holds")
    with dask_cluster(tmp_path) as dask:
        monkeypatch.setenv("AFTER_A_PART", f"kill -9 {dask.workers[0].pid} 2>/dev/null")
        cluster = f"--supercache-cluster={dask.address}"
        assert rows(long_project, "-k", "holds", cluster) == alone
        assert parts(long_project) > 2
        assert dask.workers[0].wait() == -9
        until(lambda: are_gone(long_project))  # its children notice


@pytest.mark.long
def test_a_lost_scheduler_is_not_waited_for(
    long_project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = rows(long_project, "-k", "holds")
    with dask_cluster(tmp_path) as dask:
        monkeypatch.setenv("AFTER_A_PART", f"kill -9 {dask.scheduler.pid} 2>/dev/null")
        result = long_project.run_apart("-k", "holds", f"--supercache-cluster={dask.address}")
    assert parts(long_project) >= 1
    result.stdout.fnmatch_lines(["searched without the cluster: *: the scheduler was lost"])
    assert long_project.rows().keys() == alone.keys()
    assert result.ret == pytest.ExitCode.OK


@pytest.mark.long
def test_a_search_goes_on_here_while_the_processes_of_the_cluster_begin(
    long_project: Project, dask: Dask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This one has ended when the first of them is ready."""
    alone = rows(long_project, "-k", "holds")
    monkeypatch.setenv("IS_NOT_WAITED_FOR", "1")
    assert rows(long_project, "-k", "holds", f"--supercache-cluster={dask.address}") == alone
    assert parts(long_project) == 0


def test_what_an_earlier_test_leaves_behind_is_searched_where_it_is(
    long_project: Project, dask: Dask
) -> None:
    long_project.add_to_conftest("IS_NEW = False\n")
    tests = TESTS.replace("    assert (world", "    assert not conftest.IS_NEW or (world")
    long_project.pytester.makepyfile(
        test_three=f"import conftest\n{tests}\ndef test_before():\n    conftest.IS_NEW = True\n"
    )
    items = "test_three.py::test_before", "test_three.py::test_a_stale_end"
    result = long_project.run_apart(*items, f"--supercache-cluster={dask.address}")
    assert [row["verdict"] for row in long_project.rows().values()] == ["violated"]
    result.stdout.fnmatch_lines(
        [
            "searched without the cluster: *: module globals have another content there: "
            "conftest:IS_NEW"
        ]
    )


@pytest.mark.long
def test_what_a_paused_worker_holds_is_searched_by_another(
    long_project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = rows(long_project, "-k", "holds")
    with dask_cluster(tmp_path) as dask:
        paused = dask.workers[1]
        monkeypatch.setenv("AFTER_A_PART", f"kill -STOP {paused.pid}")
        try:
            cluster = f"--supercache-cluster={dask.address}"
            assert rows(long_project, "-k", "holds", cluster) == alone
            assert parts(long_project) > 2
        finally:
            with standing_still(paused):
                pass


@pytest.mark.long
def test_a_project_that_has_changed_since_is_not_searched_elsewhere(
    long_project: Project, dask: Dask
) -> None:
    alone = rows(long_project, "-k", "holds")
    long_project.add_to_conftest(
        'def pytest_collection_finish():\n    (HERE / "other.py").write_text(f"# {os.getpid()}")\n'
    )
    cluster = f"--supercache-cluster={dask.address}"
    assert rows(long_project, "-k", "holds", cluster) == alone
    assert parts(long_project) == 0


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_a_scheduler_that_is_not_there_is_an_error_at_once(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.scenario(race("S-1", "shop"))
    address = f"dask://127.0.0.1:{free_port()}"
    monkeypatch.setattr("pytest_supercache.remote.executor.CONNECT_SECONDS", 0.1)
    result = project.run(f"--supercache-cluster={address}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --supercache-cluster={address}: *Timed out*"])


def test_a_cluster_without_workers_is_an_error_at_once(project: Project, tmp_path: Path) -> None:
    project.scenario(race("S-1", "shop"))
    with dask_cluster(tmp_path, workers=0) as dask:
        result = project.run(f"--supercache-cluster={dask.address}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: *={dask.address}: it has no workers"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["scheduler:8786"], "'scheduler:8786': expected dask://HOST:PORT, as in dask://scheduler"),
        (["dask://scheduler"], "'dask://scheduler': expected dask://HOST:PORT"),
        (["dask://localhost:1", "--supercache-workers=2"], "with --supercache-workers: both"),
        (["dask://localhost:1", "-n2"], "with -n: both spread the searches over processes"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(
    project: Project, options: list[str], said: str
) -> None:
    project.scenario(race("S-1", "shop"))
    address, *more = options
    result = project.run(f"--supercache-cluster={address}", *more)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert re.search(re.escape(said), result.stderr.str())


@pytest.mark.parametrize(("name", "is_refused"), [("telling", True), ("_cov", False)])
def test_a_plugin_that_cannot_prepare_workers_is_an_error_unless_it_only_measures(
    project: Project, monkeypatch: pytest.MonkeyPatch, name: str, is_refused: bool
) -> None:
    project.scenario(race("S-1", "shop"))
    project.add_to_conftest(f"""
class Telling:
    def pytest_configure_node(self, node):
        node.nodemanager

def pytest_configure(config):
    config.pluginmanager.register(Telling(), {name!r})
""")
    monkeypatch.setattr("pytest_supercache.remote.executor.CONNECT_SECONDS", 0.1)
    result = project.run(f"--supercache-cluster=dask://127.0.0.1:{free_port()}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert ("a plugin does not know how to prepare" in result.stderr.str()) == is_refused


def test_a_replay_needs_no_cluster(project: Project) -> None:
    project.scenario(race("S-1", "shop"))
    project.run()
    cluster = f"--supercache-cluster=dask://127.0.0.1:{free_port()}"
    result = project.run(f"--supercache-replay={project.token()}", cluster)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
