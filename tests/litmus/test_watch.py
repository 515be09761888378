"""What `watch` makes of calls and mappings that were not written for it: which orders there are."""

import os
import time
from collections import Counter, OrderedDict, defaultdict
from pathlib import Path

import pytest

from pytest_supercache import Verdict, check, watch
from pytest_supercache.declare.registry import REGISTRY


@pytest.fixture(autouse=True)
def _own_watches():
    before = REGISTRY.copy()
    yield
    REGISTRY.become(before)


class Near:
    """A cache in the process, written without a thought of threads."""

    def __init__(self):
        self._l1 = {}

    def bump(self, key):
        self._l1[key] = self._l1.get(key, 0) + 1

    def total(self):
        seen = 0
        for key in self._l1:
            seen += self._l1[key]
        return seen

    def snapshot(self):
        return sum(dict(self._l1).values()), sorted(list(self._l1.items()))  # noqa: C414


class Nearer(Near):
    """Inherits everything."""


class Renamed(Near):
    """Calls one method by several names."""

    def peek(self, key):
        return self._l1.get(key, 0)

    def put(self, key, value):
        self._l1[key] = value

    get = __getitem__ = peek


class Renewed(Renamed):
    """Has another method of such a name."""

    def get(self, key):
        return self.peek(key)


_local = {}
_ordered = OrderedDict()


def put_local(key, value, room=2):
    _local[key] = value
    if len(_local) > room:
        _local.pop(next(iter(_local)))


def answers(run, **options):
    """Return what ``run(world)`` answered over all schedules, and the result."""
    seen = []
    options.setdefault("memory", "declared")
    result = check(
        lambda world: seen.append(run(world)), search="all-schedules", guarantees=(), **options
    )
    return Counter(map(str, seen)), result


def bumped(kind):
    def run(world):
        near = kind()
        world.actor("a", near.bump, "k")
        world.actor("b", near.bump, "k")
        world.run()
        return near._l1["k"]

    return answers(run)


@pytest.mark.parametrize("target", ["Near._l1", "Nearer._l1"])
def test_every_access_to_a_watched_mapping_is_a_step(target):
    watch(f"{__name__}:{target}", reads="key", writes="key")
    seen, result = bumped(Nearer)
    assert set(seen) == {"1", "2"}
    assert result.schedules == 6


def test_the_class_above_is_not_touched_by_a_watch_of_an_attribute_below_it():
    watch(f"{__name__}:Nearer._l1")
    seen, _ = bumped(Near)
    assert set(seen) == {"2"}


@pytest.mark.parametrize(
    ("kind", "look", "is_step"),
    [
        (Renamed, lambda near, key: near.get(key), True),
        (Renamed, lambda near, key: near[key], True),
        (Renewed, lambda near, key: near[key], True),
        (Renewed, lambda near, key: near._l1.get(key, 0), False),
    ],
)
def test_a_method_is_watched_by_each_of_its_names(kind, look, is_step):
    """The twin looks without it."""
    watch(f"{__name__}:{kind.__name__}.peek", reads="key")
    watch(f"{__name__}:{kind.__name__}.put", writes="key")

    def bump(near):
        near.put("k", look(near, "k") + 1)

    def run(world):
        near = kind()
        world.actor("a", bump, near)
        world.actor("b", bump, near)
        world.run()
        return near._l1["k"]

    assert set(answers(run)[0]) == ({"1", "2"} if is_step else {"2"})


def test_another_method_that_has_such_a_name_below_is_left_alone():
    watch(f"{__name__}:Renewed.peek", reads="key")
    own, found = vars(Renewed)["get"], []

    def body(world):
        found.append([vars(Renewed).get(name) for name in ("get", "__getitem__", "peek")])
        world.actor("a", Renewed().peek, "k")
        world.run()

    check(body, guarantees=())
    get, item, peek = found[0]
    assert get is own
    assert item is peek is not None


