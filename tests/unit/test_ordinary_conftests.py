"""Conftest files as right projects write them: nothing that they share is refused."""

from collections.abc import Iterator

import pytest

import pytest_supercache as sc
from pytest_supercache.declare.registry import REGISTRY

SHOP = """
import contextlib, dataclasses, enum, functools, os, random, threading, types
from datetime import timedelta
from typing import Generic, TypeVar

class Shop:
    def __init__(self, layers, *given, **options): pass
    def get(self, key): pass
    @classmethod
    def of(cls, layers): return cls(layers)

class Client:
    def __init__(self): self.calls, self.log = 0, []

client = Client()
"""
CONFTESTS = {
    "parts of objects in a loop": """
def build(cls, client, layers): return cls(layers, client)

for name, cls in {"plain": Shop, "cached": type("Cached", (Shop,), {})}.items():
    sc.system(f"part.{name}")(functools.partial(build, cls, client))
""",
    "settings copied for each": """
BASE = {"retries": 1, "tags": ["a"]}
for mode in ("eager", "lazy"):
    sc.system(mode)(lambda layers, settings={**BASE, "mode": mode}: Shop(layers, **settings))
""",
    "frozen options": """
class Mode(enum.Enum):
    EAGER, LAZY = "eager", "lazy"

@dataclasses.dataclass(frozen=True)
class Options:
    mode: Mode
    ttl: timedelta = timedelta(seconds=3)

for mode in Mode:
    sc.system(mode.value)(lambda layers, options=Options(mode): Shop(layers, options.mode))
""",
    "a helper with a list of what it has registered": """
names, factories = [], {}

def register(name, **options):
    names.append(name)
    @sc.system(name)
    def factory(layers):
        return Shop(layers, len(names), **options)
    factories[name] = factory

register("a")
register("b", retries=3)
""",
    "a table of factories": """
TABLE = {}

def factory_of(name): return lambda layers: TABLE[name](layers)

for name in ("a", "b"):
    TABLE[name] = functools.partial(Shop, name=name)
    sc.system(name)(factory_of(name))
""",
    "objects that are called, and their methods": """
class Factory:
    lock = threading.Lock()
    def __init__(self, name): self.name, self.rng = name, rng
    def __call__(self, layers): return Shop(layers, self.name)
    def make(self, layers): return self(layers)

rng = random.Random(1)
for name in ("a", "b"):
    factory = Factory(name)
    sc.system(f"call.{name}")(factory)
    sc.system(f"method.{name}")(factory.make)
""",
    "classes of one generic base": """
T = TypeVar("T")

class Repo(Shop, Generic[T]):
    items = []
    @functools.cached_property
    def size(self): return len(self.items)

class Sql(Repo[int]): pass
class Redis(Repo[str]): pass

for cls in (Sql, Redis):
    sc.system(cls.__name__)(cls.of)
""",
    "settings that each factory overrides while it runs": """
settings = types.SimpleNamespace(prefix="")

@contextlib.contextmanager
def override(**values):
    before = dict(vars(settings))
    vars(settings).update(values)
    try: yield
    finally: vars(settings).update(before)

def variant(name, **values):
    @sc.system(name)
    def build(layers):
        with override(**values):
            return Shop(layers, settings.prefix)

variant("x", prefix="x")
variant("y", prefix="y")
""",
    "verbs of one class": """
class Raise:
    def __init__(self, by): self.by = by
    def __call__(self, system, user, key): system.set(key, self.by)

for name, by in (("raise_little", 1), ("raise_much", 9)):
    sc.verb(name, writes=lambda key, by=by: {key: by})(Raise(by))
""",
    "one decorator": """
def timed(function):
    @functools.wraps(function)
    def wrapper(layers, *given):
        return function(layers, *given)
    return wrapper

sc.system("a")(timed(lambda layers: Shop(layers)))
sc.system("b")(timed(lambda layers: Shop(layers, os.environ.get("HOME"))))
""",
}


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    before = REGISTRY.copy()
    yield
    REGISTRY.become(before)


@pytest.mark.parametrize("way", list(CONFTESTS))
def test_it_is_imported(way: str) -> None:
    exec(compile(SHOP + CONFTESTS[way], "conftest.py", "exec"), {"__name__": "ordinary", "sc": sc})
