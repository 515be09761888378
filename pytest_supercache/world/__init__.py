"""Gives the body of one execution its layers, users and actors, and records operations.

A world begins with an execution, and refuses to be used when that has ended. What its users do is
recorded, and becomes the history that the oracle judges. Schedules, budgets and verdicts live in
``checking``.
"""
