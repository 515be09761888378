"""A module that is imported while a check runs adds itself to a registry: that stays there.

It is imported once, so no later execution would find it. What flows add is taken away again.
"""

import sys
from importlib import import_module

import pytest

from pytest_supercache import Verdict, check

_REGISTRY = """
    LOADERS = {}
    NAMES = []

    is_loaded = False

    class Loaders:
        default = None

    def load_late():
        global is_loaded
        if not is_loaded:
            LOADERS["late"] = LOADERS["fresh"]
            is_loaded = True

    def loader(function):
        LOADERS[function.__name__] = Loaders.default = function
        NAMES.append(function.__name__)
        return function
"""
_PLUGIN = """
    from {registry} import loader

    near = {{}}

    @loader
    def fresh(cache, key):
        return cache.get(key)

    @loader
    def kept(cache, key):
        if key not in near:
            near[key] = cache.get(key)
        return near[key]
"""
_PACKAGE = "import {registry}, {plugin}"


@pytest.fixture
def modules(pytester, request):
    """Two modules and one that imports both, under names that no other test has."""
    names = {part: f"{part}_{abs(hash(request.node.name))}" for part in ("registry", "plugin")}
    package = f"package_of_{names['plugin']}"
    pytester.makepyfile(
        **{
            names["registry"]: _REGISTRY,
            names["plugin"]: _PLUGIN.format(**names),
            package: _PACKAGE.format(**names),
        }
    )
    pytester.syspathinsert()
    yield {**names, "package": package}
    for name in (*names.values(), package):
        sys.modules.pop(name, None)


def _body(modules, imported, flow):
    def body(world):
        import_module(imported)
        registry = import_module(modules["registry"])
        assert "added by a flow" not in registry.LOADERS
        assert registry.NAMES == ["fresh", "kept"]
        assert registry.Loaders.default.__name__ == "kept"
        cache = world.existing_cache.client(decode_responses=True)
        cache.set("tea", "100")
        for name in ("alice", "bob"):
            world.actor(name, flow, registry, cache)
        got = world.run()
        assert set(got.values()) == {"100"}

    return body


def _look_up(registry, cache):
    return registry.LOADERS["fresh"](cache, "tea")


def _look_up_and_add(registry, cache):
    found = registry.LOADERS["fresh"](cache, "tea")
    registry.LOADERS.setdefault("added by a flow", found)
    return found


def _take_turns(registry, cache):
    """Race: both read the default, and both put another one there."""
    default = registry.Loaders.default
    found = default(cache, "tea")
    assert registry.Loaders.default is default
    registry.Loaders.default = registry.LOADERS["fresh"]
    return found


@pytest.mark.parametrize("imported", ["package", "plugin"])
@pytest.mark.parametrize("is_known", [True, False], ids=["known", "new"])
@pytest.mark.parametrize(
    ("flow", "verdict"),
    [
        (_look_up, Verdict.HOLDS),
        (_look_up_and_add, Verdict.HOLDS),
        (_take_turns, Verdict.VIOLATED),
    ],
)
def test_the_truth_is_told(flow, verdict, is_known, imported, modules):
    if is_known:
        import_module(modules["registry"])
    result = check(_body(modules, modules[imported], flow))
    assert result.verdict is verdict, (result.reasons, result.counterexample)


def test_what_is_set_up_once_after_the_import_is_undone_as_a_whole(modules):
    import_module(modules["registry"])

    def body(world):
        registry = import_module(modules["package"]) and import_module(modules["registry"])
        registry.load_late()
        cache = world.existing_cache.client(decode_responses=True)
        cache.set("tea", "100")
        for name in ("alice", "bob"):
            world.actor(name, lambda: registry.LOADERS["late"](cache, "tea"))
        assert set(world.run().values()) == {"100"}

    result = check(body)
    assert result.verdict is Verdict.HOLDS, result.reasons
    registry = import_module(modules["registry"])
    assert not registry.is_loaded
    assert sorted(registry.LOADERS) == ["fresh", "kept"]


def test_it_is_still_there_after_the_check(modules):
    check(_body(modules, modules["package"], _look_up_and_add))
    registry = import_module(modules["registry"])
    assert sorted(registry.LOADERS) == registry.NAMES == ["fresh", "kept"]
