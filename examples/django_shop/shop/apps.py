"""The application: it connects its signals."""

from django.apps import AppConfig


class ShopConfig(AppConfig):
    """The shop."""

    name = "shop"

    def ready(self) -> None:
        """Let the catalogue hear of every product that is saved."""
        from shop import signals  # noqa: F401 - the import connects the receivers
