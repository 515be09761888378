"""A waiver covers one conflict of one system: not the next crash, and not the same in another."""

import pytest
from click.testing import CliRunner

from pytest_supercache.cli import main
from tests.plugin.conftest import Project
from tests.plugin.projects import race
from tests.plugin.scenes import begin
from tests.plugin.test_plugin_gate import TODAY, gate, of_the_race, waive
from tests.selection import few

CRASHING = '''
@sc.system("{name}")
def {name}(layers):
    class Crashing{name}(Uncached):
        """Reading fails in every order, in a function of its own."""

        def get(self, key):
            return self.{function}(key)

        def {function}(self, key):
            {error}

    return Crashing{name}(layers.existing_cache.client(), layers.origin)
'''


def crashing(name: str, *, function: str = "look_up", error: str = "raise KeyError(key)") -> str:
    return CRASHING.format(name=name, function=function, error=error)


def fingerprints(project: Project) -> dict[str, str]:
    return {name: row["counterexample"]["fingerprint"] for name, row in project.rows().items()
            if row["counterexample"]}  # fmt: skip


def test_a_waiver_for_one_crash_covers_no_crash_of_another_system(project: Project) -> None:
    project.scenario(race("G-W", "uncached"), "workaround")
    project.scenario(race("C-1", "first"), "first")
    project.add_to_conftest(crashing("first"))
    project.run()
    waive(project, fingerprints(project)["C-1"], TODAY, systems='["first"]')
    assert project.run("--supercache-gate").ret == 0
    project.scenario(race("C-2", "second"), "second")
    project.add_to_conftest(crashing("second", error="1 / 0"))
    assert project.run("--supercache-gate").ret == 1
    assert gate(project)["reasons"][0].startswith("C-2: answers (crash) is broken and nobody")


def test_a_crash_is_known_by_its_error_and_the_function_that_raised_it(project: Project) -> None:
    original = project.path.joinpath("conftest.py").read_text()
    project.scenario(race("C-1", "first"), "one")
    project.scenario(race("C-2", "first"), "two")
    found = {}
    for what, system in {
        "as it was": crashing("first"),
        "with lines above it": f"A = 1\nB = 2\n\n{crashing('first')}",
        "another error": crashing("first", error="raise ValueError(key)"),
        "another function": crashing("first", function="find"),
    }.items():
        project.conftest(original, system)
        project.run()
        one, two = fingerprints(project).values()
        assert one == two, "one conflict in two scenarios of one system stays one"
        found[what] = one
    assert found["with lines above it"] == found["as it was"]
    assert len(set(found.values())) == 3


def test_one_conflict_in_two_systems_has_a_fingerprint_for_each(project: Project) -> None:
    twin = '@sc.system("twin")\ndef twin(layers):\n    return shop(layers)\n'
    project.add_to_conftest(twin)
    for name, system in {"S-1": "shop", "S-2": "shop", "S-3": "twin"}.items():
        project.scenario(race(name, system), name)
    project.run()
    found = fingerprints(project)
    assert found["S-1"] == found["S-2"] != found["S-3"]
    former = {row["counterexample"]["former_fingerprints"][-1] for row in project.rows().values()}
    assert len(former) == 1


WAITING = """
import asyncio
import threading
import pytest_supercache as sc

class Hall:
    def __init__(self):
        self.bell, self.door = threading.Event(), asyncio.Event()

    def enter(self):
        self.bell.wait()

    def leave(self):
        self.bell.wait()

    async def come(self):
        await self.door.wait()

    async def go(self):
        await self.door.wait()

@sc.explore
def test_thread_{name}(world):
    hall = Hall()
    world.actor("alice", hall.{thread})
    world.actor("bob", world.origin.get, "k")
    world.run()

@sc.explore
async def test_task_{name}(world):
    hall = Hall()
    world.actor("alice", hall.{task})
    world.actor("bob", hall.{task})
    await world.run()
"""


