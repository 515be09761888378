"""Django's caches, and its database: ``incr`` is indivisible in some, in parts in others."""

import sys
import threading
from contextlib import nullcontext
from types import ModuleType

import django
import pytest
from django.conf import settings

from pytest_supercache import Verdict, check, watch
from pytest_supercache.declare import adapters
from pytest_supercache.declare.registry import REGISTRY
from pytest_supercache.runtime.process.state import ModuleState
from tests.adapters.flows import counting, is_conflict, judged
from tests.adapters.memcached import Memory

if not settings.configured:
    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "none yet"}},
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    )
    django.setup()

from django.core.cache import cache, caches
from django.core.cache.backends.db import DatabaseCache
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.memcached import PyMemcacheCache
from django.core.cache.backends.redis import RedisCache
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.db import connection, connections, models, transaction
from django.dispatch import Signal

EXECUTIONS = 30
"""Enough for what holds here; how many of the interleavings fail need not be counted."""


def local(_world):
    return LocMemCache("counters", {})


def files(world):
    return FileBasedCache(str(world.tmp_path), {})


def redis(_world):
    return RedisCache("redis://production:6379", {})


def memcached(_world):
    return PyMemcacheCache("production", {"OPTIONS": {"socket_module": Memory().sockets()}})


def database(world):
    new_database(world)
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE counters (cache_key TEXT PRIMARY KEY, value TEXT, expires TEXT)"
        )
    return DatabaseCache("counters", {})


def new_database(world):
    """Let the connections of this execution, one a thread, lead to a file of its own."""
    connections.settings["default"]["NAME"] = str(world.tmp_path / "shop.db")


def increment(cache):
    cache.incr("n")


def read_and_store(cache):
    cache.set("n", int(cache.get("n")) + 1)


@pytest.mark.parametrize(
    ("open_cache", "bump", "conflict"),
    [
        (local, increment, False),
        (local, read_and_store, True),
        (files, increment, True),
        (redis, increment, False),
        (redis, read_and_store, True),
        (memcached, increment, False),
        (memcached, read_and_store, True),
        (database, increment, True),
    ],
)
def test_two_users_lose_a_count_where_it_is_taken_in_parts(open_cache, bump, conflict):
    def made(world):
        cache = open_cache(world)
        cache.set("n", 0)
        return cache

    result = counting(made, bump, lambda cache: cache.get("n"), executions=EXECUTIONS)
    assert is_conflict(result) is conflict


@pytest.mark.parametrize("open_cache", [files, database])
def test_no_count_is_lost_under_a_lock(open_cache):
    def made(world):
        cache = open_cache(world)
        cache.set("n", 0)
        cache.guard = threading.Lock()
        return cache

    def bump(cache):
        with cache.guard:
            cache.incr("n")

    assert not is_conflict(counting(made, bump, lambda cache: cache.get("n")))


class Counter(models.Model):
    n = models.IntegerField()

    class Meta:
        app_label = "shop"


def load_and_save(key):
    counter = Counter.objects.get(pk=key)
    counter.n += 1
    counter.save()


def let_the_database_count(_key):
    Counter.objects.update(n=models.F("n") + 1)


@pytest.mark.parametrize(
    ("bump", "conflict"), [(load_and_save, True), (let_the_database_count, False)]
)
def test_two_users_lose_a_count_unless_the_database_counts(bump, conflict):
    def made(world):
        new_database(world)
        with connection.schema_editor() as editor:
            editor.create_model(Counter)
        return Counter.objects.create(n=0).pk

    result = counting(made, bump, lambda key: Counter.objects.get(pk=key).n)
    assert is_conflict(result) is conflict


def test_each_node_has_caches_of_its_own_behind_the_handler_of_the_process():
    seen = []

    def body(world):
        def write():
            caches["default"].set("k", 1)
            seen.append(("a", caches["default"].get("k")))

        world.actor("a", write, node="a")
        world.run()
        with world.at("b"):
            seen.append(("b", caches["default"].get("k")))

    caches["default"].set("k", 0)
    check(body, search="all-schedules", guarantees=())
    assert set(seen) == {("a", 1), ("b", 0)}, "each begins with what was there"
    assert caches["default"].get("k") == 0, "what is made before a check is there after it"
    caches["default"].clear()


def test_statements_are_steps_by_table_and_one_step_each():
    steps = []

    def body(world):
        new_database(world)
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE product (price)")
            cursor.execute("CREATE TABLE audit (line)")

        def change():
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT price FROM product")
                cursor.executemany("INSERT INTO audit VALUES (%s)", [("a",), ("b",)])

        world.actor("one", change)
        world.run()
        steps[:] = [step for step in world.context.record.steps if step.choice is not None]

    check(body, guarantees=())
    asked = [step.label for step in steps if step.kind in {"origin", "watched"}]
    assert asked == ["SELECT product", "INSERT audit", "COMMIT"]


def ask(_shop):
    with connection.cursor() as cursor:
        cursor.execute("SELECT price FROM product")


