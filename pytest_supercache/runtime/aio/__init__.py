"""Coroutines under control: one event loop for each execution, whose selector is the controller.

A task at a switch point parks on a future until the schedule takes it. Here is also what threads
and a loop hand to each other. Clients and servers on the loop talk through memory, not sockets.
"""
