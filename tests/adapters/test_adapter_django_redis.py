"""django-redis stores pickles: what people see of them is what is in them, judged is the pickle."""

import decimal

import django
import pytest
from django.conf import settings

from pytest_supercache import check

if not settings.configured:
    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "none yet"}},
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    )
    django.setup()

from django.db import models
from django.utils.safestring import mark_safe
from django_redis.cache import RedisCache

from pytest_supercache.core.serialized import deserialized
from pytest_supercache.report.picture import picture
from pytest_supercache.report.player_data import players
from pytest_supercache.report.timeline import timeline
from pytest_supercache.report.values import short
from pytest_supercache.report.verdict_json import counterexample_to_json

LAMP = {"price": 100, "name": "a lamp, which is long enough to be compressed: more than 15 bytes"}
JSON = "django_redis.serializers.json.JSONSerializer"


class StoredProduct(models.Model):
    name = models.CharField(max_length=50)
    price = models.DecimalField(max_digits=8, decimal_places=2)

    class Meta:
        app_label = "stored"


def cache(**options):
    return RedisCache("redis://production:6379/1", {"OPTIONS": options})


def compressed_by(name):
    return {"COMPRESSOR": f"django_redis.compressors.{name}Compressor"}


def stored(value, **options):
    return cache(**options).client.encode(value)


@pytest.mark.parametrize(
    ("options", "form"),
    [
        ({}, "pickled"),
        (compressed_by("zlib.Zlib"), "pickled, zlib"),
        (compressed_by("gzip.Gzip"), "pickled, gzip"),
        (compressed_by("lzma.Lzma"), "pickled, lzma"),
        ({"SERIALIZER": JSON, **compressed_by("zlib.Zlib")}, "zlib"),
    ],
    ids=str,
)
def test_each_way_of_django_redis_is_read(options, form):
    found = deserialized(stored(LAMP, **options))
    assert found is not None
    assert found.form == form
    assert '"price": 100' in str(found.data).replace("'", '"')


def test_numbers_and_json_are_stored_so_that_they_can_be_read_as_they_are():
    assert deserialized(str(stored(100)).encode()) is None
    assert deserialized(stored(LAMP, SERIALIZER=JSON)) is None


def test_a_model_is_told_by_its_name_and_its_fields():
    lamp = StoredProduct(pk=42, name="Lamp", price=decimal.Decimal("1.50"))
    found = deserialized(stored(lamp))
    assert found is not None
    assert found.data == "StoredProduct(id=42, name='Lamp', price=Decimal('1.50'))"


def test_rows_are_told_without_how_they_were_asked_for():
    rows = StoredProduct.objects.all()
    rows._result_cache = [StoredProduct(pk=42, name="Lamp", price=1)]  # noqa: SLF001 - as if executed: there is no database
    found = deserialized(stored(rows))
    assert found is not None
    assert found.data == "QuerySet([StoredProduct(id=42, name='Lamp', price=1)])"


def test_a_fragment_of_a_template_is_text():
    found = deserialized(stored(mark_safe("<b>100</b>")))
    assert found is not None
    assert found.data == "<b>100</b>"


def race(**options):
    """Let a page fill the cache while a price changes."""

    def body(world):
        pages, origin = cache(**options), world.origin

        def page():
            if pages.get("x") is None:
                pages.set("x", origin.get("x"))

        def change():
            origin.set("x", {"price": 120, "since": "2026"})
            pages.delete("x")

        origin.set("x", {"price": 100})
        world.actor("page", page)
        world.actor("change", change)
        world.run()
        assert pages.get("x") in (None, {"price": 120, "since": "2026"})

    return check(body, guarantees=[])


def test_the_picture_shows_what_is_in_a_pickle_and_the_verdict_is_that_of_json():
    pickled, as_json = race(), race(SERIALIZER=JSON)
    found = counterexample_to_json(pickled.counterexample)
    text = picture(timeline(found), 140)
    assert 'SET :1:x = {"price": 100}' in " ".join(text.split())
    assert "existing cache: pickled, shown deserialized; verdict.json has the values as" in text
    assert "\\x80" not in text
    assert "\\x80" in str(found["steps"])
    player = players(found, short)["player"]
    assert [one[:2] for one in player["stored"]] == [['{"price": 100}', "pickled"]]
    assert "\\x80" in player["stored"][0][2]

    other = counterexample_to_json(as_json.counterexample)
    assert "as stored" not in picture(timeline(other), 140)
    assert players(other, short)["player"]["stored"] == []
    assert (pickled.verdict, pickled.executions) == (as_json.verdict, as_json.executions)
    assert pickled.counterexample.token == as_json.counterexample.token
    assert pickled.counterexample.fingerprint == as_json.counterexample.fingerprint
