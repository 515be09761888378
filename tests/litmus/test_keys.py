"""What counts as one key."""

from pytest_supercache import READ_YOUR_WRITES, Verdict, check


def test_bytes_and_text_are_one_key():
    def body(world):
        shop = world.user("alice", _Stale(world.origin))
        world.actor("alice", lambda: (shop.write("k", "new"), shop.read(b"k")))
        world.run()

    assert check(body, guarantees=[READ_YOUR_WRITES]).verdict is Verdict.VIOLATED


class _Stale:
    def __init__(self, origin):
        self._origin = origin
        origin.set("k", "old")

    def get(self, key):
        self._origin.get("k")
        return "old"

    def set(self, key, value):
        self._origin.set(key, value)
