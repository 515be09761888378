"""What a saved product causes."""

from typing import Any

from django.db.models.signals import post_save
from django.dispatch import receiver

from shop.catalog import catalog
from shop.models import Product


@receiver(post_save, sender=Product)
def product_saved(instance: Product, **_: Any) -> None:
    """Tell the catalogue."""
    catalog().changed(instance)
