"""The cache in the process: the fastest one, and the one that nobody else can see into.

Its methods are coroutines, as those of every other cache of the shop, so that one can take the
place of another.
"""


class NearCache:
    """Prices by product, with a ticket that tells whether a product was forgotten meanwhile."""

    def __init__(self) -> None:
        self._prices: dict[str, int] = {}
        self._forgotten: dict[str, int] = {}  # how often

    async def get(self, product: str) -> int | None:
        """Return the price, if it is here."""
        return self._prices.get(product)

    async def ticket(self, product: str) -> int:
        """Return what `put` wants to see: who looked before a change must not store after it."""
        return self._forgotten.get(product, 0)

    async def put(self, product: str, price: int, ticket: int | None = None) -> None:
        """Store a price; with a ticket only if the product was not forgotten since."""
        if ticket is None or ticket == self._forgotten.get(product, 0):
            self._prices[product] = price

    async def forget(self, product: str) -> None:
        """Drop the price."""
        self._prices.pop(product, None)
        self._forgotten[product] = self._forgotten.get(product, 0) + 1
