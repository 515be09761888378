"""Turns a scenario into a body: builds systems, plays the users, settles, and asks every node.

The vocabulary says which guarantees and classes every scenario file may name. What a file says is
checked in ``scenario`` before it gets here. How a body is searched is decided in ``checking``.
"""

from pytest_supercache.play.play import Play

__all__ = ["Play"]
