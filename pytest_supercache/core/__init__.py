"""Frozen values that all other packages exchange, and the protocol `Scheduler`.

What every package needs at its edges is here too: reading files within bounds, masking passwords,
escaping text, real time. Nothing but the standard library is imported, and nothing here decides.
"""
