"""Objects that views return are read by Flask and FastAPI, which make the answer of them."""

from dataclasses import dataclass
from functools import partial

import fastapi
import flask
import httpx
import pytest

from tests.adapters.flows import is_conflict, judged


@dataclass
class Prices:
    net: int = 1
    tax: int = 1


def _change_in_two_steps(prices):
    prices["net"] = 2
    prices["tax"] = 2


def _change_at_once(prices):
    prices.update(net=2, tax=2)


def _client_of_flask(prices, *, with_status):
    app = flask.Flask("shop")
    app.get("/prices")(lambda: (prices, 200) if with_status else prices)
    return app.test_client()


@pytest.mark.parametrize("with_status", [False, True])
@pytest.mark.parametrize(
    ("change", "conflict"), [(_change_in_two_steps, True), (_change_at_once, False)]
)
def test_flask_reads_what_a_view_returns(change, conflict, with_status):
    def body(world):
        prices = {"net": 1, "tax": 1}
        client = _client_of_flask(prices, with_status=with_status)
        world.actor("reader", lambda: client.get("/prices").json)
        world.actor("writer", change, prices)
        answer = world.run()["reader"]
        assert answer["net"] == answer["tax"]

    assert is_conflict(judged(body)) is conflict


def _read(prices):
    return prices


async def _read_in_the_loop(prices):
    return prices


def _change_fields(prices):
    prices.net = 2
    prices.tax = 2


@pytest.mark.parametrize("view", [_read, _read_in_the_loop])
@pytest.mark.parametrize(
    ("make", "change", "conflict"),
    [
        (lambda: {"net": 1, "tax": 1}, _change_in_two_steps, True),
        (lambda: {"net": 1, "tax": 1}, _change_at_once, False),
        (Prices, _change_fields, True),
    ],
)
def test_fastapi_reads_what_a_view_returns(view, make, change, conflict):
    async def body(world):
        prices = make()
        app = fastapi.FastAPI()
        app.get("/prices")(partial(view, prices))
        app.put("/prices")(lambda: change(prices))
        transport = httpx.ASGITransport(app)

        async def ask(method):
            async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
                return (await client.request(method, "/prices")).json()

        world.actor("reader", ask, "GET")
        world.actor("writer", ask, "PUT")
        answer = (await world.run())["reader"]
        assert answer["net"] == answer["tax"]

    assert is_conflict(judged(body)) is conflict


def test_the_frameworks_are_left_as_they_were():
    """A check replaces what makes answers; after it they have their own."""
    owners = (flask.Flask, "make_response"), (fastapi.routing, "serialize_response")
    before = [vars(owner)[name] for owner, name in owners]
    within = []

    def body(world):
        within.append([vars(owner)[name] for owner, name in owners])
        world.actor("one", dict)
        world.run()

    judged(body)
    assert [vars(owner)[name] for owner, name in owners] == before
    assert not set(within[0]) & set(before)
