"""Loads that are shared: who asks for what is being loaded waits for that load, and takes it."""

from concurrent.futures import Future
from typing import Any

import pytest_supercache as sc
from pytest_supercache.layers.stack import NodeLayers


class SharesLoads:
    """One load at a time for each key; nothing is kept."""

    def __init__(self, layers: NodeLayers) -> None:
        self.origin = layers.origin
        self.clock = layers.clock
        self.flights: dict[str, tuple[float, Future[Any]]] = {}

    def get(self, key: str) -> Any:
        """Take what another one is loading, or load."""
        flight = self.flights.get(key)
        if flight is not None and self.may_join(flight[0]):
            return flight[1].result()
        return self.load(key)

    def may_join(self, _begun: float) -> bool:
        """Say whether a load may be shared."""
        return True

    def load(self, key: str) -> Any:
        """Load for all who come meanwhile."""
        flight = self.clock.now(), Future()
        self.flights[key] = flight
        value = self.origin.get(key)
        self.flights.pop(key, None)
        flight[1].set_result(value)
        return value

    def set(self, key: str, value: Any) -> None:
        """Commit."""
        self.origin.set(key, value)


class SharesYoungLoads(SharesLoads):
    """Only what has begun within a second is shared."""

    def may_join(self, begun: float) -> bool:
        """Say whether a load is young."""
        return self.clock.now() - begun < 1


class SharesLoadsUntilTheChange(SharesLoads):
    """A change ends the flight, so that who comes later begins another one."""

    def set(self, key: str, value: Any) -> None:
        """Commit, then share no load that began before."""
        super().set(key, value)
        self.flights.pop(key, None)


sc.system("flight.naive")(SharesLoads)
sc.system("flight.young")(SharesYoungLoads)
sc.system("flight.ended")(SharesLoadsUntilTheChange)
