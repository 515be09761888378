"""dogpile.cache, unmodified: a region in memory over the origin."""

from types import SimpleNamespace

import pytest_supercache as sc


@sc.system("dogpile")
def dogpile(layers):
    """A look-aside cache that forgets everything at each change."""
    from dogpile.cache import make_region

    region = make_region().configure("dogpile.cache.memory")

    def get(key):
        return region.get_or_create(key, lambda: layers.origin.get(key))

    def put(key, value):
        layers.origin.set(key, value)
        region.invalidate(hard=True)

    return SimpleNamespace(get=get, set=put)
