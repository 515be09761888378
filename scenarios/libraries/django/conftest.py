"""Django's file cache, unmodified."""

from importlib.util import find_spec

import pytest_supercache as sc

FILES = "django.core.cache.backends.filebased"

if find_spec("django"):
    # Finer than the adapter: `has_key` may look for the file first and open it afterwards.
    # A descriptor instead of a path is a temporary file, which is nobody else's.
    sc.watch(f"{FILES}:os.path.exists", "existing_cache", reads=lambda path: path)
    sc.watch(
        f"{FILES}:open",
        "existing_cache",
        reads=lambda file: "temporary" if isinstance(file, int) else file,
    )


@sc.system("django.filebased")
@sc.system("django.files_4_1")
@sc.system("django.files_4_2")
def files(layers):
    """A cache in one folder that all processes share."""
    from django.conf import settings

    if not settings.configured:
        settings.configure()
    from django.core.cache.backends.filebased import FileBasedCache

    return FileBasedCache(str(layers.tmp_path), {})


@sc.verb("add_one")
def add_one(cache, _user, key):
    """Add one."""
    return cache.incr(key)


@sc.verb("has_key")
def has_key(cache, _user, key):
    """Ask whether the key is there."""
    return cache.has_key(key)
