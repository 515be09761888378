"""Runs of projects with passwords in their settings, odd values and names, other plugins."""

import json

import pytest
from click.testing import CliRunner

from pytest_supercache.cli import main
from pytest_supercache.core import inputs
from tests.plugin.conftest import Project
from tests.plugin.projects import race

SECRET = "redis://:secret@127.0.0.1:1/0"


def test_the_header_and_every_message_name_a_server_without_its_user(project: Project) -> None:
    project.scenario(race())
    result = project.run(f"--supercache-backend={SECRET}")
    result.stdout.fnmatch_lines(["supercache: redis://[*][*][*]@127.0.0.1:1/0", "*no answer*"])
    assert "secret" not in result.stdout.str() + result.stderr.str()


def test_nor_is_it_told_if_the_server_is_named_wrongly(project: Project) -> None:
    project.scenario(race())
    result = project.run(
        "--supercache-backend=redis://shop:s3c/r3t@localhost:1/9", "--alluredir=results"
    )
    result.stdout.fnmatch_lines(
        ["supercache: redis://[*][*][*]@localhost:1/9", "*no URL of a Redis server*%2F*"]
    )
    written = [file.read_text() for file in (project.path / "results").iterdir()]
    assert not any("r3t" in text for text in (result.stdout.str(), *written))


def test_the_values_of_options_are_in_no_verdict(project: Project) -> None:
    project.scenario(race())
    project.run(
        "--supercache-gate",
        "--supercache-backend",
        "redis://shop:s3c/r3t@localhost:1/9",
        "-k",
        "s3cr3t",
    )
    document = project.verdict()
    assert "--supercache-gate" in document["run"]["arguments"]
    assert "r3t" not in json.dumps(document)


def test_a_fixture_that_fails_with_a_password_puts_it_into_no_report(project: Project) -> None:
    """The twin: the rest of its text is there."""
    project.test_file(f"""
import pytest
from pytest_supercache import explore
@pytest.fixture
def bad(): raise ValueError("{SECRET} is closed")
@explore
def test_it(world, bad): pass
""")
    project.run("--supercache-gate")
    written = [
        path.read_text() for path in (project.path / "reports").rglob("*.*") if path.is_file()
    ]
    assert not any(":secret" in text for text in written)
    assert any("ValueError: redis://***@127.0.0.1:1/0 is closed" in text for text in written)


SETTINGS = (
    "uncollected = {}", "release = {}", "minimum_severity = {}", "watch = [{{url = {}}}]",
    "traffic = {}", "ticks = {}", "traffic = {{within = {}}}", "watch = [{}]", "search = {}",
    "memory = {}",
)  # fmt: skip


@pytest.mark.parametrize("setting", SETTINGS)
def test_nor_does_a_setting_that_is_wrong(project: Project, setting: str) -> None:
    given = repr("redis://shop:s3c/r3t@localhost")
    (project.path / "pyproject.toml").write_text(f"[tool.supercache]\n{setting.format(given)}\n")
    project.scenario(race())
    result = project.run("--supercache-gate")
    said = result.stdout.str() + result.stderr.str()
    assert result.ret != 0
    assert "r3t" not in said
    assert "redis://***@localhost" in said


@pytest.mark.parametrize("more", [(), ("--supercache-gate",)])
def test_a_folder_that_cannot_be_is_a_mistake_in_the_settings(
    project: Project, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...]
) -> None:
    (project.path / "pyproject.toml").write_text('[tool.supercache]\nreport = "a\\u0000b"\n')
    project.scenario(race())
    result = project.run(*more)
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*report = 'a?x00b': expected the path of a folder, *"])
    monkeypatch.chdir(project.path)
    assert CliRunner().invoke(main, ["verdict"], catch_exceptions=False).exit_code == 4


KEY = "page:redis://:secret@host/0"


def keyed(text: str) -> str:
    return text.replace("product:42", KEY)


