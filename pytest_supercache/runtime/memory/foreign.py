"""Tracks containers of libraries whose code is not rewritten: each is touched as a whole.

A library that the tools of a run use themselves, or a framework, is not looked into. What code
under test puts into a container of such a library is memory all the same. The call of a method, or
an operator, is one access to all that the container holds.
"""

from collections.abc import MutableMapping, MutableSequence, MutableSet
from functools import cache

from pytest_supercache.declare.adapters import LIBRARIES
from pytest_supercache.runtime.kernel.kinds import attributes_of, bases_of, module_of, of_kind
from pytest_supercache.runtime.kernel.own_code import AIO, SYNC
from pytest_supercache.runtime.kernel.under_test import is_tool_name

FRAMEWORKS = frozenset(
    {
        "asgiref",
        "flask_caching",
        "rest_framework",
        "sqlparse",
        "pytest_django",
        "numpy",
        "pandas",
        *LIBRARIES,
    }
)
"""Code under test that is not rewritten: it guards its own state, or an adapter declares it."""

WITH_FILES = frozenset(
    {"django.contrib.sessions.backends.file", "django.core.files.storage.filesystem"}
)
"""Modules of frameworks that are rewritten: their functions look at files that users share."""

OF_TEMPLATES = {
    **dict.fromkeys(("django.template.base", "django.template.context", "jinja2.runtime"), ""),
    "jinja2.environment": "Template.",
    **dict.fromkeys(
        (
            "django.contrib.humanize.templatetags.humanize", "django.template.defaultfilters",
            "django.template.defaulttags", "django.template.loader_tags",
            "django.template.smartif", "django.templatetags.cache", "django.templatetags.i18n",
            "django.templatetags.l10n", "django.templatetags.tz", "jinja2.filters",
            "jinja2.sandbox", "jinja2.tests",
        ),
    ),
}  # fmt: skip
"""Modules whose functions get what templates name -> how the names of those begin that other code
calls. They are rewritten; the others are, too, when these call them. Their objects are left alone.
"""

_CONTROLLED = frozenset(
    {
        "pytest_supercache", "redis", "valkey", "fakeredis", "lupa", "hiredis", "freezegun",
        "pytest", "_pytest", "pluggy", "iniconfig", "xdist", "execnet", "hypothesis", "coverage",
        "debugpy", "pydevd", "_pydevd_bundle", "IPython", "sqlalchemy", "greenlet", "psycopg",
        "psycopg2", "psycopg_binary", "psycopg_pool", "aiosqlite", "anyio", "sniffio", "asgiref",
        "asyncpg", "opentelemetry", "pymysql", "MySQLdb",
    }
) | (frozenset(LIBRARIES) - {"django"})  # fmt: skip
"""Packages whose objects are steps themselves, are declared by a table, or belong to the run."""

_CONTROLLED_MODULES = (
    "django.core.cache", "django.db.backends", "django.db.utils",
    "django.utils.connection", "django.utils.functional",
)  # fmt: skip
"""Parts of Django that a table declares, that belong to one thread, or that are proxies."""

_WITH_CONTAINERS = frozenset(
    {
        "sqlalchemy.orm.collections",
        "sqlalchemy.ext.associationproxy",
        "sqlalchemy.ext.mutable",
        "sqlalchemy.ext.orderinglist",
    }
)
"""Parts of these packages whose objects are memory nevertheless: attributes of a mapped object."""

LOOKED_AT_ONLY = frozenset(
    {
        "sortedcontainers",
        "ruamel",
        "httpx",
        "starlette",
        "django",
        "numpy",
        "pandas",
        "sqlalchemy",
        "jinja2",
    }
)
"""Packages whose containers are not changed by look-ups."""

_MUTABLE = (MutableMapping, MutableSequence, MutableSet)
_CHANGING = frozenset({"__setitem__", "__delitem__"})


def is_foreign(kind: type) -> bool:
    """Say whether objects of a type are containers of a library that is not rewritten."""
    return _has_containers(module_of(kind)) and _is_container(kind)


@of_kind
def derives_from_foreign(kind: type) -> bool:
    """Say whether a type is a container of such a library, or derives from one."""
    return any(map(is_foreign, bases_of(kind)))


def keeps_attributes(kind: type) -> bool:
    """Say whether objects of a left-alone type keep attributes that code sets, for all users.

    Those of a tool of the run do not, nor do those that have values for each thread or task. A
    cache of a library does, besides what an adapter declares of it. What stands in for a queue, a
    thread, a task or a loop does: code sets a flag on it that another user reads. So does a session
    of SQLAlchemy, whose statements are steps: what code sets there is for all who share it.
    """
    module = module_of(kind)
    is_of_caches = module.partition(".")[0] in LIBRARIES and not module.startswith("django.")
    return (
        module.startswith((SYNC, AIO, "sqlalchemy.")) or is_of_caches or not _is_controlled(module)
    )


@cache
def _is_controlled(module: str) -> bool:
    return module.partition(".")[0] in _CONTROLLED or module.startswith(_CONTROLLED_MODULES)


@cache
def _has_containers(module: str) -> bool:
    package = module.partition(".")[0]
    if module in _WITH_CONTAINERS:
        return True
    return not _is_controlled(module) and (package in FRAMEWORKS or is_tool_name(package))


@of_kind
def _is_container(kind: type) -> bool:
    if issubclass(kind, (dict, list, set, *_MUTABLE)):
        return True
    return any(_CHANGING & attributes_of(base).keys() for base in bases_of(kind))
