"""Replaces locks, conditions, queues, futures, pools and threads by cooperative ones.

Each operation is a step of the controller, and waits by a wait object of ``core.waits`` that a
search can replay. The objects behave as those of Python do, errors included. The package
``process`` puts them in place.
"""
