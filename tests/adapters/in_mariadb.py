"""Counters in MariaDB, and everything that can come of flows that use them by any driver."""

import pymysql
from pymysql.connections import Connection

from tests.adapters.flows import judged, outcomes_of


class MariaDBCounters:
    """The counters n and m as seen by a connection of which checks know nothing."""

    def __init__(self, address):
        self._query = Connection.query
        self._connection = pymysql.connect(**address, autocommit=True)
        self.close = self._connection.close

    def reset(self):
        """Put both back to 0."""
        self.execute("UPDATE counters SET n = 0")

    def values(self):
        """Return n and m."""
        self.execute("SELECT n FROM counters ORDER BY name DESC")
        return tuple(n for (n,) in self._connection._result.rows)

    def execute(self, statement):
        """Execute a statement."""
        self._query(self._connection, statement)


def asked(connection, statement, *arguments):
    with connection.cursor() as cursor:
        cursor.execute(statement, arguments)
        return cursor.fetchall()


def value(connection, name="n", lock=""):
    return asked(connection, f"SELECT n FROM counters WHERE name = %s {lock}", name)[0][0]


def put(connection, n, name="n"):
    asked(connection, "UPDATE counters SET n = %s WHERE name = %s", n, name)


def add(connection, *names):
    for name in names:
        asked(connection, "UPDATE counters SET n = n + 1 WHERE name = %s", name)
    connection.commit()


def overwrite_or_add(connection, limit):
    """Where what it sets is there already, the server counts no change: but the row was found."""
    if value(connection) == 0:
        asked(connection, f"UPDATE counters SET n = 7 WHERE name = 'n' AND n < {limit}")
        add(connection, "m")


def said(errors, flow, connect, options):
    """Return what a flow answers, or the code of an error, after which it rolls back."""
    with connect(**options) as connection:
        try:
            answer = flow(connection)
            connection.commit()
        except errors as error:
            connection.rollback()
            return error.args[0]
        return answer


def outcomes_in_mariadb(counters, connect, errors, *flows, **options):
    """Return everything that can come of flows, each on a connection of its own."""

    def tried(search):
        seen = set()

        def body(world):
            counters.reset()
            for name, flow in zip("ab", flows, strict=True):
                world.actor(name, said, errors, flow, connect, options)
            results = world.run()
            seen.add((results["a"], results["b"], *counters.values()))

        result = judged(body, search=search, ticks=0)
        assert result.exhausted, result
        return seen

    return outcomes_of(tried)
