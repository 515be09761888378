"""What is registered is refused if it would read a variable that was another value for others."""

import collections
import functools
import importlib
import os
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import pytest_supercache as sc
from pytest_supercache.declare import late_binding
from pytest_supercache.declare.registry import REGISTRY

SAID = "reads 'kind' when it is called, and so does"


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    before = REGISTRY.copy()
    yield
    REGISTRY.become(before)


def systems(name: str) -> Callable[[Any], Any]:
    return sc.system(f"late-{name}")


def verbs(name: str) -> Callable[[Any], Any]:
    return sc.verb(f"late_{name}")


def in_a_loop(register: Callable[[str], Callable[[Any], Any]]) -> None:
    for kind in (list, dict):

        @register(kind.__name__)
        def made(system, user="alice"):
            return [kind() for _ in (system, user)]  # noqa: B023 - the mistake that is refused


def explored_in_a_loop() -> None:
    for kind in (list, dict):

        @sc.explore
        def test_it(world):
            world.actor("alice", kind)  # noqa: B023 - likewise


@pytest.mark.parametrize("register", [systems, verbs])
def test_what_reads_the_variable_of_its_loop_is_refused(
    register: Callable[[str], Callable[[Any], Any]],
) -> None:
    with pytest.raises(sc.SupercacheError, match=SAID):
        in_a_loop(register)


def observed_in_a_loop() -> None:
    for kind in (list, dict):

        @sc.verb(f"late_{kind.__name__}", observes=lambda answer, key: {kind: answer})
        def made(system, user, key):
            return key


def watched_in_a_loop() -> None:
    for kind in (list, dict):
        sc.watch(f"late:{kind.__name__}", reads=lambda **_: kind.__name__)  # noqa: B023 - what is refused


@pytest.mark.parametrize("register", [observed_in_a_loop, watched_in_a_loop])
def test_so_is_what_says_what_a_verb_or_a_watched_call_touches(
    register: Callable[[], None],
) -> None:
    with pytest.raises(sc.SupercacheError, match=SAID):
        register()


def test_so_is_an_explored_test_that_does() -> None:
    with pytest.raises(sc.SupercacheError, match=SAID):
        explored_in_a_loop()


def test_what_has_a_variable_of_its_own_is_fine() -> None:
    def make(kind: type) -> None:
        @sc.system(f"late-{kind.__name__}")
        def made(layers):
            return kind()

        @sc.explore
        def test_it(world):
            world.actor("alice", kind)

    for kind in (list, dict):
        make(kind)

        @sc.system(f"late-default-{kind.__name__}")
        def by_default(layers, kind=kind):
            return kind()

        @sc.system(f"late-alias-{kind.__name__}")
        def alias(layers):
            return make


def test_functions_that_a_loop_has_made_before_are_refused() -> None:
    first, second = [lambda layers: kind() for kind in (list, dict)]  # noqa: B023 - what is refused
    systems("first")(first)
    with pytest.raises(sc.SupercacheError, match="both read 'kind' when they are called"):
        systems("second")(second)


def test_they_are_not_if_they_have_values_of_their_own_or_read_definitions() -> None:
    own = [lambda layers, kind=kind: kind() for kind in (list, dict)]
    alike = [lambda layers: by(register_kind) for _ in range(2)]
    by_params = [lambda layers, kind: own[kind]() for _ in range(2)]
    for number, (one, other, third) in enumerate(zip(own, alike, by_params, strict=True)):
        systems(f"own-{number}")(one)
        systems(f"alike-{number}")(other)
        sc.system(f"late-params-{number}", params={"kind": number})(third)


def by(function: Callable[..., Any]) -> Callable[[Any], Any]:
    @functools.wraps(function)
    def inner(layers):
        return function(layers)

    return inner


