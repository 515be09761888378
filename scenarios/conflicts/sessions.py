"""Sessions that move between nodes: just so, always to one node, or with what they have seen.

The steps say to which node the balancer sends a request.
"""

from typing import Any

import pytest_supercache as sc
from pytest_supercache.layers.stack import NodeLayers


class Site:
    """A near cache on each of two nodes over the origin; a write tells them to forget."""

    def __init__(self, layers: NodeLayers) -> None:
        self.origin = layers.origin
        self.near = {node: layers.at(node).super_cache for node in "ab"}

    def look(self, node: str, key: str, session: dict[str, Any]) -> Any:
        """Answer from the node's cache, else from the origin, and keep the answer."""
        near = self.near[node]
        value = near.get(key)
        if value is None:
            value = self.origin.get(key)
            near.put(key, value)
        return value

    def save(self, node: str, key: str, value: Any, session: dict[str, Any]) -> None:
        """Commit and tell the nodes."""
        self.origin.set(key, value)
        self.near[node].invalidate(key)

    def get(self, key: str) -> Any:
        """Answer whoever has no session."""
        return self.look("a", key, {})


class Sticky(Site):
    """The balancer sends everybody to one node."""

    def look(self, node: str, key: str, session: dict[str, Any]) -> Any:
        """Answer from the cache of the one node."""
        return super().look("b", key, session)


class WithToken(Site):
    """A session brings the versions that it has seen, and is answered nothing older."""

    def look(self, node: str, key: str, session: dict[str, Any]) -> Any:
        """Answer from the node's cache if that is new enough, else from the origin."""
        near = self.near[node]
        entry = near.get(key)
        if entry is None or entry["version"] < session.get(key, 0):
            version = self.origin.version(key)
            entry = {"value": self.origin.get(key), "version": version}
            near.put(key, entry)
        session[key] = entry["version"]
        return entry["value"]

    def save(self, node: str, key: str, value: Any, session: dict[str, Any]) -> None:
        """Commit, tell the nodes, and remember the version."""
        session[key] = self.origin.set(key, value)
        self.near[node].invalidate(key)


sc.system("session.naive")(Site)
sc.system("session.sticky")(Sticky)
sc.system("session.token")(WithToken)


@sc.verb("look", observes=lambda answer, item, on: {item: answer})
def look(site, user, item: str, on: str):
    """Ask for an item through a node."""
    return site.look(on, item, user.vars)


@sc.verb("save", writes=lambda item, on, value: {item: value})
def save(site, user, item: str, on: str, value: int):
    """Change an item through a node."""
    site.save(on, item, value, user.vars)
