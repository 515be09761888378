"""Django's ORM in scenarios and checks: pytest-django needs no trick, executions share nothing."""

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adapters.servers import mariadb, postgresql
from tests.plugin import django_projects
from tests.plugin.conftest import Project
from tests.selection import either, few

WITHOUT = ("-p", "no:django")

IN_CONFTEST = """
import os

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "shop_settings"
django.setup()
"""

IN_FACTORY = """
real = opened

def opened(path):
    import os

    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "shop_settings"
    django.setup()
    return real(path)
"""


@pytest.fixture
def on_django(project: Project) -> Project:
    django_projects.write(project.path)
    return project


def verdicts(project: Project) -> dict[str, str]:
    return {name: row["verdict"] for name, row in project.rows().items()}


def developer(project: Project, name: str = "developer") -> sqlite3.Connection:
    return sqlite3.connect(project.path / f"{name}.sqlite3")


def test_factories_and_verbs_use_the_orm_without_a_trick_and_a_test_is_still_refused_the_database(
    on_django: Project,
) -> None:
    on_django.scenario(django_projects.PRICE_CHANGE)
    on_django.test_file("""
        def test_asks():
            from shop.models import Product

            assert Product.objects.count() == 0
    """)
    ran = on_django.run_apart("test_it.py", ".")
    ran.assert_outcomes(passed=2, failed=1)
    ran.stdout.fnmatch_lines(["*Database access not allowed*"])
    assert verdicts(on_django) == {"PRICE[cached]": "violated", "PRICE[uncached]": "holds"}
    row = on_django.rows()["PRICE[cached]"]["counterexample"]
    assert (row["replays"], row["conflict_class"]) == ("10/10", "stale-set")
    assert not (on_django.path / "developer.sqlite3").exists()


EVERY_EXECUTION = """
import pytest
import pytest_supercache as sc
from pytest_supercache import check

seen = []

def both(world):
    from django.db import connection, connections, transaction
    from shop.models import Product

    names = tuple(
        sorted(product.name for product in Product.objects.using(alias).all())
        for alias in ("default", "archive")
    )
    seen.append((names, connection.settings_dict["NAME"].startswith(str(world.tmp_path))))

    def sell(alias):
        with transaction.atomic(using=alias):
            Product.objects.using(alias).create(name="left behind", price=1)

    world.actor("one", sell, "default")
    world.actor("two", sell, "archive")
    world.run()
    assert Product.objects.filter(name="left behind").count() == 1

def is_left():
    from shop.models import Product

    return [
        Product.objects.using(alias).filter(name="left behind").exists()
        for alias in ("default", "archive")
    ]

@pytest.fixture(scope="session")
def of_the_session(django_db_setup, django_db_blocker):
    from shop.models import Product

    with django_db_blocker.unblock():
        Product.objects.create(name="of the session", price=1)

@pytest.mark.parametrize("_", [1, 2])
@pytest.mark.django_db(databases="__all__")
def test_in_a_transaction(of_the_session, _):
    from django.db import connection
    from shop.models import Product

    Product.objects.create(name="of the test", price=1)
    seen.clear()
    assert check(both, guarantees=(), search="all-schedules").verdict.value == "holds"
    names = ["of the migration", "of the session", "of the test"], ["of the migration"]
    assert len(seen) > 3 and all(one == (names, True) for one in seen), seen
    assert is_left() == [False, False]
    assert connection.in_atomic_block
    assert Product.objects.filter(name="of the test").count() == 1
    Product.objects.create(name="afterwards", price=1)

@pytest.mark.django_db(transaction=True, databases="__all__")
def test_without_one():
    from shop.models import Product

    Product.objects.create(name="of the test", price=1)
    seen.clear()
    assert check(both, guarantees=(), search="all-schedules").verdict.value == "holds"
    assert all("of the test" in default for (default, _), _ in seen), seen
    assert is_left() == [False, False]

@sc.explore(guarantees=())
def test_explored(world):
    both(world)

@pytest.mark.django_db(databases="__all__")
@sc.explore(guarantees=())
def test_explored_and_marked(world):
    both(world)

def test_another_one_is_refused_by_pytest_django():
    said = check(both, guarantees=())
    assert said.verdict.value == "violated"
    assert "Database access not allowed" in str(said.counterexample.violations)
"""


