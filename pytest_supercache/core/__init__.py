"""Holds the frozen values that all other packages exchange, and the protocol `Scheduler`.

The basics of every package are here, too: reading files within bounds, masking passwords,
escaping text, real time. Only the standard library is imported, and nothing here decides.
"""
