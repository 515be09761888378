"""Flows of applications that show no origin, each with the class that an expert gives it.

Two layers, whatever they are: a dict, an LRU or a memo near Redis, two databases of Redis,
cachetools before SQLite. The classes were written down, by the definitions in docs/conflicts.md,
before the classifier was read; some flows are right, and some have no class.
"""

import asyncio
import json
import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cachetools

from pytest_supercache import Faults

FLOWS: dict[str, "Flow"] = {}


HOLDS = "holds"
NONE = "unclassified"


@dataclass(frozen=True)
class Flow:
    """A flow, what it should be called, and why."""

    body: Callable[..., Any]
    expected: str
    why: str
    options: dict[str, Any]
    is_recognised: bool = True
    """Whether it is called so; else no class is given, and the two nearest are named."""


def flow(
    expected: str, why: str, *, recognised: bool = True, ticks: int = 0, **options: Any
) -> Callable[[Any], Any]:
    """Register a flow."""

    def register(body: Any) -> Any:
        given = {"guarantees": (), "ticks": ticks, **options}
        FLOWS[body.__name__] = Flow(body, expected, why, given, recognised)
        return body

    return register


def redis(world, **options):
    return world.existing_cache.client(decode_responses=True, **options)


def raced(world, **flows):
    for name, function in flows.items():
        world.actor(name, function)
    world.run()
    world.settle()


# -- a dict of the process near Redis -----------------------------------------------------


class Prices:
    """Prices in Redis, and a dict near them."""

    def __init__(self, world):
        self.redis = redis(world)
        self.near = {}
        self.redis.set("price:tea", "100")

    def get(self, key="price:tea"):
        if key in self.near:
            return self.near[key]
        value = self.redis.get(key)
        if value is not None:
            self.near[key] = value
        return value


@flow(
    "stale-set",
    "the reader loads from Redis, the price changes and its copy is dropped, the reader "
    "stores the old one",
)
def near_copy_of_a_price(world):
    prices = Prices(world)

    def change():
        prices.redis.set("price:tea", "120")
        prices.near.pop("price:tea", None)

    raced(world, shopper=prices.get, clerk=change)
    assert prices.get() == "120"


@flow(
    "resurrection",
    "the product is deleted in Redis and in the process, and a reader that had loaded it "
    "stores it again",
)
def deleted_product_is_back(world):
    prices = Prices(world)

    def delete():
        prices.redis.delete("price:tea")
        prices.near.pop("price:tea", None)

    raced(world, shopper=prices.get, clerk=delete)
    assert prices.get() is None


@flow(
    "invalidate-before-write",
    "the copy is dropped before Redis has the new price, so any reader in between fills "
    "the old one",
    recognised=False,
)
def copy_dropped_too_early(world):
    prices = Prices(world)
    lock = threading.Lock()

    def read():
        with lock:
            return prices.get()

    def change():
        with lock:
            prices.near.pop("price:tea", None)
        prices.redis.set("price:tea", "120")

    raced(world, shopper=read, clerk=change)
    assert prices.get() == "120"


@flow(
    "double-delete",
    "the second, delayed removal comes too early for a fill that is slower than its delay",
    ticks=1,
)
def copy_dropped_twice(world):
    prices = Prices(world)
    prices.near["price:tea"] = "100"

    def change():
        prices.near.pop("price:tea", None)
        prices.redis.set("price:tea", "120")
        time.sleep(0.5)  # noqa: TID251 - what code under test does
        prices.near.pop("price:tea", None)

    def read():
        if "price:tea" not in prices.near:
            value = prices.redis.get("price:tea")
            time.sleep(0.1)  # noqa: TID251 - it renders a page
            prices.near["price:tea"] = value

    raced(world, shopper=read, clerk=change)
    assert prices.get() == "120"


@flow(
    "dual-write",
    "two writers store in Redis in one order and in the process in the other",
)
def two_clerks_write_through(world):
    prices = Prices(world)

    def change(value):
        prices.redis.set("price:tea", value)
        prices.near["price:tea"] = value

    raced(world, ann=lambda: change("120"), bob=lambda: change("130"))
    assert prices.get() == prices.redis.get("price:tea")


