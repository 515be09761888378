"""Which keys have ever been given a time to live."""

import pytest

from pytest_supercache import Verdict, check

COMMANDS = {
    "one by one": lambda client: (client.get("a"), client.set("b", 1, ex=10)),
    "in a pipeline": lambda client: client.pipeline().get("a").set("b", 1, ex=10).execute(),
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_key_that_is_only_read_beside_one_that_ends_is_not_expiring(command):
    seen = set()

    def body(world):
        client = world.existing_cache.client()
        world.actor("alice", lambda: command(client) and None)
        world.run()
        seen.update(world.existing_cache.expiring)

    assert check(body).verdict is Verdict.HOLDS
    assert seen == {"existing_cache:b"}
