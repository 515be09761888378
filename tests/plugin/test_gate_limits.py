"""A GO says beside itself where it says less than it seems: judged, searched, drawn."""

import pytest
from click.testing import CliRunner

from pytest_supercache.cli import main
from tests.plugin.conftest import Project
from tests.plugin.projects import SHOP, STALE_TEST, one_reader, race
from tests.plugin.test_plugin_gate import TODAY, configure, gate, of_the_race, waive
from tests.selection import few

BARE = "judged only for errors and deadlocks, by no guarantee: "
NONE = "guarantees: []\n"


def limits(project: Project) -> list[str]:
    return list(gate(project)["limits"])


def test_a_go_names_the_scenarios_that_were_judged_by_no_guarantee(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin: one with the guarantees that are the default is not named."""
    project.scenario(race("L-1", "uncached", NONE), "one")
    project.scenario(race("L-2", "uncached", "guarantees: [answers]\n"), "two")
    project.scenario(race("L-3", "uncached"), "three")
    result = project.run("--supercache-gate")
    assert result.ret == 0
    assert limits(project) == [f"{BARE}L-1, L-2"]
    assert f"  scope: {BARE}L-1, L-2" in result.outlines
    row = project.rows()["L-1"]
    assert row["scope"]["guarantees"] == "none"
    assert "judged only for errors and deadlocks, by no guarantee" in row["coverage"]
    judged = project.rows()["L-3"]
    assert judged["scope"]["guarantees"] == "coherent_when_settled, read_your_writes"
    assert "by no guarantee" not in judged["coverage"]
    for name in ("message.md", "index.html"):
        assert f"{BARE}L-1, L-2" in (project.path / "reports" / name).read_text()
    monkeypatch.chdir(project.path)
    assert f"{BARE}L-1, L-2" in CliRunner().invoke(main, ["verdict"]).output
    assert "by no guarantee" in CliRunner().invoke(main, ["report", "--to", "summary"]).output


def test_what_is_checked_besides_is_told(project: Project) -> None:
    """A scenario without guarantees that holds on a system with the race has not looked for it."""
    project.scenario(race("L-1", more=f"{NONE}finally: [{{read: k, expect: missing}}]\n"))
    project.test_file(f"""{STALE_TEST}
@sc.explore
def test_it(world):
    shop = Shop(world.existing_cache.client(), world.origin)
    world.actor("reader", shop.get, "k")
    world.run()
""")
    assert project.run("--supercache-gate").ret == 0
    told = "judged only for errors, deadlocks and {}, by no guarantee: {}"
    assert limits(project) == [
        told.format("what its steps expect", "L-1"),
        told.format("what the body asserts", "test_it"),
    ]


def test_the_check_of_a_workaround_is_named_when_it_was_not_judged_by_what_is_broken(
    project: Project,
) -> None:
    project.scenario(race("L-1"))
    project.scenario(race("G-W", "uncached"), "workaround")
    waive(project, of_the_race(project), TODAY)
    told = "not covered: KI-1 breaks coherent_when_settled, and the check of its workaround was "
    told += "not judged by that: G-W"
    for more, is_less in (("", False), (NONE, True), ("guarantees: [monotonic_reads]\n", True)):
        project.scenario(race("G-W", "uncached", more), "workaround")
        assert project.run("--supercache-gate").ret == 0
        assert (told in gate(project)["scope"]) == is_less
        assert (f"{BARE}G-W" in limits(project)) == (more == NONE)


DECLARED = "only declared memory was searched: "


def test_a_go_names_what_searched_only_declared_memory(project: Project) -> None:
    project.scenario(race("L-1", "uncached", "explore: {memory: declared}\n"), "one")
    project.scenario(race("L-2", "uncached"), "two")
    assert project.run("--supercache-gate").ret == 0
    assert limits(project) == [f"{DECLARED}L-1"]
    assert "only declared memory searched" in project.rows()["L-1"]["coverage"]
    assert "only declared memory searched" not in project.rows()["L-2"]["coverage"]


@pytest.mark.parametrize(
    ("memory", "names"), few([("declared", [f"{DECLARED}L-1"]), ("shared", []), ("auto", [])], 2)
)
def test_memory_on_the_command_line_is_told(
    project: Project, memory: str, names: list[str]
) -> None:
    project.scenario(race("L-1", "uncached"))
    assert project.run("--supercache-gate", f"--supercache-memory={memory}").ret == 0
    assert limits(project) == names
    told = f"not covered: what scenario files say beyond --supercache-memory={memory}"
    assert told in gate(project)["scope"]


SETTINGS = {
    "ticks = 0": True, "polls = 2": True, "memory = 'declared'": True, "preemptions = 9": True,
    "ticks = 'auto'": False, "polls = 9": False, "memory = 'shared'": False,
    "search = 'exhaustive'": False, "faults = 0": False,
}  # fmt: skip


@pytest.mark.parametrize(
    "setting",
    few(dict.fromkeys(["ticks = 0", "ticks = 'auto'", "memory = 'declared'", *SETTINGS]), 3),
)
def test_settings_by_which_less_is_searched_are_told(project: Project, setting: str) -> None:
    """The twins search what is the default, or more."""
    project.scenario(one_reader("L-1", "uncached"))
    configure(project, setting)
    ended = project.run("--supercache-gate")
    told = setting.replace("'", "")
    assert project.verdict()["run"]["narrowed_by"] == (
        [f"[tool.supercache] {told}"] if SETTINGS[setting] else []
    )
    assert (f"what [tool.supercache] {told} leaves out" in ended.stdout.str()) == SETTINGS[setting]


def test_settings_of_pytest_by_which_less_is_searched_are_told(project: Project) -> None:
    project.scenario(one_reader("L-1", "uncached"))
    project.pytester.makeini("[pytest]\nsupercache_odds = 0\nsupercache_ticks = 0\n")
    assert project.run("--supercache-gate").ret == 0
    told = "not covered: what supercache_ticks = 0 leaves out where scenario files say nothing"
    assert told in gate(project)["scope"]


def test_a_go_says_how_many_examples_were_drawn(project: Project) -> None:
    """The twin: a test that draws nothing."""
    project.test_file(f"""{STALE_TEST}
from hypothesis import assume, given, settings, strategies as st

def explored(world, value):
    shop = Uncached(world.existing_cache.client(), world.origin)
    world.actor("reader", shop.get, "k")
    world.actor("writer", shop.set, "k", value)
    world.run()
    world.settle()

@settings(max_examples=3, database=None)
@given(value=st.integers(0, 9))
@sc.explore(guarantees=[sc.COHERENT_WHEN_SETTLED])
def test_drawn(world, value):
    explored(world, value)

@sc.explore(guarantees=[sc.COHERENT_WHEN_SETTLED])
def test_fixed(world):
    explored(world, 7)
""")
    assert project.run("--supercache-gate").ret == 0
    assert project.rows()["test_drawn"]["scope"]["examples"] == 3
    assert "examples" not in project.rows()["test_fixed"]["scope"]
    told = "a sample of the inputs, drawn by @given: test_drawn (3 examples drawn)"
    assert limits(project) == [told]


def test_a_go_names_the_runs_whose_first_execution_was_not_searched(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment is filled once; the twin empties it in each execution."""
    monkeypatch.setenv("SUPERCACHE_TEST_RATES", "")
    project.test_file("""
import os
import pytest_supercache as sc

def load(cache):
    if not os.environ["SUPERCACHE_TEST_RATES"]:
        cache.get("rates")
        os.environ["SUPERCACHE_TEST_RATES"] = "loaded"
    cache.get("price")

@sc.explore
def test_imports(world):
    world.actor("alice", world.existing_cache.client().get, "price")
    world.run()

def both_load(world):
    for name in ("alice", "bob"):
        world.actor(name, load, world.existing_cache.client())
    world.run()

@sc.explore
def test_empties(world):
    os.environ["SUPERCACHE_TEST_RATES"] = ""
    both_load(world)

@sc.explore
def test_fills(world):
    both_load(world)
""")
    assert project.run("--supercache-gate").ret == 0
    assert "a first run that took other steps was not searched: test_fills" in limits(project)


APART = "the users touched nothing in common, so no order mattered: "


def test_a_go_names_the_scenarios_whose_users_have_nothing_in_common(project: Project) -> None:
    """The twin: both use one key."""
    written = {"A-1": "prodcut:42", "A-2": "product:42"}
    for name, key in written.items():
        text = race(name, "uncached").replace('key: "product:42"', f'key: "{key}"')
        project.scenario(text, name)
    assert project.run("--supercache-gate").ret == 0
    assert limits(project) == [f"{APART}A-1"]


def test_a_go_names_the_scenarios_whose_users_could_come_in_one_order_only(
    project: Project,
) -> None:
    """On a system with the race. The twin: a system without it, in both orders."""
    text = race("O-1").replace("value: 120}}]", "value: 120}, id: done}]")
    project.scenario(text.replace("alice: [", "alice: [{wait_for: bob.done}, "), "one")
    project.scenario(race("O-2", "uncached"), "two")
    assert project.run("--supercache-gate").ret == 0
    told = "the users could come in one order only, as if each waited for another: "
    assert limits(project) == [f"{told}O-1"]


def test_what_is_given_and_never_touched_is_no_evidence(project: Project) -> None:
    """The twin: a system that works around its cache touches nothing of it."""
    given = {"A-1": 'origin: {"prodcut:42": 100}', "A-2": 'existing_cache: {k: "100"}'}
    for name, untouched in given.items():
        text = race(name, "uncached").replace('origin: {"product:42": 100}', untouched)
        project.scenario(text, name)
    result = project.run("--supercache-gate")
    assert result.ret == 6
    result.stdout.fnmatch_lines(["*A-1 is UNKNOWN: its file says*(origin:prodcut:42)*"])
    assert project.rows()["A-2"]["verdict"] == "holds"
    assert "A-2" not in "\n".join(gate(project)["reasons"])


@pytest.mark.parametrize(
    ("values", "are_there"),
    [
        (["120", '"120"'], True),
        (["121", '120}}, {write: {key: "product:42", value: 7'], False),
    ],
)
def test_a_go_names_the_scenarios_that_write_what_is_there(
    project: Project, values: list[str], are_there: bool
) -> None:
    """On a system with the race, which shows by an outdated value only. The twins change it."""
    for at, value in enumerate(values):
        text = race(f"S-{at}").replace("100}", "120}").replace("value: 120", f"value: {value}")
        project.scenario(text, f"s{at}")
    assert project.run("--supercache-gate").ret == (0 if are_there else 1)
    found = {row["verdict"] for row in project.rows().values()}
    assert found == {"holds" if are_there else "violated"}
    told = "the users wrote what was there before, which cannot be outdated: "
    assert limits(project) == [f"{told}S-0, S-1"] * are_there


OFF = "no step reached a cache, as if it were switched off: "

CACHES = """
from threading import Lock
import pytest_supercache as sc

class Off:
    '''What a shop is with the cache of its tests: DummyCache, NullCache, CACHE_ENABLED=0.'''

    def __init__(self, db):
        self.db = db
    def get(self, key):
        return self.db.get(key)
    def set(self, key, value):
        self.db.set(key, value)

class Near(Off):
    '''A cache of its own memory, under one lock.'''

    def __init__(self, db):
        super().__init__(db)
        self.near, self.lock = {}, Lock()
    def get(self, key):
        with self.lock:
            if key not in self.near:
                self.near[key] = super().get(key)
            return self.near[key]
    def set(self, key, value):
        with self.lock:
            super().set(key, value)
            self.near[key] = value

@sc.system("off")
def off(layers):
    return Off(layers.origin)

@sc.system("near")
def near(layers):
    return Near(layers.origin)
"""


def test_a_go_names_the_scenarios_in_which_no_cache_was_reached(project: Project) -> None:
    """The twins: a cache in memory, one in that of each node, and one whose entries are deleted."""
    conftest = project.path / "conftest.py"
    conftest.write_text(conftest.read_text() + CACHES)
    for system, node in (("off", "a"), ("near", "a"), ("near", "b"), ("uncached", "a")):
        of_node = f"bob:\n    node: {node}\n    steps: ["
        text = race(f"{system}-{node}", system, "guarantees: [answers]\n")
        project.scenario(text.replace("bob: [", of_node), f"{system}-{node}")
    assert project.run("--supercache-gate").ret == 0
    assert [one for one in limits(project) if not one.startswith(BARE)] == [f"{OFF}off-a"]


KEPT_NOTHING = "each answer came from the origin, as if caches kept nothing: "

FORGETFUL = """
class Forgetful(Shop):
    '''What a shop is with a time to live of 0, or with values that cannot be stored.'''

    def get(self, key):
        found = self.redis.get(key)
        if found is not None:
            return json.loads(found)
        value = self.db.get(key)
        STORE
        return value

@sc.system("forgetful")
def forgetful(layers):
    return Forgetful(layers.existing_cache.client(), layers.origin)
"""


@pytest.mark.parametrize(
    ("store", "is_lost"),
    [
        ("self.redis.delete(key)", True),
        ("self.redis.set(f'entry:{key}', json.dumps(value))", True),
        ("self.redis.set(key, json.dumps(value))", False),
    ],
)
def test_a_go_names_the_scenarios_whose_cache_kept_nothing(
    project: Project, store: str, is_lost: bool
) -> None:
    """The twins: what is stored is never found in the race, but was there; and nobody asks."""
    project.add_to_conftest(FORGETFUL.replace("STORE", store))
    given = "given: {origin: {k: 1}}\nguarantees: [answers]\n"
    project.scenario(one_reader("L-1", "forgetful", given), "one")
    project.scenario(race("L-2", "uncached", "guarantees: [answers]\n"), "two")
    assert project.run("--supercache-gate").ret == 0
    told = [one for one in limits(project) if not one.startswith(BARE)]
    assert told == [f"{KEPT_NOTHING}L-1"] * is_lost


@pytest.mark.parametrize("is_old", [True, False])
def test_a_cache_in_memory_that_keeps_nothing_is_named(project: Project, is_old: bool) -> None:
    """The twin: nodes are asked in the end, and find what was stored."""
    near = f"if {is_old} or key not in self.near:"
    project.add_to_conftest(CACHES.replace("if key not in self.near:", near))
    project.scenario(race("L-1", "near"))
    assert project.run("--supercache-gate").ret == 0
    assert limits(project) == [f"{KEPT_NOTHING}L-1"] * is_old


DJANGO = """
from django.conf import settings

settings.configure(CACHES={"default": {
    "BACKEND": "django.core.cache.backends.locmem.LocMemCache", "TIMEOUT": SECONDS,
}})

from django.core.cache import cache

class OfDjango(Off):
    def get(self, key):
        return cache.get_or_set(key, lambda: self.db.get(key))

@sc.system("django")
def with_django(layers):
    cache.clear()
    return OfDjango(layers.origin)
"""


@pytest.mark.parametrize("seconds", [0, 60])
def test_a_cache_of_django_that_keeps_nothing_is_named(project: Project, seconds: int) -> None:
    """Its calls are declared; whether one is answered, only the end shows."""
    project.add_to_conftest(CACHES + DJANGO.replace("SECONDS", str(seconds)))
    project.scenario(one_reader("L-1", "django", "given: {origin: {k: 1}}\n"))
    assert project.run_apart("--supercache-gate").ret == 0
    told = [one for one in limits(project) if not one.startswith(BARE)]
    assert told == [f"{KEPT_NOTHING}L-1"] * (seconds == 0)


NO_SUBJECT = "nobody did what could break the guarantees: "


@pytest.mark.parametrize(
    ("guarantee", "more"),
    [
        ("read_your_writes", ', {read: "product:42"}'),
        ("monotonic_reads", ', {read: "product:42"}, {read: "product:42"}'),
        ("read_your_writes, coherent_when_settled", ""),
    ],
)
def test_a_go_names_the_scenarios_in_which_nothing_could_break_the_guarantees(
    project: Project, guarantee: str, more: str
) -> None:
    """The twins: somebody does it, or another guarantee is judged."""
    text = race("L-1", "uncached", f"guarantees: [{guarantee}]\n")
    project.scenario(text, "one")
    text = text.replace("L-1", "L-2").replace("value: 120}}]", f"value: 120}}}}{more}]")
    project.scenario(text, "two")
    assert project.run("--supercache-gate").ret == 0
    assert limits(project) == [f"{NO_SUBJECT}L-1 ({guarantee})"] * bool(more)


OWN = "the body read what it had left there in an earlier execution: "


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (
            "answers.append(shop.get('k')); assert 2 in answers",
            f"{OWN}test_it (fixtures['answers'])",
        ),
        ("answers.append(shop.get('k'))", ""),
    ],
)
def test_a_go_names_the_tests_that_read_what_an_earlier_execution_has_left(
    project: Project, statement: str, told: str
) -> None:
    """The twin only collects."""
    project.test_file(f"""{STALE_TEST}
import pytest

@pytest.fixture
def answers(): return []

@sc.explore
def test_it(world, answers):
    world.origin.set("k", 1)
    shop = Shop(world.existing_cache.client(), world.origin)
    world.actor("reader", shop.get, "k")
    world.actor("writer", shop.set, "k", 2)
    world.run()
    {statement}
""")
    assert project.run("--supercache-gate").ret == 0
    assert [one for one in limits(project) if "judged only" not in one] == [told] * bool(told)


