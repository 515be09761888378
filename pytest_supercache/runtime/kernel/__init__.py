"""Runs one execution under a schedule: chooses the next actor, runs its thread, moves the clock.

The controller asks the scheduler at each switch point, and code arrives there through `stepping` or
`async_context`. Actors, their threads, the clock, faults and the watchdog live here. Nothing here
knows what is patched, nor which libraries there are.
"""