@flow(
    "negative-poisoning",
    "that there is no such product is stored after it was created and its marker dropped",
    recognised=False,
)
async def missing_product_is_remembered(world):
    far = world.existing_cache.aclient(decode_responses=True)
    near = {}

    async def get(key="product:7"):
        if key in near:
            return near[key]
        value = await far.get(key)
        near[key] = value  # None means: there is none
        return value

    async def create():
        await far.set("product:7", "lamp")
        near.pop("product:7", None)

    world.actor("shopper", get)
    world.actor("clerk", create)
    await world.run()
    await world.settle()
    assert await get() == "lamp"


@flow(
    "refresh-overwrite",
    "a background refresh has read the old price and stores it over the new one that a "
    "clerk put there",
)
async def background_refresh(world):
    far = world.existing_cache.aclient(decode_responses=True)
    await far.set("price:tea", "100")
    near = {"price:tea": "100"}

    async def refresh():
        near["price:tea"] = await far.get("price:tea")

    async def change():
        await far.set("price:tea", "120")
        near["price:tea"] = "120"

    world.actor("refresher", refresh)
    world.actor("clerk", change)
    await world.run()
    await world.settle()
    assert near["price:tea"] == "120"


@flow(
    "joined-old-flight",
    "a user who has saved reads, joins a load that began before the save, and is shown "
    "the old value",
    recognised=False,
)
async def single_flight_outlives_a_save(world):
    far = world.existing_cache.aclient(decode_responses=True)
    await far.set("profile:ann", "old")
    flights = {}

    async def get(key="profile:ann"):
        if key not in flights:
            flights[key] = asyncio.ensure_future(far.get(key))
        flight = flights[key]
        try:
            return await asyncio.shield(flight)
        finally:
            if flights.get(key) is flight:
                del flights[key]

    async def save_and_look():
        await far.set("profile:ann", "new")
        assert await get() == "new"

    world.actor("visitor", get)
    world.actor("ann", save_and_look)
    await world.run()
    await world.settle()


# -- cachetools or a memo before SQLite --------------------------------------------------


class Catalogue:
    """Products in SQLite, and an LRU of cachetools before them."""

    def __init__(self, world):
        self.path = world.tmp_path / "shop.db"
        self.near = cachetools.LRUCache(8)
        if not self.path.exists():
            with self.open() as database:
                database.execute(
                    "CREATE TABLE product (sku TEXT PRIMARY KEY, price INT, shelf TEXT)"
                )
                database.execute("INSERT INTO product VALUES ('tea', 100, 'a'), ('cup', 5, 'b')")

    def open(self):
        return sqlite3.connect(self.path)

    def load(self, sku):
        row = self.open().execute("SELECT price FROM product WHERE sku = ?", [sku]).fetchone()
        return row and row[0]

    def get(self, sku):
        value = self.near.get(sku)
        if value is None:
            value = self.load(sku)
            if value is not None:
                self.near[sku] = value
        return value

    def update(self, sku, price):
        with self.open() as database:
            database.execute("UPDATE product SET price = ? WHERE sku = ?", [price, sku])


@flow(
    "stale-set",
    "a row is read, changed and committed, its entry is popped, and the old price is stored",
    recognised=False,
)
def lru_before_sqlite(world):
    shop = Catalogue(world)

    def change():
        shop.update("tea", 120)
        shop.near.pop("tea", None)

    raced(world, shopper=lambda: shop.get("tea"), clerk=change)
    assert shop.get("tea") == 120


@flow(
    "purge-misses-fill",
    "the whole cache is cleared after the change, while an old row is on its way into it",
)
def lru_is_cleared(world):
    shop = Catalogue(world)

    def change():
        shop.update("tea", 120)
        shop.near.clear()

    raced(world, shopper=lambda: shop.get("tea"), clerk=change)
    assert shop.get("tea") == 120


@flow(
    "uncommitted-visible",
    "a reader is shown the price that a transaction had cached and then rolled back",
    recognised=False,
)
def cached_before_the_commit(world):
    shop = Catalogue(world)
    shown = []

    def change():
        database = shop.open()
        database.execute("UPDATE product SET price = 999 WHERE sku = 'tea'")
        shop.near["tea"] = 999
        database.rollback()
        shop.near.pop("tea", None)

    raced(world, shopper=lambda: shown.append(shop.near.get("tea")), clerk=change)
    assert shown != [999]