def test_each_execution_begins_with_the_database_of_the_test(on_django: Project) -> None:
    on_django.test_file(EVERY_EXECUTION)
    ran = on_django.run_apart()
    ran.assert_outcomes(passed=6)
    assert not (on_django.path / "developer.sqlite3").exists()


@pytest.mark.parametrize("serves", [False, True])
def test_processes_help_with_items_that_use_pytest_django_but_not_its_server(
    on_django: Project, serves: bool
) -> None:
    tests = EVERY_EXECUTION.replace("test_explored(world)", "test_explored(world, live_server)")
    on_django.test_file(tests if serves else EVERY_EXECUTION)
    chosen = ("-k", "explored", "--supercache-search=exhaustive", "--supercache-executions=2")
    on_django.run_apart("--supercache-workers=2", *chosen)
    notes = [
        note
        for row in on_django.rows().values()
        for note in row["notes"]
        if "does not help" in note
    ]
    assert notes == serves * [
        "--supercache-workers does not help with this item: the fixture live_server of "
        "pytest_django.fixtures may look at what the item leaves behind in its process"
    ]


def test_a_database_in_a_file_is_copied_too(on_django: Project) -> None:
    settings = on_django.path / "shop_settings.py"
    text = settings.read_text()
    for alias in ("developer", "archive"):
        name = f'"NAME": HERE / "{alias}.sqlite3"'
        text = text.replace(name, f'{name}, "TEST": {{"NAME": HERE / "test_{alias}.sqlite3"}}')
    settings.write_text(text)
    on_django.test_file(EVERY_EXECUTION)
    chosen = ["-k", "in_a_transaction"] * either(1, 0)
    on_django.run_apart(*chosen).assert_outcomes(passed=either(2, 6))


ALIASES = """
import pytest
import pytest_supercache as sc

@sc.explore(guarantees=())
def test_the_replica_is_the_database_itself(world):
    from shop.models import Product

    def sell():
        Product.objects.create(name="sold", price=1)

    world.actor("one", sell)
    world.run()
    assert Product.objects.using("archive").filter(name="sold").exists()
"""


def test_an_alias_that_mirrors_another_one_leads_to_its_copy(on_django: Project) -> None:
    settings = on_django.path / "shop_settings.py"
    name = '"NAME": HERE / "archive.sqlite3"'
    mirrored = f'{name}, "TEST": {{"MIRROR": "default"}}'
    settings.write_text(settings.read_text().replace(name, mirrored))
    on_django.test_file(ALIASES)
    on_django.run_apart().assert_outcomes(passed=1)


def test_and_another_alias_leads_to_another_copy(on_django: Project) -> None:
    on_django.test_file(ALIASES.replace("assert Product", "assert not Product"))
    on_django.run_apart().assert_outcomes(passed=1)


@pytest.mark.parametrize("set_up", few([IN_CONFTEST, IN_FACTORY], 1))
def test_without_pytest_django_the_developer_s_database_is_copied(
    on_django: Project, set_up: str
) -> None:
    django_projects.write(on_django.path, with_pytest_django=False)
    on_django.conftest(django_projects.CONFTEST, set_up)
    with developer(on_django) as made:
        made.execute("CREATE TABLE shop_product (id INTEGER PRIMARY KEY, name TEXT, price INT)")
        made.execute("INSERT INTO shop_product VALUES (42, 'Lamp', 100)")
    made.close()
    before = (on_django.path / "developer.sqlite3").read_bytes()
    on_django.scenario(django_projects.PRICE_CHANGE)
    ran = on_django.run_apart(*WITHOUT)
    assert ran.ret == 0, ran.stdout.str()
    assert verdicts(on_django) == {"PRICE[cached]": "violated", "PRICE[uncached]": "holds"}
    assert (on_django.path / "developer.sqlite3").read_bytes() == before
    assert not list(on_django.path.glob("developer.sqlite3-*"))


