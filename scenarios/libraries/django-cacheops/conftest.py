"""django-cacheops, unmodified: a function cache in Redis that the ORM invalidates."""

import sys
from importlib.util import find_spec
from types import SimpleNamespace

import pytest_supercache as sc

if find_spec("cacheops"):
    import django
    import redis
    from django.conf import settings

    class Client(redis.Redis):
        """cacheops asks the server for its version, and fakeredis has no INFO."""

        def info(self, *_sections):
            """Say which scripts to use."""
            return {"redis_version": "7.4.0"}

    sys.modules["shop_redis"] = SimpleNamespace(Client=Client)  # cacheops imports it by name
    settings.configure(
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": "file:shop?mode=memory&cache=shared",
            }
        },
        INSTALLED_APPS=["cacheops"],
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        CACHEOPS_REDIS="redis://production:6379/1",
        CACHEOPS_CLIENT_CLASS="shop_redis.Client",
        CACHEOPS={"*.*": {"timeout": 60}},
    )
    django.setup()

    from cacheops import cached_as
    from django.db import connection, models

    class Row(models.Model):
        """The source of truth."""

        name = models.CharField(max_length=9)

        class Meta:
            """A model without a project."""

            app_label = "shop"

    with connection.schema_editor() as editor:
        editor.create_model(Row)


def _system(*, keep_fresh):
    Row.objects.all().delete()
    Row.objects.create(name="old")

    @cached_as(Row, timeout=60, keep_fresh=keep_fresh)
    def names():
        answer = list(Row.objects.nocache().values_list("name", flat=True))
        connection.close()  # each user is a thread, and the table is one user's at a time
        return answer

    return SimpleNamespace(names=names, rename=_save)


def _save(name):
    row = Row.objects.nocache().get()
    row.name = name
    row.save()
    connection.close()


@sc.system("cacheops")
def cacheops(_layers):
    """The default options."""
    return _system(keep_fresh=False)


@sc.system("cacheops.keep_fresh")
def cacheops_keep_fresh(_layers):
    """The option that was added for this conflict."""
    return _system(keep_fresh=True)


@sc.verb("names")
def names(system, _user):
    """Ask the cached function."""
    return system.names()


@sc.verb("rename")
def rename(system, _user, name):
    """Save the row under another name; cacheops invalidates what depends on it."""
    system.rename(name)
