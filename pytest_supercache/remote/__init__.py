"""Calls functions in processes on other machines, through Dask, and keeps lines in Redis.

The clock of a process stands still while it searches. So a search runs neither where a client of
Dask or of a store lives nor where a worker of Dask does. ``bridge`` is the process that has the
client of Dask, and ``child`` one that a worker has started; ``redis_writer`` has that of a store.
"""
