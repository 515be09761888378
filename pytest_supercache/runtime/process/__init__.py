"""Replaces state of the whole process while a check runs, and restores it afterwards.

That is the standard library as modules under test see it, time, randomness, module-level state, and
clients that modules keep. Calls that escape control are detected here. The package may import all
of the runtime, and nothing in the runtime imports it.
"""
