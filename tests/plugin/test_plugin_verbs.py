"""Steps of a scenario: the system's own methods, verbs of the project, and their mistakes."""

import re

import pytest

from tests.plugin.conftest import Project
from tests.plugin.projects import one_reader, race
from tests.selection import few

VERBS = """
@sc.verb("checkout", observes=lambda answer, item: {item: answer["charged"]})
def checkout(shop, user, item):
    return {"charged": shop.get(item), "who": user.name, "where": user.node}

@sc.verb("reprice", writes=lambda item, price: {item: price})
def reprice(shop, user, item, price):
    shop.set(item, price)

@sc.verb("explode")
def explode(shop, user, item="nothing"):
    raise RuntimeError(f"exploded on {item}")

@sc.system("writeonly")
class WriteOnly:
    def __init__(self, layers):
        self.db = layers.origin
    def set(self, key, value):
        self.db.set(key, value)
"""

TEARDOWN = """
LOG = []

@sc.system("generator")
def generator(layers):
    LOG.append(f"build {layers.node}")
    yield Uncached(layers.existing_cache.client(), layers.origin)
    LOG.append(f"finish {layers.node}")
"""


def with_verbs(project: Project, steps: str, system: str = "shop", more: str = "") -> None:
    project.add_to_conftest(VERBS)
    project.scenario(one_reader("V-1", system, more).replace("{read: k}", steps))


def test_a_verb_gets_its_options_and_its_user(project: Project) -> None:
    expected = "{charged: 7, who: alice, where: a}"
    with_verbs(
        project, f"{{checkout: {{item: k}}, expect: {expected}}}", more="given: {origin: {k: 7}}\n"
    )
    project.run().assert_outcomes(passed=1)


def test_what_a_verb_answers_is_held_against_what_the_step_expects(project: Project) -> None:
    with_verbs(
        project, "{checkout: {item: k}, expect: {charged: 8}}", more="given: {origin: {k: 7}}\n"
    )
    result = project.run()
    result.assert_outcomes(failed=1)
    assert project.row()["guarantee"] == "expect"
    result.stdout.fnmatch_lines(["*'s checkout*: expected 8, saw 7 (line 6 of the scenario file)*"])


def test_an_answer_can_be_kept_and_compared_with(project: Project) -> None:
    steps = (
        "{checkout: {item: k}, as: first}, {checkout: {item: k}, expect: {charged: $first.charged}}"
    )
    with_verbs(project, steps, more="given: {origin: {k: 7}}\n")
    project.run().assert_outcomes(passed=1)


@pytest.mark.parametrize(("system", "verdict"), [("shop", "violated"), ("uncached", "holds")])
def test_what_verbs_observe_and_write_is_judged_like_reads_and_writes(
    project: Project, system: str, verdict: str
) -> None:
    project.add_to_conftest(VERBS)
    text = race("V-2", system).replace("{read: ", "{checkout: ")
    text = text.replace("{write: {key: ", "{reprice: {item: ").replace("value: 120", "price: 120")
    project.scenario(text)
    project.run()
    assert project.row()["verdict"] == verdict


def test_a_verb_that_raises_breaks_answers(project: Project) -> None:
    with_verbs(project, "{explode: {item: k}}")
    result = project.run()
    result.assert_outcomes(failed=1)
    assert project.row()["guarantee"] == "answers"
    result.stdout.fnmatch_lines(["*RuntimeError*exploded on k*"])


def test_a_verb_that_raises_what_the_step_expects_holds(project: Project) -> None:
    with_verbs(project, "{explode: {}, raises: RuntimeError}", more="guarantees: []\n")
    project.run().assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("{checkout: {itme: k}}", "*:6:*itme*"),
        ("{checkout: {}}", "*:6:*item*"),
        ("{chekout: {item: k}}", "*:6:*unknown verb 'chekout'*"),
    ],
)
def test_a_wrong_step_is_told_with_its_place(project: Project, step: str, message: str) -> None:
    with_verbs(project, step)
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([message])
    assert "Traceback" not in result.stdout.str()


def test_a_step_that_the_system_cannot_do_is_an_error_that_says_so(project: Project) -> None:
    with_verbs(project, "{read: k}", "writeonly")
    result = project.run()
    result.assert_outcomes(failed=1)
    said = (
        "*:6:*'read' calls get(key), which system 'writeonly' does not have. Give it one, or take*"
    )
    result.stdout.fnmatch_lines([f"{said} checkout,*"])
    assert "Traceback" not in result.stdout.str()


