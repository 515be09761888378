"""`--supercache-store`: a search that was cut off goes on, and ends as without a cut."""

from pathlib import Path
from typing import Any

import pytest
import redis

from pytest_supercache.layers.servers import RealServer
from tests.clusters import until
from tests.plugin.conftest import Project
from tests.plugin.projects import THREE_USERS
from tests.selection import few

NOTED = """
import os
from pathlib import Path
from pytest_supercache.checking import divided

divided.DIVIDED_AFTER = 0.0
divided.PART_SECONDS = 0.1
divided.parts = 0
take_in = divided._Division._take_in

def noted(self, future):
    take_in(self, future)
    divided.parts += 1
    if divided.parts == int(os.environ.get("PYTEST_KILLED_AFTER", "0")):
        os.kill(os.getpid(), 9)

divided._Division._take_in = noted
"""

TESTS = """
from pytest_supercache import explore
import flags
from users import three

def test_earlier():
    flags.IS_NEW.append(True)

@explore(search="exhaustive", guarantees=[])
def test_it_holds(world):
    three(world, ("0", 99))

@explore(search="exhaustive", guarantees=[])
def test_a_stale_end(world):
    three(world, ("0", 2))
"""

GONE = """
take_in_before = divided._Division._take_in

def without_its_server(self, future):
    if divided.parts == 0:
        os.kill(SERVER, 9)
    take_in_before(self, future)

divided._Division._take_in = without_its_server
"""

LOOKING = """
import pytest

@pytest.fixture(autouse=True)
def looking():
    yield
"""

STORE = "--supercache-store=kept"
SAID = "executions are those of earlier runs of the same code, kept by --supercache-store"


@pytest.fixture
def long_project(project: Project) -> Project:
    project.add_to_conftest(NOTED)
    project.pytester.makepyfile(users=THREE_USERS, test_three=TESTS, flags="IS_NEW = []")
    return project


def row(project: Project, test: str, *options: str) -> dict[str, Any]:
    """Run a test, and return its row without what every run has of its own."""
    project.run_apart("-k", test, *options)
    found = project.row()
    return {name: value for name, value in found.items() if name not in {"seconds", "cost"}}


_alone: dict[str, dict[str, Any]] = {}


def row_alone(project: Project, test: str) -> dict[str, Any]:
    """Return the row of a test that is run without a store, once for all projects like this."""
    if test not in _alone:
        _alone[test] = row(project, test)
    return _alone[test]


def killed(
    project: Project, test: str, monkeypatch: pytest.MonkeyPatch, store: str = STORE
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("PYTEST_KILLED_AFTER", "2")
        assert project.run_apart("-k", test, store).ret == -9


def goes_on(found: dict[str, Any]) -> bool:
    return any(SAID in note for note in found["notes"])


def as_of_one_run(found: dict[str, Any]) -> dict[str, Any]:
    notes = [note for note in found["notes"] if SAID not in note]
    scope = {name: value for name, value in found["scope"].items() if name != "executed"}
    return found | {"notes": notes, "scope": scope}


def journals(project: Project) -> list[Path]:
    return list((project.path / "kept").glob("*.journal"))


@pytest.mark.parametrize(("test", "verdict"), few([("holds", "holds"), ("stale", "violated")], 1))
def test_a_killed_search_goes_on_where_it_was(
    long_project: Project, test: str, verdict: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = row_alone(long_project, test)
    killed(long_project, test, monkeypatch)
    assert len(journals(long_project)) == 1
    found = row(long_project, test, STORE)
    assert found["verdict"] == verdict
    assert as_of_one_run(found) == alone
    assert goes_on(found) == (verdict == "holds"), "a conflict is always that of one whole search"
    assert journals(long_project) == []
    assert row(long_project, test, STORE) == alone


@pytest.mark.redis_server
def test_a_search_goes_on_from_a_redis_server(
    long_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = RealServer()
    try:
        alone = row_alone(long_project, "holds")
        store = f"--supercache-store={server.url}"
        killed(long_project, "holds", monkeypatch, store)
        until(lambda: not kept_in(server, "*:writer"))
        (journal,) = kept_in(server)
        assert journal.startswith(b"supercache:journal:")
        found = row(long_project, "holds", store)
        assert as_of_one_run(found) == alone
        assert goes_on(found)
        assert kept_in(server) == []
    finally:
        server.close()


def kept_in(server: RealServer, pattern: str = "*") -> list[bytes]:
    with redis.Redis.from_url(server.url) as client:
        return list(client.keys(pattern))


@pytest.mark.redis_server
def test_a_server_that_went_away_is_told_where_the_search_is_unfinished(
    long_project: Project,
) -> None:
    long_project.add_to_conftest(GONE)
    server = RealServer()
    try:
        with redis.Redis.from_url(server.url) as client:
            process = client.info("server")["process_id"]
        long_project.add_to_conftest(f"SERVER = {process}")
        store = f"--supercache-store={server.url}"
        found = row(long_project, "holds", store, "--supercache-executions=30")
    finally:
        server.close()
    (note,) = (note for note in found["notes"] if "supercache-store" in note)
    assert note.startswith("--supercache-store has not kept all that was executed: Error ")


def test_a_server_that_does_not_answer_is_an_error_at_once(project: Project) -> None:
    project.pytester.makepyfile("def test_one(): pass")
    result = project.run_apart("--supercache-store=redis://:secret@127.0.0.1:1/0")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: --supercache-store=redis://[*][*][*]@127.0.0.1:1/0: Error 111 *"]
    )


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("conftest.py", "it cannot be made: File exists"),
        ("conftest.py/kept", "it cannot be made: Not a directory"),
        ("/proc/nope", "it cannot be made: No such file or directory"),
        ("", "it is empty"),
    ],
)
def test_a_folder_that_cannot_be_used_is_an_error_at_once(
    project: Project, place: str, reason: str
) -> None:
    project.pytester.makepyfile("def test_one(): pass")
    result = project.run(f"--supercache-store={place}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --supercache-store={place}: {reason}. Give a folder *"])