def test_an_inherited_method_is_watched_where_it_is_named():
    watch(f"{__name__}:Nearer.bump", writes="key")
    labels = []

    def run(world, kind):
        world.actor("a", kind().bump, "k")
        world.run()
        labels.append([step.label for step in world.execution(None).race])

    answers(lambda world: run(world, Nearer))
    assert labels[-1] == ["bump k"]
    answers(lambda world: run(world, Near))
    assert "bump k" not in labels[-1]
    assert "bump" not in vars(Nearer)


def test_a_loop_over_a_mapping_is_disturbed_where_a_copy_of_it_is_not():
    watch(f"{__name__}:Near._l1")

    def run(world, look):
        near = Near()
        near._l1.update(a=1, b=1)
        found = []

        def reader():
            try:
                found.append(look(near))
            except RuntimeError as error:
                found.append(str(error))

        world.actor("reader", reader)
        world.actor("writer", near.bump, "c")
        world.run()
        return found[0]

    looped, _ = answers(lambda world: run(world, Near.total))
    assert "dictionary changed size during iteration" in looped
    assert {"2", "3"} < set(looped)
    copied, _ = answers(lambda world: run(world, lambda near: sum(dict(near._l1).values())))
    assert set(copied) == {"2", "3"}
    listed, _ = answers(lambda world: run(world, lambda near: len(list(near._l1.items()))))
    assert set(listed) == {"2", "3"}


def test_order_shows_only_once_somebody_looks_at_it():
    watch(f"{__name__}:_local")
    footprints = []

    def run(world, room):
        _local.clear()
        world.actor("a", put_local, "x", 1, room)
        world.actor("b", put_local, "y", 1, room)
        world.actor("c", put_local, "z", 1, room)
        world.run()
        steps = world.execution(None).race
        footprints.append(
            {r for s in steps if s.label.startswith("set") for r in s.footprint.writes}
        )
        return len(_local)

    answers(lambda world: run(world, 5), executions=20)
    assert footprints[-1] == {f"super_cache@a:{key}" for key in "xyz"}
    footprints.clear()
    answers(lambda world: run(world, 2), executions=20)
    assert footprints[0] != footprints[-1] == {"super_cache@a:*"}


def test_a_mapping_of_a_module_is_what_it_was_for_everybody_else():
    import sys

    module = sys.modules[__name__]
    real = _local
    watch(f"{__name__}:_local")
    kinds = []

    def run(world):
        _local.clear()
        world.actor("a", lambda: kinds.append((isinstance(_local, dict), _local == {})))
        world.run()

    answers(run)
    assert kinds[-1] == (True, True)
    assert module._local is real
    assert type(_local) is dict


@pytest.mark.parametrize(
    ("use", "left"),
    [
        (lambda d: d.setdefault("k", []).append(1), "{'k': [1]}"),
        (lambda d: d.update({"k": 1, "j": 2}), "{'k': 1, 'j': 2}"),
        (lambda d: d.update(k=1), "{'k': 1}"),
        (lambda d: [d.__setitem__("k", 1), d.pop("k"), d.pop("k", None)], "{}"),
        (lambda d: [d.update(k=1, j=2), d.popitem(), len(d) == 1 or d.clear()], "{'k': 1}"),
        (lambda d: [d.update(k=1), d.clear(), d or d.update(j=1)], "{'j': 1}"),
        (lambda d: [d.update(k=1), d.update({**d, "j": 2}), d.__delitem__("k")], "{'j': 2}"),
        (lambda d: [d.update(k=1), d.update({k + "2": v for k, v in list(d.items())})],
         "{'k': 1, 'k2': 1}"),
    ],
)  # fmt: skip
def test_a_watched_mapping_does_what_a_dict_does(use, left):
    watch(f"{__name__}:_local")

    def run(world):
        _local.clear()
        world.actor("a", use, _local)
        world.run()
        return dict(_local)

    seen, result = answers(run)
    assert result.verdict is Verdict.HOLDS, result.reasons
    assert set(seen) == {left}


