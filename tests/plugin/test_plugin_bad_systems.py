"""Systems that misbehave: each gets the verdict it deserves, and the reason is told."""

from collections.abc import Callable

import pytest

from tests.plugin.conftest import Project
from tests.plugin.projects import on_two_nodes, one_reader, race

DEADLOCK = """
import threading

class Locked:
    def __init__(self, redis, order):
        self.redis, self.order = redis, order
        self.locks = {"one": threading.Lock(), "other": threading.Lock()}

    def _twice(self, first, second):
        with self.locks[first]:
            self.redis.get("between")
            with self.locks[second]:
                return None

    def get(self, key):
        return self._twice("one", "other")

    def set(self, key, value):
        self._twice(*self.order)

@sc.system("deadlock")
def deadlock(layers):
    return Locked(layers.existing_cache.client(), ("other", "one"))

@sc.system("ordered")
def ordered(layers):
    return Locked(layers.existing_cache.client(), ("one", "other"))

class Selfish(Locked):
    def get(self, key):
        return self._twice("one", "one")

@sc.system("selfish")
def selfish(layers):
    return Selfish(layers.existing_cache.client(), ("one", "other"))
"""

RAISING = """
class Raising:
    def __init__(self, layers):
        self.redis = layers.existing_cache.client()
    def get(self, key):
        self.redis.get(key)
        raise LookupError(f"no {key}")

sc.system("raising")(Raising)
"""

LEFT_TO_CHANCE = """
import os
class Chance:
    def __init__(self, layers):
        self.redis = layers.existing_cache.client()
    def get(self, key):
        self.redis.get(f"{key}:{os.urandom(8).hex()}")

sc.system("chance")(Chance)
"""

SHARED = """
_local = {}
class Kept:
    def __init__(self, layers):
        self.db = layers.origin
    def get(self, key):
        if key not in _local:
            _local[key] = self.db.get(key)
        return _local[key]
    def set(self, key, value):
        self.db.set(key, value)
        _local[key] = value

NUMBERS = iter([3])

def register(name, state):
    sc.system(name, state=state)(lambda layers: Kept(layers))

register("undeclared", [])
register("declared", ["conftest:_local"])
register("misspelt", ["conftest:_lokal"])
register("number", ["conftest:NUMBERS"])
"""

SELF_STARTED = """
import _thread
import os
import threading
import redis as library

def fetch(client, key, into):
    into.append(client.get(key))

class Threads:
    def __init__(self, layers):
        self.redis = layers.existing_cache.client()
    def get(self, key):
        into = []
        thread = threading.Thread(target=fetch, args=(self.redis, key, into))
        thread.start()
        thread.join()
        return into[0]

class Library(Threads):
    def get(self, key):
        into, (here, there) = [], os.pipe()

        def fetch_and_tell():
            fetch(self.redis, key, into)
            os.write(there, b".")

        _thread.start_new_thread(fetch_and_tell, ())  # no Thread that anybody could hold
        os.read(here, 1)
        os.close(here)
        os.close(there)
        return into[0]

sc.system("threads")(Threads)
sc.system("library")(Library)
"""


def test_a_deadlock_between_two_users_breaks_answers(project: Project) -> None:
    project.add_to_conftest(DEADLOCK)
    project.scenario(race("D-1", "deadlock", "guarantees: []\n"))
    result = project.run()
    result.assert_outcomes(failed=1)
    row = project.row()
    assert (row["verdict"], row["guarantee"]) == ("violated", "answers")
    assert {blocked["actor"] for blocked in row["counterexample"]["blocked"]} == {"alice", "bob"}


def test_the_same_locks_taken_in_one_order_hold(project: Project) -> None:
    project.add_to_conftest(DEADLOCK)
    project.scenario(race("D-2", "ordered", "guarantees: []\n"))
    project.run().assert_outcomes(passed=1)
    assert project.row()["verdict"] == "holds"


def test_a_user_that_waits_for_its_own_lock_breaks_answers_without_concurrency(
    project: Project,
) -> None:
    project.add_to_conftest(DEADLOCK)
    project.scenario(one_reader("D-3", "selfish", "guarantees: []\n"))
    project.run().assert_outcomes(failed=1)
    row = project.row()
    assert (row["guarantee"], row["label"]) == ("answers", "plain bug")


def test_an_error_breaks_answers_and_is_named(project: Project) -> None:
    project.add_to_conftest(RAISING)
    project.scenario(one_reader("E-1", "raising"))
    result = project.run()
    result.assert_outcomes(failed=1)
    assert project.row()["guarantee"] == "answers"
    result.stdout.fnmatch_lines(["E-1: VIOLATED answers", "*LookupError*no k*"])


