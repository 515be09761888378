"""cachelib, and so Flask-Caching: caches in the process and in files, which prune when full.

Functions that are built on these (``get_many``, ``set_many``, ``inc``, ``add`` of the file cache)
are not atomic there either, so their parts are the steps. Its Redis cache sends commands.
"""

from typing import Any

from pytest_supercache.declare.adapters.table import calls

_SIMPLE = "cachelib.simple:SimpleCache"
_FILES = "cachelib.file:FileSystemCache"


def _timeout(self: Any, timeout: Any) -> Any:
    return self.default_timeout if timeout is None else timeout


WATCHES = [
    *calls(_SIMPLE, "get has", reads="key"),
    *calls(_SIMPLE, "set add", writes="*", expires=_timeout),
    *calls(_SIMPLE, "delete", writes="key"),
    *calls(_SIMPLE, "clear", writes="*"),
    *calls(_FILES, "get has delete", "existing_cache", writes="key"),
    *calls(_FILES, "set", "existing_cache", writes="*", expires=_timeout),
    *calls(_FILES, "clear", "existing_cache", writes="*"),
]
