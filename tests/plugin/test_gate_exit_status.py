"""Exit status 0 is the gate's alone, whatever code of the project ends the run, and wherever."""

import json
import sys
from typing import Any

import pytest
from click.testing import CliRunner

from pytest_supercache.cli import main
from pytest_supercache.gate.policy import flaws_of
from tests.plugin.conftest import Project
from tests.plugin.projects import SHOP, race
from tests.plugin.test_plugin_gate import configure
from tests.selection import few

LEAVE = {
    "sys.exit(0)": "import sys; sys.exit(0)",
    "sys.exit()": "import sys; sys.exit()",
    "sys.exit(256)": "import sys; sys.exit(256)",  # eight bits of it are 0
    "pytest.exit(0)": "import pytest; pytest.exit('enough', 0)",
    "pytest.exit(256)": "import pytest; pytest.exit('enough', 256)",
}
HOOKS = {
    "pytest_configure": "config",
    "pytest_sessionstart": "session",
    "pytest_collection_modifyitems": "items",
    "pytest_runtest_setup": "item",
    "pytest_sessionfinish": "session",
    "pytest_terminal_summary": "terminalreporter",
    "pytest_unconfigure": "config",
}


def _hook(name: str, leave: str) -> str:
    return f"def {name}({HOOKS[name]}):\n    {leave}\n"


def _left_from(hook: str, leave: str) -> Any:
    """Leave in one way from each hook, and in either kind's from one: the short form."""
    is_short = leave == "sys.exit(0)" or (hook, leave) == ("pytest_sessionfinish", "pytest.exit(0)")
    return pytest.param(hook, leave, marks=[] if is_short else pytest.mark.long)


LEAVING = [_left_from(hook, leave) for hook in HOOKS for leave in LEAVE]


@pytest.mark.parametrize(("hook", "leave"), LEAVING)
def test_a_hook_that_ends_a_no_go_ends_it_with_another_status_than_0(
    project: Project, hook: str, leave: str
) -> None:
    configure(project, "gate = true")
    project.scenario(race("X-1"))
    project.add_to_conftest(_hook(hook, LEAVE[leave]))
    assert int(project.run().ret) % 256 != 0


@pytest.mark.parametrize("end", few(["as its status", "in a cleanup", "after the session"], 2))
def test_a_wrapper_around_the_whole_run_cannot_make_0_of_its_status(
    project: Project, end: str
) -> None:
    project.scenario(race("X-2"))
    wrapper = "import sys, pytest\n@pytest.hookimpl(wrapper=True, tryfirst=True)\n"
    project.add_to_conftest({
        "after the session": f"{wrapper}def pytest_cmdline_main():\n    yield\n    sys.exit(0)\n",
        "as its status": f"{wrapper}def pytest_cmdline_main():\n    yield\n    return 0\n",
        "in a cleanup":
            "import sys\ndef pytest_configure(config): config.add_cleanup(lambda: sys.exit(0))\n",
    }[end])  # fmt: skip
    assert project.run("--supercache-gate").ret == 1
    assert project.verdict()["gate"]["verdict"] == "NO-GO"


@pytest.mark.parametrize("by", ["command line", "pyproject"])
def test_a_conftest_that_leaves_while_it_is_imported_decides_nothing(
    project: Project, by: str
) -> None:
    project.scenario(race("X-3", "uncached"))
    configure(project, "gate = true" if by == "pyproject" else "")
    project.conftest(LEAVE["sys.exit(0)"])
    left = project.run_apart(*(["--supercache-gate"] if by == "command line" else []))
    assert left.ret == 6
    left.stderr.fnmatch_lines(["NO VERDICT", "*the run ended undecided"])


@pytest.mark.parametrize("hook", ["pytest_terminal_summary", "pytest_unconfigure"])
def test_a_go_that_is_decided_and_written_stays_one(project: Project, hook: str) -> None:
    project.scenario(race("X-4", "uncached"))
    project.add_to_conftest(_hook(hook, LEAVE["sys.exit(0)"]))
    assert project.run("--supercache-gate").ret == 0
    assert project.verdict()["gate"]["verdict"] == "GO"
    assert project.verdict()["run"]["finished"] is True


@pytest.mark.parametrize(
    "end",
    few(
        ["sys.exit(3)", "raise KeyError('no')", "raise KeyboardInterrupt", "pytest.exit('no', 3)"],
        2,
    ),
)
def test_a_go_after_which_the_run_fails_is_taken_back(project: Project, end: str) -> None:
    project.scenario(race("X-5", "uncached"))
    project.add_to_conftest(f"import sys, pytest\n{_hook('pytest_terminal_summary', end)}")
    ends_the_process = end in {"sys.exit(3)", "raise KeyboardInterrupt"}
    run = project.run_apart if ends_the_process else project.run
    assert run("--supercache-gate").ret != 0
    assert project.verdict()["run"]["finished"] is False