@flow(
    "crash",
    "the entry is removed between the test that it is there and the look, which raises KeyError",
)
def memo_of_sites(world):
    """As django.contrib.sites does: fill if it is not there, then answer what is there."""
    shop = Catalogue(world)
    sites = {}

    def current():
        if 1 not in sites:
            sites[1] = shop.load("tea")
        return sites[1]

    raced(world, page=current, admin=lambda: sites.pop(1, None))


@flow(
    "stampede",
    "all workers miss the memo at once, and each runs the expensive query",
    recognised=False,
)
def memo_of_a_report(world):
    shop = Catalogue(world)
    memo, queries = {}, []

    def report():
        if "total" not in memo:
            queries.append(1)
            memo["total"] = shop.load("tea")
        return memo["total"]

    raced(world, ann=report, bob=report)
    assert len(queries) == 1


# -- two databases of Redis -------------------------------------------------------------


@flow(
    "stale-set",
    "a page of the cache's Redis is rebuilt from settings of another Redis that have changed since",
)
def page_from_another_redis(world):
    settings, pages = redis(world), redis(world, db=1)
    settings.set("theme", "light")

    def page():
        html = pages.get("page")
        if html is None:
            html = "<body class=" + settings.get("theme") + ">"
            pages.set("page", html, ex=300)
        return html

    def change():
        settings.set("theme", "dark")
        pages.delete("page")

    raced(world, visitor=page, admin=change)
    assert page() == "<body class=dark>"


@flow(
    "stamped-after-read",
    "the generation is asked for after the load, so an old value counts as current",
    recognised=False,
)
def generation_in_another_redis(world):
    data, cache = redis(world), redis(world, db=1)
    data.set("stock:tea", "10")
    cache.set("generation", "1")

    def get():
        entry = json.loads(cache.get("stock:tea") or "null")
        if entry and entry["generation"] == cache.get("generation"):
            return entry["value"]
        value = data.get("stock:tea")
        entry = {"value": value, "generation": cache.get("generation")}
        cache.set("stock:tea", json.dumps(entry))
        return value

    def change():
        data.set("stock:tea", "9")
        cache.incr("generation")

    raced(world, shopper=get, clerk=change)
    assert get() == "9"


@flow(
    "purge-misses-fill",
    "all entries of the tag are deleted while one that will have the tag is still being made",
    recognised=False,
)
def purge_by_tag(world):
    data, cache = redis(world), redis(world, db=1)
    data.set("article:1", "draft")

    def get():
        html = cache.get("html:1")
        if html is None:
            html = data.get("article:1")
            cache.set("html:1", html)
            cache.sadd("tag:news", "html:1")
        return html

    def publish():
        data.set("article:1", "final")
        names = cache.smembers("tag:news")
        cache.delete("tag:news", *names)

    raced(world, visitor=get, editor=publish)
    assert get() == "final"


@flow(
    "partial-write",
    "Redis has the new value, and the connection fails before the cached page is deleted",
    recognised=False,
    faults=Faults(kinds=("error_before",)),
)
def second_redis_is_down(world):
    data, pages = redis(world), redis(world, db=1)
    data.set("price", "100")
    pages.set("page", "100")

    def change():
        data.set("price", "120")
        pages.delete("page")

    raced(world, clerk=change)
    assert data.get("price") == "100" or pages.get("page") in (None, "120")


@flow(
    "key-format-mix",
    "the new release deletes the entry by its new name, and old code has stored it by the old one",
    recognised=False,
)
def renamed_keys(world):
    data, cache = redis(world), redis(world, db=1)
    data.set("user:1", "ann")

    def get(name):
        value = cache.get(name)
        if value is None:
            value = data.get("user:1")
            cache.set(name, value)
        return value

    def rename():
        data.set("user:1", "anna")
        cache.delete("v2:user:1")

    raced(world, old_release=lambda: get("user:1"), new_release=rename)
    assert get("user:1") == "anna"


# -- counters, sessions, locks, fields --------------------------------------------------


@flow(
    "cached-rmw",
    "two requests read the same count and both store it plus one",
)
def page_views(world):
    far = redis(world)
    far.set("views", "0")

    def view():
        far.set("views", str(int(far.get("views")) + 1))

    raced(world, ann=view, bob=view)
    assert far.get("views") == "2"


