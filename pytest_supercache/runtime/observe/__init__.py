"""Turns calls, accesses and lines that somebody has declared into steps.

A watch names its target, and the target is found without running its code. The arguments of a call
decide what its step may touch. What nobody has declared is found in ``memory``.
"""
