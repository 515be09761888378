"""Looking at the globals of code under test runs none of its code and sees what changes."""

import _thread
import ast
import functools
import itertools
import os
import subprocess
import sys
import threading
from collections import OrderedDict, deque

import pytest

from pytest_supercache.core.errors import UndeclaredStateError
from pytest_supercache.runtime.process.fingerprints import (
    changed_globals,
    fingerprint,
    other_state,
    state_elsewhere,
)
from pytest_supercache.runtime.process.rebinding import cooperative
from pytest_supercache.runtime.process.state import ModuleState
from pytest_supercache.runtime.sync import locks


class Hostile:
    """Raises at every touch, as a proxy outside of its context does."""

    def __getattribute__(self, name):
        raise RuntimeError(f"touched: {name}")

    def __eq__(self, other):
        raise RuntimeError("compared")

    __hash__ = None


class Holder:
    def __init__(self):
        self.entries = {}


def test_a_global_that_must_not_be_touched_is_left_alone(module):
    module.proxy = Hostile()
    module.near = {"proxy": Hostile()}
    before = fingerprint()
    with cooperative([]):
        pass
    assert changed_globals(before, fingerprint()) == []


@pytest.mark.parametrize(
    ("value", "change"),
    [
        ({}, lambda v: v.update(k=1)),
        (OrderedDict(a=1), lambda v: v.update(a=2)),
        ([], lambda v: v.append(1)),
        (set(), lambda v: v.add(1)),
        (deque(), lambda v: v.append(1)),
        (Holder(), lambda v: v.entries.update(k=1)),
    ],
    ids=lambda v: type(v).__name__,
)
def test_a_changed_global_is_named_and_an_unchanged_one_is_not(module, value, change):
    module.near, module.other = value, {"stays": 1}
    before = fingerprint()
    assert changed_globals(before, fingerprint()) == []
    change(value)
    assert changed_globals(before, fingerprint()) == ["shop_under_test:near"]


def test_declared_state_is_swapped_in_place_per_node_and_put_back(module):
    module.near = near = {"given": 1}
    state = ModuleState(["shop_under_test:near"])
    state.enter("a")
    near["of a"] = 1
    state.enter("b")
    assert near == {"given": 1}
    near.clear()
    state.enter("a")
    assert near == {"given": 1, "of a": 1}
    assert module.near is near
    state.leave()
    assert near == {"given": 1}


def test_a_plain_value_is_bound_anew_on_each_node_and_put_back(module):
    module.client = None
    state = ModuleState(["shop_under_test:client"])
    state.enter("a")
    module.client = made = object()
    state.enter("b")
    assert module.client is None
    state.enter("a")
    assert module.client is made
    state.leave()
    assert module.client is None


class Link:
    """Of a chain whose ends a pickle leaves out."""

    __slots__ = ("key", "next")

    def __init__(self, key):
        self.key = key

    def __reduce__(self):
        return Link, (self.key,)


class Chain:
    def __init__(self):
        self.first, self.second = Link(1), Link(2)
        self.first.next, self.second.next = self.second, self.first

    def __setstate__(self, state):
        self.__dict__.update(state)
        self.first.next, self.second.next = self.second, self.first


def test_an_object_is_copied_as_it_says_itself(module):
    module.chain = Chain()
    state = ModuleState(["shop_under_test:chain"])
    state.enter("a")
    assert module.chain.first.next is module.chain.second
    module.chain.first.key = 7
    state.enter("b")
    assert module.chain.second.next.key == 1
    state.leave()


class Only:
    """One for all: its copy is itself."""

    def __init__(self):
        self.near = {}

    def __deepcopy__(self, memo):
        return self


def test_an_object_whose_copy_is_itself_is_an_error_that_says_what_to_do(module):
    module.only = Only()
    with pytest.raises(UndeclaredStateError, match=r"itself.*isolate=\['shop_under_test'\]"):
        ModuleState(["shop_under_test:only"])


def test_state_that_cannot_be_swapped_is_an_error_that_names_it(module):
    module.numbers = itertools.count()
    with pytest.raises(UndeclaredStateError, match=r"shop_under_test:numbers.* isolate="):
        ModuleState(["shop_under_test:numbers"])
    with pytest.raises(UndeclaredStateError, match="no attribute 'nope'"):
        ModuleState(["shop_under_test:nope"])


