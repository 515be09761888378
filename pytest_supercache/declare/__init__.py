"""Declarations about other people's code: systems, verbs, watched calls, and tables of libraries.

The registry keeps what conftest files declare. Each adapter is a table of the calls of one library
and imports nothing of it. This package executes nothing: the runtime applies the declarations.
"""
