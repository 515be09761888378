"""pymemcache: each request to the server is a step, in each of its client classes."""

from pytest_supercache.declare.adapters.table import calls

_CLIENT = "pymemcache.client.base:Client"

WATCHES = [
    *calls(_CLIENT, "get gets", "existing_cache", reads="key"),
    *calls(_CLIENT, "get_many gets_many", "existing_cache", reads="keys"),
    *calls(_CLIENT, "set add replace cas", "existing_cache", writes="key", expires="expire"),
    *calls(_CLIENT, "append prepend touch", "existing_cache", writes="key", expires="expire"),
    *calls(_CLIENT, "delete incr decr", "existing_cache", writes="key"),
    *calls(
        _CLIENT,
        "set_many",
        "existing_cache",
        writes=lambda values: list(values),
        expires="expire",
    ),
    *calls(_CLIENT, "delete_many", "existing_cache", writes="keys"),
    *calls(_CLIENT, "flush_all raw_command", "existing_cache", writes="*"),
]
