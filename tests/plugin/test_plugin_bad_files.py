"""A scenario file that cannot be read: one failing item with every mistake; the others run."""

import json
import random
import re
import sys

import pytest

from tests.plugin.conftest import Project
from tests.plugin.projects import race
from tests.selection import either
from tests.unit.scenario.conftest import GOOD
from tests.unit.scenario.mistakes import ALL, marked

BAD: dict[str, tuple[str | bytes, str]] = {
    "typo": (
        race("B-1").replace("read:", "raed:"),
        r"typo\.supercache\.yaml:7:12: unknown verb 'raed'\n.*\n.*\^ did you mean 'read'\?",
    ),
    "unknown_user": (
        race("B-2").replace('{read: "product:42"}', "{wait_for: bib}"),
        r"unknown_user\.supercache\.yaml:7:\d+: .*'?bib'?[\s\S]*did you mean '?bob'?",
    ),
    "duplicate_user": (
        race("B-3").replace("bob:", "alice:"),
        r"duplicate_user\.supercache\.yaml:8:3: .*alice",
    ),
    "broken_yaml": (race("B-4") + "x: [1\n", r"broken_yaml\.supercache\.yaml:\d+:\d+: "),
    "unknown_system": (
        race("B-5", "shpo"),
        r"unknown_system\.supercache\.yaml:4:9: .*'shpo'[\s\S]*did you mean 'shop'\?",
    ),
    "empty": ("", r"empty\.supercache\.yaml:1:1: "),
    "binary": (bytes(range(256)) * 8, r"binary\.supercache\.yaml:\d+:\d+: "),
}


def write(project: Project, name: str) -> None:
    content = BAD[name][0]
    path = project.path / f"{name}.supercache.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_fails_with_its_place_and_no_traceback(project: Project, name: str) -> None:
    write(project, name)
    result = project.run()
    assert result.ret == 1
    result.assert_outcomes(failed=1)
    assert re.search(BAD[name][1], result.stdout.str())
    assert "Traceback" not in result.stdout.str()
    assert "collection.py" not in result.stdout.str()


def test_bad_files_become_one_failing_item_each_and_the_good_ones_run(project: Project) -> None:
    for name in BAD:
        write(project, name)
    project.scenario(race("G-1", "uncached"), "zz_good")
    project.test_file("def test_ordinary(): pass")
    result = project.run()
    assert result.ret == 1
    result.assert_outcomes(failed=len(BAD), passed=2)
    assert list(project.rows()) == ["G-1"]


def test_every_mistake_of_a_file_is_told_at_once(project: Project) -> None:
    project.scenario(race("B-6").replace("read:", "raed:").replace("write:", "wirte:"))
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*:7:12: unknown verb 'raed'*", "*:8:10: unknown verb 'wirte'*"])


def test_a_file_that_cannot_be_opened_says_so_without_a_traceback(project: Project) -> None:
    (project.path / "gone.supercache.yaml").symlink_to(project.path / "nowhere")
    result = project.run(str(project.path / "gone.supercache.yaml"))
    assert result.ret != 0
    assert "Traceback" not in result.stdout.str()


def test_a_stated_conflict_class_that_is_none_is_an_error_with_a_hint(project: Project) -> None:
    text = race("B-7").replace("system: shop", "systems: {shop: {violated: stale-sett}}")
    project.scenario(text)
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*story.supercache.yaml:4:28: there is no conflict class 'stale-sett'", "*'stale-set'?"]
    )


def test_what_is_probably_not_meant_is_a_note_and_no_failure(project: Project) -> None:
    text = race("B-8", system="uncached", more="flows: {login: [{read: x}]}\n")
    project.scenario(text)
    result = project.run()
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        ["  note: story.supercache.yaml:9: no step uses the flow 'login'; leave it out"]
    )


def test_a_bad_file_is_found_under_its_node_id(project: Project) -> None:
    write(project, "typo")
    result = project.run("typo.supercache.yaml::typo")
    assert result.ret == 1
    result.assert_outcomes(failed=1)


def test_broken_files_are_each_named_at_the_right_line_without_a_traceback(
    project: Project,
) -> None:
    """What the unit tests say of one text, for users: all files in one run of the command."""
    step, damaged = either(8, 1), either(8, 60)
    project.conftest(WORDS)
    known = "[coherent, {monotonic_reads: {for: alice}}]", "[coherent_when_settled]"
    project.scenario(GOOD.replace(*known), "good")
    source, lines = random.Random(5), {}
    for number, given in enumerate(ALL[::step]):
        text, place = marked(GOOD, given.values[0])
        lines[f"m{number:03}"] = place and place[0]
        text = text.replace(*known).replace("id: PRICE-07", f"id: P-{number}")
        project.scenario(text, f"m{number:03}")
    for number in range(damaged):
        rows = GOOD.replace(*known).replace("id: PRICE-07", f"id: Z-{number}").splitlines()
        at = source.randrange(3, len(rows))
        rows[at] = source.choice(["{", "- [", "a: b: c", "\t- x", "who: knows", "*none", "!!set"])
        project.scenario("\n".join(rows), f"z{number:03}")
    done = project.pytester.run(
        sys.executable, "-m", "pytest_supercache.cli", "lint", "--format", "json"
    )
    assert done.ret == 1
    assert "Traceback" not in done.stdout.str() + done.stderr.str()
    found: dict[str, set[int]] = {}
    for problem in json.loads(done.stdout.str()):
        found.setdefault(problem["path"].partition(".")[0], set()).add(problem["line"])
    assert set(found) == set(lines) | {f"z{number:03}" for number in range(damaged)}
    placed = [name for name, line in lines.items() if line is not None]
    right = [name for name in placed if lines[name] in found[name]]
    assert len(right) >= 0.95 * len(placed)
    ran = project.run("-q", "--tb=no")
    assert ran.ret == 1
    ran.assert_outcomes(failed=len(found) + 2)  # two cases of a system that is none
    assert "Traceback" not in ran.stdout.str()


WORDS = """
from typing import Literal
import pytest_supercache as sc

@sc.system("shop")
def shop(layers): ...

@sc.verb("checkout")
def checkout(shop, user, item: str, coupon: str = ""): ...

@sc.verb("transfer")
def transfer(shop, user, source: str, target: str): ...

@sc.verb("log_out")
def log_out(shop, user): ...

@sc.verb("pay")
def pay(shop, user, amount: float, times: int = 1, how: Literal["card", "cash"] = "card",
        again: bool = False, to: list = [], note: str | None = None, extra: dict = {}): ...
"""


def test_two_files_with_one_id_are_an_error_that_names_both(project: Project) -> None:
    project.scenario(race("A", "uncached"), "one")
    project.scenario(race("A", "uncached"), "two")
    result = project.run()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["*two.supercache.yaml:3:5: the id 'A' is taken by *one.supercache*"]
    )
