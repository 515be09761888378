"""Turns the commands that code sends through redis-py and valkey-py into steps.

The doors wrap the clients' own methods, synchronous and asynchronous. Pipelines, blocking commands,
messages and small pools have a module each. What the commands do in the server is no business of
this package.
"""
