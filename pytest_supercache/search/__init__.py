"""Searches that choose the next schedule: each is a small loop around ``attempt``.

``dpor`` executes one schedule of each interleaving, ``all_schedules`` all of them; ``pct`` and the
random walks draw. A search sees steps and choices of ``core``, and neither code nor verdicts.
"""