@flow(
    "write-back-resurrection",
    "a request writes the whole session back that it read before the log-out replaced it",
)
async def session_is_touched(world):
    far = world.existing_cache.aclient(decode_responses=True)
    await far.set("session:1", json.dumps({"user": "ann", "seen": 0}))

    async def touch():
        session = json.loads(await far.get("session:1"))
        session["seen"] = 1
        await far.set("session:1", json.dumps(session))

    async def log_out():
        await far.set("session:1", json.dumps({"user": None, "seen": 0}))

    world.actor("request", touch)
    world.actor("ann", log_out)
    await world.run()
    await world.settle()
    assert json.loads(await far.get("session:1"))["user"] is None


@flow(
    "late-unlock",
    "the job's lock runs out, another worker takes it, the first one deletes it, a third "
    "one gets in",
)
def lock_without_a_token(world):
    far = redis(world)
    inside = set()

    def work(name, seconds):
        while not far.set("lock:job", name, nx=True, ex=10):
            time.sleep(6)  # noqa: TID251 - what code under test does
        inside.add(name)
        assert inside != {"second", "third"}  # both keep to their time
        time.sleep(seconds)  # noqa: TID251 - as above
        inside.remove(name)
        far.delete("lock:job")

    raced(
        world,
        slow=lambda: work("slow", 15),
        second=lambda: work("second", 7),
        third=lambda: work("third", 7),
    )


@flow(
    "lease-expired",
    "the lock's time is over while its holder is slow, another one writes, and then the "
    "first one does",
    ticks=1,
)
def paused_holder(world):
    far = redis(world)
    far.set("stock", "10")

    def sell(token):
        while not far.set("lock:stock", token, nx=True, ex=10):
            time.sleep(4)  # noqa: TID251 - what code under test does
        left = int(far.get("stock"))
        far.set("stock", str(left - 1))
        if far.get("lock:stock") == token:
            far.delete("lock:stock")

    raced(world, ann=lambda: sell("a"), bob=lambda: sell("b"))
    assert far.get("stock") == "8"


@flow(
    "split-look-up",
    "the entry is deleted between EXISTS and GET, and the user is told that there is nothing",
    recognised=False,
)
def exists_then_get(world):
    far = redis(world)
    far.set("cart:ann", "tea")
    answers = []

    def look():
        answers.append(far.get("cart:ann") if far.exists("cart:ann") else "made anew")

    raced(world, ann=look, cleaner=lambda: far.delete("cart:ann"))
    assert answers != [None]


@flow(
    "fractured-read",
    "a balance is read before a transfer and the other one after it",
    recognised=False,
)
async def two_balances(world):
    far = world.existing_cache.aclient(decode_responses=True)
    await far.mset({"account:a": 50, "account:b": 50})
    sums = []

    async def total():
        sums.append(int(await far.get("account:a")) + int(await far.get("account:b")))

    async def transfer():
        await far.mset({"account:a": 20, "account:b": 80})

    world.actor("auditor", total)
    world.actor("ann", transfer)
    await world.run()
    await world.settle()
    assert sums == [100]


# -- write-behind and messages ------------------------------------------------------------


@flow(
    "write-behind-overwrite",
    "the flush brings an older edit to Redis over one that was written there directly",
    recognised=False,
)
def draft_is_flushed(world):
    far = redis(world)
    dirty = {}
    far.set("draft", "first")

    def edit():
        dirty["draft"] = "buffered"

    def flush():
        for key in list(dirty):
            far.set(key, dirty.pop(key))

    edit()  # acknowledged a while ago
    raced(world, flusher=flush, ann=lambda: far.set("draft", "direct"))
    assert far.get("draft") == "direct"


@flow(
    "in-flight-fill",
    "the message that drops the entry arrives while the old value is being fetched",
)
def message_during_a_fetch(world):
    far, near = redis(world), {}
    far.set("price", "100")
    channel = far.pubsub(ignore_subscribe_messages=True)
    channel.subscribe("changed")

    def get():
        value = near.get("price")
        if value is None:
            value = near["price"] = far.get("price")
        return value

    def listen():
        while (message := channel.get_message(timeout=1)) is None:
            pass
        near.pop(message["data"], None)

    def change():
        far.set("price", "120")
        far.publish("changed", "price")

    raced(world, shopper=get, listener=listen, clerk=change)
    assert get() == "120"


