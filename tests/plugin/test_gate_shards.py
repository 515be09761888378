"""Shards of a run and their merge: all of them say what one run says, and less than all nothing."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pytest_supercache.cli import main
from pytest_supercache.gate.merge import IN_ANY, JOINED, SAME
from pytest_supercache.report.document_digest import with_digest
from tests.plugin.conftest import Project
from tests.plugin.projects import SHOP, STALE_TEST, one_reader, race
from tests.plugin.test_plugin_gate import TODAY, configure, gate, waive
from tests.plugin.test_plugin_reports import SCHEMA, mismatches
from tests.repositories import append, committed, git
from tests.selection import few

Document = dict[str, Any]

OFF = """
@sc.system("off")
def off(layers):
    return Uncached(layers.existing_cache.client(), layers.origin)
"""
STATED = race("D-1").replace("system: shop", "systems: {shop: violated, off: holds, fixed: holds}")
HELD = f"""{STALE_TEST}
@sc.explore
def test_held(world):
    shop = Uncached(world.existing_cache.client(), world.origin)
    world.actor("reader", shop.get, "k")
    world.run()

def test_ordinary(): pass

def test_another(): pass
"""
NOT_COMPARED = {"seconds", "line_of_text"}
OF_THE_RUN = {
    "id", "owner", "process", "arguments", "is_gate", "own_verdict", "others", "root", "rules",
    "merge",
}  # fmt: skip


@pytest.fixture(autouse=True)
def here(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUPERCACHE_RUN_ID", raising=False)
    monkeypatch.chdir(project.path)


def shard(project: Project, index: int, count: int, *options: str) -> Document:
    """Run a shard, and return what it wrote; its file is verdict-INDEX.json."""
    folder = f"reports/shard-{index}"
    project.run(f"--supercache-shard={index}/{count}", f"--supercache-report={folder}", *options)
    document: Document = json.loads((project.path / folder / "verdict.json").read_text())
    assert mismatches(document, SCHEMA) == []
    return document


def merge(*documents: Document | str, signs: bool = True) -> Result:
    """Merge documents, each in the file that it names, or that it is written to."""
    files = [one for one in documents if isinstance(one, str)]
    for number, one in enumerate(documents, 1):
        if not isinstance(one, str):
            files.append(f"verdict-{number}.json")
            Path(files[-1]).write_text(json.dumps(with_digest(one) if signs else one))
    return CliRunner().invoke(main, ["merge", *files], catch_exceptions=False)


def verdict(*words: str) -> Result:
    return CliRunner().invoke(main, ["verdict", *words], catch_exceptions=False)


def comparable(document: Document) -> list[Document]:
    return [
        {name: value for name, value in row.items() if name not in NOT_COMPARED}
        for row in document["scenarios"]
    ]


def test_the_merge_of_all_shards_says_what_one_run_says(project: Project) -> None:
    """The same rows, tokens, fingerprints and facts, and the same decision with its reasons."""
    configure(project, 'release = ["shop"]')
    project.conftest(SHOP, OFF, OFF.replace("off", "fixed"))
    project.scenario(race("N-1"))
    project.scenario(race("W-1", "off", "assume: {pause: 500ms}\n"), "workaround")
    project.scenario(STATED, "stated")
    project.test_file(HELD)
    project.run()
    waive(
        project,
        project.rows()["N-1"]["counterexample"]["fingerprint"],
        TODAY,
        workaround_checked_by='"W-1"',
    )
    assert verdict("--lock").exit_code == 0
    assert project.run("--supercache-gate").ret == 0
    whole, decided = project.verdict(), gate(project)
    assert decided["verdict"] == "GO WITH KNOWN WORKAROUND"

    parts = [shard(project, index, 3) for index in (1, 2, 3)]
    assert sorted(len(part["scenarios"]) for part in parts) == [2, 2, 2]
    assert sum(len(part["scenarios"]) for part in parts) == len(whole["scenarios"])
    told = merge(*(f"reports/shard-{index}/verdict.json" for index in (2, 3, 1)))
    assert told.exit_code == 0, told.output
    merged = project.verdict()
    assert mismatches(merged, SCHEMA) == []
    assert comparable(merged) == comparable(whole)
    changed = {"scope", "today"}
    assert {n: v for n, v in merged["gate"].items() if n not in changed} == {
        n: v for n, v in decided.items() if n not in changed
    }
    assert "merged from 3 of 3 shards" in merged["gate"]["scope"]
    of_run = {n: v for n, v in whole["run"].items() if n not in OF_THE_RUN}
    assert {n: merged["run"].get(n) for n in of_run} == of_run
    assert set(of_run) - {*SAME, *JOINED, *IN_ANY} == {
        "finished", "exit_status", "unexplained", "stopped", "git_refused",
    }  # fmt: skip
    assert verdict().exit_code == 0
    assert verdict().output.splitlines()[0] == told.output.splitlines()[0]
    reports = project.path / "reports"
    assert "N-1" in (reports / "message.md").read_text()
    assert (reports / "repro_N-1.py").exists()
    assert "GO WITH KNOWN WORKAROUND" in (reports / "index.html").read_text()
    for index, part in enumerate(parts, 1):
        alone = verdict(f"reports/shard-{index}/verdict.json")
        assert alone.exit_code == 6, "a conflict whose waiver is elsewhere is no NO-GO either"
        assert f"this is shard {index} of 3 and decides nothing by itself: " in alone.output
        assert part["gate"] is None
        assert "own_verdict" not in part["run"]
    assert merge(*(f"reports/shard-{index}/verdict.json" for index in (1, 2))).exit_code == 6
    assert verdict().exit_code == 6, "no GO of the first merge is left behind"


_shards: list[Document] = []
"""The shards of `small`, which are run once: the table below begins with them."""


def small(project: Project) -> list[Document]:
    """Return the shards of a project that is GO, each with its own copy."""
    for name in ("A-1", "A-2", "A-3", "A-4"):
        project.scenario(one_reader(name, "uncached"), name)
    if not _shards:
        _shards.extend(shard(project, index, 3) for index in (1, 2, 3))
    copies: list[Document] = json.loads(json.dumps(_shards))
    return copies


Edit = Callable[[list[Document]], list[Document | str] | None]


def put(*way: str, value: object) -> Edit:
    """Return an edit of the second shard: another value of one field, by a run that wrote it."""

    def edit(shards: list[Document]) -> None:
        part: Any = shards[1]
        for name in way[:-1]:
            part = part[name]
        part[way[-1]] = value

    return edit


def setting(name: str, value: str) -> Edit:
    return put("run", "shard", "settings", name, value=value)


def in_all(*edits: Edit) -> Edit:
    """Return an edit of all shards alike, followed by others."""

    def edit(shards: list[Document]) -> None:
        for one in shards:
            one |= {"commit": "abc1234", "dirty": True, "changes": {"shop.py": "1", "made": None}}
        for each in edits:
            each(shards)

    return edit


def moved(shards: list[Document]) -> None:
    """Move a result to another shard: both count what they have."""
    row = shards[0]["scenarios"].pop()
    shards[0]["counts"]["holds"] -= 1
    shards[1]["scenarios"].append(row)
    shards[1]["counts"]["holds"] += 1


def lost(shards: list[Document]) -> None:
    shards[1]["scenarios"].pop()
    shards[1]["counts"]["holds"] -= 1


def dealt_otherwise(shards: list[Document]) -> None:
    for one in shards:
        one["run"]["shard"]["collected"].append({"id": "A-5", "node_id": "a.supercache.yaml::A-5"})


def on_servers(shards: list[Document]) -> None:
    for number, one in enumerate(shards):
        for row in one["scenarios"]:
            row["scope"]["backend"] = f"redis-server 7.{number}"


def written(text: str) -> Edit:
    def edit(shards: list[Document]) -> list[Document | str]:
        Path("written.json").write_text(text)
        return [shards[0], "written.json", shards[2]]

    return edit


def cut(shards: list[Document]) -> list[Document | str]:
    text = json.dumps(with_digest(shards[1]))
    written(text[: len(text) // 2])(shards)
    return [shards[0], "written.json", shards[2]]


def run_again(shards: list[Document]) -> list[Document | str]:
    again = {**shards[1], "run": {**shards[1]["run"], "owner": "another", "id": "another"}}
    return [*shards, again]


def of_two(shards: list[Document]) -> list[Document | str]:
    told = {**shards[1]["run"]["shard"], "count": 2}
    return [shards[0], {**shards[1], "run": {**shards[1]["run"], "shard": told}}, shards[2]]


def of_a_job(*others: object, run_id: str | None = "77") -> Edit:
    """Give all shards one run id, the second its own or none, and the job of that other runs."""

    def edit(shards: list[Document]) -> None:
        for one in shards:
            one["run"]["id"] = "77"
        run = shards[1]["run"]
        run |= {"id": run_id or run["owner"], "others": list(others)}

    return edit


WITH_ID = {"id": "77", "owner": "7", "process": 1, "arguments": "pytest", "is_gate": False}
DIFFER = "the shards differ in "
RULES = ("run", "rules")
NEVER_GO: dict[str, tuple[Edit, str]] = {
    "one is missing": (lambda shards: [shards[0], shards[2]], "shard 2 of 3 is missing"),
    "two are missing": (lambda shards: [shards[0]], "shards 2, 3 of 3 are missing"),
    "one is doubled": (lambda shards: [*shards, shards[1]], "shard 2 of 3 was given 2 times: "),
    "one instead of another": (lambda s: [s[0], s[1], s[1]], "shard 3 of 3 is missing"),
    "one file twice": (
        lambda shards: [*shards, "verdict-2.json"], "verdict-2.json is given twice",
    ),
    "one was run again": (run_again, "shard 2 of 3 was given 2 times: "),
    "one of two": (of_two, "the shards are of different divisions: shard 1 of 3 ("),
    "another commit": (
        in_all(put("commit", value="def5678")),
        f"{DIFFER}the commit: abc1234 in verdict-1.json, verdict-3.json; def5678 in verdict-2.json",
    ),
    "a commit that git did not say": (in_all(put("commit", value=None)), f"{DIFFER}the commit: "),
    "another change": (
        in_all(put("changes", value={"shop.py": "2", "made": None})),
        f"{DIFFER}what was changed and not committed: shop.py",
    ),
    "no change": (
        in_all(put("changes", value={"made": None})),
        f"{DIFFER}what was changed and not committed: shop.py",
    ),
    "changes that git did not say": (
        in_all(put("changes", value=None)), "git does not say of all shards what was changed",
    ),
    "other known issues": (
        put(*RULES, "known_issues_digest", value="1" * 64),
        f"{DIFFER}the known issues: none in verdict-1.json, verdict-3.json; 111111111111... in ver",
    ),
    "another lock": (put(*RULES, "lock_digest", value="1" * 64), f"{DIFFER}gate.lock: "),
    "another release": (put(*RULES, "release", value=["shop"]), f"{DIFFER}release: "),
    "another severity": (
        put(*RULES, "minimum_severity", value="minor"), f"{DIFFER}minimum_severity: none in "
    ),
    "rules that could not be read": (
        put(*RULES, value=None), "verdict-2.json: the rules of the gate could not be read there"
    ),
    "another Python": (
        put("versions", "python", value="3.8.1"), f"{DIFFER}the version of python: "
    ),
    "another plugin": (
        put("versions", "pytest-supercache", value="9"),
        f"{DIFFER}the version of pytest-supercache: ",
    ),
    "a further library": (put("versions", "hypothesis", value="0"), f"{DIFFER}the version of hyp"),
    "another package": (
        put("run", "shard", "installed", value={"cachetools": "4"}),
        f"{DIFFER}the installed version of cachetools: ",
    ),
    "another server": (on_servers, f"{DIFFER}the version of redis-server: 7.0 in verdict-1.json; "),
    "another project": (
        put("run", "shard", "folder", value="b"), f"{DIFFER}the folder of the project in the repos"
    ),
    "another seed": (put("seed", value=7), f"{DIFFER}the seed: "),
    "another build": (put("build", value="8"), f"{DIFFER}the build: none in "),
    **{
        f"another {name}": (setting(name, "7"), f"{DIFFER}the setting {name}: none in ")
        for name in ("backend", "search", "executions", "time", "ticks", "memory", "polls",
                     "preemptions", "faults", "seed")
    },
    "another table": (setting("[tool.supercache]", "7"), f"{DIFFER}the setting [tool.supercache]"),
    "an overridden file": (
        put("run", "overriding", value=["--supercache-ticks=0"]), f"{DIFFER}what the command line"
    ),
    "other paths": (put("run", "paths", value=["A-1.supercache.yaml"]), f"{DIFFER}the paths"),
    "--lf": (
        put("run", "selecting", value=["--lf"]), f"{DIFFER}what the command line leaves out: none"
    ),
    "-k": (put("run", "deselected", value=1), f"{DIFFER}the number of deselected items: 0 in ver"),
    "another run id": (of_a_job(run_id="78"), f"{DIFFER}the run id: 77 in "),
    "no run id": (of_a_job(run_id=None), f"{DIFFER}the run id: 77 in "),
    "other tests": (
        put("run", "shard", "collected", value=[]), "the shards have collected different tests: "
    ),
    "other ordinary tests": (
        put("run", "shard", "ordinary_digest", value="7"), "collected different ordinary tests: "
    ),
    "a result of another's": (moved, "has results of tests that it should not run: "),
    "a result that is gone": (lost, "shard 2 of 3 (verdict-2.json) has no result of "),
    "a test that nobody ran": (dealt_otherwise, "no result of "),
    "a file that was cut": (cut, "written.json cannot be read: "),
    "no file": (lambda s: [s[0], "nobody.json", s[2]], "nobody.json is not there"),
    "another file": (written("{}"), "written.json cannot be read: it is not a verdict.json of "),
    "a run that did not finish": (
        put("run", "finished", value=False), "verdict-2.json is not that of a shard: the run did "
    ),
    "a crash of pytest": (
        put("run", "exit_status", value=3), "shard 2 of 3 (verdict-2.json): pytest ended with 3"
    ),
    "a run that was stopped": (
        put("run", "stopped", value="stopping after 1 failures"), "shard 2 of 3 (verdict-2.json): "
    ),
    "a crash of a worker": (
        put("run", "crashed", value=["a::b"]), "a::b was running when its worker crashed"
    ),
    "an item that was skipped": (put("run", "skipped", value=["A-1"]), "A-1 was skipped"),
    "a run of the same job": (
        of_a_job({**WITH_ID, "outcome": "exit status 1"}), "ended with exit status 1"
    ),
    "an old one": (
        put("when", value="2020-01-01T00:00:00+00:00"), "verdict.json is old: "
    ),
    "one from the future": (
        put("when", value="2120-01-01T00:00:00+00:00"), "it is from the future"
    ),
    "one without a time": (put("when", value=None), "verdict-2.json does not say when the run was"),
    "too many shards": (
        put("run", "shard", "count", value=10**12), "verdict-2.json is not as a run writes it: "
    ),
    "a part that is not there": (
        put("run", "shard", value={"index": 2, "count": 3}), "verdict-2.json is not as a run writes"
    ),
}  # fmt: skip


ALIKE = {
    "another backend", "another search", "another time", "another ticks", "another memory",
    "another polls", "another preemptions", "another faults", "another plugin",
    "a further library", "two are missing",
}  # fmt: skip
"""Further values on a path that others of these take."""


@pytest.mark.parametrize(
    "what", few(sorted(NEVER_GO, key=lambda what: what in ALIKE), len(NEVER_GO) - len(ALIKE))
)
def test_shards_that_are_not_one_whole_run_are_no_verdict(project: Project, what: str) -> None:
    edit, said = NEVER_GO[what]
    shards = small(project)
    told = merge(*(edit(shards) or shards))
    assert told.exit_code == 6, told.output
    assert told.output.startswith("NO VERDICT\n")
    assert said in told.output
    assert verdict().exit_code == 6


def flipped(one: Document) -> None:
    one["scenarios"][0] |= {"exhausted": True, "executions": 7}


EDITED: dict[str, Callable[[Document], object]] = {
    "a result": flipped,
    "the digest": lambda one: one.pop("digest"),
    "another digest": lambda one: one.update(digest="0" * 64),
    "the commit": lambda one: one.update(commit="abc1234"),
    "a shard": lambda one: one["run"].pop("shard"),
}


@pytest.mark.parametrize("what", EDITED)
def test_a_shard_that_was_edited_after_its_run_is_no_verdict(project: Project, what: str) -> None:
    shards = small(project)
    EDITED[what](shards[1])
    told = merge(*shards, signs=False)
    assert told.exit_code == 6, told.output
    assert "verdict-2.json " in told.output
    Path("alone.json").write_text(json.dumps(shards[1]))
    assert verdict("alone.json").exit_code == 6


def made_elsewhere(shards: list[Document]) -> None:
    """Let another machine, at another time, have written files of its own."""
    run = shards[1]["run"]
    run |= {"owner": "another", "id": "another", "process": 7, "arguments": "pytest -n 2"}
    in_all(put("changes", value={"shop.py": "1", ".coverage": None}))(shards)
    for one in shards:
        one |= {"commit": None, "changes": None}


SAME_RUN: dict[str, Edit] = {
    "as they are": lambda shards: None,
    "in another order": lambda shards: [*reversed(shards)],
    "on other machines": made_elsewhere,
    "with one run id": of_a_job(),
    "beside each other": of_a_job({**WITH_ID, "owner": "of the first", "outcome": None}),
}
"""What shards of one run may well differ in."""


@pytest.mark.parametrize("what", SAME_RUN)
def test_all_shards_of_one_run_are_go(project: Project, what: str) -> None:
    shards = small(project)
    if what == "beside each other":
        shards[0]["run"]["owner"] = "of the first"
    told = merge(*(SAME_RUN[what](shards) or shards))
    assert told.exit_code == 0, told.output
    assert len(project.verdict()["scenarios"]) == 4


OPTIONS: dict[str, tuple[str, ...]] = {
    "the setting executions": ("--supercache-executions=500",),
    "the setting ticks": ("-o", "supercache_ticks=0"),
    "the setting hypothesis_seed": ("--hypothesis-seed=3",),
    "the build": ("--supercache-build=8",),
    "the number of deselected items": ("-k", "not A-1"),
    "the paths that are collected": ("A-2.supercache.yaml", "A-3.supercache.yaml"),
    "what the command line leaves out": ("--ignore=A-1.supercache.yaml",),
    "what the command line overrides in scenario files": ("--supercache-ticks=0",),
}


@pytest.mark.parametrize("what", few(dict.fromkeys(["the paths that are collected", *OPTIONS]), 3))
def test_a_shard_with_an_option_of_its_own_is_foreign(project: Project, what: str) -> None:
    """The twin: all shards have it."""
    shards = small(project)
    told = merge(shards[0], shard(project, 2, 3, *OPTIONS[what]), shards[2])
    assert told.exit_code == 6
    assert f"{DIFFER}{what}: " in told.output


def test_all_shards_with_one_option_are_as_one_run_with_it(project: Project) -> None:
    small(project)
    options = ("-k", "not A-1", "--supercache-ticks=0")
    for index in (1, 2):
        shard(project, index, 2, *options)
    told = merge("reports/shard-1/verdict.json", "reports/shard-2/verdict.json")
    assert told.exit_code == 0, told.output
    assert "not covered: 1 item was deselected: A-1" in told.output
    assert "not covered: what scenario files say beyond --supercache-ticks=0" in told.output
    left_out = project.verdict()["run"]["left_out"]
    assert [one["id"] for one in left_out] == ["A-1"]


def test_a_shard_without_a_test_says_so_and_ends_well(project: Project) -> None:
    """The twin: without any test, pytest fails as ever."""
    project.scenario(one_reader("E-1", "uncached"))
    empty = [project.run(f"--supercache-shard={index}/2") for index in (1, 2)]
    assert [ran.ret for ran in empty] == [0, 0]
    said = [
        f"shard {index} of 2 ran {number} of 1 scenarios and explored tests; *"
        for index, number in ((1, 1), (2, 0))
    ]
    for ran, line in zip(empty, said, strict=True):
        ran.stdout.fnmatch_lines([line])
    empty[0].stdout.fnmatch_lines(["supercache: shard 1 of 2", "E-1: HOLDS"])
    runs = sorted((project.path / "reports" / "runs").glob("*/verdict.json"))
    told = merge(*map(str, runs))
    assert told.exit_code == 0, told.output
    assert project.run("--supercache-shard=1/2", "-k", "nothing").ret == 5


def test_workers_of_xdist_run_one_shard_together(project: Project) -> None:
    shards = small(project)
    project.test_file(HELD)
    ran = project.run_apart("--supercache-shard=2/2", "-n", "1", "--supercache-report=two")
    assert ran.ret == 0
    ran.stdout.fnmatch_lines(["shard 2 of 2 ran 2 of 5 scenarios *, 1 of 2 other tests; *"])
    one = shard(project, 1, 2)
    assert merge(one, "two/verdict.json").exit_code == 0
    assert len(project.verdict()["scenarios"]) == 5
    assert merge(shards[0], "two/verdict.json").exit_code == 6


def test_an_ordinary_test_that_fails_in_one_shard_is_no_go(project: Project) -> None:
    project.scenario(one_reader("F-1", "uncached"))
    project.test_file("def test_fine(): pass\ndef test_wrong(): assert 0")
    shards = [shard(project, index, 2) for index in (1, 2)]
    assert sorted(one["run"]["exit_status"] for one in shards) == [0, 1]
    told = merge(*shards)
    assert told.exit_code == 1
    assert "because the test test_it.py::test_wrong failed" in told.output


def test_shards_beside_the_code_are_no_changes_of_it(project: Project) -> None:
    """The twins: a new file that is no report of a shard, and another commit."""
    project.scenario(race("C-1", "shop"))
    append(project.path / ".gitignore", "__pycache__/\n")
    committed(project.path)
    for index in (1, 2):
        shard(project, index, 2)
        (project.path / "reports").rename(project.path.parent / f"{project.path.name}-{index}")
    for index in (1, 2):
        kept = project.path.parent / f"{project.path.name}-{index}" / f"shard-{index}"
        shutil.copytree(kept, project.path / "reports" / kept.name)
    files = [f"reports/shard-{index}/verdict.json" for index in (1, 2)]
    assert list(project.path.glob("reports/shard-?/repro_C-1.py"))
    told = merge(*files)
    assert "uncommitted" not in told.output
    assert told.exit_code == 1, told.output
    assert "others here" not in verdict().output
    shards: list[Document] = [json.loads(Path(name).read_text()) for name in files]
    for one in shards:
        assert one["run"]["shard"]["folder"] == "."
        one["run"]["shard"]["folder"] = "services/a"
    merge(*shards)
    assert "the shards are of the project in services/a of" in str(gate(project)["reasons"])
    for name in ("verdict-1.json", "verdict-2.json"):
        Path(name).unlink()
    append(project.path / "reports" / "shard-1" / "new.py")
    told = merge(*files)
    assert "changes that are not committed are others here: reports/shard-1/new.py" in told.output
    (project.path / "reports" / "shard-1" / "new.py").unlink()
    append(project.path / "shop.py")
    git(project.path, "add", "shop.py")
    git(project.path, "commit", "-qm", "another")
    assert "it is about commit " in merge(*files).output


def test_a_merge_is_of_the_commit_that_is_here_and_of_the_run_that_is_asked_for(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards = small(project)
    in_all()(shards)
    told = merge(*shards)
    assert told.exit_code == 6
    assert "verdict.json is about commit abc1234, and git does not say which one" in told.output
    shards = small(project)
    of_a_job()(shards)
    monkeypatch.setenv("SUPERCACHE_RUN_ID", "78")
    told = merge(*shards)
    assert told.exit_code == 6
    assert "it is of the run 77, and the run 78 was asked for" in told.output
    monkeypatch.setenv("SUPERCACHE_RUN_ID", "77")
    assert merge(*shards[:2]).exit_code == 6
    assert merge(*shards).exit_code == 0, "a merge that is tried again is the same run"
    assert verdict().exit_code == 0


def test_a_merge_does_not_overwrite_a_shard(project: Project) -> None:
    small(project)
    project.run("--supercache-shard=1/3")
    before = project.verdict()
    told = merge("reports/verdict.json")
    assert told.exit_code == 2
    assert "is where the merged verdict goes" in told.output
    assert project.verdict() == before


def test_a_shard_is_no_gate_run(project: Project) -> None:
    """Neither by the option, which is refused, nor by the settings, which a shard leaves out."""
    small(project)
    ran = project.run("--supercache-shard=1/3", "--supercache-gate")
    assert ran.ret == 4
    ran.stderr.fnmatch_lines(
        ["*gate: --supercache-shard with the gate: a shard decides nothing; *"]
    )
    configure(project, "gate = true")
    assert project.run("--supercache-shard=1/3").ret == 0
    assert project.verdict()["gate"] is None
    assert project.run().ret == 0
    assert project.verdict()["gate"]["verdict"] == "GO"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("0/3", "expected a shard from 1/3 to 3/3"),
        ("4/3", "expected a shard from 1/3 to 3/3"),
        ("1/0", "there can be 1 to 1,000 shards"),
        ("1/100000", "there can be 1 to 1,000 shards"),
        ("x", "expected I/N, as in 1/4 for the first of four"),
        ("", "expected I/N, as in 1/4 for the first of four"),
        ("-1/3", "expected I/N, as in 1/4 for the first of four"),
    ],
)
def test_a_wrong_shard_is_refused(project: Project, given: str, said: str) -> None:
    ran = project.run(f"--supercache-shard={given}")
    assert ran.ret == 4
    ran.stderr.fnmatch_lines([f"ERROR: --supercache-shard='{given}': {said}"])


def test_a_shard_of_a_replay_is_refused(project: Project) -> None:
    ran = project.run("--supercache-shard=1/2", "--supercache-replay=sc1:A-1:alice")
    assert ran.ret == 4
    ran.stderr.fnmatch_lines(["*a replay is about one item; leave one of them out"])
