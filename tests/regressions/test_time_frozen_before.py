"""A check in time that somebody has frozen before: it has its own, and leaves that as it was."""

import contextlib
import datetime as dt
import importlib
import os
import subprocess
import sys
import threading
import time
import types

import freezegun
import pytest

from pytest_supercache import SupercacheError, Verdict, check
from pytest_supercache.core.identity import identity
from pytest_supercache.layers.clock import EPOCH, VirtualClock
from pytest_supercache.runtime.process.virtual_time import frozen, modules_to_scan

NOON = dt.datetime(2020, 2, 29, 12, tzinfo=dt.UTC)


def now():
    return dt.datetime.now(dt.UTC).timestamp()


@pytest.fixture(params=["freezegun", "the clock of the fixtures"])
def before(request):
    """Freeze time; say when it is then."""
    if request.param == "freezegun":
        with freezegun.freeze_time(NOON):
            yield NOON.timestamp()
        return
    clock = VirtualClock()
    with frozen(clock):
        clock.advance(3_600)
        yield EPOCH.timestamp() + 3_600


def visit(client):
    if client.get("seen") is None:
        client.set("seen", "1", ex=10)


def visits(world):
    client = world.existing_cache.client()
    for user in "ab":
        world.actor(user, visit, client)
    world.run()


def test_the_frozen_time_is_there_again_afterwards(before):
    for _ in range(2):
        assert check(visits, search="exhaustive").verdict is Verdict.HOLDS
        assert now() == before


def test_real_time_goes_on_when_all_of_it_is_over():
    began = now()
    with freezegun.freeze_time(NOON):
        check(visits, search="exhaustive")
    assert began <= now() < began + 60


def test_code_sees_the_time_of_the_check(before):
    seen = set()

    def body(world):
        def sleeps():
            began, since = now(), time.monotonic()
            threading.Event().wait(5)
            seen.add((began - EPOCH.timestamp(), now() - began, time.monotonic() - since))

        world.actor("alice", sleeps)
        world.run()

    assert check(body, search="exhaustive").verdict is Verdict.HOLDS
    assert [[round(value, 3) for value in times] for times in seen] == [[0, 5, 5]]


def test_keys_expire_in_it(before):
    left = set()

    def body(world):
        client = world.existing_cache.client()

        def waits():
            client.set("k", "v", ex=10)
            threading.Event().wait(11)
            left.add(client.get("k"))

        world.actor("alice", waits)
        world.run()

    assert check(body, search="exhaustive").verdict is Verdict.HOLDS
    assert left == {None}


def test_what_fails_in_it_leaves_it_as_it_was(before):
    with pytest.raises(SupercacheError, match="registered no actor"):
        check(lambda _world: None)
    assert now() == before


def test_the_budget_is_of_real_time(before):
    def body(world):
        def steps():
            for _ in range(30):
                world.step("move", writes="k")

        for user in "abc":
            world.actor(user, steps)
        world.run()

    result = check(body, search="exhaustive", time=0.2, executions=1_000_000)
    assert result.verdict is Verdict.UNKNOWN
    assert 0.2 <= result.seconds < 60


LOCAL = """
import time
from datetime import date, datetime, timedelta, timezone

class Local:
    def __init__(self):
        self.entry = None
    def put(self, value):
        self.entry = value, datetime.now(timezone.utc) + timedelta(seconds=10)
    def get(self):
        value, end = self.entry
        return value if datetime.now(timezone.utc) < end else None
"""


@pytest.fixture
def module(request, tmp_path, monkeypatch):
    """Import a module of this name in which entries live for ten seconds."""
    (tmp_path / f"{request.param}.py").write_text(LOCAL)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module(request.param)
    del sys.modules[request.param]


def outlives(module):
    def body(world):
        local, found = module.Local(), []

        def waits():
            local.put("v")
            threading.Event().wait(11)
            found.append(local.get())

        world.actor("alice", waits)
        world.run()
        assert found == [None]

    return check(body, search="exhaustive").verdict


