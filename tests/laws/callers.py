"""What tests call systems through: functions and a class in a module of their own."""


def read(shop):
    shop.get("k")


def write(shop):
    shop.set("k", 2)


class Client:
    """Holds what it calls."""

    def __init__(self, shop):
        self.shop = shop

    def read(self):
        self.shop.get("k")

    def write(self):
        self.shop.set("k", 2)