def test_without_the_gate_the_status_is_that_of_whoever_ends_the_run(project: Project) -> None:
    project.scenario(race("X-6"))
    project.add_to_conftest(_hook("pytest_unconfigure", LEAVE["sys.exit(0)"]))
    assert project.run_apart().ret == 0


def test_workers_say_nothing_of_a_verdict(project: Project) -> None:
    project.scenario(race("X-7", "uncached"))
    shown = project.run_apart("--supercache-gate", "-n", "1")
    assert shown.ret == 0
    assert "NO VERDICT" not in shown.stdout.str() + shown.stderr.str()


@pytest.mark.parametrize(
    ("how", "said"),
    few(
        [
            (("-O",), "switched off asserts"),
            ((), "--assert=plain"),
            (("-OO",), "switched off asserts"),
        ],
        2,
    ),
)
def test_asserts_that_are_switched_off_are_refused(
    project: Project, how: tuple[str, ...], said: str
) -> None:
    project.scenario(race("X-8", "uncached"))
    if how:
        refused = project.pytester.run(sys.executable, *how, "-m", "pytest", "--supercache-gate")
    else:
        refused = project.run_apart("--supercache-gate", "--assert=plain")
    assert refused.ret == 4
    refused.stderr.fnmatch_lines([f"*gate: *{said}*"])
    assert project.verdict()["run"]["finished"] is False


