"""A project on Django with two models' worth of code: settings, one table, and a near cache."""

from pathlib import Path

SETTINGS = """
from pathlib import Path

HERE = Path(__file__).parent
SECRET_KEY = "of a test"
INSTALLED_APPS = ["shop"]
ROOT_URLCONF = "shop.urls"
ALLOWED_HOSTS = ["*"]
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": HERE / "developer.sqlite3"},
    "archive": {"ENGINE": "django.db.backends.sqlite3", "NAME": HERE / "archive.sqlite3"},
}
"""

MODELS = """
from django.db import models

class Product(models.Model):
    name = models.CharField(max_length=100)
    price = models.IntegerField()
"""

MIGRATION = """
from django.db import migrations, models

def first(apps, schema_editor):
    apps.get_model("shop", "Product").objects.using(schema_editor.connection.alias).create(
        pk=1000, name="of the migration", price=1
    )

class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel(
            name="Product",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=100)),
                ("price", models.IntegerField()),
            ],
        ),
        migrations.RunPython(first),
    ]
"""

VIEWS = """
from django.core.cache import cache
from django.db import transaction
from django.http import JsonResponse

from shop.models import Product

def page(request, pk):
    price = cache.get(f"price:{pk}")
    if price is None:
        price = Product.objects.get(pk=pk).price
        cache.set(f"price:{pk}", price)
    return JsonResponse(price, safe=False)

def change(request, pk, price):
    with transaction.atomic():
        product = Product.objects.select_for_update().get(pk=pk)
        product.price = price
        product.save()
    cache.delete(f"price:{pk}")
    return JsonResponse({})

def page_uncached(request, pk):
    return JsonResponse(Product.objects.get(pk=pk).price, safe=False)
"""

URLS = """
from django.urls import path

from shop import views

urlpatterns = [
    path("<int:pk>/", views.page),
    path("<int:pk>/uncached/", views.page_uncached),
    path("<int:pk>/<int:price>/", views.change),
]
"""

CONFTEST = """
import pytest_supercache as sc

class Browser:
    def __init__(self, path):
        from django.test import Client

        self.http, self.path = Client(), path

def opened(path):
    from shop.models import Product

    Product.objects.get_or_create(pk=42, defaults={"name": "Lamp", "price": 100})
    return Browser(path)

@sc.system("cached")
def cached(layers):
    return opened("/42/")

@sc.system("uncached")
def uncached(layers):
    return opened("/42/uncached/")

@sc.verb("page")
def page(shop, user):
    return shop.http.get(shop.path).json()

@sc.verb("change")
def change(shop, user, price: int):
    assert shop.http.get(f"/42/{price}/").status_code == 200
"""

PRICE_CHANGE = """
scenario: After a price change nobody is shown the old price
id: PRICE
systems: {cached: violated, uncached: holds}
users:
  customer: [{page: {}, expect: {one_of: [100, 120]}}]
  clerk: [{change: {price: 120}}]
finally: [{page: {}, expect: 120}]
guarantees: []
"""


def write(folder: Path, *, with_pytest_django: bool = True) -> None:
    """Write the project, which is set up by pytest-django, or by its conftest."""
    files = {
        "shop/__init__.py": "", "shop/models.py": MODELS, "shop/views.py": VIEWS,
        "shop/urls.py": URLS, "shop/migrations/__init__.py": "",
        "shop/migrations/0001_initial.py": MIGRATION, "shop_settings.py": SETTINGS,
        "conftest.py": CONFTEST,
    }  # fmt: skip
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    lines = [
        "[pytest]",
        "supercache_step_timeout = 60",
        "supercache_time = 60",
        "supercache_odds = 0",
        "pythonpath = .",
    ]
    if with_pytest_django:
        lines.append("DJANGO_SETTINGS_MODULE = shop_settings")
    (folder / "tox.ini").write_text("\n".join(lines) + "\n")
