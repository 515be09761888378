"""repro_<id>.py: it fails while the conflict is there, and passes only when none is left."""

import re

import pytest

from pytest_supercache.gate.lock import GateLock, write_lock
from tests.plugin.conftest import Project
from tests.plugin.projects import STALE_TEST, race
from tests.selection import few

FILL = "self.redis.set(key, json.dumps(value))"
STATED = race().replace("system: shop", "systems: {shop: violated, uncached: holds}")


def mended(project: Project, new: str, old: str = FILL) -> None:
    path = project.path / "conftest.py"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_reproducer_fails_on_the_naive_system_and_passes_on_the_fixed_one(
    project: Project,
) -> None:
    project.scenario(STATED)
    project.run().assert_outcomes(passed=2)
    (written,) = (project.path / "reports").glob("repro_*.py")
    assert written.name == "repro_S-1_shop.py"
    assert "# 3. bob @a: origin write product:42" in written.read_text()
    for path in project.path.glob("*.yaml"):
        path.unlink()  # it stands alone
    again = project.run_apart(str(written))
    again.assert_outcomes(failed=1)
    again.stdout.fnmatch_lines(
        [
            "reports/repro_S-1_shop.py::test_s_1_shop: VIOLATED*",
            "replay: pytest reports/repro_S-1_shop.py",
        ]
    )
    mended(project, "self.redis.get(key)")
    project.run_apart(str(written)).assert_outcomes(passed=1)
    assert project.row()["verdict"] == "holds"
    assert project.row()["exhausted"]


@pytest.fixture
def reproducer(project: Project) -> str:
    project.scenario(STATED)
    project.run()
    return str(project.path / "reports" / "repro_S-1_shop.py")


@pytest.mark.parametrize(
    ("new", "old"),
    few(
        [
            ("self.redis.get(key); self.redis.exists(key); self.redis.get(key)", FILL),
            ("pass", FILL),
        ],
        1,
    ),
)
def test_a_fix_that_takes_more_or_fewer_steps_passes(
    project: Project, reproducer: str, new: str, old: str
) -> None:
    mended(project, new, old)
    project.run(reproducer).assert_outcomes(passed=1)


def test_other_steps_that_still_fail_are_no_fix(project: Project, reproducer: str) -> None:
    mended(project, f"self.redis.exists(key); {FILL}")
    project.run(reproducer).assert_outcomes(failed=1)
    assert project.row()["verdict"] == "violated"
    assert project.row()["executions"] > 1, "the flow was searched"


def test_a_search_that_was_cut_off_does_not_pass(project: Project, reproducer: str) -> None:
    mended(project, "self.redis.get(key)")
    project.run(reproducer, "--supercache-executions=2").assert_outcomes(failed=1)
    assert project.row()["verdict"] == "unknown"


def test_to_the_gate_a_reproducer_is_no_evidence_and_can_stand_against_a_release(
    project: Project,
) -> None:
    """It stands in for no scenario: not in the lock, nor as evidence, nor for a workaround."""
    (project.path / "pyproject.toml").write_text('[tool.supercache]\nrelease = ["shop"]\n')
    (project.path / "gate.lock").write_text(
        write_lock(GateLock(scenarios={"S-1": True}, paths=(".",)))
    )
    project.scenario(race())
    project.run()
    kept = project.path / "test_kept.py"
    (project.path / "reports" / "repro_S-1.py").rename(kept)
    kept.write_text(kept.read_text().replace("../conftest.py", "conftest.py"))
    assert project.run("--supercache-gate").ret == 1
    mended(project, "self.redis.get(key)")
    assert project.run("--supercache-gate").ret == 0
    (project.path / "story.supercache.yaml").unlink()
    assert project.run("--supercache-gate").ret == 6
    assert project.verdict()["gate"]["reasons"] == [
        "S-1 is in gate.lock and was not run",
        "nothing holds for shop, which the release contains",
    ]
    (row,) = project.verdict()["scenarios"]
    assert (row["id"], row["system"]) == ("test_kept.py::test_s_1", "")
    mended(project, FILL, "self.redis.get(key)")
    project.scenario(race(system="uncached"))
    (project.path / "pyproject.toml").unlink()
    assert project.run("--supercache-gate").ret == 1
    assert "test_kept.py::test_s_1: " in project.verdict()["gate"]["reasons"][0]


def test_a_reproducer_leaves_no_other_one_behind(project: Project, reproducer: str) -> None:
    project.run(reproducer, "--supercache-report=out").assert_outcomes(failed=1)
    assert not list((project.path / "out").glob("repro_*"))


def test_a_conftest_in_a_folder_of_its_own_is_found_until_somebody_moves_it(
    project: Project,
) -> None:
    folder = project.path / "deep" / "er"
    folder.mkdir(parents=True)
    (project.path / "conftest.py").rename(folder / "conftest.py")
    (folder / "story.supercache.yaml").write_text(race())
    project.run().assert_outcomes(failed=1)
    repro = project.path / "reports" / "repro_S-1.py"
    project.run(str(repro)).assert_outcomes(failed=1)
    assert project.row()["verdict"] == "violated"
    moved = project.path / "other" / "folder" / "repro_moved.py"
    moved.parent.mkdir(parents=True)
    moved.write_text(repro.read_text())
    result = project.run(str(moved))
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*there is no *deep/er/conftest.py*Correct its path*"])


EXPLORED = (
    STALE_TEST
    + """
import pytest

@pytest.fixture
def price():
    return 2

class TestShop:
    @pytest.mark.parametrize("key", ["100%", "a::b"])
    @sc.explore
    def test_stale(self, world, key, price):
        world.origin.set(key, 1)
        shop = Shop(world.existing_cache.client(), world.origin)
        world.actor("alice", shop.get, key)
        world.actor("bob", shop.set, key, price)
        world.run()
        world.settle()
        assert shop.get(key) == price
"""
)


