"""Calls functions in processes on other machines, through Dask.

The clock of a process stands still while it searches. So a search runs neither where a client of
Dask lives nor where a worker of Dask does: both run in threads, which have to be heard from.
``bridge`` is the process that has the client, and ``child`` one that a worker has started.
"""
