"""docs/recipes.md as a user copies it: each conftest, with its scenario, finds a conflict."""

import re
from pathlib import Path

import pytest

from tests.plugin import django_projects
from tests.plugin.conftest import Project
from tests.selection import few

PAGE = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
LINES_MAX = 15


def block(text: str, name: str) -> str:
    (found,) = re.findall(rf"```\w+\n(# {re.escape(name)}\n.*?)```", text, re.DOTALL)
    return str(found)


PRICES = block(PAGE.partition("## ")[0], "prices.supercache.yaml")

FASTAPI = """
import redis.asyncio
from fastapi import Body, FastAPI
from sqlalchemy import create_engine, text

def create_app(database):
    app, engine, cache = FastAPI(), create_engine(database), redis.asyncio.Redis()
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE product (id INTEGER PRIMARY KEY, price INTEGER)"))

    @app.get("/products/{product}")
    async def page(product: int):
        found = await cache.get(product)
        if found is None:
            with engine.begin() as connection:
                wanted = {"id": product}
                found = connection.scalar(text("SELECT price FROM product WHERE id = :id"), wanted)
            await cache.set(product, found)
        return {"price": int(found)}

    @app.put("/products/{product}")
    async def change(product: int, price: int = Body(embed=True)):
        with engine.begin() as connection:
            row = {"id": product, "price": price}
            connection.execute(text("INSERT OR REPLACE INTO product VALUES (:id, :price)"), row)
        await cache.delete(product)

    return app
"""

FLASK = """
import sqlite3

from flask import Flask, request
from flask_caching import Cache

def create_app(database):
    app, cache = Flask("shop"), Cache(config={"CACHE_TYPE": "SimpleCache"})
    cache.init_app(app)
    with sqlite3.connect(database) as db:
        db.execute("CREATE TABLE product (id INTEGER PRIMARY KEY, price INTEGER)")
        db.execute("INSERT INTO product VALUES (42, 100)")

    @app.get("/products/<int:product>")
    def page(product):
        price = cache.get(f"price:{product}")
        if price is None:
            with sqlite3.connect(database) as db:
                ((price,),) = db.execute("SELECT price FROM product WHERE id = ?", (product,))
            cache.set(f"price:{product}", price)
        return {"price": price}

    @app.put("/products/<int:product>")
    def change(product):
        with sqlite3.connect(database) as db:
            row = (request.get_json()["price"], product)
            db.execute("UPDATE product SET price = ? WHERE id = ?", row)
        cache.delete(f"price:{product}")
        return {}

    return app
"""

SQLALCHEMY = """
import redis
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

engine = create_engine("sqlite:///of_the_developer.db")
cache = redis.Redis()

class Base(DeclarativeBase):
    pass

class Product(Base):
    __tablename__ = "product"
    id: Mapped[int] = mapped_column(primary_key=True)
    price: Mapped[int]

class Shop:
    def get(self, key):
        found = cache.get(key)
        if found is None:
            with Session(engine) as session:
                found = session.get(Product, int(key)).price
            cache.set(key, found)
        return int(found)

    def set(self, key, value):
        with Session(engine) as session:
            session.merge(Product(id=int(key), price=value))
            session.commit()
        cache.delete(key)
"""

CELERY = """
import redis
from celery import Celery

app = Celery("shop", broker="redis://broker:6379/0")
cache = redis.Redis()

@app.task
def forget(key):
    cache.delete(key)

class Shop:
    def __init__(self, database):
        self.database = database

    def get(self, key):
        found = cache.get(key)
        if found is None:
            found = self.database.get(key)
            cache.set(key, found)
        return int(found)

    def set(self, key, value):
        self.database.set(key, value)
        forget.delay(key)
"""

RQ = """
import redis
from rq import Queue

cache = redis.Redis()
queue = Queue(connection=cache)

def forget(key):
    cache.delete(key)
""" + CELERY[CELERY.index("\nclass Shop") :].replace("forget.delay(", "queue.enqueue(forget, ")

HUEY = (
    CELERY.replace("from celery import Celery", "from huey import RedisHuey")
    .replace('Celery("shop", broker="redis://broker:6379/0")', 'RedisHuey("shop", host="broker")')
    .replace("@app.task\n", "@app.task()\n")
    .replace("forget.delay(key)", "forget(key)")
)