REPLACED = "conftest files or fixtures replaced what belongs to the code under test: "

FIXTURE = """
import pytest, shop_of_fixtures
from shop_of_fixtures import Wares, RATES

@pytest.fixture(autouse=True)
def off(monkeypatch, request):
    LINE

@sc.system("of_fixtures")
def of_fixtures(layers):
    return Wares(layers.existing_cache.client(), layers.origin)
"""


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("monkeypatch.setattr(Wares, 'get', lambda self, key: self.db.get(key))", ["Wares.get"]),
        ("monkeypatch.setattr(shop_of_fixtures, 'MODE', 'off')", ["MODE"]),
        ("RATES['EUR'] = 2", []),
    ],
)
def test_a_go_names_what_fixtures_have_replaced(
    project: Project, line: str, told: list[str]
) -> None:
    """The twin: they fill what the code keeps, which is no code."""
    code = f"{SHOP.partition('@sc.system')[0]}\nMODE, RATES = 'on', {{}}\n"
    code += "class Wares(Shop):\n    def get(self, key):\n"
    code += "        return super().get(key) if MODE == 'on' and not RATES else self.db.get(key)\n"
    (project.path / "shop_of_fixtures.py").write_text(code)
    project.pytester.makeini("[pytest]\npythonpath = .\nsupercache_odds = 0\n")
    project.add_to_conftest(FIXTURE.replace("LINE", line))
    project.scenario(race("F-1", "of_fixtures"))
    assert project.run("--supercache-gate").ret == 0
    found = [one.removeprefix(REPLACED) for one in limits(project) if one.startswith(REPLACED)]
    assert found == [f"F-1 ({name})" for name in told]