def test_who_waits_for_ever_is_known_by_the_function_it_waits_in(project: Project) -> None:
    found = {}
    for name, thread, task in (("a", "enter", "come"), ("b", "leave", "go")):
        project.test_file(WAITING.format(name=name, thread=thread, task=task), f"test_{name}")
    project.run()
    rows = project.rows()
    for kind in ("thread", "task"):
        classes = {rows[f"test_{kind}_{name}"]["counterexample"]["conflict_class"] for name in "ab"}
        assert classes == {"lost-wakeup"}
        found[kind] = {fingerprints(project)[f"test_{kind}_{name}"] for name in "ab"}
    assert [len(different) for different in found.values()] == [2, 2]


@pytest.mark.parametrize(
    ("systems", "status"), few([('["shop", "b"]', 0), ('["b"]', 1), ('["shop"]', 0)], 2)
)
def test_a_waiver_has_force_for_the_systems_that_it_names(
    project: Project, systems: str, status: int
) -> None:
    project.scenario(race("F-1"))
    project.scenario(race("G-W", "uncached"), "workaround")
    waive(project, of_the_race(project), TODAY, systems=systems)
    assert project.run("--supercache-gate").ret == status
    if status:
        assert "KI-1 does not name the system shop" in gate(project)["reasons"][0]


def _found(project: Project) -> None:
    project.scenario(race("M-1"), "one")
    project.scenario(race("M-2"), "two")
    project.scenario(race("G-W", "uncached"), "workaround")
    project.run()


@pytest.mark.parametrize("has_systems", few([True, False], 1))
def test_check_shows_the_new_fingerprint_beside_an_old_one(
    project: Project, monkeypatch: pytest.MonkeyPatch, has_systems: bool
) -> None:
    """One edit moves a waiver, also when it was written before entries named systems."""
    begin(project, _found)
    found = project.rows()["M-1"]["counterexample"]
    (former,), present = found["former_fingerprints"], found["fingerprint"]
    assert former != present
    waive(project, former, TODAY)
    path = project.path / "known-issues.toml"
    if has_systems:
        assert project.run("--supercache-gate").ret == 1
        assert f"KI-1 names the former one, {former}" in gate(project)["reasons"][0]
    else:
        path.write_text(path.read_text().replace('systems = ["shop"]\n', ""))
    monkeypatch.chdir(project.path)
    checked = CliRunner().invoke(main, ["known", "check"])
    assert checked.exit_code == (1 if has_systems else 2)
    edit = f'match = "{present}"'
    assert (
        f'line 1: KI-1: match = "{former}" is a former fingerprint; for M-1, M-2 write {edit}, '
        "systems = ['shop']"
    ) in checked.output
    waive(project, present, TODAY)
    assert project.run("--supercache-gate").ret == 0
    assert CliRunner().invoke(main, ["known", "check"]).exit_code == 0


def test_a_crash_that_a_worker_finds_has_the_same_fingerprint(project: Project) -> None:
    project.add_to_conftest(crashing("first"))
    for number in range(2):
        project.scenario(race(f"C-{number}", "first"), f"s{number}")
    project.run()
    here = fingerprints(project)
    project.run_apart("--supercache-workers=2")
    assert fingerprints(project) == here
    assert len(set(here.values())) == 1


FACADE = """
class ServiceError(Exception):
    pass

class Service:
    def __init__(self, find):
        self.find = find

    def price(self, key):
        return self.ask(key)

    def stock(self, key):
        return self.ask(key)

    def ask(self, key):
        try:
            return self.find(key)
        except Exception as error:
            raise ServiceError("not now") from error

def find(key):
    {error}

@sc.system("service")
def service(layers):
    return Service(find)

@sc.verb("ask")
def {name}(system, user, key):
    return system.{asks}(key)
"""
ASKED = """
scenario: Somebody asks
id: A-1
system: service
users:
  alice: [{ask: k}]
"""


def test_a_waiver_for_an_error_behind_a_facade_covers_that_one_only(project: Project) -> None:
    """The function of a verb is a step of the scenario; what it calls is under test."""
    original = project.path.joinpath("conftest.py").read_text()
    missing = {"error": "raise KeyError(key)", "name": "ask", "asks": "price"}
    project.scenario(race("G-W", "uncached"), "workaround")
    project.scenario(ASKED, "asked")
    project.conftest(original, FACADE.format(**missing))
    project.run()
    waive(project, fingerprints(project)["A-1"], TODAY, systems='["service"]')
    for change, status in (
        ({}, 0),
        ({"name": "asks_for_a_price"}, 0),
        ({"error": "1 / 0"}, 1),
        ({"asks": "stock"}, 1),
    ):
        project.conftest(original, FACADE.format(**{**missing, **change}))
        assert project.run("--supercache-gate").ret == status, change