UNRUN = """
from contextlib import contextmanager

@sc.system("unrun")
class Unrun(Uncached):
    def __init__(self, layers):
        super().__init__(layers.existing_cache.client(), layers.origin)

{method}
"""


@pytest.mark.parametrize(
    ("step", "method", "message"),
    few(
        [
            (
                "{write: {key: k, value: 1}}",
                "    def set(self, key, value):\n        yield self.db.set(key, value)",
                "unrun.set returned a generator, which nobody iterates",
            ),
            (
                "{later: {}}",
                '@sc.verb("later")\ndef later(shop, user):\n    return shop.get',
                "'later' returned Uncached.get itself, which nobody calls",
            ),
            (
                "{write: {key: k, value: 1}}",
                "    async def set(self, key, value):\n        yield self.db.set(key, value)",
                "unrun.set returned an async generator, which nobody iterates",
            ),
            (
                "{delete: {key: k}}",
                "    @contextmanager\n    def delete(self, key):\n"
                "        yield self.db.delete(key)",
                "unrun.delete returned a context manager, which nobody enters",
            ),
            (
                "{write: {key: k, value: 1}}",
                "    def get(self, key):\n        return (self.db.get(name) for name in [key])",
                "unrun.get returned a generator, which nobody iterates",
            ),
            (
                "{read: k}",
                "    async def get(self, key):\n        return (name for name in [key])",
                "unrun.get returned a generator, which nobody iterates",
            ),
            (
                "{later: {}}",
                '@sc.verb("later")\ndef later(shop, user):\n'
                '    return (shop.get(key) for key in "k")',
                "'later' returned a generator, which nobody iterates",
            ),
            (
                "{read: k}",
                "    def get(self, key):\n        return [(name for name in [key])]",
                "unrun.get returned a list with a generator, which nobody iterates",
            ),
        ],
        5,
    ),
)
def test_a_method_that_does_nothing_before_it_is_iterated_is_an_error(
    project: Project, step: str, method: str, message: str
) -> None:
    project.add_to_conftest(UNRUN.format(method=method))
    project.scenario(one_reader("V-9", "unrun").replace("{read: k}", step))
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"*{message}*"])


@pytest.mark.parametrize(
    "returned",
    few(
        ["list(one)", "(list(one), one)[1]", "iter(list(one))", "map(str, list(one))", "next(one)"],
        2,
    ),
)
def test_a_method_that_iterates_its_generator_itself_is_called_as_ever(
    project: Project, returned: str
) -> None:
    method = f"""
    def get(self, key):
        one = (self.db.get(name) for name in [key])
        return {returned}
"""
    project.add_to_conftest(UNRUN.format(method=method))
    project.scenario(one_reader("V-9", "unrun", "guarantees: []\n"))
    project.run().assert_outcomes(passed=1)


def test_a_system_without_get_can_be_written_to(project: Project) -> None:
    with_verbs(project, "{write: {key: k, value: 1}}", "writeonly", "guarantees: []\n")
    project.run().assert_outcomes(passed=1)


def test_a_generator_system_is_finished_on_every_node_in_reverse_order(project: Project) -> None:
    project.add_to_conftest(TEARDOWN)
    project.scenario(
        race("V-3", "generator").replace(
            'bob: [{write: {key: "product:42", value: 120}}]',
            'bob: {node: b, steps: [{write: {key: "product:42", value: 120}}]}',
        )
    )
    project.test_file(
        "import sys\n"
        "def test_log():\n"
        "    log = sys.modules['conftest'].LOG\n"
        "    assert len(log) >= 8\n"
        "    cycle = ['build a', 'build b', 'finish b', 'finish a']\n"
        "    assert log == cycle * (len(log) // 4)\n"
    )
    project.run("story.supercache.yaml", "test_it.py").assert_outcomes(passed=2)


def test_a_system_can_be_registered_only_once(project: Project) -> None:
    project.add_to_conftest('sc.system("shop")(lambda layers: None)')
    result = project.run()
    assert result.ret == 4
    assert "@system('shop')" in result.stderr.str()


SECOND_VERB = """
import pytest_supercache as sc

@sc.verb("checkout")
def checkout(shop, user, item):
    return "nothing of the kind"
"""