@pytest.mark.parametrize(
    ("expected", "outcome"), [("LookupError", "passed"), ("ZeroDivisionError", "failed")]
)
def test_an_error_that_the_step_expects_holds(
    project: Project, expected: str, outcome: str
) -> None:
    project.add_to_conftest(RAISING)
    text = one_reader("E-2", "raising", "guarantees: []\n")
    project.scenario(text.replace("{read: k}", f"{{read: k, raises: {expected}}}"))
    project.run().assert_outcomes(**{outcome: 1})


def test_an_expected_error_that_does_not_come_fails(project: Project) -> None:
    text = one_reader("E-3", "uncached").replace("{read: k}", "{read: k, raises: LookupError}")
    project.scenario(text)
    project.run().assert_outcomes(failed=1)
    assert project.row()["guarantee"] == "expect"


def test_steps_left_to_chance_make_it_unknown(project: Project) -> None:
    project.add_to_conftest(LEFT_TO_CHANCE)
    project.scenario(one_reader("C-1", "chance"))
    project.run().assert_outcomes(failed=1)
    assert "not deterministic" in project.reasons()


def test_undeclared_module_state_is_an_error_that_names_it(project: Project) -> None:
    project.add_to_conftest(SHARED)
    project.scenario(on_two_nodes("M-1", "undeclared"))
    result = project.run()
    result.assert_outcomes(failed=1)
    assert "conftest:_local" in result.stdout.str()
    assert "state=['conftest:_local']" in result.stdout.str()
    assert "Traceback" not in result.stdout.str()


def test_module_state_of_the_only_node_need_not_be_declared(project: Project) -> None:
    project.add_to_conftest(SHARED)
    project.scenario(race("M-1", "undeclared", "guarantees: []\n"))
    project.run().assert_outcomes(passed=1)


def test_it_has_to_be_declared_if_memory_is_not_searched(project: Project) -> None:
    project.add_to_conftest(SHARED)
    project.scenario(race("M-1", "undeclared", "guarantees: []\n"))
    result = project.run("--supercache-memory=declared")
    assert "state=['conftest:_local']" in result.stdout.str()


def test_declared_module_state_is_kept_apart_by_node(project: Project) -> None:
    project.add_to_conftest(SHARED)
    project.scenario(race("M-2", "declared", "guarantees: [read_your_writes]\n"))
    project.run().assert_outcomes(passed=1)


def test_declared_module_state_is_put_back_between_executions_and_after_the_run(
    project: Project,
) -> None:
    project.add_to_conftest(SHARED)
    text = race("M-3", "declared", "guarantees: []\n")
    project.scenario(text.replace('{read: "product:42"}', '{read: "product:42", as: seen}'))
    project.test_file(
        "import sys\n"
        "def test_after():\n"
        "    (conftest,) = [m for n, m in sys.modules.items() if n == 'conftest']\n"
        "    assert conftest._local == {}\n",
        "test_z",
    )
    project.run("story.supercache.yaml", "test_z.py").assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("system", "message"),
    [("misspelt", "conftest:_lokal"), ("number", "'conftest:NUMBERS' is a list_iterator")],
)
def test_state_that_cannot_be_swapped_is_named(project: Project, system: str, message: str) -> None:
    project.add_to_conftest(SHARED)
    project.scenario(one_reader("M-4", system))
    result = project.run()
    result.assert_outcomes(failed=1)
    assert message in result.stdout.str()
    assert "Traceback" not in result.stdout.str()


def test_a_thread_that_a_library_starts_makes_it_unknown(project: Project) -> None:
    project.add_to_conftest(SELF_STARTED)
    project.scenario(one_reader("T-1", "library"))
    project.run().assert_outcomes(failed=1)
    assert "thread" in project.reasons()


def test_a_thread_that_the_code_under_test_starts_is_under_control(project: Project) -> None:
    project.add_to_conftest(SELF_STARTED)
    project.scenario(one_reader("T-2", "threads"))
    project.run().assert_outcomes(passed=1)


def test_a_factory_that_raises_shows_its_error_as_the_users_own(project: Project) -> None:
    project.add_to_conftest(
        '@sc.system("unbuildable")\ndef unbuildable(layers):\n    raise OSError("no config")\n'
    )
    project.scenario(one_reader("F-1", "unbuildable"))
    project.scenario(race("G-1", "uncached"), "zz_good")
    result = project.run()
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["*no config*"])