def test_nor_is_one_made_that_is_not_there(on_django: Project) -> None:
    django_projects.write(on_django.path, with_pytest_django=False)
    migrates = """
from functools import wraps
from django.core.management import call_command

real = opened

def opened(path):
    call_command("migrate", verbosity=0)
    return real(path)
"""
    on_django.conftest(IN_CONFTEST, django_projects.CONFTEST, migrates)
    on_django.scenario(django_projects.PRICE_CHANGE)
    chosen = ["-k", "uncached"] * either(1, 0)
    ran = on_django.run_apart(*WITHOUT, *chosen)
    assert ran.ret == 0, ran.stdout.str()
    said = {"PRICE[cached]": "violated", "PRICE[uncached]": "holds"}
    assert verdicts(on_django) == dict(list(said.items())[either(1, 0) :])
    assert not (on_django.path / "developer.sqlite3").exists()


def test_a_project_that_asks_for_no_database_is_not_given_one(on_django: Project) -> None:
    settings = on_django.path / "shop_settings.py"
    settings.write_text(settings.read_text().partition("DATABASES")[0])
    on_django.test_file("""
        import pytest_supercache as sc

        @sc.explore(guarantees=())
        def test_explored(request, world):
            assert request.node.get_closest_marker("django_db") is None
            world.actor("one", lambda: None)
            world.run()
    """)
    on_django.run_apart().assert_outcomes(passed=1)


ON_POSTGRESQL = """
import pytest_supercache as sc

def pytest_itemcollected(item):
    import pytest

    item.add_marker(pytest.mark.django_db(databases=["default"]))

@sc.system("asks")
def asks(layers):
    from django.db import connections

    return connections["archive"]

@sc.verb("ask")
def ask(archive, user):
    return archive.alias
"""


def test_a_database_that_cannot_be_copied_is_an_error(on_django: Project) -> None:
    settings = on_django.path / "shop_settings.py"
    settings.write_text(
        settings.read_text()
        + 'DATABASES["archive"] = {"ENGINE": "django.db.backends.postgresql", "NAME": "live"}'
    )
    on_django.conftest(ON_POSTGRESQL)
    on_django.scenario(
        "scenario: Two users ask\nid: ASK\nsystem: asks\n"
        "users: {a: [{ask: {}}], b: [{ask: {}}]}\nguarantees: []\n"
    )
    ran = on_django.run_apart()
    assert ran.ret == 1
    said = "the database 'archive' of Django, on PostgreSQL, cannot be copied for each execution"
    assert said in ran.stdout.str()


ON_A_SERVER = """
import pytest
import pytest_supercache as sc

seen = []

def sell(world):
    from shop.models import Product

    seen.append(sorted(Product.objects.values_list("name", flat=True)))
    world.actor("one", lambda: Product.objects.create(name="left behind", price=1))
    world.run()
    assert Product.objects.filter(name="left behind").count() == 1

def held_each_time(*names):
    if DRIVER:
        from django.db.backends.postgresql.psycopg_any import is_psycopg3

        assert is_psycopg3 is (DRIVER == "psycopg")
    seen.clear()
    assert sc.check(sell, guarantees=()).verdict.value == "holds"
    assert len(seen) > 1 and all(one == list(names) for one in seen), seen

@pytest.mark.django_db
def test_in_a_transaction_that_was_not_used():
    from django.db import connection
    from shop.models import Product

    held_each_time("of the migration")
    assert connection.in_atomic_block
    assert Product.objects.count() == 1
    Product.objects.create(name="rolled back", price=1)

@pytest.mark.django_db
def test_in_a_transaction_that_was_used():
    from shop.models import Product

    assert Product.objects.count() == 1
    with pytest.raises(sc.SupercacheError, match="mark it with django_db"):
        sc.check(sell, guarantees=())
    assert Product.objects.count() == 1

@sc.explore(guarantees=())
def test_explored(world):
    sell(world)

@pytest.mark.django_db(transaction=True)
def test_without_a_transaction():
    from django.db import connection
    from shop.models import Product

    Product.objects.create(name="of the test", price=1)
    held_each_time("of the migration", "of the test")
    assert Product.objects.count() == 2
    with connection.cursor() as cursor:
        cursor.execute(LIST_DATABASES)
        names = [name for (name,) in cursor.fetchall()]
    assert not [name for name in names if "supercache" in name], names
"""


def begins_alike(on_django: Project, server: dict[str, str], words: str, hidden: str = "") -> None:
    """Run the tests on a server, where each execution begins with the same database."""
    on_django.test_file(f"{words}\n{ON_A_SERVER}")
    settings = on_django.path / "shop_settings.py"
    settings.write_text(f"{hidden}{settings.read_text()}\nDATABASES = {{'default': {server!r}}}\n")
    on_django.run_apart().assert_outcomes(passed=4)


