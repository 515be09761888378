"""Turns declared calls, accesses and lines into steps.

A watch names its target, which is found without running its code. The arguments of a call decide
the footprint of its step. Undeclared memory accesses are found by the package ``memory``.
"""
