"""Turns commands sent through redis-py and valkey-py into steps.

The doors wrap the clients' own methods, synchronous and asynchronous. Pipelines, blocking commands,
messages and small pools have a module each. The effects of commands in the server are outside of
this package.
"""
