"""Code that sets something up once, and remembers that it has: both are given back together."""

import pytest

from pytest_supercache import Verdict, check

_SHOP = """
    import functools

    LOADERS, SETTINGS, DONE = {}, {}, set()
    is_loaded = False

    class Plugins:
        is_ready = False
        found = []

        @classmethod
        def set_up(cls):
            if not cls.is_ready:
                cls.found.append("near")
                cls.is_ready = True

        @classmethod
        def set_up_by_attribute(cls):
            if not hasattr(cls, "instance"):
                cls.found.append("near")
                cls.instance = cls()

    def fresh(cache):
        return cache.get("tea")

    def load():
        global is_loaded
        if not is_loaded:
            LOADERS["fresh"] = fresh
            is_loaded = True

    @functools.cache
    def configure():
        SETTINGS["near"] = {}

    def load_by_name():
        if "fresh" not in DONE:
            LOADERS["fresh"] = fresh
            DONE.add("fresh")

    def look_up(cache):
        return LOADERS["fresh"](cache)

    def look_near(cache):
        near = SETTINGS["near"]
        if "tea" not in near:
            near["tea"] = cache.get("tea")
        return near["tea"]

    def look_for_plugins(cache):
        return Plugins.found[0] and cache.get("tea")

    def count(cache):
        LOADERS["count"] = LOADERS.get("count", 0) + int(cache.get("one"))
        return cache.get("tea")
"""
SEEN = []


@pytest.fixture
def shop(pytester, request):
    """A module under a name that no other test has."""
    name = f"shop_{abs(hash(request.node.name))}"
    pytester.makepyfile(**{name: _SHOP})
    pytester.syspathinsert()
    return __import__(name)


def _body(shop, set_up, flow):
    def body(world):
        set_up()
        SEEN.append("an execution")
        cache = world.existing_cache.client(decode_responses=True)
        cache.mset({"tea": "100", "one": "1"})
        for name in ("alice", "bob"):
            world.actor(name, flow, cache)
        assert set(world.run().values()) == {"100"}
        assert shop.LOADERS.get("count", 2) == 2

    return body


@pytest.mark.parametrize(
    ("set_up", "flow", "verdict"),
    [
        ("load", "look_up", Verdict.HOLDS),
        ("configure", "look_near", Verdict.HOLDS),
        ("load_by_name", "look_up", Verdict.HOLDS),
        ("Plugins.set_up", "look_for_plugins", Verdict.HOLDS),
        ("Plugins.set_up_by_attribute", "look_for_plugins", Verdict.HOLDS),
        ("load", "count", Verdict.VIOLATED),
    ],
)
def test_the_truth_is_told(shop, set_up, flow, verdict):
    SEEN.clear()
    holder, _, name = set_up.rpartition(".")
    function = getattr(getattr(shop, holder) if holder else shop, name)
    result = check(_body(shop, function, getattr(shop, flow)))
    assert result.verdict is verdict, (result.reasons, result.counterexample)
    assert len(SEEN) > result.executions, "what the test collects stays"
    assert not shop.LOADERS, "nothing stays that a flow touches"
    assert not shop.is_loaded, "nor does it stay that this was set up"


def test_what_was_set_up_before_the_check_stays(shop):
    shop.load()
    assert check(_body(shop, shop.load, shop.look_up)).verdict is Verdict.HOLDS
    assert shop.is_loaded
    assert list(shop.LOADERS) == ["fresh"]
