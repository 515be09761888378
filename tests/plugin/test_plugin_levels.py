"""One factory, several systems: one scenario states what comes of each isolation level."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tests.adapters.servers import mariadb, postgresql
from tests.plugin.conftest import Project
from tests.plugin.projects import ONE_READER

PAGE = (Path(__file__).parents[2] / "docs" / "systems.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("### Several systems of one factory\n")[2].partition("\n## ")[0]
CONFTEST, SCENARIO = re.findall(r"```\w+\n(.*?)```", SECTION, re.DOTALL)

ROTA = """
from sqlalchemy import create_engine, exc, text

def make_engine(**options):
    engine = create_engine({url!r}, **options)
    with engine.begin() as connection:
        connection.execute(text("UPDATE doctors SET on_call = 1, leaves = 0"))
    return engine

class Rota:
    def __init__(self, engine):
        self.engine = engine

    def leave(self, doctor):
        while True:
            try:
                with self.engine.begin() as connection:
                    return self._leave(connection, doctor)
            except exc.OperationalError:
                {on_error}

    def _leave(self, connection, doctor):
        on_call = "SELECT COUNT(*) FROM doctors WHERE on_call = 1"
        if connection.scalar(text(on_call)) > 1:
            one = {{"name": doctor}}
            connection.execute(text("UPDATE doctors SET on_call = 0 WHERE name = :name"), one)

    def on_call(self):
        with self.engine.begin() as connection:
            return int(connection.scalar(text("SELECT SUM(on_call) FROM doctors")))
"""
COUNTED = """
    def _leave(self, connection, doctor):
        n = connection.scalar(text("SELECT leaves FROM doctors WHERE name = 'alice'"))
        one = {"n": n + 1}
        connection.execute(text("UPDATE doctors SET leaves = :n WHERE name = 'alice'"), one)

    def on_call(self):
        with self.engine.begin() as connection:
            return connection.scalar(text("SELECT leaves FROM doctors WHERE name = 'alice'"))
"""
"""Methods with which both count what they have read, instead of leaving."""


POSTGRESQL, MARIADB = pytest.mark.postgresql, pytest.mark.mariadb


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """The name of a server, and the URL of a database."""
    if request.param == "MariaDB":
        with mariadb() as address:
            url = f"mysql+pymysql://root@/shop?unix_socket={address['unix_socket']}"
            yield request.param, with_doctors(url)
        return
    with postgresql() as address:
        words = dict(word.split("=") for word in address.split())
        url = f"postgresql+psycopg://shop@/postgres?host={words['host']}"
        yield request.param, with_doctors(url)


def with_doctors(url: str) -> str:
    """Make the table, once."""
    engine = create_engine(url)
    with engine.begin() as connection:
        columns = "name VARCHAR(9) PRIMARY KEY, on_call INTEGER, leaves INTEGER"
        connection.execute(text(f"CREATE TABLE doctors ({columns})"))
        connection.execute(text("INSERT INTO doctors VALUES ('alice', 1, 0), ('bob', 1, 0)"))
    engine.dispose()
    return url


SKEW = {"READ COMMITTED", "REPEATABLE READ"}
LOST = {"READ COMMITTED"}


@pytest.mark.parametrize(
    ("server", "what", "violated"),
    [
        pytest.param("PostgreSQL", "write skew", SKEW, marks=POSTGRESQL),
        pytest.param("PostgreSQL", "lost update", LOST, marks=[POSTGRESQL, pytest.mark.long]),
        pytest.param("MariaDB", "write skew", SKEW, marks=[MARIADB, pytest.mark.long]),
        pytest.param("MariaDB", "lost update", LOST, marks=[MARIADB, pytest.mark.long]),
    ],
    indirect=["server"],
)
def test_one_scenario_states_the_verdict_at_each_isolation_level(
    project: Project, server: tuple[str, str], what: str, violated: set[str]
) -> None:
    name, url = server
    counts = what == "lost update"
    project.conftest(CONFTEST)
    project.test_file(ROTA.format(url=url, on_error="pass") + COUNTED * counts, "rota")
    scenario = SCENARIO
    if counts:
        scenario = SCENARIO.replace("at_least: 1", "exactly: 2")
        scenario = scenario.replace("repeatable_read: violated", "repeatable_read: holds")
    project.scenario(scenario)
    project.run().assert_outcomes(passed=3)
    for row in project.rows().values():
        level = row["system"].partition(".")[2].replace("_", " ").upper()
        assert row["scope"]["isolation"] == f"{name} at {level}"
        assert (row["verdict"] == "violated") is (level in violated)


@pytest.mark.parametrize(
    "server",
    [
        pytest.param("PostgreSQL", marks=POSTGRESQL),
        pytest.param("MariaDB", marks=[MARIADB, pytest.mark.long]),
    ],
    indirect=True,
)
def test_code_that_does_not_begin_anew_is_violated_at_serializable(
    project: Project, server: tuple[str, str]
) -> None:
    project.conftest(CONFTEST)
    project.test_file(ROTA.format(url=server[1], on_error="raise"), "rota")
    project.scenario(SCENARIO.replace("serializable: holds", "serializable: violated"))
    result = project.run("-k", "rota.serializable")
    result.stdout.fnmatch_lines(["*: VIOLATED answers, as expected"])


TWO = """
import pytest_supercache as sc

@sc.system("shop", params={"isolation": "SERIALIZABLE"})
def shop(layers, isolation, *, retries=3):
    assert (isolation, retries) == ("SERIALIZABLE", 3)
    return layers.origin

@sc.system("awaited", params={"isolation": "READ COMMITTED", "retries": 5})
async def awaited(layers, isolation, *, retries=3):
    assert (isolation, retries) == ("READ COMMITTED", 5)
    yield layers.origin.aio
"""


@pytest.mark.parametrize("system", ["shop", "awaited"])
def test_a_factory_of_any_kind_is_given_its_params(project: Project, system: str) -> None:
    project.conftest(TWO)
    project.scenario(ONE_READER.format(id="P-1", system=system))
    project.run().assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("decorators", "said"),
    [
        (
            ['"shop", params={"isolation": 1, "retries": 2}'],
            "*@system('shop'): *conftest.py:3 cannot be called with params {'isolation': 1, "
            "'retries': 2}: got an unexpected keyword argument 'retries'*",
        ),
        (['"shop", params={"isolation": []}'], "*params['isolation'] is a list, which one *"),
        (
            ['"shop", params={"isolation": 1}', '"shop", params={"isolation": 2}'],
            "*conftest.py:3 registers this name twice, with other values or options *",
        ),
    ],
)
def test_params_that_make_no_sense_are_refused(
    project: Project, decorators: list[str], said: str
) -> None:
    lines = "\n".join(f"@sc.system({each})" for each in decorators)
    project.conftest(f"import pytest_supercache as sc\n\n{lines}\ndef shop(layers, isolation): 1\n")
    project.scenario(ONE_READER.format(id="P-1", system="shop"))
    result = project.run()
    assert result.ret == 4
    result.stderr.fnmatch_lines([said.replace("[", "[[]")])
