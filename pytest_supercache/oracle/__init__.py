"""Judges executions: decides which guarantees a history breaks.

A violation gets its class, cause, explanation and fingerprint here. The oracle sees values of
``core`` only: it judges recordings of other tools in the same way, in ``linear``.
"""
