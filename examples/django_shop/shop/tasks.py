"""Background tasks, on two workers of the process; Celery takes their place in production."""

from concurrent.futures import ThreadPoolExecutor

from shop.models import Announcement

_workers = ThreadPoolExecutor(max_workers=2, thread_name_prefix="task")


def announce_later(product: int) -> None:
    """Have subscribers told of the price of a product."""
    _workers.submit(announce, product)


def announce(product: int) -> None:
    """Tell subscribers the price that everybody sees."""
    from shop.catalog import catalog

    Announcement.objects.create(product_id=product, price=catalog().price(product))