STALE_IN_PYTHON = """
import pytest_supercache as sc
from conftest import Shop

class Till(Shop):
    \"\"\"Another place with the same race.\"\"\"

    def get(self, key):
        return super().get(key)

    def set(self, key, value):
        super().set(key, value)

def run(world, reader, writer):
    world.actor("reader", reader)
    world.actor("writer", writer)
    world.run()
    world.settle()

def made(world, kind):
    world.origin.set("k", 1)
    return kind(world.existing_cache.client(), world.origin)

def with_users(kind, alice, bob):
    def body(world):
        shop = made(world, kind)
        reader, writer = world.user(alice, shop), world.user(bob, shop)
        run(world, lambda: reader.read("k"), lambda: writer.write("k", 2))
    return body

def without_users(kind):
    def body(world):
        shop = made(world, kind)
        run(world, lambda: shop.get("k"), lambda: shop.set("k", 2))
    return body

@sc.explore(guarantees=[sc.COHERENT_WHEN_SETTLED])
def test_users(world):
    with_users({kind}, "alice", "bob")(world)

@sc.explore(guarantees=[sc.COHERENT_WHEN_SETTLED])
def test_other_users(world):
    with_users({kind}, "carol", "dave")(world)

@sc.explore(guarantees=[sc.COHERENT_WHEN_SETTLED])
def test_bystander(world):
    shop = made(world, {kind})
    world.actor("eve", Shop(world.existing_cache.client(), world.origin).get, "other")
    with_users({kind}, "alice", "bob")(world)

@sc.explore(guarantees=[sc.COHERENT_WHEN_SETTLED])
def test_lambdas(world):
    without_users({kind})(world)

def read(shop):
    shop.get("k")

@sc.explore(guarantees=[sc.COHERENT_WHEN_SETTLED])
def test_helpers(world):
    shop = made(world, {kind})
    run(world, lambda: read(shop), lambda: shop.set("k", 2))

@sc.explore(guarantees=[sc.COHERENT_WHEN_SETTLED])
def test_methods(world):
    shop = made(world, {kind})
    world.actor("reader", shop.get, "k")
    world.actor("writer", shop.set, "k", 2)
    world.run()
    world.settle()
"""


def test_a_conflict_in_python_tests_is_known_by_the_class_that_the_flow_calls(
    project: Project,
) -> None:
    """Who calls it, by what name and through which lambda does not matter."""
    for kind in ("Shop", "Till"):
        project.test_file(STALE_IN_PYTHON.replace("{kind}", kind), f"test_{kind.lower()}")
    project.run()
    found: dict[str, dict[str, str]] = {}
    for row in project.verdict()["scenarios"]:
        conflict = row["counterexample"]
        assert conflict["conflict_class"] == "stale-set"
        found.setdefault(row["node_id"].partition("::")[0], {})[row["id"]] = conflict["fingerprint"]
    shop, till = found["test_shop.py"], found["test_till.py"]
    for one in (shop, till):
        assert one["test_users"] == one["test_other_users"] == one["test_bystander"]
        assert one["test_lambdas"] == one["test_methods"] == one["test_helpers"]
    assert not set(shop.values()) & set(till.values())


def test_a_waiver_for_one_class_covers_no_conflict_of_another_in_python(project: Project) -> None:
    project.scenario(race("G-W", "uncached"), "workaround")
    project.test_file(STALE_IN_PYTHON.replace("{kind}", "Shop"), "test_one")
    project.run("-k", "test_users")
    waive(project, fingerprints(project)["test_users"], TODAY, systems="[]")
    assert project.run("--supercache-gate", "-k", "test_users or G-W").ret == 0
    project.test_file(STALE_IN_PYTHON.replace("{kind}", "Till"), "test_two")
    assert project.run("--supercache-gate", "-k", "test_users or G-W").ret == 1
    assert "KI-1" not in gate(project)["reasons"][0]
