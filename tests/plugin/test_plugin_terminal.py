"""What a person sees, at a terminal and in a file: one line an item, colours, progress, widths."""

import re
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_supercache.plugin import progress
from tests.plugin.conftest import Project
from tests.plugin.projects import race
from tests.terminals import sent, without_progress

AT_ONCE = """
import sys
import pytest
import pytest_supercache.plugin.progress as progress
progress.AFTER_SECONDS = progress.EVERY_SECONDS = 0
sys.exit(pytest.main(["-p", "no:cacheprovider", "-W", "ignore", *sys.argv[1:]]))
"""
"""A run that tells its progress after every execution."""

STATED = race("T-1").replace("system: shop", "systems: {shop: violated, uncached: holds}")
ESCAPE = re.compile(r"\x1b\[[0-9;]*[mK]")


def at_a_terminal(project: Project, *arguments: str, columns: int = 90) -> str:
    """Run under a pseudo-terminal and return every byte that it was sent."""
    return sent([sys.executable, "-c", AT_ONCE, *arguments], project.path, columns)


def shown(text: str) -> list[str]:
    """Return the lines that stay: what was drawn below and taken away again is not one."""
    lines = without_progress(text).split("\n")
    return [ESCAPE.sub("", line).rpartition("\r")[2] for line in lines]


def test_a_terminal_sees_progress_and_nothing_of_it_stays(project: Project) -> None:
    project.scenario(STATED)
    whole = at_a_terminal(project)
    told = re.findall(r"\x1b7\x1bD\r(.*?)\x1b\[K\x1b8", whole)
    first = r"T-1\[shop\]: 1 run, (\d+/s, )?nothing found, at most 10 schedules.*"
    assert re.fullmatch(first, told[0])
    assert any(line.startswith("T-1[uncached]: 2 runs") for line in told)
    assert max(map(len, told)) < 90
    assert told[-1] == "", "the line is taken away"
    lines = shown(whole)
    assert next(line for line in lines if line.startswith("story")).split() == [
        "story.supercache.yaml", "..", "[100%]",
    ]  # fmt: skip
    assert "T-1[shop]: VIOLATED coherent_when_settled, as expected" in lines
    assert "\x1b[33mT-1[shop]: VIOLATED coherent_when_settled, as expected\x1b[0m" in whole
    assert "\x1b[32mT-1[uncached]: HOLDS, as expected\x1b[0m" in whole


def test_pictures_and_sentences_fit_a_narrow_terminal(project: Project) -> None:
    project.scenario(STATED)
    lines = shown(at_a_terminal(project, "-v", columns=64))
    begin = next(at for at, line in enumerate(lines) if "= supercache =" in line)
    drawn = [line for line in lines[begin:] if line.startswith("  ")]
    assert any("here the wrong value is stored, and it stays" in line for line in drawn)
    assert any(line.split() == ["#", "who", "step"] for line in drawn), "one table"
    assert any(line.split()[:4] == ["3", "bob", "@a", "write"] for line in drawn)
    assert max(map(len, drawn)) <= 64


@pytest.mark.parametrize(
    ("term", "verbosity", "is_shown"),
    [("xterm", 0, True), ("xterm", -1, False), ("dumb", 0, False)],
)
def test_a_quiet_run_and_a_terminal_that_cannot_move_its_cursor_see_no_progress(
    monkeypatch: pytest.MonkeyPatch, term: str, verbosity: int, is_shown: bool
) -> None:
    config: Any = SimpleNamespace(get_verbosity=lambda: verbosity)
    monkeypatch.setattr(progress, "columns", lambda _config: 80)
    monkeypatch.setenv("TERM", term)
    assert (progress.progressing(config, "T-1") is not None) is is_shown


@pytest.mark.long  # test_plugin_terminal_pictures.py says so of what a terminal shows
def test_nothing_is_wider_than_the_terminal(project: Project) -> None:
    project.scenario(STATED + "tags: [a]\n")
    project.scenario(race("A-scenario-with-a-very-long-name-that-does-not-fit"), "second")
    lines = shown(at_a_terminal(project, columns=70))
    begin = next(at for at, line in enumerate(lines) if "= supercache =" in line)
    section = [
        line for line in lines[begin:] if not line.startswith(("written:", "open:", "FAILED"))
    ]
    assert max(map(len, section)) <= 70
    (cut,) = (line for line in section if line.startswith("A-scenario"))
    assert re.fullmatch(r"A-scenario.*-fit: VIOLATED coher.*\.\.\.", cut)
    assert len(cut) == 70
    assert "  exhaustive: all 2 interleavings were executed, in all 3 schedules (2" in section


def test_a_file_gets_whole_lines_without_colours_unless_they_are_asked_for(
    project: Project,
) -> None:
    """In colours, what is not as expected is red, and so is the step that breaks it."""
    project.scenario(STATED)
    project.scenario(race("T-2"), "another")
    plain = project.run()
    assert "\x1b" not in plain.stdout.str()
    plain.stdout.fnmatch_lines(["  exhaustive: all 2 interleavings *, fakeredis *)"])
    coloured = project.run("--color=yes").stdout.str()
    assert "\x1b[33mT-1[shop]: VIOLATED coherent_when_settled, as expected\x1b[0m" in coloured
    assert "\x1b[32mT-1[uncached]: HOLDS, as expected\x1b[0m" in coloured
    assert "\x1b7" not in coloured, "no progress in a file"
    lines = coloured.splitlines()
    red = [line.removeprefix("\x1b[31m") for line in lines if line.startswith("\x1b[31m")]
    assert "T-2: VIOLATED coherent_when_settled\x1b[0m" in red
    assert any(line.startswith("\x1b[31m\x1b[1m  !5 ") for line in lines)
    assert any(line.startswith("\x1b[31m\x1b[1m      ! here the wrong value") for line in lines)
    assert any(line.startswith("\x1b[1m   #  alice @a") for line in lines)
    assert "   1  read product:42" in "\n".join(lines), "an ordinary step has no colour"


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        (["-q"], ["T-1[shop]: VIOLATED coherent_when_settled, as expected",
                  "T-1[uncached]: HOLDS, as expected", "T-2: VIOLATED coherent_when_settled"]),
        (["-qq"], ["T-2: VIOLATED coherent_when_settled"]),
    ],
)  # fmt: skip
def test_a_quiet_run_has_one_line_an_item_and_a_quieter_one_only_what_is_wrong(
    project: Project, options: list[str], lines: list[str]
) -> None:
    project.scenario(STATED, "first")
    project.scenario(race("T-2"), "second")
    found = project.run(*options).outlines
    begin = next(at for at, line in enumerate(found) if "= supercache =" in line) + 1
    end = next(at for at, line in enumerate(found) if line.startswith("written:"))
    assert found[begin:end] == lines


def test_holds_says_within_which_bounds(project: Project) -> None:
    project.scenario(race("A", "uncached"))
    result = project.run()
    result.stdout.fnmatch_lines(
        [
            "A: HOLDS",
            "  exhaustive: all 2 interleavings were executed, in all 3 schedules (2 users*",
        ]
    )