@pytest.fixture
def _as_before():
    before = REGISTRY.copy()
    yield
    REGISTRY.become(before)


@pytest.mark.usefixtures("_as_before")
def test_a_statement_inside_of_a_declared_call_is_a_step_as_well():
    watch(f"{__name__}:ask", reads="*")
    labels = []

    def body(world):
        new_database(world)
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE product (price)")
        world.actor("one", ask, "shop")
        world.run()
        labels[:] = [step.label for step in world.context.record.steps if step.choice is not None]

    check(body, guarantees=())
    assert labels == ["ask *", "SELECT product"]


def test_locks_of_the_bookkeeping_of_django_are_no_steps():
    labels = set()

    def body(world):
        new_database(world)

        def ask():
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
            caches["default"].get("k")

        world.actor("one", ask)
        world.actor("two", ask)
        world.run()
        labels.update(step.label for step in world.context.record.steps)

    check(body, executions=20, guarantees=())
    assert labels
    assert not [label for label in labels if label.startswith(("acquire", "release"))]


changed = Signal()


def raced(prepare, *flows):
    """Race flows that get what `prepare` makes; return the verdict and the labels of all steps."""
    labels = set()

    def body(world):
        made = prepare(world)
        for number, flow in enumerate(flows):
            world.actor(f"user{number}", flow, made)
        try:
            world.run()
        finally:
            changed.receivers.clear()
            changed.sender_receivers_cache.clear()
        labels.update(step.label for step in world.context.record.steps)
        assert made["n"] == made["expected"]

    return check(body, guarantees=()).verdict.value, labels


def receiver_of(counts):
    def count(**_):
        counts["n"] += 1

    return count


def heard(_world, make=receiver_of):
    counts = {"n": 0, "expected": 2}
    counts["receiver"] = make(counts)
    changed.connect(counts["receiver"], weak=False, dispatch_uid="count")
    return counts


def send(_counts):
    changed.send(None)


def test_a_race_of_the_project_s_own_receivers_is_found():
    verdict, labels = raced(heard, send, send)
    assert verdict == "violated"
    assert not [label for label in labels if label.startswith("hold")], labels


GUARD = threading.Lock()


def guarded_receiver_of(counts):
    def count(**_):
        with GUARD:
            counts["n"] += 1

    return count


def test_receivers_that_count_under_a_lock_of_the_project_hold_and_are_steps():
    verdict, labels = raced(lambda world: heard(world, guarded_receiver_of), send, send)
    holds = [label for label in labels if label.startswith("hold")]
    assert (verdict, len(holds)) == ("holds", 1), labels
    assert "GUARD" in holds[0]


def heard_once(world):
    counts = heard(world)
    counts["expected"] = 1
    return counts


def mute_for_a_moment(counts):
    changed.disconnect(dispatch_uid="count")
    changed.connect(counts["receiver"], weak=False, dispatch_uid="count")


@pytest.mark.parametrize(
    ("other", "verdict"), [(mute_for_a_moment, "violated"), (lambda _: None, "holds")]
)
def test_a_project_that_mutes_a_signal_mutes_it_for_others_too(other, verdict):
    assert raced(heard_once, other, send)[0] == verdict


def heard_by_nobody(**_):
    """Do nothing when a signal is sent."""


def send_of_django(_pages):
    changed.send(None)


def under_a_lock_of_the_project(pages):
    with GUARD:
        pages.append("seen")


@pytest.mark.parametrize(
    ("meanwhile", "is_framework"), [(send_of_django, True), (under_a_lock_of_the_project, False)]
)
def test_only_a_lock_of_the_framework_is_no_step_inside_of_a_coroutine(meanwhile, is_framework):
    labels = set()

    async def body(world):
        client, pages = world.existing_cache.aclient(), []
        changed.sender_receivers_cache.clear()

        async def count():
            number = int(await client.get("n") or 0)
            meanwhile(pages)
            await client.set("n", number + 1)

        world.actor("one", count)
        world.actor("two", count)
        await world.run()
        labels.update(step.label for step in world.execution(None).race)
        assert world.existing_cache.peek("n") == "2"

    changed.connect(heard_by_nobody)  # as a project does while it is imported
    try:
        found = check(body, guarantees=())
    finally:
        changed.disconnect(heard_by_nobody)
    assert found.verdict.value == "violated"
    locks = [label for label in labels if label.startswith("acquire")]
    assert (not locks) is is_framework, labels
    assert (not any("memory is treated as shared" in note for note in found.notes)) is is_framework


def test_the_caches_in_memory_have_no_steps_but_their_calls():
    def cache(_world):
        return {"n": 0, "expected": 0, "cache": local(None)}

    def store(made):
        made["cache"].set("k", made["cache"].get("k", 0))

    verdict, labels = raced(cache, store, store)
    assert (verdict, {label for label in labels if "start" not in label}) == (
        "holds", {"get *", "set *"},
    )  # fmt: skip


