"""The pages of customers, and the form of the back office."""

from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_GET, require_POST

from shop.catalog import catalog
from shop.models import Announcement, Product


@require_GET
def show(request: HttpRequest, product: int) -> JsonResponse:
    """Show the price of a product."""
    return JsonResponse({"price": catalog().price(product)})


@require_POST
def change(request: HttpRequest, product: int) -> JsonResponse:
    """Change the price of a product, and have its subscribers told."""
    with transaction.atomic():
        found = Product.objects.get(pk=product)
        found.price, found.version = int(request.POST["price"]), found.version + 1
        found.save()  # post_save tells the catalogue
        catalog().announce(product)
    return JsonResponse({})


@require_GET
def announced(request: HttpRequest, product: int) -> JsonResponse:
    """Show which prices subscribers were told."""
    told = Announcement.objects.filter(product=product).order_by("pk")
    return JsonResponse({"prices": list(told.values_list("price", flat=True))})