def test_locks_made_earlier_are_cooperative_meanwhile_and_themselves_again_afterwards(module):
    class Shop:
        lock = threading.Lock()

    def closed_over():
        return inner

    inner = threading.RLock()
    Shop.__module__ = closed_over.__module__ = module.__name__
    module.guard, module.Shop, module.threading = threading.Lock(), Shop, threading
    module.low = _thread
    module.closed_over, module.held = closed_over, threading.Lock()
    real = (module.guard, Shop.lock, inner, module.held)
    with module.held, cooperative([]):
        assert isinstance(module.guard, locks.Lock)
        assert isinstance(Shop.lock, locks.Lock)
        assert isinstance(closed_over(), locks.RLock)
        assert module.threading.Lock is locks.Lock
        assert isinstance(module.low.allocate_lock(), locks.Lock)
        assert module.low.get_ident is _thread.get_ident
        assert module.threading.current_thread is threading.current_thread
        assert module.held is real[3]
    assert (module.guard, Shop.lock, closed_over(), module.held) == real
    assert module.threading is threading


def test_what_lies_deep_in_declared_state_belongs_to_one_node(module):
    module.groups = groups = {"default": {"k": "given"}, "guard": threading.Lock()}
    inner, guard = groups["default"], groups["guard"]
    state = ModuleState(["shop_under_test:groups"])
    state.reset()
    state.enter("a")
    groups["default"]["k"] = "of a"
    state.enter("b")
    assert groups["default"] == {"k": "given"}
    state.enter("a")
    assert groups["default"] == {"k": "of a"}
    state.leave()
    assert groups["default"] is inner
    assert inner == {"k": "given"}
    assert groups["guard"] is guard


def test_an_object_with_linked_entries_is_swapped_as_a_whole(module):
    module.shop = shop = Holder()
    state = ModuleState(["shop_under_test:shop"])
    state.enter("a")
    shop.entries["k"] = shop.last = ["of a"]
    state.enter("b")
    assert shop.entries == {}
    assert not hasattr(shop, "last")
    state.enter("a")
    assert shop.entries["k"] is shop.last


def test_a_memo_function_is_no_state_that_can_be_swapped(module):
    module.lookup = functools.lru_cache(lambda key: key)
    with pytest.raises(UndeclaredStateError, match="shop_under_test:lookup"):
        ModuleState(["shop_under_test:lookup"])


def test_a_memo_function_that_has_answered_is_named(module):
    module.lookup = functools.lru_cache(lambda key: key)
    before = fingerprint()
    module.lookup("k")
    assert changed_globals(before, fingerprint()) == ["shop_under_test:lookup"]


def in_another_process(seed: str) -> dict[str, int]:
    code = (
        "import sys, os; sys.path.insert(0, os.getcwd()); import shop_of_two\n"
        "from pytest_supercache.runtime.process.fingerprints import state_elsewhere\n"
        "print(state_elsewhere())"
    )
    variables = {**os.environ, "PYTHONHASHSEED": seed}
    said = subprocess.run(
        [sys.executable, "-c", code], env=variables, capture_output=True, text=True
    )
    state: dict[str, int] = ast.literal_eval(said.stdout)
    return {name: digest for name, digest in state.items() if name.startswith("shop_of_two:")}


def test_equal_state_is_equal_in_another_process(tmp_path, monkeypatch):
    (tmp_path / "shop_of_two.py").write_text(
        "NAMES, LIMIT, BOTH = {'a', 'b', 'c'}, 'x', {'k': (1, None)}\n"
        "class Shop:\n    known = ['x']\n"
    )
    monkeypatch.chdir(tmp_path)
    one, other = in_another_process("1"), in_another_process("2")
    assert set(one) == {f"shop_of_two:{name}" for name in ("NAMES", "LIMIT", "BOTH", "Shop.known")}
    assert one == other


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda module: setattr(module, "limit", 2), "limit"),
        (lambda module: setattr(module, "new", None), "new"),
        (lambda module: setattr(module.Switch, "is_on", True), "Switch.is_on"),
        (lambda module: module.held.entries.update(k=1), "held"),
    ],
)
def test_other_state_is_named(module, change, name):
    kind = type("Switch", (), {"__module__": module.__name__, "is_on": False})
    module.limit, module.held, module.Switch = 1, Holder(), kind
    before = state_elsewhere()
    assert other_state(state_elsewhere(), before) == []
    change(module)
    assert other_state(state_elsewhere(), before) == [f"{module.__name__}:{name}"]
