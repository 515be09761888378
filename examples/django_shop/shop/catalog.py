"""Prices through two caches: the way that everybody writes first, and the one that holds."""

import json
import threading

from django.conf import settings
from django.core.cache import caches
from django.db import transaction
from django.utils.module_loading import import_string
from django_redis import get_redis_connection
from redis.client import Pipeline

from shop.models import Product
from shop.tasks import announce_later

KEPT_SECONDS = 3600


class Catalog:
    """Look into the process, then into Redis, then into the database; store what was found."""

    def price(self, product: int) -> int:
        """Return the price of a product."""
        near, shared, key = caches["near"], caches["default"], f"price:{product}"
        price = near.get(key)
        if price is None:
            price = shared.get(key)
            if price is None:
                price = Product.objects.get(pk=product).price
                shared.set(key, price)
            near.set(key, price)
        return price

    def changed(self, product: Product) -> None:
        """Let both caches forget the price of a product that is being saved."""
        for cache in caches["default"], caches["near"]:
            cache.delete(f"price:{product.pk}")

    def announce(self, product: int) -> None:
        """Have subscribers told of a new price."""
        announce_later(product)


class GuardedCatalog:
    """The same, but the newest version stays, whoever stores last; and nothing before the commit.

    An entry is a price with its version. Whoever stores one looks whether a newer one is there:
    in Redis within a transaction that watches the key, in the process under a lock.
    """

    _guard = threading.Lock()

    def price(self, product: int) -> int:
        """Return the price of a product."""
        key = f"price:{product}"
        entry = caches["near"].get(key)
        if entry is None:
            text = get_redis_connection("default").get(key)
            if text is not None:
                entry = json.loads(text)
            else:
                found = Product.objects.get(pk=product)
                entry = [found.version, found.price]
                self._keep_in_redis(key, entry)
            self._keep_near(key, entry)
        return entry[1]

    def changed(self, product: Product) -> None:
        """Store the price of a product once it is committed."""
        key, entry = f"price:{product.pk}", [product.version, product.price]
        transaction.on_commit(lambda: self._keep_in_redis(key, entry))
        transaction.on_commit(lambda: self._keep_near(key, entry))

    def announce(self, product: int) -> None:
        """Have subscribers told of a new price once it is committed."""
        transaction.on_commit(lambda: announce_later(product))

    def _keep_in_redis(self, key: str, entry: list[int]) -> None:
        def unless_newer(pipeline: Pipeline) -> None:
            text = pipeline.get(key)
            pipeline.multi()
            if text is None or json.loads(text) < entry:
                pipeline.set(key, json.dumps(entry), ex=KEPT_SECONDS)

        get_redis_connection("default").transaction(unless_newer, key)

    def _keep_near(self, key: str, entry: list[int]) -> None:
        near = caches["near"]
        with self._guard:
            kept = near.get(key)
            if kept is None or kept < entry:
                near.set(key, entry)


def catalog() -> Catalog | GuardedCatalog:
    """Return the catalogue that the settings name."""
    made: Catalog | GuardedCatalog = import_string(settings.SHOP_CATALOG)()
    return made
