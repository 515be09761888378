"""A scenario becomes a body: systems are built, users act, everything settles, nodes are asked."""

from pytest_supercache.playing.play import Play

__all__ = ["Play"]