def test_asserts_that_the_environment_switches_off_are_refused_for_workers_too(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.scenario(race("X-9", "uncached"))
    worker = f"--tx=popen//python={sys.executable} -O"
    assert project.run_apart("--supercache-gate", "-d", worker).ret == 6
    assert (
        "asserts were switched off (-O or PYTHONOPTIMIZE)"
        in project.verdict()["gate"]["reasons"][0]
    )
    monkeypatch.setenv("PYTHONOPTIMIZE", "1")
    assert project.run_cold("--supercache-gate").ret == 4
    project.test_file("def test_one(): pass")
    assert project.run_cold("test_it.py").ret == 0


@pytest.mark.parametrize(
    "end",
    [
        "os._exit(0)",
        pytest.param("os.kill(os.getpid(), 9)", marks=pytest.mark.long),
        pytest.param("os.execv('/bin/true', ['true'])", marks=pytest.mark.long),
    ],
)
def test_a_go_is_none_before_the_run_is_over(
    project: Project, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    """A process that is gone cannot take its GO back."""
    project.scenario(race("E-1", "uncached"))
    project.add_to_conftest(f"import os\n{_hook('pytest_unconfigure', end)}")
    project.run_apart("--supercache-gate")
    assert project.verdict()["gate"]["verdict"] == "GO"
    assert project.verdict()["run"]["finished"] is False
    monkeypatch.chdir(project.path)
    decided = CliRunner().invoke(main, ["verdict"])
    assert decided.exit_code == 6
    assert "the run did not finish" in decided.output


def test_a_handler_that_python_calls_last_changes_the_status_and_not_the_file(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What pytest cannot hold, the command that decides again can."""
    project.scenario(race("E-6"))
    project.add_to_conftest("import atexit, os\natexit.register(os._exit, 0)\n")
    assert project.run_apart("--supercache-gate").ret == 0
    monkeypatch.chdir(project.path)
    decided = CliRunner().invoke(main, ["verdict"])
    assert decided.exit_code == 1
    assert decided.output.startswith("NO-GO")


CLOSED = {"shop": 1, "uncached": 0, "": 5}


@pytest.mark.parametrize(
    ("loaded", "system"),
    [
        ("by pytest", "shop"),
        ("by pytest", "uncached"),
        ("by a conftest", "uncached"),
        pytest.param("by pytest", "", marks=pytest.mark.long),
        pytest.param("by a conftest", "shop", marks=pytest.mark.long),
        pytest.param("by a conftest", "", marks=pytest.mark.long),
    ],
)
def test_every_verdict_that_stands_is_closed(
    project: Project, monkeypatch: pytest.MonkeyPatch, loaded: str, system: str
) -> None:
    if system:
        project.scenario(race("E-2", system))
    run = project.run
    if loaded == "by a conftest":
        run = project.run_cold
        monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        project.add_to_conftest('pytest_plugins = ["pytest_supercache.plugin"]')
    assert run("--supercache-gate").ret == CLOSED[system]
    assert project.verdict()["run"]["finished"] is True


@pytest.mark.parametrize(("system", "status"), [("shop", 1), ("uncached", 6)])
def test_a_verdict_that_cannot_be_closed_is_no_go(
    project: Project, system: str, status: int
) -> None:
    project.scenario(race("E-3", system))
    lose = "import shutil; shutil.rmtree('reports'); open('reports', 'w').close()"
    project.add_to_conftest(_hook("pytest_unconfigure", lose))
    ended = project.run("--supercache-gate")
    assert ended.ret == status
    ended.stderr.fnmatch_lines(["NO VERDICT", "*because verdict.json could not be written*"])


FORKS = """
import os, shutil, pytest
@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session):
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        with open("status", "w") as file:
            file.write(str(os.waitstatus_to_exitcode(status)))
        shutil.copy("reports/verdict.json", "by_the_child.json")
"""


def test_without_the_gate_such_a_child_writes_no_report_either(project: Project) -> None:
    project.scenario(race("E-5", "uncached"))
    project.add_to_conftest(
        FORKS.replace('shutil.copy("reports/verdict.json", "by_the_child.json")',
                      'assert not os.path.exists("reports")')
    )  # fmt: skip
    ended = project.run_apart()
    assert ended.ret == 0, ended.stdout.str()
    assert len(project.verdict()["scenarios"]) == 1


def test_a_child_that_comes_back_through_pytest_writes_no_verdict(project: Project) -> None:
    project.scenario(race("E-4", "uncached"))
    project.add_to_conftest(FORKS)
    assert project.run_apart("--supercache-gate").ret == 0
    assert (project.path / "status").read_text() == "6"
    seen = json.loads((project.path / "by_the_child.json").read_text())
    assert (seen["run"]["finished"], seen["gate"]) == (False, None)
    assert project.verdict()["run"]["finished"] is True


def test_a_gate_without_its_plugin_is_refused(project: Project) -> None:
    """The twins: without the gate, or without the plugin being taken out again."""
    project.conftest()  # nothing of it would be forgotten in this process
    project.test_file("def test_one(): pass")
    without = ("-p", "supercache", "-p", "no:supercache")
    refused = project.run("--supercache-gate", *without)
    assert refused.ret == 4
    refused.stderr.fnmatch_lines(["*gate: the plugin is switched off (-p no:supercache)*"])
    assert project.verdict()["run"]["finished"] is False
    assert project.run(*without).ret == 0
    configure(project, "gate = true")
    assert project.run(*without).ret == 4
    project.conftest(SHOP)
    project.scenario(race("X-8", "uncached"))
    assert project.run("-p", "supercache").ret == 0


NAMES = ("exit-status", "gate", "presence", "session", "allure", "ahead")


@pytest.mark.parametrize("name", few(NAMES, 2))
def test_no_part_of_the_plugin_is_taken_out_by_its_name(project: Project, name: str) -> None:
    """A conftest that ends the run shows that all of them are there; the twin: it does not."""
    project.scenario(race("X-9", "uncached"))
    assert project.run("--supercache-gate", "-p", f"no:supercache-{name}").ret == 0
    project.add_to_conftest(
        "import pytest\ndef pytest_configure(): pytest.exit('over', returncode=0)"
    )
    assert project.run("--supercache-gate", "-p", f"no:supercache-{name}").ret == 6
    assert project.verdict()["run"]["finished"] is False
    taken_out = ("-p", "supercache", "-p", "no:supercache", "-p", f"no:supercache-{name}")
    assert project.run("--supercache-gate", *taken_out).ret == 4


def test_the_parts_of_the_plugin_have_no_names(project: Project) -> None:
    project.add_to_conftest("""
def pytest_collection_finish(session):
    named = {name for name, _ in session.config.pluginmanager.list_name_plugin()}
    ours = sorted(name for name in named if "supercache" in name)
    print("names:", *ours)
""")
    shown = project.run("-s")
    shown.stdout.fnmatch_lines(["*names: *supercache"])
    (line,) = [line for line in shown.outlines if "names: " in line]
    assert set(line.partition("names: ")[2].split()) <= {"supercache", "pytest_supercache.plugin"}


def test_the_plugin_by_its_other_name_is_loaded_once(project: Project) -> None:
    project.scenario(race("X-9", "uncached"))
    assert project.run_apart("-p", "pytest_supercache.plugin", "--supercache-gate").ret == 0
    project.add_to_conftest('pytest_plugins = ["pytest_supercache.plugin"]')
    assert project.run("--supercache-gate").ret == 0


def test_asserts_that_were_switched_off_are_told_of_any_process() -> None:
    decided = flaws_of({"finished": True, "exit_status": 0, "without_asserts": True})
    assert list(decided) == [
        "asserts were switched off (-O or PYTHONOPTIMIZE), so what they state was not checked"
    ]
