"""Detects HTTP clients used as systems: their ``get`` returns a response, not a key's value."""

import sys
from typing import Any

_CLIENTS = (
    ("requests", "Session"),
    ("httpx", "Client"),
    ("httpx", "AsyncClient"),
    ("starlette.testclient", "TestClient"),
    ("django.test.client", "RequestFactory"),
    ("werkzeug.test", "Client"),
    ("aiohttp", "ClientSession"),
)
"""Module and class; test clients of FastAPI, Flask and Django derive from these."""

_LIBRARIES = {name.partition(".")[0] for name, _ in _CLIENTS} | {"flask", "rest_framework"}


def sends_request(system: Any, method: str) -> bool:
    """Say whether a method of a system is an HTTP client's, and not defined by the system."""
    if not _is_client(type(system)):
        return False
    defining = next((base for base in type(system).__mro__ if method in vars(base)), None)
    return defining is not None and defining.__module__.partition(".")[0] in _LIBRARIES


def _is_client(kind: type) -> bool:
    """Say whether a type is, or derives from, an HTTP client."""
    for name, of_client in _CLIENTS:
        module = sys.modules.get(name)  # most are never imported
        if module is not None:
            client = getattr(module, of_client, None)
            if any(base is client for base in kind.__mro__):
                return True
    return False


def refusal(system: Any, name: str, method: str) -> str:
    """Return the complaint about a step that would send a request."""
    kind = f"{type(system).__module__}.{type(system).__qualname__}"
    return (
        f"calls {method} of system {name!r}, which is an HTTP client ({kind}): it sends a request, "
        "and its answer is a response, not the value of a key. Return an object from the factory "
        "whose get, set and delete make the requests and return values"
    )