def test_a_python_test_has_a_reproducer_for_each_of_its_cases(project: Project) -> None:
    project.test_file(EXPLORED)
    project.run().assert_outcomes(failed=2)
    repros = sorted((project.path / "reports").glob("repro_*.py"))
    assert [path.name for path in repros] == ["repro_test_stale_100.py", "repro_test_stale_a_b.py"]
    arguments = [str(path) for path in repros]
    project.run(*arguments).assert_outcomes(failed=2, deselected=2)
    mended(project, "self.redis.get(key)")
    project.run(*arguments).assert_outcomes(passed=2, deselected=2)


def test_what_the_command_line_asked_for_is_part_of_the_flow(project: Project) -> None:
    project.scenario(race() + "explore: {search: random, preemptions: 3, executions: 900}\n")
    project.run("--supercache-ticks=2", "--supercache-seed=5", "--supercache-faults=1")
    flow = project.row()["flow"]["scenario"]
    (said,) = re.findall("^explore: .*$", flow, re.MULTILINE)
    assert said == "explore: {executions: 900, ticks: 2, seed: 5}"
    assert "faults: {max: 1}" in flow


COROUTINES = """
class AsyncShop(Shop):
    async def get(self, key):
        found = await self.redis.get(key)
        if found is not None:
            return json.loads(found)
        value = await self.db.get(key)
        await self.redis.set(key, json.dumps(value))
        return value

    async def set(self, key, value):
        await self.db.set(key, value)
        await self.redis.delete(key)

@sc.system("awaited")
def awaited(layers):
    return AsyncShop(layers.existing_cache.aclient(), layers.origin.aio)
"""


def stop(project: Project, step: str, typed: str, system: str = "shop") -> str:
    """Replay with a debugger that is told what to do; return what it said."""
    project.scenario(race(system=system))
    token = "sc1:S-1:alice*2,bob*2,alice"
    debugging = (f"--supercache-replay={token}", "--pdb", f"--supercache-break={step}")
    return project.run_with_input(typed.encode(), *debugging).stdout.str()


def test_a_debugger_opens_in_the_code_under_test_and_steps_on_there(project: Project) -> None:
    said = stop(project, "alice: origin read product:42", "p key\nn\np value\nn\np 6 * 7\nc\nq\n")
    assert "supercache: before step 2. alice: origin read product:42" in said
    assert re.search(r"> .*conftest\.py\(\d+\)get\(\)\n-> value = self\.db\.get\(key\)", said)
    assert "(Pdb) 'product:42'" in said
    assert "(Pdb) 100" in said, "the step has had its effect"
    assert "(Pdb) 42" in said
    assert "S-1: VIOLATED coherent_when_settled" in said, "the replay goes on as recorded"


def test_a_debugger_opens_in_a_coroutine_and_never_outside_of_the_code_under_test(
    project: Project,
) -> None:
    project.add_to_conftest(COROUTINES)
    said = stop(project, "bob: DEL product:42", "p value\nn\nn\nn\nn\nc\nq\n", "awaited")
    assert re.search(r"> .*conftest\.py\(\d+\)set\(\)\n-> await self\.redis\.delete\(key\)", said)
    assert "(Pdb) 120" in said
    stepped, found, _ = said.partition("S-1: VIOLATED coherent_when_settled")
    assert found
    assert not re.search("^> .*pytest_supercache/", stepped, re.MULTILINE)


NEAR = """
class Near:
    def __init__(self, origin):
        self.origin, self.near = origin, {}

    def get(self, key):
        if key not in self.near:
            self.near[key] = self.origin.get(key)
        return self.near[key]

    def set(self, key, value):
        self.origin.set(key, value)
        self.near.pop(key, None)

@sc.system("near")
def near(layers):
    return Near(layers.origin)
"""


def test_a_debugger_opens_at_an_access_to_memory_on_the_line_of_the_user(project: Project) -> None:
    project.add_to_conftest(NEAR)
    project.scenario(race(system="near"))
    project.run()
    token = project.row()["counterexample"]["token"]
    result = project.run_with_input(
        b"p key\nn\nc\nq\n", f"--supercache-replay={token}", "--pdb",
        "--supercache-break=alice: write Near.near['product:42']",
    )  # fmt: skip
    said = result.stdout.str()
    line = r"-> self\.near\[key\] = self\.origin\.get\(key\)"
    assert re.search(rf"> .*conftest\.py\(\d+\)get\(\)\n{line}", said)
    assert "(Pdb) 'product:42'" in said
    assert re.search(r"> .*conftest\.py\(\d+\)get\(\)\n-> return self\.near\[key\]", said)


def test_leaving_the_debugger_ends_the_run(project: Project) -> None:
    said = stop(project, "2", "q\n")
    assert "the debugger was left" in said
    assert "VIOLATED" not in said


def test_a_step_that_does_not_exist_is_told_with_those_that_do(project: Project) -> None:
    said = stop(project, "12", "q\n")
    assert "--supercache-break=12: no step of a user is called so" in said
    assert "4. bob: DEL product:42" in said


@pytest.mark.parametrize(
    ("options", "missing"),
    [
        (["--pdb"], "--supercache-replay=TOKEN"),
        (["--supercache-replay=sc1:S-1:alice*2,bob*2,alice"], "--pdb"),
    ],
)
def test_a_breakpoint_without_a_replay_or_a_debugger_is_refused(
    project: Project, options: list[str], missing: str
) -> None:
    project.scenario(race())
    result = project.run("--supercache-break=4", *options)
    assert result.ret == 4
    result.stderr.fnmatch_lines([f"*--supercache-break*{missing}*"])