def test_a_conflict_about_a_key_with_a_password_is_replayed_without_it(project: Project) -> None:
    faults = "faults: {max: 1, kinds: [evict]}\n"
    project.scenario(keyed(race(more=faults)))
    result = project.run("--supercache-save=found")
    assert result.ret == 1
    files = [path for path in project.path.rglob("*") if path.is_file()]
    ours = [path for path in files if path.parent.name in {"reports", "found", "allure-results"}]
    assert {path.name for path in ours} > {"verdict.json", "index.html", "repro_S-1.py"}
    assert [path.name for path in ours if "secret" in path.read_text()] == []
    assert "secret" not in result.stdout.str()
    token = project.token()
    replayed = project.run("story.supercache.yaml", f"--supercache-replay={token}")
    assert project.row()["verdict"] == "violated", replayed.stdout.str()
    for path in ("reports/repro_S-1.py", "found"):
        assert project.run(path).ret == 1
        assert project.row()["verdict"] == "violated", path


LOST = '''
class Loads(Shop):
    """Answers what the cache has; without it, something else."""

    def get(self, key):
        return "there" if self.redis.get(key) else "gone"

@sc.system("loads")
def loads(layers):
    client = layers.existing_cache.client()
    return Loads(client, layers.origin)
'''


def test_a_fault_that_takes_such_a_key_away_is_replayed(project: Project) -> None:
    project.add_to_conftest(LOST)
    project.scenario(
        f"""
scenario: What was cached is there
id: L-1
system: loads
given: {{existing_cache: {{"{KEY}": "1"}}}}
users: {{alice: [{{read: "{KEY}", expect: there}}]}}
guarantees: []
faults: {{max: 1, kinds: [evict]}}
"""
    )
    assert project.run().ret == 1
    token = project.token()
    assert "evict(existing_cache,page:redis" in token
    assert "secret" not in token
    assert project.run(f"--supercache-replay={token}").ret == 1
    assert project.row()["verdict"] == "violated"


def test_values_with_control_characters_and_long_ids_are_saved(project: Project) -> None:
    long = "S-" + "x" * 300
    odd = race(long).replace("product:42", "k\\x07\\e[2J\\u202e").replace("100", '"a\\0b"')
    project.scenario(odd)
    result = project.run("--supercache-save=found")
    assert result.ret == 1
    (path,) = (project.path / "found").iterdir()
    assert all(char.isprintable() or char == "\n" for char in path.read_text())
    assert project.run("found").ret == 1
    assert project.row()["verdict"] == "violated"


RERUN = """
import pytest
from _pytest.runner import runtestprotocol

def pytest_runtest_protocol(item, nextitem):
    for attempt in (1, 2, 3):  # as pytest-rerunfailures does
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        failed = any(report.failed for report in reports)
        for report in reports:
            if report.failed and attempt < 3:
                report.outcome = "rerun"
            item.ihook.pytest_runtest_logreport(report=report)
        if not failed:
            break
    return True
"""


def test_reruns_leave_one_row_an_item(project: Project) -> None:
    project.add_to_conftest(RERUN)
    project.scenario(race())
    project.scenario(race("S-2", "uncached"), "other")
    assert project.run("--supercache-gate").ret == 1
    rows = [(row["id"], row["verdict"]) for row in project.verdict()["scenarios"]]
    assert rows == [("S-2", "holds"), ("S-1", "violated")]
    assert project.verdict()["counts"]["violated"] == 1


def test_a_rerun_that_holds_does_not_take_a_violation_back(project: Project) -> None:
    project.add_to_conftest(RERUN)
    project.add_to_conftest(
        """
ATTEMPTS = []

@sc.system("mended")
def mended(layers):
    kind = Uncached if len(ATTEMPTS) > 1 else Shop
    return kind(layers.existing_cache.client(), layers.origin)

def pytest_runtest_setup(item):
    ATTEMPTS.append(item)
"""
    )
    project.scenario(race(system="mended"))
    assert project.run("--supercache-gate").ret == 1
    assert project.row()["verdict"] == "violated"


def test_the_workers_of_xdist_leave_the_verdict_to_their_controller(project: Project) -> None:
    project.add_to_conftest("def pytest_sessionfinish(session): import sys; sys.exit(0)")
    project.scenario(race(system="uncached"))
    result = project.run_apart("-n1", "--supercache-gate")
    assert result.ret != 0
    said = result.stdout.str() + result.stderr.str()
    assert said.count("NO VERDICT") == 1


def test_a_verdict_that_is_too_large_for_the_reports_stands_all_the_same(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs.read_json, "__defaults__", (100,))
    project.scenario(race())
    result = project.run("--supercache-gate")
    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()
    result.stdout.fnmatch_lines(["NO-GO", "*reports beside verdict.json are not whole*100 bytes*"])
    assert project.row()["verdict"] == "violated"
