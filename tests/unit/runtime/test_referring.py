"""The functions of a module are all found; all objects are looked at only if some are hidden."""

import gc
from types import ModuleType

import pytest

from pytest_supercache.runtime.memory import referring
from pytest_supercache.runtime.memory.lasting import Lasting
from pytest_supercache.runtime.memory.referring import functions_of

HOLDERS = {
    "a global": "def wanted(): pass",
    "a method": "class Shop:\n    def wanted(self): pass",
    "a method of a nested class": "class Shop:\n    class Cart:\n        def wanted(self): pass",
    "a static method": "class Shop:\n    @staticmethod\n    def wanted(): pass",
    "a class method": "class Shop:\n    @classmethod\n    def wanted(cls): pass",
    "a property": "class Shop:\n    @property\n    def wanted(self): pass",
    "a memo function": "import functools\n@functools.lru_cache\ndef wanted(): pass",
    "a wrapper": "import functools\ndef bare(): pass\nwanted = functools.partial(bare)",
    "a table": "TABLE = {'key': [lambda: 1]}",
    "a closure": "def outer():\n    def wanted(): pass\n    return lambda: wanted\nmade = outer()",
    "a generator that waits": "def wanted():\n    yield 1\nwaiting = wanted()\nnext(waiting)",
    "a default": "def outer(function=lambda: 1): pass",
    "a decorated function": (
        "import functools\n"
        "def passed_on(function):\n"
        "    @functools.wraps(function)\n"
        "    def call(): return function()\n"
        "    return call\n"
        "@passed_on\n"
        "def wanted(): pass"
    ),
    "a function beside much data": "def wanted(): pass\nMUCH = [[one] for one in range(9_000)]",
    "nothing": "x = 1",
}


def made(source):
    module = ModuleType("shop_of_functions")
    exec(source, vars(module))
    return module


def by_looking_at_everything(module):
    """Find them in the slow way."""
    functions = (one for one in gc.get_objects() if type(one) is type(made))
    return {id(one) for one in functions if one.__globals__ is vars(module)}


@pytest.mark.parametrize("holder", HOLDERS)
def test_what_a_module_leads_to_is_found_without_a_look_at_everything(holder, monkeypatch):
    module = made(HOLDERS[holder])
    monkeypatch.setattr(referring, "_referrers", lambda spaces: [] if not spaces else 1 / 0)
    found = {id(function) for function in functions_of([module])}
    assert found == by_looking_at_everything(module)


class Loader:
    """One that leads to more than is walked, as that of pytest does for test files."""

    def __init__(self):
        self.session = [[one] for one in range(9_000)]


DEEP = "table = {'key': [[[[[[lambda: 1]]]]]]}"


def test_what_has_imported_a_module_is_not_walked(monkeypatch):
    module = made(DEEP)
    module.__loader__ = module.__spec__ = Loader()
    monkeypatch.setattr(referring, "_referrers", lambda spaces: [] if not spaces else 1 / 0)
    assert [function() for function in functions_of([module])] == [1]


def test_a_function_that_only_the_loader_knows_is_found_too():
    module = made(DEEP)
    module.__loader__ = loader = Loader()
    loader.session.append(module.table)
    del module.table
    assert 1 in {function() for function in functions_of([module])}


def test_the_same_holds_while_the_state_of_the_module_is_remembered(monkeypatch):
    """As it is of a module that is imported during a check."""
    module = made(HOLDERS["a method"])
    lasting = Lasting()
    lasting.add([module])
    assert lasting.snapshots
    monkeypatch.setattr(referring, "_referrers", lambda spaces: [] if not spaces else 1 / 0)
    assert list(functions_of([module])) == [module.Shop.wanted]


@pytest.mark.parametrize("is_frozen", [False, True])
def test_what_only_others_lead_to_is_found_too(is_frozen):
    module = made("def seen(): pass\ndef hidden(): pass")
    kept_elsewhere = [vars(module).pop("hidden")]
    if is_frozen:
        gc.freeze()
    try:
        assert {f.__name__ for f in functions_of([module])} == {"seen", "hidden"}
    finally:
        gc.unfreeze()
    assert kept_elsewhere


def test_modules_without_functions_ask_for_no_look_at_everything(monkeypatch):
    """Modules of C are many in some processes, and have functions that refer to no globals."""
    modules = [made("x = 1") for _ in range(9)]
    modules.insert(5, module := made("def seen(): pass"))
    monkeypatch.setattr(referring, "_referrers", lambda spaces: [] if not spaces else 1 / 0)
    assert list(functions_of(modules)) == [module.seen]


def test_many_modules_are_found_by_one_look_at_everything(monkeypatch):
    modules = [made("def seen(): pass") for _ in range(5)]
    monkeypatch.setattr(referring, "_walked", lambda space, most: 1 / 0)
    found = {id(function) for function in functions_of(modules)}
    assert found == {id(module.seen) for module in modules}
