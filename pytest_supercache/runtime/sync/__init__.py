"""Cooperative locks, conditions, queues, futures, pools and threads, in place of the standard ones.

Each asks the controller before it acts, and waits by a wait object of ``core.waits`` that a search
can replay. They behave as those of Python do, errors included. The package ``process`` puts them in
place.
"""