@pytest.mark.parametrize(("scene", "is_told"), [(on_two_nodes, True), (one_reader, False)])
def test_a_factory_that_makes_a_row_twice_is_told_what_nodes_share(
    project: Project, scene: Callable[[str, str], str], *, is_told: bool
) -> None:
    project.add_to_conftest(
        "@sc.system('rows')\n"
        "def rows(layers):\n"
        "    (layers.tmp_path / 'row').mkdir()\n"
        f"    {'' if is_told else 'raise LookupError'}\n"
        "    return Uncached(None, layers.origin)\n"
    )
    project.scenario(scene("R-1", "rows"))
    result = project.run()
    result.assert_outcomes(failed=1)
    said = "It was built on node a before: nodes of one execution share databases"
    assert (said in result.stdout.str()) == is_told


@pytest.mark.parametrize("again", ["class Shop(Uncached):", "class Another(Uncached):"])
def test_a_system_whose_class_is_defined_anew_below_it_is_refused(
    project: Project, again: str
) -> None:
    project.add_to_conftest(f"{again}\n    pass\n")
    project.scenario(race("S-1", "shop"))
    result = project.run()
    if "Shop(" in again:
        result.stderr.fnmatch_lines(["*@system('shop') reads 'Shop' when it is called*anew since*"])
        assert result.ret == pytest.ExitCode.USAGE_ERROR
    else:
        result.assert_outcomes(failed=1)


@pytest.mark.parametrize(("taken", "status"), [("lambda: C", 4), ("lambda C=C: C", 0)])
def test_parameters_of_a_loop_that_all_do_the_same_are_refused(
    project: Project, taken: str, status: int
) -> None:
    project.test_file(f"""
import pytest
import pytest_supercache as sc

@pytest.mark.parametrize("make", [{taken} for C in (dict, list)])
@sc.explore
def test_it(world, make):
    world.actor("alice", world.origin.set, "k", make().__name__)
    world.run()
""")
    result = project.run()
    assert result.ret == status
    if status:
        result.stderr.fnmatch_lines(["*::test_it: two functions that are parameters 'make' read*"])


CASES = {
    "[held, held]": "two cases get one object",
    "[partial(made, held), partial(made, held)]": "two parameters 'make' find ?'kind'? in one obj*",
    "[dict(held), dict(held)]": "",
    "[dict, dict]": "",
}


@pytest.mark.parametrize(("given", "said"), CASES.items())
def test_so_are_cases_that_get_one_object(project: Project, given: str, said: str) -> None:
    project.test_file(f"""
from functools import partial
import pytest
import pytest_supercache as sc

held = {{"kind": dict}}

def made(held):
    return held["kind"]()

@pytest.mark.parametrize("make", {given})
@sc.explore
def test_it(world, make):
    world.actor("alice", world.origin.set, "k", 1)
    world.run()
""")
    result = project.run()
    assert result.ret == (4 if said else 0)
    if said:
        result.stderr.fnmatch_lines([f"*::test_it: {said}*"])


@pytest.mark.parametrize("given", ["held", "dict(held)"])
def test_so_is_a_test_that_shares_an_object_which_its_factory_has_changed(
    project: Project, given: str
) -> None:
    project.test_file(f"""
import pytest_supercache as sc

def factory(held):
    @sc.explore
    def test(world):
        world.actor("alice", world.origin.set, "k", held["kind"].__name__)
        world.run()
    return test

held = {{}}
for held["kind"] in (dict, list):
    vars()["test_" + held["kind"].__name__] = factory({given})
""")
    result = project.run()
    if given == "held":
        result.stdout.fnmatch_lines(["*leads to ?'kind'?, which had another value when the test *"])
    assert (result.ret == 0) == (given != "held")


SHOWN = """
class Shown:
    def __init__(self, layers):
        self.redis = layers.existing_cache.client()
    def get(self, key):
        return self.redis.get(key)
    def layers(self):
        return {"dry": {}}
"""


@pytest.mark.parametrize(
    ("roles", "said"),
    [
        ({"dry": "super_cache"}, None),
        ({"dryy": "super_cache"}, "*names the layer 'dryy'*shows 'dry'; did you mean 'dry'[?]*"),
        ({"dry": "supercache"}, "*expected one of existing_cache, super_cache, origin*"),
    ],
)
def test_a_role_of_no_layer_is_an_error(
    project: Project, roles: dict[str, str], said: str | None
) -> None:
    project.add_to_conftest(f"{SHOWN}sc.system('shown', roles={roles})(Shown)\n")
    project.scenario(one_reader("R-1", "shown"))
    result = project.run()
    assert (result.ret == 0) == (said is None)
    if said:
        (result.stderr if "expected" in said else result.stdout).fnmatch_lines([said])
