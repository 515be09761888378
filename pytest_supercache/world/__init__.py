"""What the body of one execution is given: layers, users, actors, and the record of operations.

A world begins with an execution and says no when that has ended. What its users do is recorded, and
becomes the history that the oracle judges. Schedules, budgets and verdicts live in ``checking``.
"""
