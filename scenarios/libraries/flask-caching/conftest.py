"""Flask-Caching, unmodified: a memoized function in a process."""

from importlib.util import find_spec
from types import SimpleNamespace

import pytest_supercache as sc

if find_spec("flask_caching") and find_spec(
    "flask_caching.backends.simple"
):  # since version 2 it is cachelib's: an adapter
    for name, access in (("get", "reads"), ("has", "reads"), ("set", "writes")):
        sc.watch(f"flask_caching.backends.simple:SimpleCache.{name}", **{access: "key"})


@sc.system("flask_caching.memo_1_7")
@sc.system("flask_caching.memo_1_8")
def memo(layers):
    """A function that never returns None."""
    from flask import Flask
    from flask_caching import Cache

    app = Flask("shop")
    cache = Cache(app, config={"CACHE_TYPE": "simple"})

    @cache.memoize(60)
    def load(key):
        return layers.origin.get(key)

    def get(key):
        with app.app_context():
            return load(key)

    return SimpleNamespace(load=get)


@sc.verb("call")
def call(system, _user, key):
    """Call the memoized function."""
    return system.load(key)
