"""What is true: products with their prices, and what subscribers were told."""

from django.db import models


class Product(models.Model):
    """Something for sale."""

    name = models.CharField(max_length=100)
    price = models.IntegerField()
    version = models.IntegerField(default=0)
    """How often the price was changed."""


class Announcement(models.Model):
    """A message to subscribers of a product."""

    product = models.ForeignKey(Product, on_delete=models.CASCADE)
    price = models.IntegerField()