@pytest.mark.parametrize("module", ["app_of_ours", "queueing_of_ours", "giftshop"], indirect=True)
def test_code_sees_it_whatever_its_module_is_called(module):
    """freezegun leaves alone what begins like ``queue`` or ``gi``, and what else is on its list."""
    real = module.datetime, module.date
    assert outlives(module) is Verdict.HOLDS
    with freezegun.freeze_time(NOON, ignore=[module.__name__]):
        assert outlives(module) is Verdict.HOLDS
        assert module.datetime is real[0]
    assert (module.datetime, module.date) == real


def test_what_is_imported_meanwhile_shows_the_frozen_time_and_then_the_real_one(
    tmp_path, monkeypatch
):
    (tmp_path / "imported_late.py").write_text(
        "import datetime as dt\nfrom datetime import datetime\nfrom time import time\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    def body(world):
        importlib.import_module("imported_late")
        visits(world)

    with freezegun.freeze_time(NOON):
        assert check(body, search="exhaustive").verdict is Verdict.HOLDS
        late = sys.modules["imported_late"]
        assert late.time() == late.datetime.now(dt.UTC).timestamp() == NOON.timestamp()
    assert late.datetime is dt.datetime
    assert late.time() > NOON.timestamp()
    del sys.modules["imported_late"]


def freezes_around_the_race(world):
    with freezegun.freeze_time(NOON):
        visits(world)


def freezes_in_the_race(world):
    def user():
        with freezegun.freeze_time(NOON):
            world.step("look", reads="k")

    world.actor("alice", user)
    world.run()


def freezes_and_forgets(world):
    visits(world)
    freezegun.freeze_time(NOON).start()


@pytest.mark.parametrize("is_frozen", [False, True])
@pytest.mark.parametrize(
    "body", [freezes_around_the_race, freezes_in_the_race, freezes_and_forgets]
)
def test_time_frozen_inside_of_a_check_is_an_error(body, is_frozen):
    began = now()
    with freezegun.freeze_time(NOON) if is_frozen else contextlib.nullcontext():
        with pytest.raises(SupercacheError, match="frozen, or let go, inside of a check"):
            check(body, search="exhaustive")
        if is_frozen:
            assert now() == NOON.timestamp()
    assert began <= now() < began + 60


def test_time_frozen_beside_the_race_is_none():
    def body(world):
        visits(world)
        with freezegun.freeze_time(NOON):
            assert now() == NOON.timestamp()

    assert check(body, search="exhaustive").verdict is Verdict.HOLDS


def test_to_move_the_clock_that_was_frozen_before_is_an_error():
    with freezegun.freeze_time(NOON) as outer:

        def body(world):
            outer.tick(60)
            visits(world)

        with pytest.raises(SupercacheError, match=r"moved in its body.*time\.sleep"):
            check(body, search="exhaustive")


def test_ctrl_c_while_time_is_being_frozen_leaves_nothing(monkeypatch):
    def interrupted(_module):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(freezegun.api, "_get_cached_module_attributes", interrupted)
        with pytest.raises(KeyboardInterrupt):
            check(visits, search="exhaustive")
    assert not freezegun.api.freeze_factories
    assert dt.datetime is freezegun.api.real_datetime
    assert check(visits, search="exhaustive").verdict is Verdict.HOLDS


def test_a_check_inside_of_a_check_is_refused():
    inner = []

    def body(world):
        try:
            check(visits)
        except SupercacheError as error:
            inner.append(str(error))
            raise

    with pytest.raises(SupercacheError, match="another one goes on in this process"):
        check(body)
    assert len(inner) == 1
    assert check(visits, search="exhaustive").verdict is Verdict.HOLDS


def test_a_check_beside_a_check_is_refused():
    (begun, begins), (goes_on, let_go_on) = os.pipe(), os.pipe()
    results, waits = [], [True]

    def body(world):
        if waits:
            waits.clear()
            os.write(begins, b"x")
            os.read(goes_on, 1)
        visits(world)

    first = threading.Thread(target=lambda: results.append(check(body, search="exhaustive")))
    first.start()
    os.read(begun, 1)
    with pytest.raises(SupercacheError, match="on another thread"):
        check(visits)
    os.write(let_go_on, b"x")
    first.join()
    assert [result.verdict for result in results] == [Verdict.HOLDS]
    for descriptor in (begun, begins, goes_on, let_go_on):
        os.close(descriptor)


FIRST_CHECK = """
import fastapi, freezegun
from pytest_supercache import check

def body(world):
    world.actor("alice", world.existing_cache.client().get, "x")
    world.run()

with freezegun.freeze_time("2020-01-01"):
    print(check(body).verdict.value)
"""


def test_a_library_that_derives_classes_from_dates_is_imported_with_real_ones():
    cold = subprocess.run(
        [sys.executable, "-c", FIRST_CHECK], capture_output=True, text=True, check=False
    )
    assert cold.stdout == "holds\n", cold.stderr


def shown_by(module):
    """Return the day that a module's clock shows in frozen time, and if it is real afterwards."""
    clock = VirtualClock()
    with frozen(clock):
        shown = dt.date(*module.now()[:3])
    return shown, module.now is time.gmtime


@pytest.mark.parametrize("name", ["shop_of_a_team", "iniconfig"])
def test_a_clock_that_a_known_module_gains_later_is_frozen_in_the_next_check(name, monkeypatch):
    module = types.ModuleType(name)
    monkeypatch.setitem(sys.modules, name, module)
    with frozen(VirtualClock()):
        pass  # freezegun knows the module now, and that it has no clock
    module.now = time.gmtime
    assert shown_by(module) == (EPOCH.date(), True)


def test_a_module_of_a_tool_with_as_many_names_as_before_is_another_one(monkeypatch):
    before, after = types.ModuleType("iniconfig"), types.ModuleType("iniconfig")
    before.now, after.now = min, time.gmtime
    monkeypatch.setitem(sys.modules, "iniconfig", before)
    with frozen(VirtualClock()):
        pass
    monkeypatch.setitem(sys.modules, "iniconfig", after)
    assert shown_by(after) == (EPOCH.date(), True)


def test_a_module_of_the_code_under_test_may_swap_one_name_for_a_clock(monkeypatch):
    module = types.ModuleType("shop_of_a_team")
    module.later = min
    monkeypatch.setitem(sys.modules, "shop_of_a_team", module)
    with frozen(VirtualClock()):
        pass
    del module.later
    module.now = time.gmtime
    assert shown_by(module) == (EPOCH.date(), True)


def test_the_function_of_freezegun_is_its_own_again_when_time_is_frozen():
    own = freezegun.api._get_module_attributes_hash
    with frozen(VirtualClock()):
        assert freezegun.api._get_module_attributes_hash is own


def test_a_module_without_clocks_is_scanned_once_and_all_others_every_time(monkeypatch):
    bare, clock, answering = (types.ModuleType(name) for name in ("bare", "clock", "answering"))
    bare.other, clock.now, answering.__getattr__ = min, time.gmtime, lambda name: time.gmtime
    made = {one.__name__: one for one in (bare, clock, answering)}
    for name, module in made.items():
        monkeypatch.setitem(sys.modules, name, module)
    assert set(modules_to_scan(set())) >= {"clock", "answering"}
    again = modules_to_scan(set())
    assert {name for name in made if name in again} == {"clock", "answering"}
    assert "bare" in modules_to_scan({identity(bare)}), "code under test is always scanned"
    bare.now = time.gmtime
    assert "bare" in modules_to_scan(set())


def test_what_is_imported_while_time_is_frozen_has_real_time_afterwards(monkeypatch):
    module = types.ModuleType("shop_of_later")
    with frozen(VirtualClock()):
        monkeypatch.setitem(sys.modules, "shop_of_later", module)
        module.now = time.gmtime
    assert module.now is freezegun.api.real_gmtime
