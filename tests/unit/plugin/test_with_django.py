"""Which databases of Django a fork of this process cannot copy."""

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_supercache.plugin.with_django import has_database_on_a_server

FILE = {"ENGINE": "django.db.backends.sqlite3"}
SERVER = {"ENGINE": "django.db.backends.postgresql"}


@pytest.mark.parametrize(
    ("databases", "is_marked", "expected"),
    [
        ({"default": SERVER}, True, True),
        ({"default": FILE, "archive": SERVER}, True, True),
        ({"default": FILE}, True, False),
        ({"default": SERVER}, False, False),
        ({"default": {}}, True, False),
    ],
)
def test_those_on_a_server_that_an_item_asks_for(
    databases: dict[str, Any],
    is_marked: bool,
    expected: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = SimpleNamespace(configured=True, DATABASES=databases)
    monkeypatch.setitem(sys.modules, "pytest_django.plugin", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "django.conf", SimpleNamespace(settings=settings))
    manager = SimpleNamespace(is_registered=lambda _: True)
    item: Any = SimpleNamespace(
        get_closest_marker=lambda _: is_marked or None,
        config=SimpleNamespace(pluginmanager=manager),
    )
    assert has_database_on_a_server(item) is expected
