"""Runs one execution under a schedule: chooses the next actor, runs its thread, moves the clock.

The controller asks the scheduler at each switch point; code reaches one through
`execution_context` or `async_context`. Actors, their threads, the clock, faults and the watchdog
live here. Nothing here depends on what is patched, or on any library under test.
"""
