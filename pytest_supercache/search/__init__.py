"""Chooses the next schedule: every search is a small loop around ``attempt``.

``dpor`` executes one schedule of each interleaving, ``all_schedules`` all of them, ``pct`` and the
random walks draw. A search sees steps and choices from ``core``, and neither code nor verdicts.
"""