NEAR_CACHE = """
class NearCache:
    def __init__(self, size):
        self.size, self.entries, self.order = size, {}, []

    def get(self, key):
        return self.entries.get(key)

    def put(self, key, value):
        while len(self.order) >= self.size:
            self.entries.pop(self.order.pop(0), None)
        self.entries[key] = value
        self.order.append(key)

    def drop(self, key):
        self.entries.pop(key, None)
"""

SHOP_WITH_NEAR_CACHE = """
from nearcache import NearCache

class Stats:
    hits = 0

class Shop:
    def __init__(self, database):
        self.database, self.near = database, NearCache(100)

    def get(self, key):
        Stats.hits += 1
        found = self.near.get(key)
        if found is None:
            found = self.database.get(key)
            self.near.put(key, found)
        return found

    def set(self, key, value):
        self.database.set(key, value)
        self.near.drop(key)
"""

DJANGO = {
    "shop_settings.py": django_projects.SETTINGS,
    "shop/__init__.py": "",
    "shop/models.py": django_projects.MODELS,
    "shop/views.py": django_projects.VIEWS,
    "shop/urls.py": django_projects.URLS,
}

APPS = {
    "My library has no adapter": {"nearcache.py": NEAR_CACHE, "shop.py": SHOP_WITH_NEAR_CACHE},
    "SQLAlchemy": {"shop.py": SQLALCHEMY},
    "Flask": {"shop.py": FLASK},
    "Django": DJANGO,
    "FastAPI": {"shop.py": FASTAPI},
    "Celery": {"shop.py": CELERY},
    "rq": {"shop.py": RQ},
    "huey": {"shop.py": HUEY},
}


def copy(project: Project, recipe: str, conftest: str) -> None:
    for name, text in APPS[recipe].items():
        file = project.path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    if recipe == "Django":
        ini = project.path / "tox.ini"
        ini.write_text(
            f"{ini.read_text()}\nDJANGO_SETTINGS_MODULE = shop_settings\npythonpath = .\n"
        )
    project.conftest(conftest)


def run(project: Project, scenario: str = PRICES) -> dict[str, object]:
    project.scenario(scenario, "prices")
    ran = project.run_apart()
    assert ran.ret == 1, ran.stdout.str()
    row = project.row()
    assert (row["verdict"], row["label"]) == ("violated", "conflict"), ran.stdout.str()
    return row


@pytest.mark.parametrize("recipe", few(APPS, 2))
def test_a_recipe_finds_the_conflict_of_an_application(project: Project, recipe: str) -> None:
    conftest = block(SECTIONS[recipe], "conftest.py")
    assert len([line for line in conftest.splitlines()[1:] if line]) <= LINES_MAX
    copy(project, recipe, conftest)
    row = run(project)
    assert row["counterexample"]["conflict_class"] == "stale-set"
    assert not list(project.path.glob("*.db")), "the developer's database is not there"


def test_a_recipe_with_a_row_is_built_on_a_second_node(project: Project) -> None:
    copy(project, "Django", block(SECTIONS["Django"], "conftest.py"))
    clerk = '    - write: {key: "42", value: 120}'
    apart = PRICES.replace(clerk, f"    node: b\n    steps:\n  {clerk}")
    project.scenario(apart, "prices")
    project.run_apart()
    row = project.row()  # the cache is of the process, and the clerk clears that of the other one
    assert (row["verdict"], row["label"]) == ("violated", "order bug")


@pytest.mark.long  # test_plugin_explore.py: memory that nobody declared is noticed
def test_without_declarations_a_library_is_found_in_memory(project: Project) -> None:
    recipe = "My library has no adapter"
    conftest = block(SECTIONS[recipe], "conftest.py")
    copy(project, recipe, re.sub(r"(?m)^sc\.watch.*\n", "", conftest))
    assert "NearCache.entries" in str(run(project)["coverage"])


def test_a_large_flow_is_bounded_as_the_page_says(project: Project) -> None:
    copy(
        project,
        "My library has no adapter",
        block(SECTIONS["My library has no adapter"], "conftest.py"),
    )
    row = run(project, block(SECTIONS["My flow is too large"], "prices.supercache.yaml"))
    assert "taken as atomic, as declared: Stats.hits" in str(row["coverage"])
    assert row["counterexample"]["preemptions"] == 1


def test_every_recipe_is_run() -> None:
    assert set(SECTIONS) == {*APPS, "My flow is too large"}
