"""Tells objects apart by a number, as ``id`` does, at a fifth of the price.

Every call of ``id`` is an audit event, so it calls each audit hook of the process: ours, and those
of the application. Walks over all objects of a program ask for thousands of identities.
"""

from collections.abc import Callable

identity: Callable[[object], int] = object.__hash__
"""Return a number that no other living object has, whatever the object's own ``__hash__`` says.

It is not the number that ``id`` returns.
"""