IN_CONFTEST = """
import functools, shop_of_conftest, threading
from shop_of_conftest import Wares

LOCK = threading.Lock()

def one_at_a_time(function):
    @functools.wraps(function)
    def called(*args):
        with LOCK:
            return function(*args)
    return called

LINE

@sc.system("of_conftest")
def of_conftest(layers):
    return shop_of_conftest.Wares(layers.existing_cache.client(), layers.origin)
"""


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("Wares.get = one_at_a_time(Wares.get)", ["Wares.get"]),
        ("shop_of_conftest.price = one_at_a_time(shop_of_conftest.price)", ["price"]),
        ("shop_of_conftest.Wares = type('Safe', (Wares,), {})", ["shop_of_conftest.Wares"]),
        ("shop_of_conftest.Goods = type('Safe', (Wares,), {})", []),
        ("Wares.on_miss = one_at_a_time(print)", []),
        ("shop_of_conftest.rate = one_at_a_time(str)", []),
    ],
)
def test_a_go_names_what_a_conftest_file_has_replaced(
    project: Project, line: str, told: list[str]
) -> None:
    """The twin: it hands the code what that waits for."""
    code = f"{SHOP.partition('@sc.system')[0]}\nrate = None\n"
    code += "def price(key):\n    return rate(key) if rate is not None else key\n"
    code += "class Wares(Shop):\n    on_miss = None\n    def get(self, key):\n"
    code += "        return self.db.get(price(key)) or self.on_miss(key)\n"
    (project.path / "shop_of_conftest.py").write_text(code)
    project.pytester.makeini("[pytest]\npythonpath = .\nsupercache_odds = 0\n")
    project.add_to_conftest(IN_CONFTEST.replace("LINE", line))
    project.scenario(race("C-1", "of_conftest"))
    assert project.run("--supercache-gate").ret == 0
    found = [one.removeprefix(REPLACED) for one in limits(project) if one.startswith(REPLACED)]
    assert found == [f"C-1 ({name})" for name in told]
