"""Asks pytest-django for its databases, for scenarios and explored tests.

By the mark `django_db` it sets up the test databases, and lets the code under test use them. A
scenario file cannot carry the mark with its arguments, and needs none: executions have copies.
"""

import sys

import pytest

from pytest_supercache.plugin.items import is_ours

_MARK = "django_db"
_NO_DATABASE = (None, "", "django.db.backends.dummy")
"""The engines of a project that has named none; the last one is filled in by Django."""


def ask_for_databases(item: pytest.Item) -> None:
    """Mark one of our items for pytest-django, unless the project has done so."""
    if is_ours(item) and item.get_closest_marker(_MARK) is None and _has_databases(item.config):
        item.add_marker(pytest.mark.django_db(databases="__all__"))


def has_database_on_a_server(item: pytest.Item) -> bool:
    """Say whether an item uses databases that are no files, which only one process copies."""
    return item.get_closest_marker(_MARK) is not None and any(
        "sqlite" not in engine for engine in _engines(item.config)
    )


def _has_databases(config: pytest.Config) -> bool:
    """Say whether pytest-django runs, for a project with databases."""
    return bool(_engines(config))


def _engines(config: pytest.Config) -> list[str]:
    """Return the engines of the project's databases; none if pytest-django does not run."""
    plugin, configuration = map(sys.modules.get, ("pytest_django.plugin", "django.conf"))
    if plugin is None or configuration is None or not config.pluginmanager.is_registered(plugin):
        return []
    settings = configuration.settings
    engines = (
        [one.get("ENGINE") for one in settings.DATABASES.values()] if settings.configured else ()
    )
    return [engine for engine in engines if engine not in _NO_DATABASE]