LOOP = """
for kind in (list, dict):
    register(kind)({registered})
"""
MAKE = """
def make(layers, *more):
    return kind()
"""
WAYS = {
    "the same function": MAKE + LOOP.format(registered="make"),
    "what the function calls": MAKE + LOOP.format(registered="lambda layers: make(layers)"),
    "a partial function": MAKE + LOOP.format(registered="functools.partial(make)"),
    "a wrapped function": MAKE + LOOP.format(registered="by(make)"),
    "an object that is called": "class Maker:\n    def __call__(self, layers): return kind()\n"
    + LOOP.format(registered="Maker()"),
    "a method": "class Maker:\n    def make(self, layers): return kind()\n"
    + LOOP.format(registered="Maker().make"),
    "a class": "class Shop:\n    def __init__(self, layers): self.kind = kind\n"
    + LOOP.format(registered="Shop"),
    "what the class calls": "class Shop:\n    def __init__(self, layers): self.kind = kind\n"
    + LOOP.format(registered="lambda layers: Shop(layers)"),
    "a value of a dict": "kinds = {}\ndef make(layers): return kinds['kind']()\n"
    "for kinds['kind'] in (list, dict): register(kinds['kind'])(make)\n",
    "an element": "kinds = [list]\ndef make(layers): return kinds[0]()\n"
    "for kinds[0] in (list, dict): register(kinds[0])(make)\n",
    "an attribute": "held = types.SimpleNamespace()\ndef make(layers): return held.kind()\n"
    "for held.kind in (list, dict): register(held.kind)(make)\n",
    "a second definition": "class kind: pass\nregister(list)(lambda layers: kind())\n"
    "class kind: pass\nregister(dict)(lambda layers: kind())\n",
}
READS = r"reads ['\"](kind|kinds\[('kind'|0)\]|held\.kind)['\"] when it is called"


def execute(text: str) -> None:
    found = {"functools": functools, "types": types, "by": by, "register": register_kind}
    exec(compile(text, "late.py", "exec"), {"__name__": "late", **found})


def register_kind(kind: type) -> Callable[[Any], Any]:
    return sc.system(f"late-{kind.__name__}")


@pytest.mark.parametrize("way", list(WAYS))
def test_whatever_leads_to_the_variable_is_looked_into(way: str) -> None:
    with pytest.raises(sc.SupercacheError, match=READS):
        execute(WAYS[way])


FINE = {
    "a variable that is not read": MAKE + "kind = list\nregister(list)(make)\n"
    "other = 1\nregister(dict)(make)\nother = 2\n",
    "a variable of each": "for kind in (list, dict):\n"
    "    register(kind)(functools.partial(lambda kind, layers: kind(), kind))\n",
    "what is defined later": "register(list)(lambda layers: make(layers))\n"
    "kind = list\n" + MAKE + "register(dict)(lambda layers: make(layers))\n",
    "an attribute of the layers": "kind = list\nregister(list)(lambda layers: layers.kind)\n"
    "kind = dict\nregister(dict)(lambda layers: layers.kind)\n",
}


@pytest.mark.parametrize("way", list(FINE))
def test_what_is_one_value_for_all_is_fine(way: str) -> None:
    execute(FINE[way])


def test_a_module_that_is_imported_again_registers_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "class Shop: pass\n@sc.system('late-a')\ndef one(layers): return Shop()\n"
    more = "@sc.system('late-b')\ndef other(layers): return Shop()\n"
    (tmp_path / "late_again.py").write_text(f"import pytest_supercache as sc\n{text}{more}")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.reload(importlib.import_module("late_again"))


HELD = """
class Maker:
    kind = None
    def __call__(self, layers): return self.kind()
    def make(self, layers): return self.kind()
    @classmethod
    def by_class(cls, layers): return cls.kind()

class Slots:
    __slots__ = ("kind",)

def by_dict(held, layers): return held["kind"]()
def by_parameter(layers, maker): return maker.kind()
def holding(held): return lambda layers: held.get("kind")()

maker, held, grown = Maker(), {}, {}
slots, maps = Slots(), collections.ChainMap({})
for number, maker.kind in enumerate((list, dict)):
    held["kind"] = Maker.kind = maker.kind
    os.environ["LATE_kind"] = maker.kind.__name__
"""
HELD_WAYS = {
    "an object that is called": "register(maker.kind)(maker)",
    "a method": "register(maker.kind)(maker.make)",
    "a method of a class": "register(maker.kind)(Maker.by_class)",
    "a class": "register(maker.kind)(type(str(number), (Maker,), {}).by_class)",
    "an argument": "register(maker.kind)(functools.partial(by_dict, held))",
    "a default": "register(maker.kind)(lambda layers, held=held: held['kind']())",
    "an outer variable": "register(maker.kind)(holding(held))",
    "a default beside another one": "register(maker.kind)(lambda layers, n=number, held=held: n)",
    "a slot": "slots.kind = maker.kind\n"
    "    register(maker.kind)(lambda layers, n=number, slots=slots: n)",
    "a mapping": "maps['kind'] = maker.kind\n"
    "    register(maker.kind)(lambda layers, n=number, maps=maps: n)",
    "the environment": "register(maker.kind)(lambda layers, n=number: os.getenv('LATE_kind'))",
    "a parameter": "sc.system(f'late-{number}', params={'maker': maker})(by_parameter)",
}
HELD_FINE = {
    "an argument": "register(maker.kind)(functools.partial(by_dict, dict(held)))",
    "an object that is called": "m = Maker(); m.make = maker.kind; register(m.make)(m.make)",
    "one object that stays": "register(maker.kind)(lambda layers, n=number, os=os: os.name)",
    "a dict that grows": "held[number] = number; del held['kind']; del maker.kind\n"
    "    register((list, dict)[number])(functools.partial(by_dict, held))"
    " if number else None",
}


