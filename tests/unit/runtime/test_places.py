"""The walk over everything that modules under test hold."""

import signal
import sys
import threading
from types import ModuleType

import pytest

from pytest_supercache.core.identity import identity
from pytest_supercache.runtime.process import fingerprints
from pytest_supercache.runtime.process import reference_walk as walking
from pytest_supercache.runtime.process.fresh_stack import on_a_fresh_stack
from pytest_supercache.runtime.process.reference_walk import places


def made(name, **members):
    module = ModuleType(name)
    vars(module).update(members)
    return module


class Held:
    """What is looked for."""


class Metaclass(type):
    """Its classes are equal to nothing and cannot be hashed."""

    __eq__ = None
    __hash__ = None


def found(*modules, closed=()):
    return [place.name for place in places(modules, closed, (), {identity(Held)})]


def test_places_are_named_by_the_way_to_them():
    held = Held()

    def function(default=held, *, word=held):
        return held

    function.kept = Held()
    assert found(made("shop", items={"a": [Held()], 7: Held()}, function=function)) == [
        "shop:items[7]",
        "shop:function.closure[0]",
        "shop:function.default[0]",
        "shop:function.default[word]",
        "shop:function.kept",
        "shop:items[a][0]",
    ]


def test_the_globals_of_a_function_that_belong_to_no_module_are_looked_at():
    apart = {**globals(), "kept": Held()}
    exec("def generated(): return kept", apart)
    function = apart["generated"]
    assert found(made("shop", function=function)) == ["shop:function.global[kept]"]
    (place,) = places([made("shop", function=function)], (), (), {identity(Held)})
    place.put(7)
    assert function() == 7
    assert found(made("shop", function=found)) == []


def test_a_value_is_put_back_where_it_was():
    items = {"a": [1, Held()]}
    (place,) = places([made("shop", items=items)], (), (), {identity(Held)})
    place.put(2)
    assert items == {"a": [1, 2]}
    items["a"].clear()
    with pytest.raises(IndexError):
        place.put(3)


def test_a_tuple_is_looked_for_that_holds_what_is_looked_for_and_walked_into():
    inner = (1, Held())
    held = (inner, [Held()], "data")
    assert found(made("shop", kept=held, again={"a": held}, data=(1, "a", (2,)))) == [
        "shop:kept",
        "shop:kept[0]",
        "shop:again[a]",
        "shop:kept[0][1]",
        "shop:kept[1][0]",
    ]


def test_nothing_is_put_into_a_tuple():
    *_, inside = places([made("shop", kept=(Held(),))], (), (), {identity(Held)})
    assert inside.name == "shop:kept[0]"
    with pytest.raises(TypeError):
        inside.put(2)


def test_what_two_modules_share_is_looked_into_once_and_by_the_shortest_way():
    shared = {"lock": Held()}
    deep = shared
    for _ in range(walking.DEPTH_MAX - 1):
        deep = [deep]
    assert found(made("a", far=deep), made("b", near=shared)) == ["b:near[lock]"]
    assert found(made("a", far=[deep])) == []  # farther than the walk goes
    assert found(made("b", near=shared), closed=[identity(shared)]) == []


def test_a_module_full_of_data_takes_nothing_from_another(monkeypatch):
    monkeypatch.setattr(walking, "PLACES_MAX", 100)
    cache = {"locks": {"k": Held()}}
    data = [{"i": i} for i in range(101)]
    assert found(made("a", cache=cache, data=data), made("b", cache=cache)) == ["a:cache[locks][k]"]


def test_a_class_that_cannot_be_hashed_is_nothing_special():
    kind = Metaclass("Odd", (), {"__module__": "shop", "lock": Held()})
    assert found(made("shop", odd=kind())) == []
    assert found(made("shop", Odd=kind)) == ["shop:Odd.lock"]


def test_a_fresh_stack_returns_raises_and_leaves_no_thread():
    before = threading.enumerate()
    assert on_a_fresh_stack(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        on_a_fresh_stack(lambda: 1 // 0)
    assert threading.enumerate() == before


def test_a_signal_that_is_handled_does_not_end_the_wait():
    heard = []
    usual = signal.signal(signal.SIGALRM, lambda *_: heard.append(1))
    go_on = threading.Event()
    signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
    try:
        threading.Thread(target=lambda: [_until(heard), go_on.set()]).start()
        assert on_a_fresh_stack(lambda: go_on.wait(10))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, usual)
    assert heard


def _until(heard):
    while len(heard) < 3:
        threading.Event().wait(0.01)


class Rude(bytearray):
    """It lets nobody look."""

    def __len__(self):
        raise RuntimeError("no")

    __getitem__ = __len__


@pytest.mark.parametrize(
    ("before", "after"),
    [(-1, -2), (0, 2**61 - 1), (0.0, -0.0), (1, True), (1, 1.0), ("a", b"a"), ([1, 2], [2, 1])],
)
def test_content_that_differs_has_another_hash_and_equal_content_the_same(module, before, after):
    hashes = []
    for value in (before, after, before):
        module.held = {"last": value, "not": float("nan"), "rude": Rude(b"x")}
        hashes.append(fingerprints.fingerprint()[f"{module.__name__}:held"])
    assert hashes[0] == hashes[2] != hashes[1]
    assert sys.modules[module.__name__] is module
