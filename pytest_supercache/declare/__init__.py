"""What is declared of code that is not ours: systems, verbs, watched calls, and libraries' tables.

The registry keeps what conftest files declare. Each adapter is a table of the calls of one library
and imports nothing of it. Nothing runs here: the runtime reads declarations and applies them.
"""
