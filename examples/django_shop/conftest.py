"""The shop as scenarios see it: two catalogues of one application, driven through its routes."""

from django.test import Client, override_settings

import pytest_supercache as sc


def opened(catalog):
    """Open the shop of one node, with a lamp for 100 that is in no cache yet."""
    from shop.models import Product

    with override_settings(SHOP_CATALOG=f"shop.catalog.{catalog}"):
        Product.objects.bulk_create([Product(pk=42, name="Lamp", price=100)], ignore_conflicts=True)
        yield Client()


@sc.system("shop.first")
def first(layers):
    """The shop as it was written first."""
    yield from opened("Catalog")


@sc.system("shop.guarded")
def guarded(layers):
    """The shop that ships."""
    yield from opened("GuardedCatalog")


@sc.verb("page", observes=lambda answer, product: {f"price:{product}": answer})
def page(http, user, product: int):
    """Open the page of a product; the answer is the price on it."""
    return http.get(f"/products/{product}/").json()["price"]


@sc.verb("change_price", writes=lambda product, price: {f"price:{product}": price})
def change_price(http, user, product: int, price: int):
    """Change the price of a product in the back office."""
    assert http.post(f"/products/{product}/price/", {"price": price}).status_code == 200


@sc.verb("announced")
def announced(http, user, product: int):
    """List the prices that subscribers were told."""
    return http.get(f"/products/{product}/announced/").json()["prices"]