# -- no class fits ----------------------------------------------------------------------


@flow(
    NONE,
    "it is looked whether a seat is free, and taken later: nothing is cached, and nobody "
    "stores what was read",
)
def last_seat(world):
    far = redis(world)
    far.set("seats", "1")
    sold = []

    def book():
        if int(far.get("seats")) > 0:
            far.decr("seats")
            sold.append(1)

    raced(world, ann=book, bob=book)
    assert len(sold) == 1


@flow(
    NONE,
    "two deliveries of one web hook both find no mark that it was handled, and both charge",
)
def charged_twice(world):
    far = redis(world)
    charges = []

    def handle():
        if not far.exists("handled:42"):
            charges.append("charge")
            far.set("handled:42", "1")

    raced(world, first=handle, again=handle)
    assert len(charges) == 1


@flow(
    NONE,
    "the row is changed and nobody ever removes or replaces its entry: no interleaving is to blame",
)
def nobody_invalidates(world):
    shop = Catalogue(world)
    raced(world, shopper=lambda: shop.get("tea"), clerk=lambda: shop.update("tea", 120))
    assert shop.get("tea") == 120


@flow(
    NONE,
    "the LRU has dropped the entry that a user relies on: somebody else's entry took its place",
)
def cart_is_evicted(world):
    carts = OrderedDict()

    def put(key, value):
        carts[key] = value
        while len(carts) > 1:
            carts.popitem(last=False)

    def shop():
        put("ann", ["tea"])
        assert carts.get("ann") == ["tea"]

    raced(world, ann=shop, bob=lambda: put("bob", ["cup"]))


# -- the rest is right ----------------------------------------------------------------------------


@flow(
    HOLDS,
    "the fill stores only if its placeholder is still there, and a change removes it",
)
def placeholder(world):
    far, near, lock = redis(world), {}, threading.Lock()
    far.set("price", "100")

    def get():
        mine = object()
        with lock:
            if isinstance(near.get("price"), str):
                return near["price"]
            near["price"] = mine
        value = far.get("price")
        with lock:
            if near.get("price") is mine:
                near["price"] = value
        return value

    def change():
        far.set("price", "120")
        with lock:
            near.pop("price", None)

    raced(world, shopper=get, clerk=change)
    assert get() == "120"


@flow(
    HOLDS,
    "the generation is read before the load, so what was loaded too early is stored under "
    "an old name",
)
def generation_before_the_load(world):
    data, cache = redis(world), redis(world, db=1)
    data.set("stock", "10")
    cache.set("generation", "1")

    def get():
        name = "stock:" + cache.get("generation")
        value = cache.get(name)
        if value is None:
            value = data.get("stock")
            cache.set(name, value)
        return value

    def change():
        data.set("stock", "9")
        cache.incr("generation")

    raced(world, shopper=get, clerk=change)
    assert get() == "9"


@flow(
    HOLDS,
    "INCR is one step",
)
async def counted_by_the_server(world):
    far = world.existing_cache.aclient(decode_responses=True)

    async def view():
        await far.incr("views")

    world.actor("ann", view)
    world.actor("bob", view)
    await world.run()
    await world.settle()
    assert await far.get("views") == "2"


@flow(
    HOLDS,
    "reader and writer hold the same asyncio lock from the load to the store",
)
async def all_under_one_lock(world):
    far = world.existing_cache.aclient(decode_responses=True)
    await far.set("price", "100")
    near, lock = {}, asyncio.Lock()

    async def get():
        async with lock:
            if "price" not in near:
                near["price"] = await far.get("price")
            return near["price"]

    async def change():
        async with lock:
            await far.set("price", "120")
            near.pop("price", None)

    world.actor("shopper", get)
    world.actor("clerk", change)
    await world.run()
    await world.settle()
    assert await get() == "120"


@flow(
    HOLDS,
    "who misses takes a lock and looks again: one query",
)
def second_look_under_the_lock(world):
    shop = Catalogue(world)
    memo, queries, lock = {}, [], threading.Lock()

    def report():
        if "total" not in memo:
            with lock:
                if "total" not in memo:
                    queries.append(1)
                    memo["total"] = shop.load("tea")
        return memo["total"]

    raced(world, ann=report, bob=report)
    assert len(queries) == 1
