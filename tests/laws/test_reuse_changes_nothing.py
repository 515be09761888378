"""What serves the next execution changes nothing: random programs end as on a new server each."""

import inspect
import random
from contextlib import suppress

import pytest
from redis.exceptions import ResponseError

from pytest_supercache import check
from pytest_supercache.layers.fake_server import FakeRedisServer
from tests.selection import either

PLAIN = {
    "get": lambda client, key: client.get(key),
    "set": lambda client, key: client.set(key, "v"),
    "delete": lambda client, key: client.delete(key),
    "count": lambda client, _key: client.incr("n"),
}
OTHERS = {
    "id": lambda client, _key: client.client_id(),
    "name": lambda client, _key: client.client_getname(),
    "rename": lambda client, _key: client.client_setname("mine"),
    "pipeline": lambda client, key: (
        client.pipeline(transaction=False).set(key, 1).get(key).execute()
    ),
    "transaction": lambda client, key: client.pipeline().set(key, 2).get(key).execute(),
    "error": lambda client, key: client.lpush(key, "x"),
    "publish": lambda client, _key: client.publish("channel", "m"),
    "subscribe": lambda client, _key: client.pubsub().subscribe("channel"),
}
ON_A_LOOP = {"wait": lambda client, _key: client.blpop("list", timeout=1)}
"""On a thread the wait for a list is in no schedule: such a program is UNKNOWN."""


def programs(seed, *, on_a_loop):
    """Return what two users do, and whether each has a client of its own."""
    rng = random.Random(seed)
    all_of_them = {**PLAIN, **OTHERS, **(ON_A_LOOP if on_a_loop else {})}

    def command():
        table = all_of_them if rng.random() < 0.5 else PLAIN
        return table[rng.choice(sorted(table))], rng.choice("ab")

    flows = [[command() for _ in range(rng.randint(1, 3))] for _ in range(2)]
    return flows, rng.random() < 0.5


def ends(seed, *, on_a_loop):
    """Return what users were told and what was left, execution by execution."""
    flows, own = programs(seed, on_a_loop=on_a_loop)
    found = []

    def act(client, flow, seen):
        for command, key in flow:
            with suppress(ResponseError):
                seen.append(command(client, key))

    async def aact(client, flow, seen):
        for command, key in flow:
            with suppress(ResponseError):
                answer = command(client, key)
                seen.append(await answer if inspect.isawaitable(answer) else answer)

    def body(world):
        make = world.existing_cache.aclient if on_a_loop else world.existing_cache.client
        clients = [make(decode_responses=True)] * 2
        if own:
            clients[1] = make(decode_responses=True)
        seen = [[], []]
        for name, client, flow, told in zip("xy", clients, flows, seen, strict=True):
            world.actor(name, aact if on_a_loop else act, client, flow, told)
        world.run()
        found.append(repr((seen, world.existing_cache.content())))

    result = check(body, search="all-schedules", stop_at_first=False, executions=200)
    return result.verdict, result.reasons, found


@pytest.mark.parametrize("on_a_loop", [False, True], ids=["threads", "asyncio"])
@pytest.mark.parametrize("seed", range(either(2, 15)))
def test_programs_end_as_on_a_new_server(seed, on_a_loop, monkeypatch):
    check(lambda world: world.actor("x", world.existing_cache.client().get, "k") or world.run())
    reused = ends(seed, on_a_loop=on_a_loop)
    reset = FakeRedisServer.reset
    monkeypatch.setattr(FakeRedisServer, "reset", lambda server, **_: reset(server))
    assert ends(seed, on_a_loop=on_a_loop) == reused
    assert len(reused[2]) > 1