def held_by(registration: str) -> None:
    members = {"__name__": "late", "functools": functools, "os": os, "register": register_kind}
    members["collections"] = collections
    exec(compile(f"{HELD}    {registration}", "late.py", "exec"), members | {"sc": sc})


@pytest.mark.parametrize("way", list(HELD_WAYS))
def test_what_shares_an_object_that_has_changed_in_between_is_refused(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LATE_kind", "")
    with pytest.raises(sc.SupercacheError, match=r"leads to .*kind"):
        held_by(HELD_WAYS[way])


@pytest.mark.parametrize("way", list(HELD_FINE))
def test_what_has_an_object_of_its_own_or_one_that_stays_is_fine(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LATE_kind", "")
    held_by(HELD_FINE[way])


def test_the_part_is_named_as_people_write_it() -> None:
    with pytest.raises(sc.SupercacheError, match=r"leads to Maker\.kind, which had another value"):
        held_by(HELD_WAYS["a method"])


def test_what_was_made_before_and_finds_the_same_in_one_object_is_refused() -> None:
    held = {"kind": list}
    made = [functools.partial(lambda held, layers: held["kind"](), held) for _ in range(2)]
    systems("first")(made[0])
    systems("second-name")(made[0])
    with pytest.raises(sc.SupercacheError, match=r"both find \['kind'\] in one object"):
        systems("second")(made[1])


FIRST = """
class Shop:
    name: str = ""
    def get(self): pass

def make(): return Shop()

register(list)(lambda layers: make())
"""
AGAIN = {
    "Shop": "class Shop:\n    def get(self): pass\n",
    "make": "def make(): return None\n",
}
NOT_AGAIN = {
    "a class of it": "import dataclasses\nShop = dataclasses.dataclass(slots=True)(Shop)\n",
    "a function around it": "import functools\nmake = functools.wraps(make)(lambda: make())\n",
    "the same": "Shop = Shop\n",
}


def defined_by(text: str) -> tuple[str, str] | None:
    members = {"__name__": "late", "register": register_kind}
    exec(compile(text, "late.py", "exec"), members)
    return late_binding.redefined([REGISTRY.systems["late-list"].factory])


@pytest.mark.parametrize("name", list(AGAIN))
def test_what_is_defined_anew_below_is_told(name: str) -> None:
    assert defined_by(f"{FIRST}\nfirst = Shop\n{AGAIN[name]}") == (name, "@system('late-list')")


@pytest.mark.parametrize("way", list(NOT_AGAIN))
def test_what_is_made_of_the_first_definition_is_fine(way: str) -> None:
    assert defined_by(FIRST + NOT_AGAIN[way]) is None


@pytest.mark.parametrize("given", [lambda target: target, functools.partial])
def test_actors_of_a_loop_that_read_its_variable_are_refused(given: Callable[[Any], Any]) -> None:
    def body(world: Any) -> None:
        for value in (1, 2):
            target = given(lambda: world.origin.set("k", value))  # noqa: B023 - what is refused
            world.actor(f"user{value}", target)
        world.run()

    with pytest.raises(sc.SupercacheError, match="reads 'value' when the race runs, and so does"):
        sc.check(body)


def test_actors_with_a_value_of_their_own_are_fine() -> None:
    def body(world: Any) -> None:
        seen = []

        def write(value: int) -> None:
            world.actor(f"inner{value}", lambda: world.origin.set("k", value))

        for value in (1, 2):
            key = "".join(["k"])  # an equal one in each turn
            world.actor(f"user{value}", world.origin.set, "k", value)
            world.actor(f"default{value}", lambda value=value: world.origin.set("k", value))
            world.actor(f"same{value}", lambda: seen.append(world.origin.get(key)))  # noqa: B023 - what is refused
            write(value)
        world.run()

    assert sc.check(body, executions=3, search="random").verdict is not sc.Verdict.VIOLATED


class Array:
    """As those of numpy: what is compared with one is compared element by element."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text

    def __eq__(self, other: object) -> bool:
        raise ValueError("the truth value of an array is ambiguous")

    __hash__ = object.__hash__


LAMBDAS = [lambda: kind for kind in (list, dict)]  # noqa: B023 - the mistake that is told
OTHERS = {
    "defaults": [lambda kind=kind: kind for kind in (list, dict)],
    "arrays": [lambda kind=kind: (kind, LAMBDAS) for kind in (Array("1 2"), Array("1 3"))],
    "definitions": [lambda: by(register_kind) for _ in range(2)],
    "constants": [lambda: 1 for _ in range(2)],
    "one": [by, by],
}


def test_functions_of_a_loop_that_all_do_the_same_are_told() -> None:
    assert late_binding.indistinct(LAMBDAS) == "kind"


@pytest.mark.parametrize("name", list(OTHERS))
def test_functions_that_differ_or_read_definitions_are_not(name: str) -> None:
    assert late_binding.indistinct(OTHERS[name]) is None


ENVIRONMENT = """
def mode(): return os.environ["LATE_MODE"]
def by_parts(name): return os.environ["LATE_" + name]
names = ("HOME", "LATE_MODE")
def in_turn(): return [os.environ.get(name) for name in names]

for number, kind in enumerate((list, dict)):
    os.environ["LATE_MODE"] = kind.__name__
    register(kind)(lambda layers, n=number: {})
"""


def set_between(read: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATE_MODE", "")
    members = {"__name__": "late", "os": os, "register": register_kind}
    exec(compile(ENVIRONMENT.format(read), "late.py", "exec"), members)


@pytest.mark.parametrize("read", ["mode()", "by_parts('MODE')", "in_turn()"])
def test_a_variable_of_the_environment_may_be_named_by_what_a_factory_calls(
    read: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(sc.SupercacheError, match=r"leads to os\.environ\['LATE_MODE'\]"):
        set_between(read, monkeypatch)


@pytest.mark.parametrize("read", ["os.environ['HOME']", "(n, os.getenv('LATE_OTHER'))"])
def test_another_variable_of_the_environment_may_change(
    read: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_between(read, monkeypatch)


def register_twins(change: Callable[[], object]) -> None:
    for name in ("first", "second"):
        systems(name)(lambda layers: by(register_kind))
        change()


@pytest.mark.parametrize(
    ("changed", "said"),
    [("environment", r"os\.environ\['LATE_MODE'\]"), ("folder", "the current folder")],
)
def test_twins_are_refused_if_what_surrounds_them_has_changed_in_between(
    changed: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ways = {
        "environment": lambda: monkeypatch.setenv("LATE_MODE", "second"),
        "folder": lambda: monkeypatch.chdir(tmp_path),
    }
    with pytest.raises(sc.SupercacheError, match=f"for which {said} was another value"):
        register_twins(ways[changed])


def test_what_differs_may_be_registered_in_other_surroundings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for kind in (list, dict):
        systems(kind.__name__)(lambda layers, kind=kind: kind())
        monkeypatch.setenv("LATE_MODE", kind.__name__)
    one, other = lambda layers: [layers], lambda layers: {layers}
    systems("one")(one)
    monkeypatch.setenv("LATE_MODE", "again")
    systems("other")(other)


def test_two_functions_of_one_line_may_lead_to_one_object() -> None:
    held = {"kind": list}
    one, other = lambda layers: held["kind"](), lambda layers: held["kind"]
    systems("one")(one)
    systems("other")(other)


class Lazy:
    """A proxy that builds its target on any access, even to its class."""

    @property
    def __class__(self):
        raise AssertionError("it was asked")


class Guarded(dict):
    def items(self):
        raise AssertionError("it was asked")

    __iter__ = __getattribute__ = items


class Listed(list):
    def __iter__(self):
        raise AssertionError("it was asked")


class LazyModule(types.ModuleType):
    def __init__(self) -> None:
        super().__init__("lazy")

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError("it was asked")


@pytest.mark.parametrize("kind", [Lazy, Guarded, Listed, LazyModule])
def test_an_object_is_asked_for_nothing(kind: type) -> None:
    members = {"__name__": "late", "one": kind(), "register": register_kind}
    held = "register({0})(lambda layers, one=one: (one.name, {0}))\n"
    read = "register({0})(lambda layers: (one.name, one['key'], {0}))\n"
    exec(compile(held.format("list") + read.format("dict"), "late.py", "exec"), members)