def test_a_verb_of_another_folder_cannot_take_the_place_of_one(project: Project) -> None:
    project.add_to_conftest(VERBS)
    folder = project.path / "more"
    folder.mkdir()
    (folder / "conftest.py").write_text(SECOND_VERB)
    result = project.run("more")
    assert result.ret == 4
    assert "@verb('checkout')" in result.stderr.str()
    assert "Choose another name." in result.stderr.str()


def test_a_conftest_may_be_loaded_under_two_names(project: Project) -> None:
    with_verbs(project, "{checkout: {item: k}}", more="given: {origin: {k: 7}}\n")
    again = f"runpy.run_path({str(project.path / 'conftest.py')!r})"
    project.test_file(f"import runpy\n\ndef test_it():\n    {again}")
    project.run().assert_outcomes(passed=2)


REGISTERED_BY_A_HELPER = """
import functools
import pytest_supercache as sc

def by_closure(cls):
    sc.system("both")(lambda layers: cls(layers.existing_cache.client(), layers.origin))

def by_default(cls):
    def make(layers, *, cls=cls):
        return cls(layers.existing_cache.client(), layers.origin)
    sc.system("both")(make)

class Factory:
    def __init__(self, cls):
        self.cls = cls

    def make(self, layers):
        return self.cls(layers.existing_cache.client(), layers.origin)

    __call__ = make

def by_method(cls):
    sc.system("both")(Factory(cls).make)

def by_object(cls):
    sc.system("both")(Factory(cls))

class Plain:
    def __init__(self, layers):
        self.layers = layers

class Derived(Plain):
    pass

def by_class(cls):
    sc.system("both")(Plain if cls.__name__ == "Shop" else Derived)

def by_option(cls):
    @sc.system("both", state=[f"json:{cls.__name__}"])
    def make(layers):
        return None

def by_verb(cls):
    @sc.verb("both", observes=lambda answer, **given: {cls.__name__: answer})
    def both(shop, user):
        return None
"""
HELPERS = re.findall(r"^def (by_\w+)", REGISTERED_BY_A_HELPER, re.MULTILINE)


@pytest.mark.parametrize("helper", few(HELPERS, 3))
def test_a_helper_registers_a_name_for_one_class_only(project: Project, helper: str) -> None:
    """Otherwise scenarios about the first class would silently run on the second one."""
    project.test_file(REGISTERED_BY_A_HELPER, "helper")
    project.add_to_conftest(f"import helper\nhelper.{helper}(Shop)")
    folder = project.path / "more"
    folder.mkdir()
    (folder / "conftest.py").write_text(
        f"import helper\n\nclass Fixed:\n    pass\n\nhelper.{helper}(Fixed)"
    )
    result = project.run("more")
    assert result.ret == 4
    assert "Choose another name" in result.stderr.str()


@pytest.mark.parametrize("helper", few(HELPERS, 3))
def test_a_helper_may_register_the_class_of_a_conftest_again(project: Project, helper: str) -> None:
    project.test_file(REGISTERED_BY_A_HELPER, "helper")
    project.add_to_conftest(f"import helper\nhelper.{helper}(Shop)")
    again = f"runpy.run_path({str(project.path / 'conftest.py')!r})"
    project.test_file(f"import runpy\n\ndef test_it():\n    {again}")
    project.run().assert_outcomes(passed=1)


WATCHED = "sc.watch('conftest:Shop.get', reads={})\n"


def test_of_two_declarations_of_one_call_none_is_dropped(project: Project) -> None:
    """The second one would say that a write is a read, and hide what the first one shows."""
    project.add_to_conftest(WATCHED.format("lambda key, **_: key"))
    folder = project.path / "more"
    folder.mkdir()
    (folder / "conftest.py").write_text("import pytest_supercache as sc\n" + WATCHED.format("'*'"))
    result = project.run("more")
    assert result.ret == 4
    assert "is declared twice" in result.stderr.str()


def test_the_same_declaration_of_a_call_may_be_repeated(project: Project) -> None:
    project.add_to_conftest(WATCHED.format("lambda key, **_: key"))
    again = f"runpy.run_path({str(project.path / 'conftest.py')!r})"
    project.test_file(f"import runpy\n\ndef test_it():\n    {again}")
    project.run().assert_outcomes(passed=1)