@pytest.mark.parametrize("guarded", [False, True])
def test_users_find_what_the_body_has_put_into_the_cache_of_the_process(guarded):
    def body(world):
        guard, sold = threading.Lock() if guarded else nullcontext(), []
        cache.set("stock", 1)

        def buy():
            with guard:
                if left := cache.get("stock"):
                    cache.set("stock", left - 1)
                    sold.append(1)

        world.actor("a", buy)
        world.actor("b", buy)
        world.run()
        assert sold == [1]
        assert cache.get("stock") == 0

    assert is_conflict(judged(body)) is not guarded


def test_what_the_body_has_put_into_the_cache_of_the_process_is_on_one_node():
    def body(world):
        cache.set("stock", 1)
        world.actor("a", lambda: cache.get("stock"))
        world.actor("b", lambda: cache.get("stock"), node="b")
        assert world.run() == {"a": 1, "b": None}
        with world.at("b"):
            assert cache.get("stock") is None
        assert cache.get("stock") == 1

    assert judged(body).verdict is Verdict.HOLDS


class RateManager(models.Manager):
    def __init__(self):
        super().__init__()
        self.rates = {}


class Rate(models.Model):
    objects = RateManager()

    class Meta:
        app_label = "rates"


def _in_a_manager(made):
    if "usd" not in Rate.objects.rates:
        made.append(1)
        Rate.objects.rates["usd"] = 1


def _in_the_settings(made):
    if not hasattr(settings, "SHOP_CLIENT"):
        made.append(1)
        settings.SHOP_CLIENT = 1


def _in_options(made):
    if not hasattr(Rate._meta, "shop_client"):
        made.append(1)
        Rate._meta.shop_client = 1


@pytest.mark.parametrize("guarded", [False, True])
@pytest.mark.parametrize("make_once", [_in_a_manager, _in_the_settings, _in_options])
def test_what_a_project_keeps_in_objects_of_django_is_cold_in_each_execution(make_once, guarded):
    def body(world):
        made, guard = [], threading.Lock() if guarded else nullcontext()

        def make():
            with guard:
                make_once(made)

        world.actor("a", make)
        world.actor("b", make)
        world.run()
        assert made == [1]

    assert is_conflict(judged(body)) is not guarded


def test_each_node_has_its_own_local_memory_and_the_files_are_shared():
    seen = []

    def body(world):
        def write():
            local(world).set("k", 1)
            files(world).set("k", 1)

        world.actor("a", write, node="a")
        world.run()
        with world.at("b"):
            seen.append((local(world).get("k"), files(world).get("k")))

    check(body, search="all-schedules", guarantees=())
    assert set(seen) == {(None, 1)}


POOLS = "django_redis.pool:ConnectionFactory._pools"


@pytest.fixture
def pools(monkeypatch):
    """The pools of a process that has used one already; the package itself is not needed."""
    package, module = ModuleType("django_redis"), ModuleType("django_redis.pool")
    module.ConnectionFactory = type("ConnectionFactory", (), {"_pools": {"redis://a": 1}})
    monkeypatch.setitem(sys.modules, "django_redis", package)
    monkeypatch.setitem(sys.modules, "django_redis.pool", module)
    return module.ConnectionFactory._pools


def test_each_node_has_pools_of_its_own(pools):
    state = ModuleState((), adapters.state(sys.modules))
    state.reset()
    state.enter("a")
    pools["redis://b"] = 2
    state.enter("b")
    assert "redis://b" not in pools
    state.enter("a")
    assert "redis://b" in pools
    state.leave()
    assert pools == {"redis://a": 1}


def test_pools_of_a_package_that_is_imported_later_are_taken_apart_from_then_on(pools):
    state = ModuleState(())
    assert state.add_imported(adapters.state(sys.modules))
    assert not state.add_imported(adapters.state(sys.modules))


def test_without_the_package_there_is_nothing_to_take_apart():
    assert POOLS not in adapters.state(sys.modules)


def _claimed(storage):
    """Make a file unless it is there."""
    if storage.exists("17.pdf"):
        return "it was there"
    storage.save("17.pdf", ContentFile(b"%PDF"))
    return "made"


def _removed(storage):
    if not storage.exists("17.pdf"):
        return "it was gone"
    storage.delete("17.pdf")
    return "removed"


@pytest.mark.parametrize("is_guarded", [False, True])
@pytest.mark.parametrize("use", [_claimed, _removed])
def test_files_of_a_storage_are_looked_at_before_or_after_another_changes_them(use, is_guarded):
    def body(world):
        storage = FileSystemStorage(location=world.tmp_path)
        if use is _removed:
            storage.save("17.pdf", ContentFile(b"%PDF"))
        guard = threading.Lock() if is_guarded else nullcontext()

        def act():
            with guard:
                return use(storage)

        world.actor("one", act)
        world.actor("two", act)
        assert len(set(world.run().values())) == 2

    assert is_conflict(judged(body)) is not is_guarded
