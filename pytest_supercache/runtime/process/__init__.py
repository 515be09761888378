"""Replaces what is shared by the whole process while a check runs, and puts it back afterwards.

That is the standard library as modules under test see it, time, randomness, module-level state, and
clients that modules keep. What leads out of control is noticed here. It knows all of the runtime,
and nothing in the runtime knows it.
"""