def test_a_search_that_ran_out_of_its_budget_goes_on_too(long_project: Project) -> None:
    alone = row_alone(long_project, "holds")
    budget = "--supercache-executions=30"
    first = row(long_project, "holds", STORE, budget)
    assert first["verdict"] == "unknown"
    assert any("another run goes on from there" in note for note in first["notes"])
    found = row(long_project, "holds", STORE, budget)
    assert as_of_one_run(found) == alone
    assert found["scope"]["executed"] == "partly by earlier runs"


def test_a_search_that_begins_anew_says_so(long_project: Project) -> None:
    """The twin: nothing has, as above."""

    def said() -> str:
        found = row(long_project, "holds", STORE, "--supercache-executions=30")
        (note,) = (note for note in found["notes"] if "another run goes on" in note)
        return str(note)

    assert said().endswith("another run goes on from there")
    (long_project.path / "prices.txt").write_text("2")
    assert "This one began anew: an earlier run's files, packages, " in (anew := said())
    assert "(written since: prices.txt" in anew


def test_an_item_that_no_option_helps_with_says_so(long_project: Project) -> None:
    """It is UNKNOWN, and the fixture that stands in the way is named."""
    workers = "--supercache-workers=2"

    def notes(*options: str) -> list[str]:
        found = row(long_project, "holds", "--supercache-executions=30", *options)
        return [note for note in found["notes"] if "does not help" in note]

    assert notes(STORE, workers) == []
    long_project.add_to_conftest(LOOKING)
    assert notes(STORE, workers) == [
        f"{option} does not help with this item: the fixture looking of conftest may look at what "
        "the item leaves behind in its process"
        for option in ("--supercache-workers", "--supercache-store")
    ]
    assert notes() == []
    assert len(journals(long_project)) == 1, "of the first run"


def test_a_search_in_a_worker_of_xdist_is_kept_too(long_project: Project) -> None:
    long_project.run_apart("-k", "holds", "-n1", STORE, "--supercache-executions=30")
    assert any("another run goes on from there" in note for note in long_project.row()["notes"])
    assert len(journals(long_project)) == 1


@pytest.mark.parametrize(
    "change", few(["code", "state", "environment", "setting", "asked", "data"], 1)
)
def test_what_was_executed_of_other_code_or_settings_does_not_count(
    long_project: Project, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed(long_project, "earlier or holds" if change == "state" else "holds", monkeypatch)
    options = []
    if change == "code":
        long_project.add_to_conftest("# changed")
    elif change == "data":
        (long_project.path / "prices.txt").write_text("2")
    elif change == "setting":
        options = ["--supercache-polls=2"]
    elif change == "environment":
        monkeypatch.setenv("SHOP_MODE", "2")
    elif change == "asked":
        options = ["--supercache-fresh"]
    found = row(long_project, "holds", STORE, *options)
    assert found["verdict"] == "holds"
    assert not goes_on(found)


def test_the_gate_executes_everything(
    long_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed(long_project, "holds", monkeypatch)
    assert not goes_on(row(long_project, "holds", STORE, "--supercache-gate"))
    assert len(journals(long_project)) == 1


@pytest.mark.long
def test_a_broken_journal_does_not_count(
    long_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed(long_project, "holds", monkeypatch)
    (journal,) = journals(long_project)
    journal.write_bytes(journal.read_bytes().replace(b"alice", b"carol"))
    found = row(long_project, "holds", STORE)
    assert found["verdict"] == "holds"
    assert not goes_on(found)
