"""Grains in scenario files: what a project writes, what it is shown, and the printed command."""

import pytest

from tests.plugin.conftest import Project, replay_command

pytestmark = pytest.mark.python

NEAR = '''
class Near:
    """Loads what is missing; nobody has declared its entries."""

    def __init__(self):
        self.entries = {}
        self.loads = 0

    def look(self, key):
        if key not in self.entries:
            self.loads += 1
            self.entries[key] = "loaded"
        return self.entries[key]


class AsyncNear(Near):
    async def look(self, key):
        if key not in self.entries:
            self.loads += 1
            await self.load()
            self.entries[key] = "loaded"
        return self.entries[key]

    async def load(self):
        import asyncio

        answer = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(answer.set_result, None)
        await answer
'''

CONFTEST = """
import near
import pytest_supercache as sc

{watch}

@sc.system("near")
def system(_layers):
    return near.{kind}()

@sc.verb("look")
{look}

@sc.verb("count_loads")
def count_loads(system, _user):
    return system.loads
"""

SCENARIO = """
scenario: Two who miss a key load it once
id: N-1
system: near
guarantees: []
explore: {{grain: {grain}, memory: declared}}
users:
  alice: [{{look: k}}]
  bob: [{{look: k}}]
finally:
  - count_loads: {{}}
    expect: 1
"""

LOOK = {
    "Near": "def look(system, _user, key):\n    return system.look(key)",
    "AsyncNear": "async def look(system, _user, key):\n    return await system.look(key)",
}

LINES = 'sc.watch("near:Near.look", lines=True)'


def set_up(project: Project, grain: str, kind: str = "Near", watch: str = LINES) -> None:
    (project.path / "near.py").write_text(NEAR)
    project.conftest(CONFTEST.format(watch=watch, kind=kind, look=LOOK[kind]))
    project.scenario(SCENARIO.format(grain=grain))


@pytest.mark.parametrize(("grain", "kind"), [("line", "Near"), ("await", "AsyncNear")])
def test_a_race_at_a_finer_grain_is_replayed_by_the_printed_command(
    project: Project, grain: str, kind: str
) -> None:
    set_up(project, grain, kind)
    command = replay_command(project.run())
    found = project.row()
    assert (found["verdict"], found["label"]) == ("violated", "conflict")
    assert found["scope"]["grain"] == grain
    assert f";grain={grain}" in command
    set_up(project, "command", kind)  # the token says its grain
    replayed = project.rerun(command)
    assert replayed.ret == 1
    again = project.row()["counterexample"]
    assert again["token"] == found["counterexample"]["token"]
    assert again["violation"] == found["counterexample"]["violation"]


def test_the_same_flow_holds_at_grain_command(project: Project) -> None:
    set_up(project, "command")
    project.run().assert_outcomes(passed=1)
    assert "context switches only at cache commands" in project.row()["coverage"]


def test_grain_line_without_a_function_is_told_in_a_sentence(project: Project) -> None:
    set_up(project, "line", watch="")
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*grain='line' needs functions whose lines are to be steps*"])
    assert "Traceback" not in result.stdout.str()
