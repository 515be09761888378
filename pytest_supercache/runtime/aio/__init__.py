"""Runs coroutines under control, on one event loop per execution, driven by the controller.

A task at a switch point parks on a future until the schedule takes its step. The package also
controls handoffs between threads and a loop. Clients and servers on the loop talk through memory,
not sockets.
"""