@pytest.fixture(scope="module")
def server() -> Iterator[dict[str, str]]:
    """How Django finds a PostgreSQL."""
    with postgresql() as address:
        words = dict(word.split("=") for word in address.split())
        yield {"HOST": words["host"], "USER": words["user"], "NAME": "shop"}


@pytest.mark.postgresql
@pytest.mark.parametrize("driver", few(["psycopg", "psycopg2"], 1))
def test_on_postgresql_each_execution_begins_with_the_same_database(
    on_django: Project, server: dict[str, str], driver: str
) -> None:
    on_postgresql = {"ENGINE": "django.db.backends.postgresql", **server}
    hidden = "import sys\nsys.modules['psycopg'] = None\n"  # else Django prefers it
    words = f"DRIVER = {driver!r}\nLIST_DATABASES = 'SELECT datname FROM pg_database'"
    begins_alike(on_django, on_postgresql, words, hidden if driver == "psycopg2" else "")


PYMYSQL = "import pymysql\n\npymysql.install_as_MySQLdb()\n"
MYSQLCLIENT = pytest.param("", marks=[pytest.mark.mysqlclient, pytest.mark.long])


@pytest.fixture(scope="module")
def on_mariadb() -> Iterator[dict[str, str]]:
    """How Django finds a MariaDB."""
    with mariadb() as address:
        server = {"HOST": address["unix_socket"], "USER": address["user"]}
        yield {"ENGINE": "django.db.backends.mysql", **server, "NAME": "store"}


@pytest.mark.mariadb
@pytest.mark.parametrize("driver", [PYMYSQL, MYSQLCLIENT])
def test_on_mariadb_each_execution_begins_with_the_same_database(
    on_django: Project, on_mariadb: dict[str, str], driver: str
) -> None:
    words = "DRIVER = ''\nLIST_DATABASES = 'SHOW DATABASES'"
    begins_alike(on_django, on_mariadb, words, driver)


BY_TWO_USERS = """
import pytest
import pytest_supercache as sc
from django.db import transaction

def read_then_save(products, pk):
    product = products.get(pk=pk)
    product.price += 1
    product.save()

def read_under_a_lock(products, pk):
    with transaction.atomic():
        read_then_save(products.select_for_update(), pk)

@pytest.mark.django_db
@pytest.mark.parametrize("bump", [read_then_save, read_under_a_lock])
def test_two_users(bump):
    from MySQLdb._mysql import connection as of_c
    from django.db import connection
    from shop.models import Product

    def body(world):
        product = Product.objects.get()
        for name in "ab":
            world.actor(name, bump, Product.objects, product.pk)
        world.run()
        assert Product.objects.get().price == product.price + 2

    connection.ensure_connection()
    assert isinstance(connection.connection, of_c)
    result = sc.check(body, guarantees=())
    if bump is read_then_save:
        found = result.counterexample
        assert (found.conflict_class, found.replays) == ("lost-update", "10/10")
    else:
        assert result.verdict.value == "holds" and result.exhausted, result
"""


@pytest.mark.mariadb
@pytest.mark.mysqlclient
def test_on_mysqlclient_a_lost_update_is_found_and_its_fix_holds(
    on_django: Project, on_mariadb: dict[str, str]
) -> None:
    on_django.test_file(BY_TWO_USERS)
    settings = on_django.path / "shop_settings.py"
    settings.write_text(f"{settings.read_text()}\nDATABASES = {{'default': {on_mariadb!r}}}\n")
    on_django.run_apart().assert_outcomes(passed=2)


def test_the_recipe_in_the_docs_runs(on_django: Project) -> None:
    page = (Path(__file__).parents[2] / "docs/systems.md").read_text(encoding="utf-8")
    (recipe,) = re.findall(r"```python\n(# conftest.py of a project on Django\n.*?)```", page, re.S)
    on_django.conftest(recipe)
    on_django.scenario("""
scenario: A customer opens a page twice
id: PAGE
system: django
users:
  customer: [{open_page: {product: 42}, expect: 100}]
  other: [{open_page: {product: 42}, expect: 100}]
guarantees: []
""")
    ran = on_django.run_apart()
    assert ran.ret == 0, ran.stdout.str()