def test_a_default_dict_that_inserts_at_a_look_writes():
    watch(f"{__name__}:Near._l1")
    labels = []

    def run(world):
        near = Near()
        near._l1 = defaultdict(list)
        world.actor("a", lambda: near._l1["k"])
        world.run()
        labels.append([s.footprint.writes for s in world.execution(None).race])

    answers(run)
    assert labels[-1] == [frozenset({"super_cache@a:k"})]


def test_a_function_of_the_standard_library_is_a_step_where_code_under_test_calls_it():
    watch("os:replace", "existing_cache", writes=lambda src, dst: [str(dst)])
    real = os.replace
    steps = []

    def run(world):
        folder = Path(world.tmp_path)
        for name in ("one", "two"):
            (folder / name).write_text(name)
        world.actor("a", lambda: move(folder / "one"))
        world.actor("b", lambda: move(folder / "two"))
        world.actor("c", lambda: (folder / "x").touch())  # the standard library's own calls
        world.run()
        steps.append(len([s for s in world.execution(None).race if "replace" in s.label]))
        return (folder / "live").read_text()

    seen, _ = answers(run)
    assert set(seen) == {"one", "two"}
    assert os.replace is real


def test_calls_that_one_module_makes_are_watched_and_those_of_others_are_not(module):
    module.time = time
    exec("def stamp(): return time.time()", vars(module))
    watch("shop_under_test:time.time", clock=True)

    def run(world):
        stamps = {}
        world.actor("a", lambda: stamps.update(a=module.stamp()))
        world.actor("b", lambda: stamps.update(b=module.stamp()))
        world.run()
        return stamps["a"] < stamps["b"], time.time() < time.time()  # noqa: TID251 - code under test reads the clock

    seen, _ = answers(run)
    assert set(seen) == {"(True, True)", "(False, True)"}


def test_readings_of_a_clock_that_nobody_declared_differ_and_come_in_both_orders():
    def run(world):
        stamps = {}
        world.actor("a", lambda: stamps.update(a=time.time()))  # noqa: TID251 - code under test reads the clock
        world.actor("b", lambda: stamps.update(b=time.time()))  # noqa: TID251 - code under test reads the clock
        world.run()
        return (stamps["a"] > stamps["b"]) - (stamps["a"] < stamps["b"])

    assert set(answers(run, memory="auto")[0]) >= {"1", "-1"}  # the first run shows one time


class Lease:
    """A lock with a time to live, in a dict."""

    def __init__(self):
        self.until = {}

    def take(self, key, seconds):
        if self.until.get(key, 0) > time.monotonic():
            return False
        self.until[key] = time.monotonic() + seconds
        return True

    def work(self, key):
        return key


@pytest.mark.parametrize(("lease", "ticks"), [(True, "auto"), (False, 1)])
def test_an_entry_that_ends_is_a_tick_and_a_lock_that_ends_is_one_by_itself(lease, ticks):
    name = f"{__name__}:Lease"
    watch(f"{name}.take", writes="key", expires="seconds", lease=lease)
    watch(f"{name}.work", writes="key")

    def run(world):
        held, got = Lease(), {}

        def flow(user):
            got[user] = held.take("k", 5)
            held.work("k")

        world.actor("a", flow, "a")
        world.actor("b", flow, "b")
        world.run()
        return all(got.values())

    assert set(answers(run, ticks=ticks)[0]) == {"True", "False"}
    assert set(answers(run, ticks=0)[0]) == {"False"}


def move(path):
    os.replace(path, path.with_name("live"))  # noqa: PTH105 - the function that is watched


def walk(items):
    yield from items


def test_every_item_of_a_watched_generator_is_a_step():
    watch(f"{__name__}:walk", reads="*")

    def run(world):
        items, got = ["x"], []
        world.actor("a", lambda: got.extend(walk(items)))
        world.actor("b", lambda: world.step("add", writes="super_cache@a:y") or items.append("y"))
        world.run()
        return got

    assert set(answers(run)[0]) == {"['x']", "['x', 'y']"}
